//! Checks what a client chooses of a cluster. Pure.

use crate::Error;
use crate::api::{
    CapacityProviderStrategyItem, ClusterConfiguration, ClusterServiceConnectDefaultsRequest, ClusterSetting,
    ClusterSettingName, ExecuteCommandLogging,
};
use crate::cluster::CAPACITY_PROVIDERS_MAX;

/// The capacity providers that every account has.
pub(crate) const FARGATE_PROVIDERS: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];
/// What Container Insights can be set to.
pub(crate) const CONTAINER_INSIGHTS: [&str; 3] = ["enabled", "disabled", "enhanced"];

/// The settings as they are kept: those given, each checked; `fallback` for Container Insights where none is given.
pub(crate) fn settings(given: Option<Vec<ClusterSetting>>, fallback: &str) -> Result<Vec<ClusterSetting>, Error> {
    let given = given.unwrap_or_default();
    if given.is_empty() {
        return Ok(vec![container_insights(fallback)]);
    }
    let mut last = None;
    for setting in given {
        let ClusterSettingName::ContainerInsights = setting.name.ok_or(Error::SettingName)?;
        last = Some(setting.value.filter(|it| CONTAINER_INSIGHTS.contains(&it.as_str())).ok_or(Error::SettingValue)?);
    }
    Ok(last.iter().map(|value| container_insights(value)).collect())
}

fn container_insights(value: &str) -> ClusterSetting {
    ClusterSetting { name: Some(ClusterSettingName::ContainerInsights), value: Some(value.to_owned()) }
}

/// Checks the configuration of ECS Exec.
pub(crate) fn configuration(given: Option<ClusterConfiguration>) -> Result<Option<ClusterConfiguration>, Error> {
    let Some(exec) = given.as_ref().and_then(|it| it.execute_command_configuration.as_ref()) else { return Ok(given) };
    let overrides = exec.logging == Some(ExecuteCommandLogging::Override);
    match &exec.log_configuration {
        Some(_) if !overrides => Err(Error::ExecLogsNotOverridden),
        Some(logs) if logs.cloud_watch_log_group_name.is_none() && logs.s3_bucket_name.is_none() => {
            Err(Error::ExecLogsNowhere)
        }
        None if overrides => Err(Error::ExecLogsNowhere),
        _ => Ok(given),
    }
}

/// Checks the default namespace of Service Connect. The empty name takes it away.
///
/// # Errors
/// [`Error::NamespaceNotFound`] for every other name: namespaces are AWS Cloud Map's.
pub(crate) fn service_connect(given: Option<&ClusterServiceConnectDefaultsRequest>) -> Result<(), Error> {
    match given {
        Some(defaults) if !defaults.namespace.is_empty() => Err(Error::NamespaceNotFound(defaults.namespace.clone())),
        _ => Ok(()),
    }
}

/// Checks capacity providers, each of which must exist.
pub(crate) fn capacity_providers(given: Vec<String>) -> Result<Vec<String>, Error> {
    if given.len() > CAPACITY_PROVIDERS_MAX {
        return Err(Error::CapacityProvidersMax(CAPACITY_PROVIDERS_MAX));
    }
    let mut kept: Vec<String> = Vec::with_capacity(given.len());
    for name in given {
        if !FARGATE_PROVIDERS.contains(&name.as_str()) {
            return Err(Error::CapacityProviderNotFound);
        }
        if !kept.contains(&name) {
            kept.push(name);
        }
    }
    Ok(kept)
}

/// Checks a strategy against the cluster's capacity providers, and gives its items the base and weight of 0 that they
/// have when they say none.
pub(crate) fn strategy(
    given: Vec<CapacityProviderStrategyItem>,
    providers: &[String],
) -> Result<Vec<CapacityProviderStrategyItem>, Error> {
    if given.iter().any(|item| !providers.contains(&item.capacity_provider)) {
        return Err(Error::StrategyProviderNotAssociated);
    }
    if given.iter().filter(|item| item.base.unwrap_or_default() > 0).count() > 1 {
        return Err(Error::StrategyBases);
    }
    let twice = |(at, item): (usize, &CapacityProviderStrategyItem)| {
        given[..at].iter().any(|before| before.capacity_provider == item.capacity_provider)
    };
    if given.iter().enumerate().any(twice) {
        return Err(Error::StrategyProviderTwice);
    }
    let filled = |item: CapacityProviderStrategyItem| CapacityProviderStrategyItem {
        base: Some(item.base.unwrap_or_default()),
        weight: Some(item.weight.unwrap_or_default()),
        ..item
    };
    Ok(given.into_iter().map(filled).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{ExecuteCommandConfiguration, ExecuteCommandLogConfiguration};

    fn setting(value: Option<&str>) -> ClusterSetting {
        ClusterSetting { name: Some(ClusterSettingName::ContainerInsights), value: value.map(str::to_owned) }
    }

    fn item(provider: &str, base: Option<i32>) -> CapacityProviderStrategyItem {
        CapacityProviderStrategyItem { capacity_provider: provider.to_owned(), base, weight: None }
    }

    #[test]
    fn container_insights_falls_back_to_the_account() {
        assert_eq!(settings(None, "enhanced").unwrap(), [setting(Some("enhanced"))]);
        assert_eq!(settings(Some(Vec::new()), "disabled").unwrap(), [setting(Some("disabled"))]);
        assert_eq!(settings(Some(vec![setting(Some("enabled"))]), "disabled").unwrap(), [setting(Some("enabled"))]);
    }

    #[test]
    fn a_setting_that_ecs_does_not_know_is_refused() {
        for (setting, message) in [
            (setting(Some("on")), "Invalid setting 'value'"),
            (setting(None), "Invalid setting 'value'"),
            (ClusterSetting { name: None, value: Some("enabled".to_owned()) }, "Invalid setting 'name'"),
        ] {
            assert_eq!(settings(Some(vec![setting]), "disabled").unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn logs_of_ecs_exec_go_elsewhere_only_when_it_is_said_where() {
        let exec = |logging, group: Option<&str>, has_logs: bool| ClusterConfiguration {
            execute_command_configuration: Some(ExecuteCommandConfiguration {
                logging,
                log_configuration: has_logs.then(|| ExecuteCommandLogConfiguration {
                    cloud_watch_log_group_name: group.map(str::to_owned),
                    ..ExecuteCommandLogConfiguration::default()
                }),
                ..ExecuteCommandConfiguration::default()
            }),
            ..ClusterConfiguration::default()
        };
        let overriding = Some(ExecuteCommandLogging::Override);
        let nowhere = "A CloudWatch log group name or S3 bucket name must be specified when overriding the default log \
                       configuration.";
        for (given, message) in [
            (
                exec(Some(ExecuteCommandLogging::Default), Some("/exec"), true),
                "You must set logging to 'OVERRIDE' when you supply a log configuration.",
            ),
            (exec(overriding, None, false), nowhere),
            (exec(overriding, None, true), nowhere),
        ] {
            assert_eq!(configuration(Some(given)).unwrap_err().to_string(), message);
        }
        for given in [exec(None, None, false), exec(overriding, Some("/exec"), true), ClusterConfiguration::default()] {
            assert_eq!(configuration(Some(given.clone())).unwrap(), Some(given));
        }
    }

    #[test]
    fn a_strategy_keeps_to_the_rules() {
        let both = FARGATE_PROVIDERS.map(str::to_owned);
        let cases = [
            (
                vec![item("FARGATE", None), item("mine", None)],
                "The specified capacity provider strategy cannot contain a capacity provider that is not associated with \
                 the cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and \
                 try again.",
            ),
            (
                vec![item("FARGATE", Some(1)), item("FARGATE_SPOT", Some(2))],
                "The specified capacity provider strategy contains multiple capacity providers with a base value \
                 defined. Only one capacity provider per strategy can have a base value defined.",
            ),
            (
                vec![item("FARGATE", None), item("FARGATE", None)],
                "The specified capacity provider strategy cannot contain duplicate capacity providers.",
            ),
        ];
        for (given, message) in cases {
            assert_eq!(strategy(given, &both).unwrap_err().to_string(), message);
        }
        let filled = strategy(vec![item("FARGATE", Some(1)), item("FARGATE_SPOT", None)], &both).unwrap();
        assert_eq!((filled[0].base, filled[1].base, filled[1].weight), (Some(1), Some(0), Some(0)));
    }

    #[test]
    fn a_capacity_provider_must_exist() {
        let error = capacity_providers(vec!["FARGATE".to_owned(), "mine".to_owned()]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "The specified capacity provider was not found. Specify a valid capacity provider and try again."
        );
        assert!(matches!(capacity_providers(vec!["FARGATE".to_owned(); 21]), Err(Error::CapacityProvidersMax(20))));
        let once = capacity_providers(vec!["FARGATE".to_owned(), "FARGATE".to_owned()]).unwrap();
        assert_eq!(once, ["FARGATE"]);
    }

    #[test]
    fn a_namespace_cannot_be_made_up() {
        let named = |namespace: &str| ClusterServiceConnectDefaultsRequest { namespace: namespace.to_owned() };
        assert!(service_connect(Some(&named(""))).is_ok() && service_connect(None).is_ok());
        let error = wire::Error::from(service_connect(Some(&named("internal"))).unwrap_err());
        assert_eq!(error.code, "NamespaceNotFoundException");
    }
}
