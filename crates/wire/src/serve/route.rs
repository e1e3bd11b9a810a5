//! Which service, which operation, which protocol: told from the head and, in awsQuery, from the form.

mod bound;

use http::request::Parts;

use crate::model::{Protocol, ServiceModel};
use crate::query::{DecodeError, Form};
use crate::rest;
use crate::sigv4::ErrorFamily;

/// The content type of forms.
const FORM_TYPE: &str = "application/x-www-form-urlencoded";
/// What says that a request is one of RPC v2 CBOR.
const CBOR_PROTOCOL: &str = "rpc-v2-cbor";
/// The content type of CBOR.
const CBOR_TYPE: &str = "application/cbor";
/// What AWS calls the version of a form that has none.
const NO_VERSION: &str = "NO_VERSION_SPECIFIED";

/// How a request speaks, told from its head alone. Enough to answer an error in the client's own protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dialect {
    /// `X-Amz-Target` names service and operation.
    Target {
        /// What stands before the dot.
        prefix: String,
        /// What stands behind it.
        operation: String,
        /// As the content type says; no other content type goes with a target.
        protocol: Option<Protocol>,
    },
    /// The path names service and operation: `/service/<name>/operation/<name>`, whatever stands before it.
    Path {
        /// The service's name: what stands before the dot in a target.
        service: String,
        /// The operation's name.
        operation: String,
        /// Whether the content type goes with the protocol.
        is_cbor: bool,
    },
    /// The form's `Action` names the operation, the signature's scope the service.
    Form,
    /// Method, path and query name the operation, the signature's scope the service.
    Rest {
        /// The service's number.
        service: usize,
        /// Its protocol.
        protocol: Protocol,
        /// Whether it is S3, whose errors are like nobody else's.
        is_s3: bool,
    },
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
    /// A target comes with a body that is not declared as JSON, or a path of CBOR with one that is not CBOR.
    ContentType,
    /// The form cannot be read.
    Form(DecodeError),
    /// The form has no `Action`.
    Action,
    /// No operation has this method and path.
    Path(Protocol),
}

impl Dialect {
    /// Reads the head. A body that is declared as one of awsJson is one even if no target says what it is for; but what is
    /// signed for a service whose operations are bound to HTTP is that service's, whatever it holds. At the host of a bucket
    /// what nobody has signed is the bucket's.
    pub fn of(parts: &Parts, services: &[&'static ServiceModel], is_buckets: bool) -> Self {
        if let Some(service) = bound::service(parts, services, is_buckets) {
            let model = services[service];
            let protocol = model.protocols.iter().copied().find(|protocol| protocol.is_rest());
            return Self::Rest { service, protocol: protocol.unwrap_or(Protocol::RestXml), is_s3: rest::is_s3(model) };
        }
        let content_type = content_type(parts);
        if parts.headers.get("smithy-protocol").is_some_and(|protocol| protocol == CBOR_PROTOCOL) {
            return Self::of_path(parts.uri.path(), content_type.is_none_or(|essence| essence == CBOR_TYPE));
        }
        let protocol = match content_type.as_deref() {
            Some("application/x-amz-json-1.0") => Some(Protocol::AwsJson10),
            Some("application/x-amz-json-1.1") => Some(Protocol::AwsJson11),
            _ => None,
        };
        let target = parts.headers.get("x-amz-target").map(|target| target.to_str().unwrap_or_default());
        if target.is_none() && protocol.is_none() {
            return Self::Form;
        }
        let target = target.unwrap_or_default();
        let (prefix, operation) = target.rsplit_once('.').unwrap_or(("", target));
        Self::Target { prefix: prefix.to_owned(), operation: operation.to_owned(), protocol }
    }

    fn of_path(path: &str, is_cbor: bool) -> Self {
        let mut segments = path.rsplit('/');
        let mut next = || segments.next().unwrap_or_default();
        let (service, operation) = match (next(), next(), next(), next()) {
            (operation, "operation", service, "service") => (service, operation),
            _ => ("", ""),
        };
        Self::Path { service: service.to_owned(), operation: operation.to_owned(), is_cbor }
    }

    /// The protocol in which an error is answered.
    pub fn protocol(&self) -> Protocol {
        match self {
            Self::Target { protocol, .. } => protocol.unwrap_or(Protocol::AwsJson11),
            Self::Path { .. } => Protocol::RpcV2Cbor,
            Self::Form => Protocol::AwsQuery,
            Self::Rest { protocol, .. } => *protocol,
        }
    }

    /// The family of authentication errors.
    pub fn family(&self) -> ErrorFamily {
        match self {
            Self::Target { .. } | Self::Path { .. } => ErrorFamily::Json,
            Self::Form => ErrorFamily::Query,
            Self::Rest { is_s3: true, .. } => ErrorFamily::S3,
            Self::Rest { .. } => ErrorFamily::RestJson,
        }
    }

    /// The service that is asked: its number, where the head or the signature's scope tells.
    pub fn service(&self, services: &[&'static ServiceModel], scope_service: &str) -> Result<usize, NoTarget> {
        let of_scope = || services.iter().position(|model| model.signing_name == scope_service);
        match self {
            Self::Rest { service, .. } => Ok(*service),
            Self::Form => of_scope().ok_or_else(|| NoTarget::Service { name: scope_service.to_owned() }),
            Self::Target { prefix, operation, .. } | Self::Path { service: prefix, operation, .. } => {
                let known = |model: &&ServiceModel| model.target_prefix.is_some_and(|known| known == prefix);
                services.iter().position(known).ok_or_else(|| match of_scope() {
                    // Signed for a service of ours, so it is the target that is wrong.
                    Some(service) => NoTarget::Operation {
                        name: operation.clone(),
                        version: services[service].api_version.to_owned(),
                    },
                    None if prefix.is_empty() => NoTarget::Service { name: scope_service.to_owned() },
                    None => NoTarget::Service { name: prefix.clone() },
                })
            }
        }
    }

    /// How long the body of a request may be, in bytes: where the head tells the operation, and that may have longer ones
    /// than `bytes_max`, so long.
    pub fn body_bytes_max(&self, model: &ServiceModel, bytes_max: usize) -> usize {
        let operation = match self {
            Self::Target { operation, .. } | Self::Path { operation, .. } => model.operation(operation),
            Self::Form | Self::Rest { .. } => None,
        };
        let of_operation = operation.and_then(|operation| model.operations[operation].body_bytes_max);
        of_operation.map_or(bytes_max, |of_operation| of_operation.max(bytes_max))
    }

    /// The operation that is asked of a service.
    pub fn target(&self, services: &[&'static ServiceModel], service: usize, form: &[u8]) -> Result<Target, NoTarget> {
        let model = services[service];
        let protocol = match self {
            Self::Target { protocol, .. } => protocol.ok_or(NoTarget::ContentType)?,
            Self::Path { is_cbor: false, .. } => return Err(NoTarget::ContentType),
            Self::Path { .. } => Protocol::RpcV2Cbor,
            Self::Form => Protocol::AwsQuery,
            // Whose operation is found by its path: [`crate::rest::route`].
            Self::Rest { protocol, .. } => return Err(NoTarget::Path(*protocol)),
        };
        if !model.protocols.contains(&protocol) {
            return Err(NoTarget::Protocol { name: model.name });
        }
        let (name, version) = match self {
            Self::Target { operation, .. } | Self::Path { operation, .. } => {
                (operation.clone(), model.api_version.to_owned())
            }
            Self::Form => {
                let form = Form::parse(form).map_err(NoTarget::Form)?;
                let action = form.get("Action").ok_or(NoTarget::Action)?.to_owned();
                (action, form.get("Version").unwrap_or(NO_VERSION).to_owned())
            }
            Self::Rest { protocol, .. } => return Err(NoTarget::Path(*protocol)),
        };
        match model.operation(&name) {
            Some(operation) if version == model.api_version => Ok(Target { service, operation, protocol }),
            _ => Err(NoTarget::Operation { name, version }),
        }
    }
}

/// Whether the body is a form.
pub fn is_form(parts: &Parts) -> bool {
    content_type(parts).is_some_and(|essence| essence == FORM_TYPE)
}

/// The content type without its parameters, in small letters.
fn content_type(parts: &Parts) -> Option<String> {
    let value = parts.headers.get("content-type")?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
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
                crate::Error::new("UnknownOperationException", 404, format!("{name} does not speak this protocol."))
            }
            // AWS says no word about it; whoever sends this has most likely written the request by hand.
            Self::ContentType if protocol == Protocol::RpcV2Cbor => crate::Error::new(
                "UnsupportedMediaTypeException",
                415,
                "A request of rpc-v2-cbor needs the Content-Type application/cbor.",
            ),
            Self::ContentType => crate::Error::new(
                "UnknownOperationException",
                404,
                "A request with X-Amz-Target needs the Content-Type application/x-amz-json-1.0 or -1.1.",
            ),
            Self::Form(error) => crate::Error::new("MalformedInput", 400, error.to_string()),
            Self::Path(Protocol::RestXml) => {
                crate::Error::new("MethodNotAllowed", 405, "The specified method is not allowed against this resource.")
            }
            Self::Path(_) => crate::Error::new("UnknownOperationException", 404, ""),
            Self::Action => crate::Error::new("MissingAction", 400, "The request must contain the parameter Action."),
        }
    }
}

fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(128).collect()
}

#[cfg(test)]
mod tests;
