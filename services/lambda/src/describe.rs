//! Functions, versions and aliases as operations answer them.

use base::Timestamp;

use crate::api::{
    self, AliasConfiguration, AliasRoutingConfiguration, EnvironmentResponse, EphemeralStorage, FunctionConfiguration,
    ImageConfig, ImageConfigResponse, LastUpdateStatus, LastUpdateStatusReasonCode, LoggingConfig, PackageType,
    SnapStartApplyOn, SnapStartOptimizationStatus, SnapStartResponse, State, StateReasonCode, TracingConfigResponse,
    TracingMode,
};
use crate::configuration::{Configuration, LogFormat, Logging, Package, open_variables};
use crate::function::{Alias, Condition, Failure, Function, Update, Version};
use crate::names::{FunctionName, LATEST};
use crate::{Error, Lambda};

/// An instant as Lambda writes it: `2026-01-01T00:00:00.000+0000`.
pub(crate) fn date(instant: Timestamp) -> String {
    let text = instant.iso8601();
    let text = text.trim_end_matches('Z');
    let millis = if text.contains('.') { "" } else { ".000" };
    format!("{text}{millis}+0000")
}

/// What of a version is answered.
pub(crate) struct Described<'a> {
    pub(crate) name: &'a FunctionName,
    /// The ARN, as it was asked for.
    pub(crate) arn: String,
    pub(crate) version: String,
    pub(crate) description: &'a str,
    pub(crate) configuration: &'a Configuration,
    pub(crate) condition: &'a Condition,
    pub(crate) update: Option<&'a Update>,
    pub(crate) modified: Timestamp,
    pub(crate) revision: &'a str,
}

impl<'a> Described<'a> {
    /// `$LATEST`.
    pub(crate) fn latest(name: &'a FunctionName, function: &'a Function) -> Self {
        Self {
            name,
            arn: name.arn(),
            version: LATEST.to_owned(),
            description: &function.latest.description,
            configuration: &function.latest,
            condition: &function.condition,
            update: function.update.as_ref(),
            modified: function.modified,
            revision: &function.revision,
        }
    }

    /// A version, under its own ARN.
    pub(crate) fn version(name: &'a FunctionName, version: &'a Version) -> Self {
        Self {
            name,
            arn: name.qualified(&version.number.to_string()),
            version: version.number.to_string(),
            description: &version.description,
            configuration: &version.configuration,
            condition: &version.condition,
            update: None,
            modified: version.modified,
            revision: &version.revision,
        }
    }

    /// The same under another ARN.
    pub(crate) fn under(self, arn: String) -> Self {
        Self { arn, ..self }
    }

    /// All of it.
    ///
    /// # Errors
    /// [`Error::Internal`] for an environment that does not open.
    pub(crate) fn whole(&self, lambda: &Lambda) -> Result<FunctionConfiguration, Error> {
        let mut told = self.brief(lambda)?;
        told.state = self.condition.as_str().parse().ok();
        match self.condition {
            Condition::Pending => {
                told.state_reason = Some("The function is being created.".to_owned());
                told.state_reason_code = Some(StateReasonCode::Creating);
            }
            Condition::Failed(Failure { code, reason }) => {
                told.state_reason = Some(reason.clone());
                told.state_reason_code = code.parse().ok().or(Some(StateReasonCode::InternalError));
            }
            Condition::Active => told.state = Some(State::Active),
        }
        match (self.update, self.condition) {
            (Some(Update::InProgress), _) => {
                told.last_update_status = Some(LastUpdateStatus::InProgress);
                told.last_update_status_reason = Some("The function is being created.".to_owned());
            }
            (Some(Update::Failed(Failure { code, reason })), _) => {
                told.last_update_status = Some(LastUpdateStatus::Failed);
                told.last_update_status_reason = Some(reason.clone());
                told.last_update_status_reason_code =
                    code.parse().ok().or(Some(LastUpdateStatusReasonCode::InternalError));
            }
            (Some(Update::Successful), _) | (None, Condition::Active) => {
                told.last_update_status = Some(LastUpdateStatus::Successful);
            }
            (None, _) => {}
        }
        Ok(told)
    }

    /// What lists tell: all but what can be done with it.
    ///
    /// # Errors
    /// [`Error::Internal`] for an environment that does not open.
    pub(crate) fn brief(&self, lambda: &Lambda) -> Result<FunctionConfiguration, Error> {
        let configuration = self.configuration;
        let number = |number: u32| i32::try_from(number).ok();
        let environment = match &configuration.variables {
            Some(sealed) => Some(EnvironmentResponse {
                variables: Some(open_variables(&lambda.platform.keyring, self.name, sealed)?),
                error: None,
            }),
            None => None,
        };
        let layers = configuration.layers.iter().map(|layer| api::Layer {
            arn: Some(layer.arn.clone()),
            code_size: i64::try_from(layer.archive.size).ok(),
            ..Default::default()
        });
        let layers: Vec<api::Layer> = layers.collect();
        Ok(FunctionConfiguration {
            architectures: configuration.architecture.as_str().parse().ok().map(|it| vec![it]),
            code_sha256: Some(configuration.package.code_sha256()),
            code_size: i64::try_from(configuration.package.size()).ok(),
            description: Some(self.description.to_owned()),
            environment,
            ephemeral_storage: number(configuration.ephemeral_mib).map(|size| EphemeralStorage { size }),
            function_arn: Some(self.arn.clone()),
            function_name: Some(self.name.name.clone()),
            handler: configuration.handler.clone(),
            image_config_response: image_config(&configuration.package),
            last_modified: Some(date(self.modified)),
            layers: (!layers.is_empty()).then_some(layers),
            logging_config: Some(logging(&configuration.logging)),
            memory_size: number(configuration.memory_mib),
            package_type: Some(match configuration.package {
                Package::Zip(_) => PackageType::Zip,
                Package::Image { .. } => PackageType::Image,
            }),
            revision_id: Some(self.revision.to_owned()),
            role: Some(configuration.role.clone()),
            runtime: configuration.runtime.clone(),
            snap_start: Some(SnapStartResponse {
                apply_on: Some(SnapStartApplyOn::None),
                optimization_status: Some(SnapStartOptimizationStatus::Off),
            }),
            timeout: number(configuration.timeout_s),
            tracing_config: Some(TracingConfigResponse {
                mode: Some(if configuration.is_traced { TracingMode::Active } else { TracingMode::PassThrough }),
            }),
            version: Some(self.version.clone()),
            ..Default::default()
        })
    }
}

fn image_config(package: &Package) -> Option<ImageConfigResponse> {
    let Package::Image { overrides, .. } = package else { return None };
    let config = ImageConfig {
        command: overrides.command.clone(),
        entry_point: overrides.entry_point.clone(),
        working_directory: overrides.working_directory.clone(),
    };
    (config != ImageConfig::default()).then_some(ImageConfigResponse { image_config: Some(config), error: None })
}

fn logging(logging: &Logging) -> LoggingConfig {
    let log_group = Some(logging.group.clone());
    match logging.format {
        LogFormat::Text => LoggingConfig { log_format: Some(api::LogFormat::Text), log_group, ..Default::default() },
        LogFormat::Json { application, system } => LoggingConfig {
            application_log_level: Some(application),
            log_format: Some(api::LogFormat::Json),
            log_group,
            system_log_level: Some(system),
        },
    }
}

/// An alias.
pub(crate) fn alias(name: &FunctionName, alias: &Alias) -> AliasConfiguration {
    AliasConfiguration {
        alias_arn: Some(name.qualified(&alias.name)),
        description: Some(alias.description.clone()),
        function_version: Some(alias.function_version.clone()),
        name: Some(alias.name.clone()),
        revision_id: Some(alias.revision.clone()),
        routing_config: alias.additional.as_ref().map(|(version, weight)| AliasRoutingConfiguration {
            additional_version_weights: Some([(version.clone(), *weight)].into()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_has_milliseconds_and_an_offset() {
        assert_eq!(date(Timestamp::from_secs(1_767_225_600)), "2026-01-01T00:00:00.000+0000");
        assert_eq!(date(Timestamp::from_millis(1_767_225_600_007)), "2026-01-01T00:00:00.007+0000");
    }
}
