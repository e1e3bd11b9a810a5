//! Secrets, environment files and registry credentials: values that are named here and read when a container starts.

use std::collections::BTreeSet;

use base::Arn;

use super::Draft;
use super::logs::is_object_arn;
use crate::api::{ContainerDefinition, Secret};
use crate::task_definition::refusal::Refusal;

/// ECS's quota of environment files in a container.
const ENVIRONMENT_FILES_MAX: usize = 10;

/// Checks what is read from elsewhere.
pub(super) fn check(draft: &Draft) -> Result<(), Refusal> {
    for container in draft.containers() {
        check_environment_files(container)?;
        check_names(container)?;
        let of_logs = container.log_configuration.iter().flat_map(|it| it.secret_options.iter().flatten());
        let mut secrets = container.secrets.iter().flatten().chain(of_logs).peekable();
        if secrets.peek().is_some() && draft.definition.execution_role_arn.is_none() {
            return Err(Refusal::SecretsWithoutRole);
        }
        for secret in secrets {
            check_source(draft, secret)?;
        }
        if let Some(credentials) = &container.repository_credentials {
            source_arn(&credentials.credentials_parameter)?;
        }
    }
    Ok(())
}

fn check_environment_files(container: &ContainerDefinition) -> Result<(), Refusal> {
    let files = container.environment_files.as_deref().unwrap_or_default();
    if files.len() > ENVIRONMENT_FILES_MAX {
        return Err(Refusal::EnvironmentFilesMax);
    }
    for file in files {
        if !is_object_arn(&file.value) {
            return Err(Refusal::ArnSyntax);
        }
        if !file.value.ends_with(".env") {
            return Err(Refusal::EnvironmentFileExtension);
        }
    }
    Ok(())
}

/// A secret and a variable cannot both be the value of one name.
fn check_names(container: &ContainerDefinition) -> Result<(), Refusal> {
    let variables = container.environment.iter().flatten().filter_map(|it| it.name.as_deref());
    let mut taken: BTreeSet<&str> = variables.collect();
    for secret in container.secrets.iter().flatten() {
        if secret.name.is_empty() {
            return Err(Refusal::EnvironmentName(super::name_of(container)));
        }
        if !taken.insert(&secret.name) {
            return Err(Refusal::SecretName(secret.name.clone()));
        }
    }
    Ok(())
}

/// A parameter's name, or the ARN of a parameter of this account or of a secret.
fn check_source(draft: &Draft, secret: &Secret) -> Result<(), Refusal> {
    let Some(arn) = source_arn(&secret.value_from)? else { return Ok(()) };
    if arn.service == "ssm" && arn.account != draft.account.as_str() {
        return Err(Refusal::ParameterAccount { ours: draft.account.to_string(), theirs: arn.account });
    }
    Ok(())
}

fn source_arn(source: &str) -> Result<Option<Arn>, Refusal> {
    if source.is_empty() {
        return Err(Refusal::ArnSyntax);
    }
    if !Arn::looks_like_one(source) {
        return Ok(None);
    }
    let arn: Arn = source.parse().map_err(|_| Refusal::ArnSyntax)?;
    let is_fit = match arn.service.as_str() {
        "ssm" => arn.resource.starts_with("parameter/"),
        "secretsmanager" => arn.resource.starts_with("secret:"),
        _ => false,
    };
    if is_fit { Ok(Some(arn)) } else { Err(Refusal::ArnSyntax) }
}
