//! `pilvi env`: what a shell needs so that AWS clients talk to the running Pilvi.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::locate::{Found, Running, locate, nothing_runs};
use crate::root_key::RootKey;
use crate::settings::Place;
use crate::terminal::{Shell, say};

/// Set in a shell that used temporary credentials before: with it the root key would be refused.
const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";

/// Arguments of `pilvi env`.
#[derive(Debug, Args)]
pub(crate) struct EnvArgs {
    #[command(flatten)]
    place: Place,
    /// The shell that will read the lines
    #[arg(long, value_enum, default_value_t)]
    shell: Shell,
    /// Lines for the shell, or one JSON object
    #[arg(long, value_enum, default_value_t)]
    format: EnvFormat,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum EnvFormat {
    #[default]
    Shell,
    Json,
}

/// Prints the variables.
///
/// # Errors
/// When nothing runs, or the caller may not read the root key.
pub(crate) fn run(args: &EnvArgs) -> Result<ExitCode> {
    let running = match locate(&args.place)? {
        Found::Running(running) => running,
        Found::Nothing(places) => bail!(nothing_runs(&places)),
    };
    let variables = variables(&running)?;
    match args.format {
        EnvFormat::Shell => {
            for (name, value) in &variables {
                say(args.shell.export(name, value));
            }
            if std::env::var_os(SESSION_TOKEN).is_some_and(|token| !token.is_empty()) {
                say(args.shell.unset(SESSION_TOKEN));
            }
        }
        EnvFormat::Json => {
            let object: serde_json::Map<_, _> =
                variables.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            say(serde_json::to_string_pretty(&object)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn variables(running: &Running) -> Result<Vec<(&'static str, String)>> {
    let server = running.server.as_ref().context("Pilvi is starting; try again in a moment")?;
    let key = RootKey::load(&running.dir)?.context("the data directory has no root key")?;
    let mut variables = vec![
        ("AWS_ENDPOINT_URL", server.endpoint.clone()),
        ("AWS_ACCESS_KEY_ID", key.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", key.secret_access_key.reveal().to_owned()),
        ("AWS_DEFAULT_REGION", server.region.to_string()),
        ("AWS_REGION", server.region.to_string()),
        // Some operations would put a word before the host (Live Tail `stream-`), and an address takes none.
        ("AWS_DISABLE_HOST_PREFIX_INJECTION", "true".to_owned()),
    ];
    if let Some(bundle) = &server.ca_bundle {
        variables.push(("AWS_CA_BUNDLE", bundle.to_string_lossy().into_owned()));
    }
    Ok(variables)
}
