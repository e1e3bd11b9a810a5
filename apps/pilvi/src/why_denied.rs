//! `pilvi why-denied`: which policies denied a request.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use platform::denials::{Denial, find, newest};

use crate::locate::{Found, locate};
use crate::settings::Place;
use crate::terminal::{printable, printable_json, say};

/// Arguments of `pilvi why-denied`.
#[derive(Debug, Args)]
pub(crate) struct WhyDeniedArgs {
    /// The id of the request, as the error's answer carries it; without one, the newest denial is told
    #[arg(value_name = "REQUEST-ID")]
    request_id: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Text for a person, or one JSON array
    #[arg(long, value_enum, default_value_t)]
    format: WhyDeniedFormat,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum WhyDeniedFormat {
    #[default]
    Text,
    Json,
}

/// Tells why the request was denied, also when Pilvi is not running any more.
///
/// # Errors
/// When no denial of this request is kept, or the data directory may not be read.
pub(crate) fn run(args: &WhyDeniedArgs) -> Result<ExitCode> {
    let folders = match locate(&args.place)? {
        Found::Running(running) => vec![running.dir],
        Found::Nothing(places) => places.into_iter().map(crate::data_dir::DataDir::at).collect(),
    };
    let mut denials = Vec::new();
    for dir in &folders {
        let folder = dir.audit();
        let found = match &args.request_id {
            Some(id) => find(&folder, id),
            None => newest(&folder).map(|newest| newest.into_iter().collect()),
        };
        denials.extend(found.with_context(|| format!("cannot read {}", folder.display()))?);
    }
    if denials.is_empty() {
        match &args.request_id {
            Some(id) => bail!(
                "no denial of a request with the id {id} is kept: either it was not denied, or it is too long ago"
            ),
            None => bail!("no denial is kept"),
        }
    }
    match args.format {
        WhyDeniedFormat::Json => say(printable_json(&serde_json::to_string_pretty(&denials)?)),
        WhyDeniedFormat::Text => denials.iter().flat_map(text).for_each(say),
    }
    Ok(ExitCode::SUCCESS)
}

fn text(denial: &Denial) -> Vec<String> {
    let mut lines = vec![
        format!("{} at {}", printable(&denial.principal), printable(&denial.time)),
        format!("  asked for   {} on {}", printable(&denial.action), printable(&denial.resource)),
        format!("  denied      because {}", printable(&denial.reason)),
    ];
    if denial.statements.is_empty() {
        lines.push("  statements  none applied to this request".to_owned());
    }
    for statement in &denial.statements {
        let sid = statement.sid.as_deref().map(|sid| format!(" \"{}\"", printable(sid))).unwrap_or_default();
        lines.push(format!(
            "  {:<11} by statement {}{sid} of {} ({})",
            if statement.effect == "Deny" { "denied" } else { "allowed" },
            statement.statement,
            printable(&statement.policy),
            printable(&statement.kind)
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use platform::denials::DenialStatement;

    use super::*;

    #[test]
    fn a_denial_is_told_with_the_statements_that_applied() {
        let statement = |effect: &str, sid: Option<&str>| DenialStatement {
            kind: "identity-based policy".to_owned(),
            policy: "guard".to_owned(),
            statement: 2,
            sid: sid.map(str::to_owned),
            effect: effect.to_owned(),
        };
        let denial = Denial {
            request_id: "r".to_owned(),
            time: "2026-01-01T00:00:00Z".to_owned(),
            principal: "arn:aws:iam::111111111111:user/a\u{1b}".to_owned(),
            action: "ecs:CreateCluster".to_owned(),
            resource: "*".to_owned(),
            reason: "a statement of an identity-based policy denies it".to_owned(),
            statements: vec![statement("Allow", None), statement("Deny", Some("Never"))],
            dropped: 0,
        };
        let lines = text(&denial);
        assert_eq!(lines[3], "  allowed     by statement 2 of guard (identity-based policy)");
        assert_eq!(lines[4], "  denied      by statement 2 \"Never\" of guard (identity-based policy)");
        assert!(lines.iter().all(|line| !line.contains(char::is_control)));
    }
}
