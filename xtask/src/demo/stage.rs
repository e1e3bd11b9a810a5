//! Where the demo plays: a folder of its own, the running server, and calls that are shown as they are made.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::server::Server;
use crate::process::{self, Answer};
use crate::screen;

/// One call; the AWS CLI tries again by itself, and waits in between.
const CALL_LIMIT: Duration = Duration::from_secs(60);
/// Longer answers are cut for the screen.
const LINES_SHOWN: usize = 24;

/// The demo's surroundings. Dropping it ends the server and removes the folder.
#[derive(Debug)]
pub(super) struct Stage {
    // The server first: it is ended before its folder is removed.
    server: Server,
    folder: Folder,
    /// Commands run here, so that `file://samples/…` is found.
    root: PathBuf,
    aws: PathBuf,
    pilvi: PathBuf,
    environment: Vec<(String, String)>,
}

impl Stage {
    /// Makes the folder. Nothing runs yet.
    pub(super) fn set(root: &Path, pilvi: &Path, aws: &Path) -> Result<Self> {
        let folder = Folder::new()?;
        let server = Server::new(pilvi, &folder.0)?;
        Ok(Self {
            server,
            folder,
            root: root.to_owned(),
            aws: aws.to_owned(),
            pilvi: pilvi.to_owned(),
            environment: Vec::new(),
        })
    }

    /// Starts `pilvi up` and waits until it is ready.
    pub(super) fn start(&mut self) -> Result<()> {
        show_command(&format!("pilvi {} &", self.server.arguments().join(" ")));
        let time = self.server.start()?;
        show_output(&self.server.log());
        screen::say(&format!("ready {} ms after its start", time.as_millis()));
        Ok(())
    }

    /// Takes the variables that `pilvi env` prints.
    pub(super) fn read_environment(&mut self) -> Result<()> {
        let data = self.server.data_dir();
        show_command(&format!("eval \"$(pilvi env --data-dir {data})\""));
        let mut env = Command::new(&self.pilvi);
        env.args(["env", "--format", "json", "--data-dir", &data]);
        let printed: Value = serde_json::from_str(&process::capture(&mut env, CALL_LIMIT)?.success()?)
            .context("`pilvi env --format json` is not JSON")?;
        let variables = printed.as_object().context("`pilvi env --format json` is not an object")?;
        self.environment = variables
            .iter()
            .map(|(name, value)| Ok((name.clone(), value.as_str().context("a variable is not text")?.to_owned())))
            .collect::<Result<_>>()?;
        for (name, value) in &self.environment {
            let hidden = name.contains("SECRET");
            screen::say(&format!("{name}={}", if hidden { "***" } else { value }));
        }
        ensure!(variables.contains_key("AWS_ENDPOINT_URL"), "`pilvi env` names no endpoint");
        Ok(())
    }

    /// A call that must succeed; its answer, which must be JSON.
    pub(super) fn aws(&self, arguments: &[&str]) -> Result<Value> {
        self.aws_as(&[], arguments)
    }

    /// The same with other credentials, shown before the command without their secrets.
    pub(super) fn aws_as(&self, identity: &[(&str, &str)], arguments: &[&str]) -> Result<Value> {
        show_command(&with_identity(identity, arguments));
        let answer = self.call(identity, arguments)?.success()?;
        show_output(&without_secrets(&answer));
        serde_json::from_str(&answer).context("the AWS CLI did not answer JSON")
    }

    /// A call that must succeed and answer nothing.
    pub(super) fn aws_silent(&self, arguments: &[&str]) -> Result<()> {
        show_command(&with_identity(&[], arguments));
        let answer = self.call(&[], arguments)?.success()?;
        ensure!(answer.trim().is_empty(), "an answer that should be empty: {answer}");
        Ok(())
    }

    /// A call that must be refused with this error code.
    pub(super) fn aws_refused(&self, identity: &[(&str, &str)], arguments: &[&str], code: &str) -> Result<()> {
        show_command(&with_identity(identity, arguments));
        let answer = self.call(identity, arguments)?;
        show_output(&format!("{}{}", answer.stdout, answer.stderr));
        ensure!(!answer.status.success(), "the call was not refused");
        ensure!(answer.stderr.contains(&format!("({code})")), "the call was refused, but not with {code}");
        screen::say(&format!("exit status {}", answer.status.code().unwrap_or(-1)));
        Ok(())
    }

    /// The answers to several calls, without showing them.
    pub(super) fn ask(&self, questions: &[&[&str]]) -> Result<Vec<Value>> {
        questions.iter().map(|arguments| Ok(serde_json::from_str(&self.call(&[], arguments)?.success()?)?)).collect()
    }

    /// The address of the registry: `127.0.0.1:4566`.
    pub(super) fn registry(&self) -> String {
        self.server.host()
    }

    /// A path as somebody at the root of the repository would type it.
    pub(super) fn typed_path(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }

    /// A line for the shell, which finds `aws` and `skopeo`; it must succeed.
    pub(super) fn shell(&self, line: &str) -> Result<()> {
        show_command(line);
        let mut shell = self.with_environment(Command::new("sh"));
        let path = std::env::var("PATH").unwrap_or_default();
        let clients = self.aws.parent().context("the AWS CLI is in no folder")?;
        shell.args(["-c", line]).env("PATH", format!("{}:{path}", clients.display()));
        shell.env("REGISTRY_AUTH_FILE", self.folder.0.join("auth.json"));
        show_output(&process::capture(&mut shell, CALL_LIMIT)?.success()?);
        Ok(())
    }

    /// A command of Pilvi's own about this server.
    pub(super) fn pilvi(&self, arguments: &[&str]) -> Result<()> {
        let data = self.server.data_dir();
        let arguments = [arguments, &["--data-dir", &data]].concat();
        show_command(&screen::typed("pilvi", &arguments));
        let answer = process::capture(Command::new(&self.pilvi).args(&arguments), CALL_LIMIT)?.success()?;
        show_output(&answer);
        Ok(())
    }

    /// Tells commands of Pilvi's own, from here on, which server they are about: what follows an image is another's command.
    pub(super) fn export_data_dir(&self) {
        show_command(&format!("export PILVI_DATA_DIR={}", self.server.data_dir()));
    }

    /// A command about containers; what it printed.
    pub(super) fn container(&self, arguments: &[&str]) -> Result<String> {
        show_command(&screen::typed("pilvi", arguments));
        let answer = self.silent(arguments)?;
        show_output(&answer);
        Ok(answer)
    }

    /// The same, without showing it.
    pub(super) fn silent(&self, arguments: &[&str]) -> Result<String> {
        let mut pilvi = Command::new(&self.pilvi);
        pilvi.args(arguments).env("PILVI_DATA_DIR", self.server.data_dir());
        process::capture(&mut pilvi, CALL_LIMIT)?.success()
    }

    /// Kills the node, which `pilvi up` starts anew.
    pub(super) fn kill_node(&self) -> Result<()> {
        let status: Value = serde_json::from_str(&self.silent(&["status", "--format", "json"])?)?;
        let pid = status.pointer("/node/pid").and_then(Value::as_u64).context("there is no node")?;
        show_command(&format!("kill -9 {pid}"));
        process::signal(u32::try_from(pid)?, "KILL")
    }

    /// Kills the process that answers requests, and waits until requests are answered again.
    pub(super) fn kill_server(&mut self) -> Result<()> {
        let pid = self.server.answering_process()?;
        show_command(&format!("kill -9 {pid}"));
        let (time, by_itself) = self.server.kill(pid)?;
        if by_itself {
            screen::say(&format!("restarted by `pilvi up`, ready {} ms after the kill", time.as_millis()));
        } else {
            show_command(&format!("pilvi {} &", self.server.arguments().join(" ")));
            screen::say(&format!("ready {} ms after its start", time.as_millis()));
        }
        Ok(())
    }

    /// Ends the server as an operator would.
    pub(super) fn stop(&mut self) -> Result<()> {
        show_command(&format!("kill -TERM {}", self.server.pid()?));
        let time = self.server.stop()?;
        screen::say(&format!("stopped cleanly in {} ms, exit status 0", time.as_millis()));
        Ok(())
    }

    /// The end of what the server wrote.
    pub(super) fn server_log(&self, lines: usize) -> String {
        indented(&process::last_lines(&self.server.log(), lines))
    }

    fn call(&self, identity: &[(&str, &str)], arguments: &[&str]) -> Result<Answer> {
        let mut aws = self.with_environment(Command::new(&self.aws));
        aws.args(arguments).envs(identity.iter().copied());
        process::capture(&mut aws, CALL_LIMIT)
    }

    /// A client that goes by the demo's variables alone, at the repository's root.
    fn with_environment(&self, mut client: Command) -> Command {
        client.current_dir(&self.root);
        // Nothing of the caller's own AWS settings may reach the demo, nor the demo's calls a real account.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("AWS_")) {
                client.env_remove(name);
            }
        }
        for name in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] {
            client.env(name, self.folder.0.join("no-such-file"));
        }
        client.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_PAGER", "").env("AWS_CLI_AUTO_PROMPT", "off");
        client.env("NO_PROXY", "127.0.0.1,localhost");
        client.envs(self.environment.iter().map(|(name, value)| (name, value)));
        client
    }
}

/// A folder of the demo's own, removed at its end.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let moment = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let path = std::env::temp_dir().join(format!("pilvi-demo-{}-{moment:x}", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The command with what stands before it. A secret is hidden, but for one that is wrong on purpose.
fn with_identity(identity: &[(&str, &str)], arguments: &[&str]) -> String {
    let mut line = String::new();
    for (name, value) in identity {
        let hidden = *name != "AWS_ACCESS_KEY_ID" && !value.starts_with("wrong");
        line.push_str(&format!("{name}={} ", if hidden { "***" } else { value }));
    }
    if identity.len() > 1 {
        line.push_str("\\\n      ");
    }
    line + &screen::typed("aws", arguments)
}

/// The values of secret members, shortened: the screen is no place for them, even if they die with the demo.
fn without_secrets(answer: &str) -> String {
    const SECRET: [&str; 2] = ["\"SecretAccessKey\": \"", "\"SessionToken\": \""];
    let mut text = String::new();
    for line in answer.lines() {
        let secret = SECRET.iter().find_map(|member| Some(line.find(member)? + member.len()));
        match secret {
            Some(at) => text.push_str(&format!("{}***\"{}\n", &line[..at], if line.ends_with(',') { "," } else { "" })),
            None => text.push_str(&format!("{line}\n")),
        }
    }
    text
}

fn show_command(line: &str) {
    println!("   {}", screen::bold(&format!("$ {line}")));
}

fn show_output(text: &str) {
    print!("{}", indented(&cut(text)));
}

fn indented(text: &str) -> String {
    text.trim_end().lines().map(|line| format!("   {line}\n")).collect()
}

fn cut(text: &str) -> String {
    let lines: Vec<&str> = text.trim().lines().collect();
    if lines.len() <= LINES_SHOWN {
        return lines.join("\n");
    }
    format!("{}\n… {} more lines", lines[..LINES_SHOWN].join("\n"), lines.len() - LINES_SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_reach_the_screen() {
        let answer =
            "{\n  \"AccessKeyId\": \"ASIA1\",\n  \"SecretAccessKey\": \"hush\",\n  \"SessionToken\": \"hush\"\n}";
        let shown = without_secrets(answer);
        assert!(!shown.contains("hush"), "{shown}");
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["AccessKeyId"], "ASIA1");
        let line = with_identity(&[("AWS_ACCESS_KEY_ID", "ASIA1"), ("AWS_SESSION_TOKEN", "hush")], &["sts"]);
        assert_eq!(line, "AWS_ACCESS_KEY_ID=ASIA1 AWS_SESSION_TOKEN=*** \\\n      aws sts");
        assert_eq!(
            with_identity(&[("AWS_SECRET_ACCESS_KEY", "wrong")], &["sts"]),
            "AWS_SECRET_ACCESS_KEY=wrong aws sts"
        );
    }

    #[test]
    fn a_long_answer_is_cut_and_says_so() {
        let long = "line\n".repeat(LINES_SHOWN + 3);
        let shown = cut(&long);
        assert_eq!(shown.lines().count(), LINES_SHOWN + 1);
        assert!(shown.ends_with("… 3 more lines"), "{shown}");
        assert_eq!(cut("one\n\n"), "one");
    }
}
