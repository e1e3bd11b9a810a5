//! `pilvi runtime`: what functions can be written in here, and supplying more.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::control_socket::{Answer, Conversation, RuntimeRequest};
use crate::images::aligned;
use crate::locate::{Running, running};
use crate::pull::{self, parse_reference};
use crate::runtimes::{ListedRuntime, RuntimeState, Source, is_known};
use crate::settings::Place;
use crate::terminal::{bytes, printable, printable_json, say};

/// Arguments of `pilvi runtime`.
#[derive(Debug, Args)]
pub(crate) struct RuntimeArgs {
    #[command(subcommand)]
    command: RuntimeCommand,
}

#[derive(Debug, Subcommand)]
enum RuntimeCommand {
    /// List the runtimes that functions can have here
    ///
    /// Those that are `found` become images when the first function wants them.
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Supply a runtime
    ///
    /// Of an interpreter on this machine, which becomes an image with its standard library and the libraries that it needs,
    /// or of an image: one of AWS's own, or any with the interpreter in it. With neither, of what this machine has.
    ///
    ///     pilvi runtime add python3.13 --host /usr/local/bin/python3.13
    ///     pilvi runtime add nodejs24.x --image docker.io/library/node:24-slim
    ///     pilvi runtime add java21 --image public.ecr.aws/lambda/java:21
    #[command(verbatim_doc_comment)]
    Add {
        /// Its name, as AWS has it
        #[arg(value_name = "NAME", value_parser = parse_name)]
        name: String,
        /// The interpreter on this machine
        #[arg(long, value_name = "PATH", conflicts_with = "image", value_hint = clap::ValueHint::ExecutablePath)]
        host: Option<PathBuf>,
        /// The image
        #[arg(long, value_name = "REFERENCE")]
        image: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Take runtimes away
    ///
    /// Functions that have one do not start any more; what runs goes on. `pilvi runtime add` brings it back.
    Remove {
        /// The runtimes
        #[arg(value_name = "NAME", required = true, value_parser = parse_name)]
        names: Vec<String>,
        #[command(flatten)]
        place: Place,
    },
}

/// What a program reads.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    runtimes: Vec<ShownRuntime>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownRuntime {
    name: String,
    state: RuntimeState,
    program: Option<PathBuf>,
    image: Option<String>,
    layer_bytes: Option<u64>,
    /// RFC 3339.
    since: Option<String>,
}

/// Lists or changes runtimes.
///
/// # Errors
/// When Pilvi does not run, or it cannot be done.
pub(crate) fn run(args: &RuntimeArgs) -> Result<ExitCode> {
    match &args.command {
        RuntimeCommand::List { json, place } => list(*json, &running(place)?)?,
        RuntimeCommand::Add { name, host, image, place } => {
            let source = match (host, image) {
                (Some(path), _) => Source::Host(absolute(path)?),
                (None, Some(image)) => Source::Image(parse_reference(image)?),
                (None, None) => Source::Machine,
            };
            add(name, source, &running(place)?)?;
        }
        RuntimeCommand::Remove { names, place } => remove(names, &running(place)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(json: bool, running: &Running) -> Result<()> {
    let mut conversation = Conversation::ask(&running.dir, RuntimeRequest::List)?;
    let mut runtimes = Vec::new();
    loop {
        match conversation.next()? {
            Answer::Runtime(runtime) => runtimes.push(*runtime),
            Answer::RuntimesListed => break,
            _ => bail!("the server answered something else"),
        }
    }
    if json {
        let shown = Shown { runtimes: runtimes.into_iter().map(shown).collect() };
        say(printable_json(&serde_json::to_string_pretty(&shown)?));
    } else {
        table(&runtimes).iter().for_each(|line| say(printable(line)));
    }
    Ok(())
}

fn add(name: &str, source: Source, running: &Running) -> Result<()> {
    let source = match source {
        Source::Image(reference) => Source::Image(pull::fetch(running, reference)?.reference),
        source => source,
    };
    let request = RuntimeRequest::Add { name: name.to_owned(), source };
    let Answer::Runtime(added) = Conversation::ask(&running.dir, request)?.next()? else {
        bail!("the server answered something else")
    };
    // The first function is not to wait for it.
    let image = format!("{}/{}:{name}", lambda::runtimes::REGISTRY, lambda::runtimes::REPOSITORY);
    let prepared = pull::fetch(running, parse_reference(&image)?)?.prepared;
    let ready = if prepared.is_some() { "ready" } else { "not unpacked: without root Pilvi has no node" };
    say(printable(&format!("{name}  {}, {}, {ready}", origin(&added), bytes(added.layer_bytes.unwrap_or_default()))));
    Ok(())
}

/// Removes all that are named before it tells of those that are not there.
fn remove(names: &[String], running: &Running) -> Result<()> {
    let mut missing = Vec::new();
    for name in names {
        let request = RuntimeRequest::Remove { name: name.clone() };
        match Conversation::ask(&running.dir, request)?.next()? {
            Answer::Removed(true) => say(name),
            Answer::Removed(false) => missing.push(name.as_str()),
            _ => bail!("the server answered something else"),
        }
    }
    if !missing.is_empty() {
        bail!("there is no runtime {} here", missing.join(", "));
    }
    Ok(())
}

fn parse_name(text: &str) -> Result<String, String> {
    if !is_known(text) {
        return Err(format!(
            "Lambda has no runtime `{text}`; names are such as python3.13, nodejs24.x, provided.al2023"
        ));
    }
    Ok(text.to_owned())
}

/// The server's directory is another than the caller's.
fn absolute(path: &std::path::Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("{} is no path", path.display()))
}

fn shown(runtime: ListedRuntime) -> ShownRuntime {
    let ListedRuntime { name, state, program, image, layer_bytes, since } = runtime;
    let (image, since) = (image.map(|image| image.to_string()), since.map(|since| since.iso8601()));
    ShownRuntime { name, state, program, image, layer_bytes, since }
}

/// The lines for a person.
fn table(runtimes: &[ListedRuntime]) -> Vec<String> {
    let head = ["RUNTIME", "STATE", "SIZE", "FROM", "SINCE"].map(str::to_owned);
    let rows = runtimes.iter().map(|runtime| {
        let state = match runtime.state {
            RuntimeState::Ready => "ready",
            RuntimeState::Found => "found",
            RuntimeState::Removed => "removed",
        };
        let size = runtime.layer_bytes.map_or_else(|| "-".to_owned(), bytes);
        let since = runtime.since.map_or_else(|| "-".to_owned(), |since| since.iso8601());
        [runtime.name.clone(), state.to_owned(), size, origin(runtime), since]
    });
    aligned(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

fn origin(runtime: &ListedRuntime) -> String {
    match (&runtime.program, &runtime.image, runtime.state) {
        (Some(program), _, _) => program.display().to_string(),
        (None, Some(image), _) => image.to_string(),
        (None, None, RuntimeState::Removed) => "-".to_owned(),
        (None, None, _) => "this machine".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime(name: &str, state: RuntimeState) -> ListedRuntime {
        ListedRuntime { name: name.to_owned(), state, program: None, image: None, layer_bytes: None, since: None }
    }

    #[test]
    fn a_table_tells_where_each_runtime_is_from() {
        let made = ListedRuntime {
            program: Some("/usr/bin/python3.13".into()),
            layer_bytes: Some(52_000_000),
            ..runtime("python3.13", RuntimeState::Ready)
        };
        let named = ListedRuntime {
            image: Some("public.ecr.aws/lambda/java:21".parse().unwrap()),
            ..runtime("java21", RuntimeState::Ready)
        };
        let all = [named, runtime("provided.al2023", RuntimeState::Found), made];
        assert_eq!(
            table(&all),
            [
                "RUNTIME          STATE  SIZE     FROM                           SINCE",
                "java21           ready  -        public.ecr.aws/lambda/java:21  -",
                "provided.al2023  found  -        this machine                   -",
                "python3.13       ready  52.0 MB  /usr/bin/python3.13            -",
            ]
        );
    }

    #[test]
    fn a_name_is_one_that_lambda_has_or_had() {
        assert_eq!(parse_name("nodejs20.x").unwrap(), "nodejs20.x");
        assert!(parse_name("cobol").unwrap_err().contains("python3.13"));
    }
}
