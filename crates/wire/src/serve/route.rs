//! Which service, which operation, which protocol: told from the head and, in awsQuery, from the form.

use http::request::Parts;

use crate::model::{Protocol, ServiceModel};
use crate::query::Form;
use crate::sigv4::ErrorFamily;

/// The content type of forms.
const FORM_TYPE: &str = "application/x-www-form-urlencoded";

/// How a request speaks, told from its head alone. Enough to answer an error in the client's own protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dialect {
    /// `X-Amz-Target` names service and operation.
    Target {
        /// What stands before the dot.
        prefix: String,
        /// What stands behind it.
        operation: String,
        /// 1.0 or 1.1.
        protocol: Protocol,
    },
    /// The form's `Action` names the operation, the signature's scope the service.
    Form,
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The service's number.
    pub service: usize,
    /// The operation's number in its model.
    pub operation: usize,
    /// The protocol.
    pub protocol: Protocol,
}

/// Why a request goes nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoTarget {
    /// No service of ours is asked.
    Service {
        /// What was asked for.
        name: String,
    },
    /// The service has no such operation.
    Operation {
        /// What was asked for.
        name: String,
        /// The version that was asked for, or the model's.
        version: String,
    },
    /// The service does not speak this protocol.
    Protocol {
        /// The service.
        name: &'static str,
    },
    /// The form has no `Action`.
    Action,
}

impl Dialect {
    /// Reads the head.
    pub fn of(parts: &Parts) -> Self {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let content_type = header("content-type").unwrap_or_default();
        if let Some(target) = header("x-amz-target") {
            let (prefix, operation) = target.rsplit_once('.').unwrap_or(("", target));
            let protocol =
                if content_type.contains("json-1.0") { Protocol::AwsJson10 } else { Protocol::AwsJson11 };
            return Self::Target { prefix: prefix.to_owned(), operation: operation.to_owned(), protocol };
        }
        Self::Form
    }

    /// The protocol in which an error is answered.
    pub fn protocol(&self) -> Protocol {
        match self {
            Self::Target { protocol, .. } => *protocol,
            Self::Form => Protocol::AwsQuery,
        }
    }

    /// The family of authentication errors.
    pub fn family(&self) -> ErrorFamily {
        match self {
            Self::Target { .. } => ErrorFamily::Json,
            Self::Form => ErrorFamily::Query,
        }
    }

    /// The service that is asked: its number, where the head or the signature's scope tells.
    pub fn service(&self, services: &[&'static ServiceModel], scope_service: &str) -> Result<usize, NoTarget> {
        let found = match self {
            Self::Target { prefix, .. } => {
                services.iter().position(|model| model.target_prefix.is_some_and(|known| known == prefix))
            }
            Self::Form => services.iter().position(|model| model.signing_name == scope_service),
        };
        found.ok_or_else(|| NoTarget::Service {
            name: match self {
                Self::Target { prefix, .. } if !prefix.is_empty() => prefix.clone(),
                _ => scope_service.to_owned(),
            },
        })
    }

    /// The operation that is asked of a service.
    pub fn target(&self, services: &[&'static ServiceModel], service: usize, form: &[u8]) -> Result<Target, NoTarget> {
        let model = services[service];
        let (name, version, protocol) = match self {
            Self::Target { operation, protocol, .. } => (operation.clone(), model.api_version.to_owned(), *protocol),
            Self::Form => {
                let form = Form::parse(form).map_err(|_| NoTarget::Action)?;
                let action = form.get("Action").ok_or(NoTarget::Action)?.to_owned();
                (action, form.get("Version").unwrap_or(model.api_version).to_owned(), Protocol::AwsQuery)
            }
        };
        if !model.protocols.contains(&protocol) {
            return Err(NoTarget::Protocol { name: model.name });
        }
        match model.operation(&name) {
            Some(operation) if version == model.api_version => Ok(Target { service, operation, protocol }),
            _ => Err(NoTarget::Operation { name, version }),
        }
    }
}

/// Whether the body is a form.
pub fn is_form(parts: &Parts) -> bool {
    let content_type = parts.headers.get("content-type").and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with(FORM_TYPE))
}

impl NoTarget {
    /// What the client is told.
    pub fn error(&self, protocol: Protocol) -> crate::Error {
        let json = protocol != Protocol::AwsQuery;
        match self {
            Self::Service { name } => {
                crate::Error::new("NotImplemented", 501, format!("Pilvi does not serve {} yet.", shown(name)))
            }
            Self::Operation { .. } if json => crate::Error::new("UnknownOperationException", 400, ""),
            Self::Operation { name, version } => {
                let (name, version) = (shown(name), shown(version));
                crate::Error::new(
                    "InvalidAction",
                    400,
                    format!("Could not find operation {name} for version {version}"),
                )
            }
            Self::Protocol { name } => {
                crate::Error::new("UnknownOperationException", 400, format!("{name} does not speak this protocol."))
            }
            Self::Action => crate::Error::new("MissingAction", 400, "The request must contain the parameter Action."),
        }
    }
}

fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(128).collect()
}
