//! Running programs: always within a time limit, and never leaving a child behind.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often a running program is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What a program answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The program and its arguments.
    pub(crate) line: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    /// The standard output of a program that succeeded; otherwise an error that holds what it said.
    pub(crate) fn success(self) -> Result<String> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        let said = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        bail!("`{}` failed ({}): {}", self.line, self.status, last_lines(said, 20));
    }
}

/// Runs a program to its end with this terminal as its output. Fails when it fails, or is not done within `limit`.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<()> {
    let line = command_line(command);
    let mut child = start(command)?;
    let status = wait(&mut child, limit).with_context(|| format!("running `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs a program to its end and keeps what it writes. Its failure is the caller's to judge.
pub(crate) fn capture(command: &mut Command, limit: Duration) -> Result<Answer> {
    let line = command_line(command);
    let mut child = start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let stdout = child.stdout.take().map(|pipe| thread::spawn(|| read(pipe)));
    let stderr = child.stderr.take().map(|pipe| thread::spawn(|| read(pipe)));
    let status = wait(&mut child, limit).with_context(|| format!("running `{line}`"))?;
    let text = |reader: Option<thread::JoinHandle<String>>| reader.and_then(|r| r.join().ok()).unwrap_or_default();
    Ok(Answer { line, status, stdout: text(stdout), stderr: text(stderr) })
}

/// Like [`run`], and shows `each` every line of standard output after printing it.
pub(crate) fn run_watched(
    command: &mut Command,
    limit: Duration,
    mut each: impl FnMut(&str) + Send + 'static,
) -> Result<()> {
    let line = command_line(command);
    let mut child = start(command.stdout(Stdio::piped()))?;
    let reader = child.stdout.take().map(|pipe| {
        thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line);
                println!("{line}");
                each(&line);
            }
        })
    });
    let status = wait(&mut child, limit).with_context(|| format!("running `{line}`"))?;
    if let Some(reader) = reader {
        let _ = reader.join();
    }
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Waits until the program ends. One that is not done within `limit` is killed with everything that it started.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> Result<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= deadline {
            kill_tree(child);
            bail!("not done after {} s", limit.as_secs());
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Kills a child and everything below it, and reaps the child.
pub(crate) fn kill_tree(child: &mut Child) {
    let below = descendants(child.id());
    let _ = child.kill();
    for pid in below {
        let _ = signal(pid, "KILL");
    }
    let _ = child.wait();
}

/// Sends a signal, named as `kill -s` names it. The shell's own `kill` is used: the program of that name is part of a
/// package that a small system may lack.
pub(crate) fn signal(pid: u32, name: &str) -> Result<()> {
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"kill -s "$1" "$2""#, "kill", name, &pid.to_string()]);
    capture(&mut shell, Duration::from_secs(10))?.success().map(drop)
}

/// The processes below `pid`, parents before their children.
pub(crate) fn descendants(pid: u32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let parents = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| Some((pid, parent_in_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?)))
        .collect();
    below(pid, &parents)
}

/// Whether the process runs: a zombie, which only waits to be reaped, does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| after_name(&stat).is_some_and(|rest| !rest.starts_with('Z') && !rest.starts_with('X')))
}

/// A process's parent, from its line in `/proc/<pid>/stat` (proc_pid_stat(5)).
fn parent_in_stat(stat: &str) -> Option<u32> {
    after_name(stat)?.split_whitespace().nth(1)?.parse().ok()
}

/// What follows the program's name, which is in brackets and may itself hold brackets and spaces.
fn after_name(stat: &str) -> Option<&str> {
    Some(stat.rsplit_once(')')?.1.trim_start())
}

fn below(pid: u32, parents: &BTreeMap<u32, u32>) -> Vec<u32> {
    let mut found = vec![pid];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        found.extend(parents.iter().filter(|(child, of)| **of == parent && **child != parent).map(|(child, _)| child));
        next += 1;
    }
    found.remove(0);
    found
}

fn start(command: &mut Command) -> Result<Child> {
    command.spawn().with_context(|| format!("cannot start `{}`", command_line(command)))
}

fn read(mut pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    // A pipe that breaks ends the text; the program's status tells the rest.
    let _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// The last `count` lines of a text.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(60);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failure_says_what_the_program_said() {
        let error = capture(&mut shell("echo no such thing >&2; exit 3"), SOON).unwrap().success().unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("no such thing") && text.contains("3"), "{text}");
    }

    #[test]
    fn a_program_over_its_limit_is_killed_with_its_children() {
        let mut child = shell("sleep 1000 & printf started; wait").stdout(Stdio::piped()).spawn().unwrap();
        let mut first = [0; 7];
        child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
        let below = descendants(child.id());
        assert_eq!(below.len(), 1);
        let error = wait(&mut child, Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains("not done"), "{error}");
        // The pipe's end is the proof: nobody holds its other side any more.
        assert_eq!(child.stdout.take().unwrap().read_to_end(&mut Vec::new()).unwrap(), 0);
    }

    #[test]
    fn the_parent_is_found_behind_a_name_with_brackets_and_spaces() {
        assert_eq!(parent_in_stat("17 (a) b (c) S 4 17 17 0"), Some(4));
        assert_eq!(parent_in_stat("nonsense"), None);
    }

    #[test]
    fn descendants_are_listed_parents_first() {
        let parents = BTreeMap::from([(1, 0), (2, 1), (5, 2), (3, 5), (9, 1)]);
        assert_eq!(below(2, &parents), [5, 3]);
        assert!(below(9, &parents).is_empty());
    }

    #[test]
    fn the_last_lines_of_a_short_text_are_all_of_it() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a\n", 5), "a");
    }
}
