//! Where containers log to.

use super::Draft;
use crate::api::{FirelensConfiguration, LogConfiguration, LogDriver};
use crate::task_definition::refusal::Refusal;

/// What every driver takes: how output is handed to it.
const DELIVERY_OPTIONS: [&str; 2] = ["mode", "max-buffer-size"];
/// What awslogs takes.
const AWSLOGS_OPTIONS: [&str; 6] = [
    "awslogs-create-group",
    "awslogs-datetime-format",
    "awslogs-group",
    "awslogs-multiline-pattern",
    "awslogs-region",
    "awslogs-stream-prefix",
];
/// What FireLens takes.
const FIRELENS_OPTIONS: [&str; 3] = ["config-file-type", "config-file-value", "enable-ecs-log-metadata"];

/// Checks every log configuration, and the router that they may need.
pub(super) fn check(draft: &Draft) -> Result<(), Refusal> {
    for container in draft.containers() {
        container.log_configuration.as_ref().map_or(Ok(()), check_configuration)?;
        container.firelens_configuration.as_ref().map_or(Ok(()), check_firelens)?;
    }
    let routers = draft.containers().iter().filter(|it| it.firelens_configuration.is_some()).count();
    let is_routed = draft
        .containers()
        .iter()
        .any(|it| it.log_configuration.as_ref().is_some_and(|logs| logs.log_driver == LogDriver::Awsfirelens));
    match routers {
        0 if is_routed => Err(Refusal::FirelensMissing),
        0 | 1 => Ok(()),
        _ => Err(Refusal::FirelensTwice),
    }
}

fn check_configuration(logs: &LogConfiguration) -> Result<(), Refusal> {
    let driver = logs.log_driver.as_str();
    let option = |name: &str| logs.options.as_ref().and_then(|it| it.get(name)).filter(|it| !it.is_empty());
    let is_secret = |name: &str| logs.secret_options.iter().flatten().any(|it| it.name == name);
    let is_missing = |name: &&str| option(name).is_none() && !is_secret(name);
    let options: Vec<&'static str> = required(logs.log_driver).iter().copied().filter(is_missing).collect();
    if !options.is_empty() {
        return Err(Refusal::LogOptionsMissing { driver, options });
    }
    if logs.log_driver == LogDriver::Awslogs {
        let is_known = |name: &str| AWSLOGS_OPTIONS.contains(&name) || DELIVERY_OPTIONS.contains(&name);
        let given = logs.options.iter().flatten().map(|(name, _)| name);
        let options: Vec<String> = given.filter(|name| !is_known(name)).cloned().collect();
        if !options.is_empty() {
            return Err(Refusal::LogOptionsUnknown { driver, options });
        }
    }
    match option("mode") {
        Some(mode)
            if logs.log_driver != LogDriver::Awsfirelens && !matches!(mode.as_str(), "blocking" | "non-blocking") =>
        {
            Err(Refusal::LogMode(mode.clone()))
        }
        _ => Ok(()),
    }
}

/// What a driver cannot do without, in the order in which ECS tells it.
fn required(driver: LogDriver) -> &'static [&'static str] {
    match driver {
        LogDriver::Awslogs => &["awslogs-region", "awslogs-group"],
        LogDriver::Splunk => &["splunk-url", "splunk-token"],
        _ => &[],
    }
}

fn check_firelens(firelens: &FirelensConfiguration) -> Result<(), Refusal> {
    let options = firelens.options.iter().flatten();
    for (name, value) in options {
        let is_fit = match name.as_str() {
            "config-file-type" => matches!(value.as_str(), "s3" | "file"),
            "enable-ecs-log-metadata" => matches!(value.as_str(), "true" | "false"),
            other => FIRELENS_OPTIONS.contains(&other) && !value.is_empty(),
        };
        if !is_fit {
            return Err(Refusal::FirelensOption(name.clone()));
        }
    }
    let option = |name: &str| firelens.options.as_ref().and_then(|it| it.get(name)).map(String::as_str);
    match (option("config-file-type"), option("config-file-value")) {
        (Some("s3"), Some(value)) if !is_object_arn(value) => Err(Refusal::ArnSyntax),
        (Some(_), None) => Err(Refusal::FirelensOption("config-file-value".to_owned())),
        (None, Some(_)) => Err(Refusal::FirelensOption("config-file-type".to_owned())),
        _ => Ok(()),
    }
}

/// `arn:aws:s3:::bucket/key`.
pub(super) fn is_object_arn(text: &str) -> bool {
    text.parse::<base::Arn>().is_ok_and(|arn| {
        arn.service == "s3"
            && arn.resource.split_once('/').is_some_and(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
    })
}
