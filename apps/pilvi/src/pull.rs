//! `pilvi pull`: brings an image here, ready to run.

mod bar;
mod docker_config;

use std::io::{self, Read};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use images::{Platform, Reference};
use node::supply::Pulled;

use crate::config::Secret;
use crate::control_socket::{Answer, Conversation, Credentials, ImageRequest, Pull};
use crate::locate::{Running, running};
use crate::settings::Place;
use crate::terminal::{bytes, printable, say};
use bar::Bar;

/// The longest password that is read, in bytes: tokens of registries have a few thousand.
const PASSWORD_BYTES_MAX: u64 = 64 * 1024;

/// Arguments of `pilvi pull`.
#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// The image: `busybox`, `registry.example/team/app:v1`, `…@sha256:…`
    #[arg(value_name = "REFERENCE")]
    reference: String,
    /// The machine that it is for, such as `linux/arm64` [default: this one]
    #[arg(long, value_name = "OS/ARCHITECTURE", value_parser = parse_platform)]
    platform: Option<Platform>,
    /// Whom the registry knows you as [default: who you have logged in as, with docker or podman]
    #[arg(long, value_name = "NAME", requires = "password_stdin")]
    username: Option<String>,
    /// Read the password from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
    /// Print the image's full name and nothing else
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    place: Place,
}

/// Pulls and shows how far it is. What has come when it is interrupted is gone on with by the next pull.
///
/// # Errors
/// When Pilvi does not run, or the image cannot be had.
pub(crate) fn run(args: &PullArgs) -> Result<ExitCode> {
    let reference = parse_reference(&args.reference)?;
    let credentials = match &args.username {
        Some(username) => Some(Credentials::Password { username: username.clone(), password: read_password()? }),
        None => docker_config::stored(&reference)?,
    };
    let running = running(&args.place)?;
    let started = Instant::now();
    let pull = Pull { reference, platform: args.platform.clone(), credentials };
    let mut conversation = Conversation::ask(&running.dir, ImageRequest::Pull(pull))?;
    let mut bar = Bar::new(args.quiet);
    let pulled = follow(&mut conversation, &mut bar);
    bar.end();
    let pulled = pulled?;
    if args.quiet {
        say(printable(&pulled.reference.to_string()));
    } else {
        told(&pulled, started.elapsed()).iter().for_each(|line| say(printable(line)));
    }
    Ok(ExitCode::SUCCESS)
}

/// Pulls an image for this machine as whom the caller has logged in, and shows how far it is.
///
/// # Errors
/// When it cannot be had.
pub(crate) fn fetch(running: &Running, reference: Reference) -> Result<Pulled> {
    let credentials = docker_config::stored(&reference)?;
    let mut conversation =
        Conversation::ask(&running.dir, ImageRequest::Pull(Pull { reference, platform: None, credentials }))?;
    let mut bar = Bar::new(false);
    let pulled = follow(&mut conversation, &mut bar);
    bar.end();
    pulled
}

/// Reads the name of an image as it was given.
///
/// # Errors
/// When it is none.
pub(crate) fn parse_reference(text: &str) -> Result<Reference> {
    text.parse().with_context(|| format!("`{text}` names no image"))
}

fn follow(conversation: &mut Conversation, bar: &mut Bar) -> Result<Pulled> {
    loop {
        match conversation.next()? {
            Answer::Progress(progress) => bar.show(&progress, Instant::now()),
            Answer::Pulled(pulled) => return Ok(*pulled),
            _ => bail!("the server answered something else"),
        }
    }
}

/// What is told of an image that is here.
fn told(pulled: &Pulled, took: Duration) -> Vec<String> {
    let came = match (pulled.is_local, pulled.downloaded_bytes) {
        (true, _) => "in the registry on this machine".to_owned(),
        (false, 0) => "nothing new to download".to_owned(),
        (false, count) => format!("{} downloaded", bytes(count)),
    };
    let ready = match &pulled.prepared {
        Some(prepared) => {
            let layers = if prepared.layers == 1 { "layer" } else { "layers" };
            format!("ready, {} {layers}, {} unpacked", prepared.layers, bytes(prepared.unpacked_bytes))
        }
        None => "not unpacked: without root Pilvi has no node that could do it".to_owned(),
    };
    vec![
        pulled.reference.to_string(),
        format!("  digest  {}", pulled.root),
        format!("  image   {came}; {ready}, in {:.1} s", took.as_secs_f64()),
    ]
}

fn read_password() -> Result<Secret> {
    let mut text = String::new();
    io::stdin().lock().take(PASSWORD_BYTES_MAX + 1).read_to_string(&mut text).context("cannot read the password")?;
    if text.len() as u64 > PASSWORD_BYTES_MAX {
        bail!("a password has at most {PASSWORD_BYTES_MAX} bytes");
    }
    let password = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if password.is_empty() {
        bail!("there is no password on standard input");
    }
    Ok(Secret::new(password.to_owned()))
}

/// Reads `linux/arm64`, `linux/arm/v7`, or an architecture alone.
fn parse_platform(text: &str) -> Result<Platform, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let is_word = |part: &&str| {
        let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        !part.is_empty() && part.len() <= 64 && part.bytes().all(inside)
    };
    if !parts.iter().all(is_word) {
        return Err(format!("`{text}` is no platform such as linux/arm64"));
    }
    match parts.as_slice() {
        [architecture] => Ok(Platform::linux(architecture, None)),
        ["linux", architecture] => Ok(Platform::linux(architecture, None)),
        ["linux", architecture, variant] => Ok(Platform::linux(architecture, Some(variant))),
        [_, _] | [_, _, _] => Err("images for other systems than linux cannot run here".to_owned()),
        _ => Err(format!("`{text}` is no platform such as linux/arm64")),
    }
}

#[cfg(test)]
mod tests {
    use node::supply::Prepared;

    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn pulled() -> Pulled {
        Pulled {
            reference: "far.example/app".parse().unwrap(),
            root: DIGEST.parse().unwrap(),
            prepared: Some(Prepared { manifest: DIGEST.parse().unwrap(), layers: 6, unpacked_bytes: 912_000_000 }),
            downloaded_bytes: 330_000_000,
            is_local: false,
        }
    }

    #[test]
    fn a_pull_tells_what_came_and_whether_it_can_run() {
        let took = Duration::from_millis(12_340);
        assert_eq!(
            told(&pulled(), took),
            [
                "far.example/app:latest".to_owned(),
                format!("  digest  {DIGEST}"),
                "  image   330 MB downloaded; ready, 6 layers, 912 MB unpacked, in 12.3 s".to_owned(),
            ]
        );
        let again = told(&Pulled { downloaded_bytes: 0, prepared: None, ..pulled() }, took);
        assert!(again[2].starts_with("  image   nothing new to download; not unpacked: "), "{}", again[2]);
        let local = told(&Pulled { is_local: true, ..pulled() }, took);
        assert!(local[2].starts_with("  image   in the registry on this machine; ready"), "{}", local[2]);
    }

    #[test]
    fn a_platform_is_an_architecture_of_linux() {
        assert_eq!(parse_platform("linux/arm64").unwrap(), Platform::linux("arm64", None));
        assert_eq!(parse_platform("linux/arm/v7").unwrap(), Platform::linux("arm", Some("v7")));
        assert_eq!(parse_platform("amd64").unwrap(), Platform::linux("amd64", None));
        for wrong in ["", "/", "linux/", "linux/arm/v7/x", "linux/a b", "windows/amd64", &"a".repeat(65)] {
            assert!(parse_platform(wrong).is_err(), "{wrong}");
        }
    }
}
