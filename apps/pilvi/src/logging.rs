//! Structured logs on standard error, for a person or for a program.

use std::io::{IsTerminal, stderr};

use anyhow::{Result, anyhow};
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::LogFormat;
use crate::settings::Log;

/// Starts the log of this process. Colours are for terminals, and not where NO_COLOR asks for none.
///
/// # Errors
/// When the process has a log already.
pub(crate) fn init(log: &Log) -> Result<()> {
    // The filter was checked where it was read.
    let filter = EnvFilter::try_new(log.filter.to_string())?;
    let base = fmt().with_env_filter(filter).with_writer(stderr);
    let started = match log.format {
        LogFormat::Text => {
            let colours = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            base.with_ansi(colours).try_init()
        }
        LogFormat::Json => base.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
    };
    started.map_err(|error| anyhow!("cannot start the log: {error}"))
}
