//! What a request says of a function, checked, and put upon what the function was before.

use std::collections::BTreeMap;

use platform::Ctx;

use super::environment::{self, Variables};
use super::{Configuration, ImageOverrides, LayerUse, LogFormat, Logging, Package, runtime};
use crate::api::{
    AcceleratorConfig, ApplicationLogLevel, CapacityProviderConfig, DeadLetterConfig, DurableConfig, Environment,
    EphemeralStorage, FileSystemConfig, FunctionRuntimeConfig, ImageConfig, LoggingConfig, SnapStart, SnapStartApplyOn,
    SystemLogLevel, TracingConfig, TracingMode, VpcConfig,
};
use crate::names::FunctionName;
use crate::{Error, Lambda, layer, limits};

/// What a request says. What it does not say stays as it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    pub(crate) accelerator_config: Option<AcceleratorConfig>,
    pub(crate) capacity_provider_config: Option<CapacityProviderConfig>,
    pub(crate) dead_letter_config: Option<DeadLetterConfig>,
    pub(crate) description: Option<String>,
    pub(crate) durable_config: Option<DurableConfig>,
    pub(crate) environment: Option<Environment>,
    pub(crate) ephemeral_storage: Option<EphemeralStorage>,
    pub(crate) file_system_configs: Option<Vec<FileSystemConfig>>,
    pub(crate) handler: Option<String>,
    pub(crate) image_config: Option<ImageConfig>,
    pub(crate) kms_key_arn: Option<String>,
    pub(crate) layers: Option<Vec<String>>,
    pub(crate) logging_config: Option<LoggingConfig>,
    pub(crate) memory_size: Option<i32>,
    pub(crate) role: Option<String>,
    pub(crate) runtime: Option<String>,
    pub(crate) runtime_config: Option<FunctionRuntimeConfig>,
    pub(crate) snap_start: Option<SnapStart>,
    pub(crate) timeout: Option<i32>,
    pub(crate) tracing_config: Option<TracingConfig>,
    pub(crate) vpc_config: Option<VpcConfig>,
}

/// What a request says of a function: the members of the same names.
macro_rules! said {
    ($input:expr, $role:expr) => {
        $crate::configuration::Said {
            accelerator_config: $input.accelerator_config.take(),
            capacity_provider_config: $input.capacity_provider_config.take(),
            dead_letter_config: $input.dead_letter_config.take(),
            description: $input.description.take(),
            durable_config: $input.durable_config.take(),
            environment: $input.environment.take(),
            ephemeral_storage: $input.ephemeral_storage.take(),
            file_system_configs: $input.file_system_configs.take(),
            handler: $input.handler.take(),
            image_config: $input.image_config.take(),
            kms_key_arn: $input.kms_key_arn.take(),
            layers: $input.layers.take(),
            logging_config: $input.logging_config.take(),
            memory_size: $input.memory_size.take(),
            role: $role,
            runtime: $input.runtime.take(),
            runtime_config: $input.runtime_config.take(),
            snap_start: $input.snap_start.take(),
            timeout: $input.timeout.take(),
            tracing_config: $input.tracing_config.take(),
            vpc_config: $input.vpc_config.take(),
        }
    };
}
pub(crate) use said;

/// What was said, as far as it can be checked without knowing what the function was before.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    said: Said,
    variables: Option<Variables>,
    layers: Option<Vec<LayerUse>>,
}

impl Said {
    /// Checks all that does not depend on the function: what is not served, bounds, variables, layers, role.
    ///
    /// # Errors
    /// [`Error::NotServed`], [`Error::Parameter`], [`Error::AccessDenied`]
    pub(crate) async fn check(mut self, lambda: &Lambda, ctx: &Ctx, function: &FunctionName) -> Result<Checked, Error> {
        self.refuse_unserved()?;
        self.check_bounds()?;
        let variables = self.environment.take().map(|environment| environment.variables.unwrap_or_default());
        if let Some(variables) = &variables {
            environment::check(variables)?;
        }
        if let Some(name) = &self.runtime {
            runtime::check(name, lambda.settings.refuses_retired_runtimes)?;
            if !lambda.neighbours.executor.offers(name, lambda.settings.architecture).await {
                return Err(runtime::not_offered(name));
            }
        }
        let layers = match self.layers.take() {
            Some(arns) => Some(layer::used(lambda, ctx, &arns).await?),
            None => None,
        };
        if let Some(role) = &self.role {
            check_role(lambda, function, role).await?;
        }
        Ok(Checked { said: self, variables, layers })
    }

    /// What Lambda has and Pilvi has not. What says nothing of these is let through.
    fn refuse_unserved(&self) -> Result<(), Error> {
        let refused = |what: &str| Err(Error::NotServed(format!("Pilvi does not serve {what} yet.")));
        let has_text = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let has_network = |vpc: &VpcConfig| {
            let has = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
            has(&vpc.subnet_ids) || has(&vpc.security_group_ids)
        };
        if self.vpc_config.as_ref().is_some_and(has_network) {
            return refused("functions in a network of one's own (VpcConfig)");
        }
        if self.file_system_configs.as_ref().is_some_and(|list| !list.is_empty()) {
            return refused("file systems in functions (FileSystemConfigs)");
        }
        if self.dead_letter_config.as_ref().is_some_and(|config| has_text(&config.target_arn)) {
            return refused("dead-letter queues (DeadLetterConfig): there is no Amazon SQS and no Amazon SNS here");
        }
        if has_text(&self.kms_key_arn) {
            return refused(
                "keys of AWS KMS (KMSKeyArn). Environment variables are sealed with the installation's own key",
            );
        }
        if self.snap_start.as_ref().and_then(|it| it.apply_on) == Some(SnapStartApplyOn::PublishedVersions) {
            return refused("SnapStart");
        }
        if self.durable_config.is_some() {
            return refused("durable functions (DurableConfig)");
        }
        if self.capacity_provider_config.is_some() || self.accelerator_config.is_some() {
            return refused("managed instances (CapacityProviderConfig, AcceleratorConfig)");
        }
        if self.runtime_config.is_some() {
            return refused("runtimes of one's own by RuntimeConfig");
        }
        Ok(())
    }

    /// The second stage of limits: the model allows what managed instances may have.
    fn check_bounds(&self) -> Result<(), Error> {
        let storage = self.ephemeral_storage.as_ref().map(|storage| storage.size);
        for (name, value, max) in [
            ("Timeout", self.timeout, limits::TIMEOUT_S_MAX),
            ("MemorySize", self.memory_size, limits::MEMORY_MIB_MAX),
            ("EphemeralStorage", storage, limits::EPHEMERAL_MIB_MAX),
        ] {
            if value.is_some_and(|value| u32::try_from(value).is_ok_and(|value| value > max)) {
                return Err(Error::Parameter(format!(
                    "'{name}' value failed to satisfy constraint: Member must have value less than or equal to {max}"
                )));
            }
        }
        Ok(())
    }
}

impl Checked {
    /// Puts what was said upon what the function was.
    ///
    /// # Errors
    /// [`Error::Parameter`] for what does not go together.
    pub(crate) fn apply(
        self,
        lambda: &Lambda,
        function: &FunctionName,
        before: &Configuration,
    ) -> Result<Configuration, Error> {
        let Self { said, variables, layers } = self;
        let mut now = before.clone();
        let number = |said: Option<i32>, before: u32| said.and_then(|said| u32::try_from(said).ok()).unwrap_or(before);
        now.timeout_s = number(said.timeout, before.timeout_s);
        now.memory_mib = number(said.memory_size, before.memory_mib);
        now.ephemeral_mib = number(said.ephemeral_storage.map(|storage| storage.size), before.ephemeral_mib);
        now.description = said.description.unwrap_or(now.description);
        now.role = said.role.unwrap_or(now.role);
        now.is_traced =
            said.tracing_config.and_then(|it| it.mode).map_or(now.is_traced, |mode| mode == TracingMode::Active);
        now.layers = layers.unwrap_or(now.layers);
        if let Some(config) = said.logging_config {
            now.logging = logging(&before.logging, config)?;
        }
        if let Some(variables) = variables {
            now.variables = Some(sealed(lambda, function, before, &variables)?);
        }
        match &mut now.package {
            Package::Zip(_) => {
                if said.image_config.is_some_and(|config| config != ImageConfig::default()) {
                    return Err(Error::Parameter(
                        "Please don't provide ImageConfig when the function's PackageType is Zip.".to_owned(),
                    ));
                }
                now.runtime = said.runtime.or(now.runtime);
                now.handler = said.handler.or(now.handler);
                if now.runtime.is_none() || now.handler.is_none() {
                    return Err(Error::Parameter(
                        "Runtime and Handler are mandatory parameters for functions created with deployment packages."
                            .to_owned(),
                    ));
                }
            }
            Package::Image { overrides, .. } => {
                if said.runtime.is_some() || said.handler.is_some() || !now.layers.is_empty() {
                    return Err(Error::Parameter(
                        "Please don't provide Handler or Runtime or Layer when the intended function PackageType is Image."
                            .to_owned(),
                    ));
                }
                if let Some(config) = said.image_config {
                    *overrides = image_overrides(config);
                }
            }
        }
        check_unzipped(&now)?;
        Ok(now)
    }
}

/// Checks what code and layers have together.
///
/// # Errors
/// [`Error::Parameter`]
pub(crate) fn check_unzipped(configuration: &Configuration) -> Result<(), Error> {
    if configuration.unzipped() < limits::UNZIPPED_BYTES_MAX {
        return Ok(());
    }
    Err(match configuration.layers.is_empty() {
        true => Error::Parameter(format!("Unzipped size must be smaller than {} bytes", limits::UNZIPPED_BYTES_MAX)),
        false => Error::Parameter(format!(
            "Function code combined with layers exceeds the maximum allowed size of {} bytes. The actual size is {} bytes.",
            limits::UNZIPPED_BYTES_MAX,
            configuration.unzipped()
        )),
    })
}

/// Variables that are what they were stay sealed as they are: a version tells by its record whether anything changed.
fn sealed(
    lambda: &Lambda,
    function: &FunctionName,
    before: &Configuration,
    variables: &BTreeMap<String, String>,
) -> Result<String, Error> {
    let keyring = &lambda.platform.keyring;
    if let Some(sealed) = &before.variables
        && environment::open(keyring, function, sealed)? == *variables
    {
        return Ok(sealed.clone());
    }
    Ok(environment::seal(keyring, function, variables))
}

fn logging(before: &Logging, said: LoggingConfig) -> Result<Logging, Error> {
    let group = said.log_group.unwrap_or_else(|| before.group.clone());
    let (application, system) = match before.format {
        LogFormat::Json { application, system } => (application, system),
        LogFormat::Text => (ApplicationLogLevel::Info, SystemLogLevel::Info),
    };
    let is_json = match said.log_format {
        Some(format) => format == crate::api::LogFormat::Json,
        None => before.format != LogFormat::Text,
    };
    let says_level = said.application_log_level.is_some() || said.system_log_level.is_some();
    if says_level && !is_json {
        return Err(Error::Parameter(
            "ApplicationLogLevel and SystemLogLevel can only be set when LogFormat is JSON.".to_owned(),
        ));
    }
    let application = said.application_log_level.unwrap_or(application);
    let system = said.system_log_level.unwrap_or(system);
    let format = if is_json { LogFormat::Json { application, system } } else { LogFormat::Text };
    Ok(Logging { group, format })
}

pub(crate) fn image_overrides(said: ImageConfig) -> ImageOverrides {
    let some = |list: Option<Vec<String>>| list.filter(|list| !list.is_empty());
    ImageOverrides {
        entry_point: some(said.entry_point),
        command: some(said.command),
        working_directory: said.working_directory.filter(|path| !path.is_empty()),
    }
}

/// Whether Lambda may take a role: the same question that is put before each environment.
async fn check_role(lambda: &Lambda, function: &FunctionName, role: &str) -> Result<(), Error> {
    use platform::ports::{CannotAssume, ServiceSession};
    let session = ServiceSession {
        role_arn: role,
        service: crate::executor::PRINCIPAL,
        session_name: &function.name,
        duration: std::time::Duration::from_secs(900),
        account: function.account,
        source_arn: Some(&function.arn()),
    };
    match lambda.neighbours.credentials.issue(session).await {
        Ok(_) => Ok(()),
        Err(CannotAssume::NotAllowed { .. }) => {
            Err(Error::Parameter("The role defined for the function cannot be assumed by Lambda.".to_owned()))
        }
        Err(CannotAssume::Store(error)) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api;

    fn before() -> Logging {
        Logging::of("f")
    }

    #[test]
    fn levels_go_with_json_and_are_info_unless_said() {
        let json = LoggingConfig { log_format: Some(api::LogFormat::Json), ..Default::default() };
        let set = logging(&before(), json).unwrap();
        let info = LogFormat::Json { application: ApplicationLogLevel::Info, system: SystemLogLevel::Info };
        assert_eq!((set.format, set.group.as_str()), (info, "/aws/lambda/f"));
        let warn = LoggingConfig { application_log_level: Some(ApplicationLogLevel::Warn), ..Default::default() };
        let changed = logging(&set, warn.clone()).unwrap();
        let expected = LogFormat::Json { application: ApplicationLogLevel::Warn, system: SystemLogLevel::Info };
        assert_eq!(changed.format, expected);
        assert!(logging(&before(), warn).is_err());
        let text = LoggingConfig { log_format: Some(api::LogFormat::Text), ..Default::default() };
        assert_eq!(logging(&changed, text).unwrap().format, LogFormat::Text);
    }

    #[test]
    fn what_managed_instances_alone_may_have_is_refused() {
        for (said, name) in [
            (Said { timeout: Some(901), ..Said::default() }, "Timeout"),
            (Said { memory_size: Some(10_241), ..Said::default() }, "MemorySize"),
            (
                Said { ephemeral_storage: Some(EphemeralStorage { size: 10_241 }), ..Said::default() },
                "EphemeralStorage",
            ),
        ] {
            let told = said.check_bounds().unwrap_err().to_string();
            assert!(told.starts_with(&format!("'{name}' value failed to satisfy constraint: Member must have value")));
        }
        Said { timeout: Some(900), memory_size: Some(10_240), ..Said::default() }.check_bounds().unwrap();
    }

    #[test]
    fn what_is_not_served_is_named_and_what_says_nothing_of_it_passes() {
        let nothing = Said {
            vpc_config: Some(VpcConfig { subnet_ids: Some(Vec::new()), ..Default::default() }),
            dead_letter_config: Some(DeadLetterConfig { target_arn: Some(String::new()) }),
            snap_start: Some(SnapStart { apply_on: Some(SnapStartApplyOn::None) }),
            kms_key_arn: Some(String::new()),
            file_system_configs: Some(Vec::new()),
            ..Said::default()
        };
        nothing.refuse_unserved().unwrap();
        let network = VpcConfig { subnet_ids: Some(vec!["subnet-1".to_owned()]), ..Default::default() };
        let told = Said { vpc_config: Some(network), ..Said::default() }.refuse_unserved().unwrap_err();
        assert!(told.to_string().contains("VpcConfig"), "{told}");
        let snap = SnapStart { apply_on: Some(SnapStartApplyOn::PublishedVersions) };
        assert!(Said { snap_start: Some(snap), ..Said::default() }.refuse_unserved().is_err());
    }
}
