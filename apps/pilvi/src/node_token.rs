//! `pilvi node token create` and `pilvi node rm`: letting machines join, and letting them go.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use node::gate::{TOKEN_TTL_DEFAULT, TOKEN_TTL_MAX};
use workload::NodeId;

use crate::control_socket::{Answer, Conversation, NodeRequest};
use crate::locate::running;
use crate::settings::Place;
use crate::terminal::say;

/// What is done about machines that join.
#[derive(Debug, Subcommand)]
pub(crate) enum NodeCommand {
    /// Make tokens by which machines join
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Let machines go that have joined
    ///
    /// Their certificates are good no more, and what runs there is killed within seconds.
    Rm {
        /// The machines, as `pilvi nodes` names them
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token by which one machine may join, once
    ///
    /// The token is a secret: who has it first joins. It also says by which certificate the server is known, so the machine
    /// trusts no other.
    Create(CreateArgs),
}

/// Arguments of `pilvi node token create`.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// How long it is good: 90s, 30m, 1h, 7d at most
    #[arg(long, value_name = "TIME", default_value_t = Ttl(TOKEN_TTL_DEFAULT))]
    ttl: Ttl,
    /// Write it to a new file that only its owner can read, instead of printing it
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

/// How long a token is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ttl(Duration);

impl FromStr for Ttl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a time such as 90s, 30m, 1h or 7d");
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let ttl = Duration::from_secs(number.checked_mul(seconds).ok_or_else(wrong)?);
        if ttl.is_zero() || ttl > TOKEN_TTL_MAX {
            return Err(format!("a token is good for one second at least and {} days at most", days(TOKEN_TTL_MAX)));
        }
        Ok(Self(ttl))
    }
}

impl std::fmt::Display for Ttl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.as_secs() {
            seconds if seconds.is_multiple_of(3600) => write!(f, "{}h", seconds / 3600),
            seconds => write!(f, "{seconds}s"),
        }
    }
}

fn days(duration: Duration) -> u64 {
    duration.as_secs() / 86_400
}

/// Does it.
///
/// # Errors
/// When Pilvi does not run, lets no machine join, or there is no such machine.
pub(crate) fn run(command: &NodeCommand) -> Result<ExitCode> {
    match command {
        NodeCommand::Token { command: TokenCommand::Create(args) } => create(args)?,
        NodeCommand::Rm { names, place } => remove(names, place)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn create(args: &CreateArgs) -> Result<()> {
    let running = running(&args.place)?;
    // Before there is a token that could not be written down.
    let file = args.file.as_ref().map(|path| {
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        opened.with_context(|| format!("cannot write {}", path.display()))
    });
    let file = file.transpose()?;
    let asked = NodeRequest::CreateToken { ttl_s: args.ttl.0.as_secs() };
    let Answer::NodeToken { token, endpoint } = Conversation::ask(&running.dir, asked)?.next()? else {
        bail!("the server answered something else");
    };
    match (file, &args.file) {
        (Some(mut file), Some(path)) => {
            writeln!(file, "{}", token.reveal()).with_context(|| format!("cannot write {}", path.display()))?;
            say(format!(
                "take {} to the machine, and there: pilvi node --join {endpoint} --token-file FILE",
                path.display()
            ));
        }
        _ => say(token.reveal()),
    }
    Ok(())
}

/// Removes all that are named before it tells of those that are not there.
fn remove(names: &[String], place: &Place) -> Result<()> {
    let named = |name: &String| NodeId::try_from(name.clone()).map_err(anyhow::Error::from);
    let ids = names.iter().map(named).collect::<Result<Vec<_>>>()?;
    let running = running(place)?;
    let mut missing = Vec::new();
    for name in ids {
        match Conversation::ask(&running.dir, NodeRequest::Remove { name: name.clone() })?.next()? {
            Answer::Removed(true) => say(name.as_str()),
            Answer::Removed(false) => missing.push(name.as_str().to_owned()),
            _ => bail!("the server answered something else"),
        }
    }
    if !missing.is_empty() {
        bail!("no machine joined as {}", missing.join(", "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_a_unit_within_bounds() {
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("1h", 3600), ("7d", 7 * 86_400)] {
            assert_eq!(text.parse::<Ttl>().unwrap().0, Duration::from_secs(seconds), "{text}");
        }
        for text in ["", "1", "h", "0s", "8d", "-1h", "1 h", "1w", "99999999999999999999h", "1ä"] {
            assert!(text.parse::<Ttl>().is_err(), "{text}");
        }
        assert_eq!(Ttl(TOKEN_TTL_DEFAULT).to_string().parse::<Ttl>().unwrap().0, TOKEN_TTL_DEFAULT);
    }
}
