//! The calls that are measured, and their requests.

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use crate::client::Order;
use crate::signed::{Caller, Plain};

/// A service with several containers' worth of settings, about 2 KB: what a deployment registers.
const DEFINITION: &str = include_str!("task_definition.json");
const ECS_JSON: &str = "application/x-amz-json-1.1";

/// How many different task definitions `DescribeTaskDefinition` asks for in turn.
pub(super) const DESCRIBED: usize = 64;

/// A measured operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Call {
    GetCallerIdentity,
    DescribeTaskDefinition,
    RegisterTaskDefinition,
}

impl Call {
    /// From the cheapest to the dearest.
    pub(super) const ALL: [Self; 3] =
        [Self::GetCallerIdentity, Self::DescribeTaskDefinition, Self::RegisterTaskDefinition];

    /// AWS's name of it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::GetCallerIdentity => "GetCallerIdentity",
            Self::DescribeTaskDefinition => "DescribeTaskDefinition",
            Self::RegisterTaskDefinition => "RegisterTaskDefinition",
        }
    }

    /// Whether each request may be sent once only, because it makes something.
    pub(crate) const fn order(self) -> Order {
        match self {
            Self::GetCallerIdentity | Self::DescribeTaskDefinition => Order::Cycle,
            Self::RegisterTaskDefinition => Order::Once,
        }
    }
}

/// Requests of a call, signed now. Those that only read are few and sent in turn: a signature's time has whole seconds,
/// so a client's requests of one second are the same bytes too. `count` is asked for of those that are sent once, with
/// families `<prefix>-0` and on.
pub(crate) fn signed(caller: &Caller, call: Call, prefix: &str, count: usize) -> Result<Vec<Vec<u8>>> {
    match call {
        Call::GetCallerIdentity => Ok(vec![caller.sign(&identity())?]),
        Call::DescribeTaskDefinition => (0..DESCRIBED).map(|n| caller.sign(&describe(&described(n)))).collect(),
        Call::RegisterTaskDefinition => registrations(caller, (0..count).map(|n| format!("{prefix}-{n}"))),
    }
}

/// Registers what [`Call::DescribeTaskDefinition`] asks for.
pub(crate) fn seeds(caller: &Caller) -> Result<Vec<Vec<u8>>> {
    registrations(caller, (0..DESCRIBED).map(described))
}

/// The request whose first answer ends a start.
pub(crate) fn identity() -> Plain {
    Plain {
        service: "sts",
        target: None,
        content_type: "application/x-www-form-urlencoded; charset=utf-8",
        body: "Action=GetCallerIdentity&Version=2011-06-15".to_owned(),
    }
}

/// Asks for the newest revision of a family.
pub(super) fn describe(family: &str) -> Plain {
    Plain {
        service: "ecs",
        target: Some("AmazonEC2ContainerServiceV20141113.DescribeTaskDefinition"),
        content_type: ECS_JSON,
        body: serde_json::json!({ "taskDefinition": family }).to_string(),
    }
}

fn described(number: usize) -> String {
    format!("described-{number}")
}

fn registrations(caller: &Caller, families: impl Iterator<Item = String>) -> Result<Vec<Vec<u8>>> {
    let mut definition: Value = serde_json::from_str(DEFINITION)?;
    let mut register = |family: String| {
        definition["family"] = family.into();
        caller.sign(&Plain {
            service: "ecs",
            target: Some("AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition"),
            content_type: ECS_JSON,
            body: definition.to_string(),
        })
    };
    families.map(&mut register).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::sigv4::{Credentials, SecretAccessKey};

    fn caller() -> Caller {
        let credentials = Credentials {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: SecretAccessKey::new("secret"),
            session_token: None,
        };
        Caller { address: "127.0.0.1:1".parse().unwrap(), credentials, region: "us-east-1".into() }
    }

    #[test]
    fn the_definition_is_as_big_as_a_real_one() {
        let compact = serde_json::from_str::<Value>(DEFINITION).unwrap().to_string();
        assert!((1_800..2_400).contains(&compact.len()), "{} bytes", compact.len());
    }

    #[test]
    fn no_two_registrations_are_of_one_family() {
        let requests = signed(&caller(), Call::RegisterTaskDefinition, "a", 20).unwrap();
        let bodies: std::collections::BTreeSet<_> = requests
            .iter()
            .map(|bytes| String::from_utf8(bytes.clone()).unwrap().split_once("\r\n\r\n").unwrap().1.to_owned())
            .collect();
        assert_eq!(bodies.len(), 20);
        assert!(bodies.iter().any(|body| body.contains(r#""family":"a-19""#)));
    }

    #[test]
    fn what_is_described_was_registered() {
        assert_eq!(seeds(&caller()).unwrap().len(), DESCRIBED);
        let requests = signed(&caller(), Call::DescribeTaskDefinition, "", 1).unwrap();
        assert_eq!(requests.len(), DESCRIBED);
        assert!(String::from_utf8_lossy(&requests[63]).ends_with(r#"{"taskDefinition":"described-63"}"#));
    }
}
