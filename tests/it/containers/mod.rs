//! Containers for real: run by the command line, on the node that comes with `pilvi up`.
//!
//! That needs root: without it each of these tests only sees that this is said.

mod files;
mod leaves_nothing;
mod lifecycle;
mod limits;
mod machines;
mod network;
mod output;
mod published;
mod rounds;
mod running;
mod survives;
mod terminal;
mod told;

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use tests::program::Answer;
use tests::{Options, Server};

/// A server with a node, and the name of an image on it; one for all tests that need no other.
pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) image: String,
    python: OnceLock<String>,
}

impl Stage {
    /// The stage that tests which run at the same time have together; none without root.
    #[track_caller]
    pub(crate) fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Stage>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stage) = shared.upgrade() {
            return Some(stage);
        }
        let stage = Arc::new(Self::new()?);
        *shared = Arc::downgrade(&stage);
        Some(stage)
    }

    /// A stage of one's own; none without root.
    #[track_caller]
    pub(crate) fn new() -> Option<Self> {
        Self::with(Options { keeps_address: true, ..Options::default() })
    }

    /// One whose server is started so; none without root.
    #[track_caller]
    pub(crate) fn with(options: Options) -> Option<Self> {
        let server = Server::start(options);
        if !tests::is_root() {
            let said = server.do_pilvi(&["run", "busybox"]);
            assert_eq!(said.status.code(), Some(125), "{said:?}");
            assert!(said.stderr.contains("sudo pilvi up"), "it is said what to do: {}", said.stderr);
            return None;
        }
        assert!(server.has_node());
        let image = server.image("busybox");
        Some(Self { server, image, python: OnceLock::new() })
    }

    /// The name of an image in which there are Python and a whole C library, whose resolver asks as programs do.
    #[track_caller]
    pub(crate) fn python(&self) -> &str {
        self.python.get_or_init(|| self.server.image("python"))
    }

    /// What a script in a container says; it must end with 0.
    #[track_caller]
    pub(crate) fn script(&self, flags: &[&str], script: &str) -> String {
        self.server.do_pilvi(&[&["run", "--rm"], flags, &[self.python(), "python3", "-c", script]].concat()).success()
    }

    /// `pilvi run --rm FLAGS IMAGE COMMAND`.
    #[track_caller]
    pub(crate) fn run(&self, flags: &[&str], command: &[&str]) -> Answer {
        self.server.do_pilvi(&self.arguments(flags, command))
    }

    /// The arguments of such a command.
    pub(crate) fn arguments<'a>(&'a self, flags: &[&'a str], command: &[&'a str]) -> Vec<&'a str> {
        [&["run", "--rm"], flags, &[&self.image], command].concat()
    }

    /// What a shell in a container says to a script; it must end with 0.
    #[track_caller]
    pub(crate) fn sh(&self, flags: &[&str], script: &str) -> String {
        self.run(flags, &["sh", "-c", script]).success()
    }

    /// Runs a container in the background; it is removed when the guard is dropped.
    #[track_caller]
    pub(crate) fn start<'a>(&'a self, name: &'a str, flags: &[&str], command: &[&str]) -> Started<'a> {
        self.start_image(&self.image, name, flags, command)
    }

    /// The same of another image.
    #[track_caller]
    pub(crate) fn start_image<'a>(
        &'a self,
        image: &str,
        name: &'a str,
        flags: &[&str],
        command: &[&str],
    ) -> Started<'a> {
        let arguments = [&["run", "-d", "--name", name], flags, &[image], command].concat();
        let id = self.server.do_pilvi(&arguments).success().trim().to_owned();
        assert_eq!(id.len(), 32, "{id}");
        Started { stage: self, name, id }
    }

    /// A command about containers.
    #[track_caller]
    pub(crate) fn pilvi(&self, arguments: &[&str]) -> Answer {
        self.server.do_pilvi(arguments)
    }
}

/// A container in the background.
pub(crate) struct Started<'a> {
    stage: &'a Stage,
    name: &'a str,
    pub(crate) id: String,
}

impl Started<'_> {
    /// What a program in it says; it must end with 0.
    #[track_caller]
    pub(crate) fn exec(&self, command: &[&str]) -> String {
        self.stage.pilvi(&[&["exec", self.name], command].concat()).success()
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        // One that is gone already is as it should be.
        let mut rm = self.stage.server.pilvi(&["rm", "-f", self.name]);
        let _ = rm.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).status();
    }
}

/// What is told of a container: whether it runs.
pub(crate) fn is_running(told: &serde_json::Value) -> bool {
    !told["observed"]["containers"][0]["state"]["running"].is_null()
}

/// What is told of a container: whether everything of it is gone.
pub(crate) fn has_stopped(told: &serde_json::Value) -> bool {
    told["observed"]["phase"] == "stopped"
}
