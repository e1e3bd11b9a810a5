//! Docker: its daemon, started for one test on a folder of its own, and its client.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{Place, log_in};
use crate::program;
use crate::server::without_settings;
use crate::{Aws, Server, place};

/// From the daemon's start to its first answer.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// From SIGTERM to its end.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A daemon that runs, and its client.
#[derive(Debug)]
pub struct Docker {
    daemon: Child,
    programs: PathBuf,
    place: Place,
}

impl Docker {
    /// Starts a daemon without images; none where it does not run, which `cargo xtask test` has told.
    #[track_caller]
    pub fn start(server: &Server) -> Option<Self> {
        let (programs, place) = (place::docker()?, Place::of(server));
        let log = File::create(place.home.file("log")).expect("the folder is writable");
        let mut daemon = with_programs(&programs.join("usr/sbin/dockerd"), &programs);
        daemon.args(["--iptables=false", "--ip6tables=false", "--bridge=none", "--host"]);
        daemon.arg(format!("unix://{}", place.home.file("docker.sock").display()));
        for (option, name) in [("--data-root", "images"), ("--exec-root", "run"), ("--pidfile", "pid")] {
            daemon.arg(option).arg(place.home.file(name));
        }
        daemon.stdin(Stdio::null()).stdout(log.try_clone().expect("a file can be had twice")).stderr(log);
        let daemon = daemon.spawn().expect("the daemon can be started");
        let docker = Self { daemon, programs, place };
        let ready = program::until(READY_LIMIT, || {
            program::run(&mut docker.command(&["version"])).status.success().then_some(())
        });
        let log = || std::fs::read_to_string(docker.place.home.file("log")).unwrap_or_default();
        assert!(ready.is_some(), "docker's daemon does not answer:\n{}", log());
        Some(docker)
    }

    /// Logs in by what the AWS CLI prints.
    #[track_caller]
    pub fn log_in(&self, aws: &Aws) {
        let said = log_in(aws, &mut self.command(&["login"]), &self.place.host).success();
        assert!(said.contains("Login Succeeded"), "{said}");
    }

    /// The name of an image in the registry: `127.0.0.1:4566/web:1`.
    pub fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.place.host)
    }

    /// Runs a command, which succeeds.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> String {
        program::run(&mut self.command(arguments)).success()
    }

    /// Gives the daemon an image by the archive of its files, under a name.
    #[track_caller]
    pub fn import(&self, archive: &str, name: &str) {
        self.run(&["import", archive, name]);
    }

    /// A command of its client.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut docker = with_programs(&self.programs.join("usr/bin/docker"), &self.programs);
        docker.env("HOME", self.place.home.path()).env("DOCKER_CONFIG", self.place.home.file("config"));
        docker.env("DOCKER_HOST", format!("unix://{}", self.place.home.file("docker.sock").display()));
        docker.args(arguments);
        docker
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let told = kill_process(Pid::from_child(&self.daemon), Signal::TERM).is_ok();
        if !told || program::wait(&mut self.daemon, STOP_LIMIT).is_none() {
            let _ = self.daemon.kill();
            let _ = self.daemon.wait();
        }
    }
}

/// A program of docker's that finds the others.
fn with_programs(program: &std::path::Path, programs: &std::path::Path) -> Command {
    let mut command = without_settings(program);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{0}/usr/sbin:{0}/usr/bin:{path}", programs.display()));
    command
}
