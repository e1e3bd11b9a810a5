//! Where what a container prints goes, beside its node: docker's `--log-driver awslogs`, to CloudWatch Logs of this server.

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use platform::workloads::LogDestination;

use super::values;

/// Where what it prints goes.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Where what it prints goes")]
pub(super) struct LogArgs {
    /// Where, beside the node, which always keeps the last of it for `pilvi logs`
    #[arg(long, value_enum, default_value_t)]
    log_driver: LogDriver,
    /// awslogs-group=NAME, awslogs-stream=NAME [default: the container's name], awslogs-create-group=true
    #[arg(long, value_name = "NAME=VALUE", value_parser = values::pair)]
    log_opt: Vec<(String, String)>,
}

/// What takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum LogDriver {
    /// The node alone
    #[default]
    Local,
    /// CloudWatch Logs
    Awslogs,
}

/// The log stream; none for the node alone.
///
/// # Errors
/// When an option is unknown, contradicts the driver, or is missing.
pub(super) fn destination(args: &LogArgs, name: Option<&str>) -> Result<Option<LogDestination>> {
    if args.log_driver == LogDriver::Local {
        return match args.log_opt.first() {
            Some((option, _)) => bail!("--log-opt {option} is for `--log-driver awslogs`"),
            None => Ok(None),
        };
    }
    let (mut group, mut stream, mut creates_group) = (None, name.map(str::to_owned), false);
    for (option, value) in &args.log_opt {
        match option.as_str() {
            "awslogs-group" => group = Some(value.clone()),
            "awslogs-stream" => stream = Some(value.clone()),
            "awslogs-create-group" => {
                creates_group = value.parse().ok().context("--log-opt awslogs-create-group is true or false")?;
            }
            other => bail!("--log-opt {other} is unknown: awslogs-group, awslogs-stream, awslogs-create-group"),
        }
    }
    let group = group.context("--log-driver awslogs needs `--log-opt awslogs-group=NAME`")?;
    let stream = stream.context("name the container (--name), or the stream: `--log-opt awslogs-stream=NAME`")?;
    Ok(Some(LogDestination { group, stream, creates_group }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(log_driver: LogDriver, options: &[(&str, &str)], name: Option<&str>) -> Result<Option<LogDestination>> {
        let log_opt = options.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        destination(&LogArgs { log_driver, log_opt }, name)
    }

    #[test]
    fn a_stream_is_called_as_its_container_unless_it_is_named() {
        let group = ("awslogs-group", "/g");
        let by_name = asked(LogDriver::Awslogs, &[group], Some("web")).unwrap().unwrap();
        assert_eq!((by_name.group.as_str(), by_name.stream.as_str(), by_name.creates_group), ("/g", "web", false));
        let options = [group, ("awslogs-stream", "s"), ("awslogs-create-group", "true")];
        let named = asked(LogDriver::Awslogs, &options, Some("web")).unwrap().unwrap();
        assert_eq!((named.stream.as_str(), named.creates_group), ("s", true));
        assert_eq!(asked(LogDriver::Local, &[], None).unwrap(), None);
    }

    #[test]
    fn what_is_missing_unknown_or_for_another_driver_is_named() {
        for (driver, options, name, named) in [
            (LogDriver::Awslogs, vec![], Some("web"), "awslogs-group"),
            (LogDriver::Awslogs, vec![("awslogs-group", "/g")], None, "--name"),
            (LogDriver::Awslogs, vec![("awslogs-region", "eu")], Some("web"), "awslogs-region"),
            (LogDriver::Awslogs, vec![("awslogs-create-group", "yes")], Some("web"), "true or false"),
            (LogDriver::Local, vec![("awslogs-group", "/g")], Some("web"), "awslogs"),
        ] {
            let error = asked(driver, &options, name).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
