//! Policies of functions and layers: built statement by statement, and never written as a whole.

use std::sync::Arc;

use policy::{Policy, Purpose, ResourceElement};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::Error;
use crate::api::{AddPermissionRequest, FunctionUrlAuthType};
use crate::limits::POLICY_BYTES_MAX;

/// The statements of a policy, in the order in which they were added.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Statements(Vec<Value>);

impl Statements {
    /// Whether there are none, so that there is no policy.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The policy as it is told.
    pub fn document(&self) -> String {
        json!({ "Version": "2012-10-17", "Id": "default", "Statement": self.0 }).to_string()
    }

    /// The policy, ready to decide. None if there is none; one that cannot be read allows nothing.
    pub fn compiled(&self) -> Option<Arc<Policy>> {
        const NAME: &str = "function policy";
        if self.0.is_empty() {
            return None;
        }
        let parsed = policy::parse(&self.document(), Purpose::Resource(ResourceElement::Required));
        Some(Arc::new(match parsed {
            Ok(document) => Policy::new(NAME, document),
            Err(_) => Policy::nothing(NAME),
        }))
    }

    /// Adds a statement.
    ///
    /// # Errors
    /// [`Error::Conflict`] if there is one of its name, [`Error::PolicyLength`], and [`Error::Parameter`] for one that no
    /// policy can have.
    pub(crate) fn add(&mut self, statement: Value) -> Result<(), Error> {
        let id = statement["Sid"].as_str().unwrap_or_default();
        if self.position(id).is_some() {
            return Err(Error::Conflict(format!(
                "The statement id ({id}) provided already exists. Please provide a new statement id, or remove the existing \
                 statement."
            )));
        }
        let mut with = self.clone();
        with.0.push(statement);
        let document = with.document();
        if document.len() > POLICY_BYTES_MAX {
            return Err(Error::PolicyLength { size: document.len(), max: POLICY_BYTES_MAX });
        }
        if policy::parse(&document, Purpose::Resource(ResourceElement::Required)).is_err() {
            return Err(invalid_principal());
        }
        *self = with;
        Ok(())
    }

    /// Takes a statement away.
    ///
    /// # Errors
    /// [`Error::NotFound`]
    pub(crate) fn remove(&mut self, id: &str) -> Result<(), Error> {
        if self.is_empty() {
            return Err(Error::NotFound("No policy is associated with the given resource.".to_owned()));
        }
        let missing = || Error::NotFound(format!("Statement {id} is not found in resource policy."));
        let position = self.position(id).ok_or_else(missing)?;
        self.0.remove(position);
        Ok(())
    }

    fn position(&self, id: &str) -> Option<usize> {
        self.0.iter().position(|statement| statement["Sid"] == id)
    }
}

/// The statement that AddPermission asks for, on a function or version.
///
/// # Errors
/// [`Error::Parameter`]
pub(crate) fn of_request(input: &AddPermissionRequest, arn: &str) -> Result<Value, Error> {
    let mut statement = json!({
        "Sid": input.statement_id,
        "Effect": "Allow",
        "Principal": principal(&input.principal)?,
        "Action": input.action,
        "Resource": arn,
    });
    let mut equals = Map::new();
    let mut require = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            equals.insert(key.to_owned(), value.into());
        }
    };
    require("lambda:FunctionUrlAuthType", input.function_url_auth_type.map(FunctionUrlAuthType::as_str));
    require("aws:PrincipalOrgID", input.principal_org_id.as_deref());
    require("AWS:SourceAccount", input.source_account.as_deref());
    require("lambda:EventSourceToken", input.event_source_token.as_deref());
    let mut condition = Map::new();
    if !equals.is_empty() {
        condition.insert("StringEquals".to_owned(), equals.into());
    }
    if let Some(via_url) = input.invoked_via_function_url {
        condition.insert("Bool".to_owned(), json!({ "lambda:InvokedViaFunctionUrl": via_url.to_string() }));
    }
    if let Some(source) = &input.source_arn {
        condition.insert("ArnLike".to_owned(), json!({ "AWS:SourceArn": source }));
    }
    if !condition.is_empty() {
        statement["Condition"] = condition.into();
    }
    Ok(statement)
}

fn principal(text: &str) -> Result<Value, Error> {
    let is_account = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    match text {
        "*" => Ok("*".into()),
        account if is_account => Ok(json!({ "AWS": format!("arn:aws:iam::{account}:root") })),
        arn if arn.starts_with("arn:") && (arn.contains(":iam::") || arn.contains(":sts::")) => {
            Ok(json!({ "AWS": arn }))
        }
        service if service.contains('.') && service.ends_with(".amazonaws.com") => Ok(json!({ "Service": service })),
        _ => Err(invalid_principal()),
    }
}

/// The statement that AddLayerVersionPermission asks for.
pub(crate) fn of_layer(
    id: &str,
    action: &str,
    to: &str,
    organization: Option<&str>,
    arn: &str,
) -> Result<Value, Error> {
    let mut statement = json!({
        "Sid": id,
        "Effect": "Allow",
        "Principal": principal(to)?,
        "Action": action,
        "Resource": arn,
    });
    if let Some(organization) = organization {
        statement["Condition"] = json!({ "StringEquals": { "aws:PrincipalOrgID": organization } });
    }
    Ok(statement)
}

fn invalid_principal() -> Error {
    Error::Parameter("The provided principal was invalid. Please check the principal and try again.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:f";

    fn request(id: &str, principal: &str) -> AddPermissionRequest {
        AddPermissionRequest {
            statement_id: id.to_owned(),
            action: "lambda:InvokeFunction".to_owned(),
            principal: principal.to_owned(),
            ..Default::default()
        }
    }

    #[test]
    fn a_statement_has_the_form_that_it_has_at_aws() {
        let bucket = AddPermissionRequest {
            source_arn: Some("arn:aws:s3:::photos".to_owned()),
            source_account: Some("123456789012".to_owned()),
            ..request("s3", "s3.amazonaws.com")
        };
        assert_eq!(
            of_request(&bucket, ARN).unwrap(),
            json!({
                "Sid": "s3",
                "Effect": "Allow",
                "Principal": { "Service": "s3.amazonaws.com" },
                "Action": "lambda:InvokeFunction",
                "Resource": ARN,
                "Condition": {
                    "StringEquals": { "AWS:SourceAccount": "123456789012" },
                    "ArnLike": { "AWS:SourceArn": "arn:aws:s3:::photos" },
                },
            })
        );
        let account = of_request(&request("a", "999999999999"), ARN).unwrap();
        assert_eq!(account["Principal"], json!({ "AWS": "arn:aws:iam::999999999999:root" }));
        assert_eq!(of_request(&request("a", "*"), ARN).unwrap()["Principal"], "*");
        assert!(matches!(of_request(&request("a", "nobody"), ARN), Err(Error::Parameter(_))));
    }

    #[test]
    fn statements_are_told_apart_by_their_names() {
        let mut statements = Statements::default();
        assert!(matches!(statements.remove("a"), Err(Error::NotFound(_))) && statements.compiled().is_none());
        statements.add(of_request(&request("a", "*"), ARN).unwrap()).unwrap();
        let again = statements.add(of_request(&request("a", "s3.amazonaws.com"), ARN).unwrap());
        assert!(matches!(again, Err(Error::Conflict(_))));
        assert!(matches!(statements.remove("b"), Err(Error::NotFound(_))));
        assert!(statements.document().starts_with(r#"{"Id":"default","Statement":[{"#));
        assert!(statements.compiled().is_some());
        statements.remove("a").unwrap();
        assert!(statements.is_empty());
    }

    #[test]
    fn a_policy_has_twenty_kilobytes_at_most() {
        let mut statements = Statements::default();
        let refused = (0..1000)
            .find_map(|n| statements.add(of_request(&request(&format!("statement-{n}"), "*"), ARN).unwrap()).err());
        assert!(
            matches!(refused, Some(Error::PolicyLength { size, max: POLICY_BYTES_MAX }) if size > POLICY_BYTES_MAX)
        );
        assert!(statements.document().len() <= POLICY_BYTES_MAX);
    }
}
