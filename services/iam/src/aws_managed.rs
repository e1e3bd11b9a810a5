//! AWS's own managed policies that are known by ARN: facts of AWS, as data, each in its latest version alone.
//!
//! The documents are AWS's whole ones, services that Pilvi does not have included: a policy must not mean less here than it
//! says. Unique ids and descriptions are AWS's where they are given in the data; the other policies have ids that are
//! derived from their names, and no description.

use std::sync::{Arc, LazyLock, OnceLock};

use base::Timestamp;
use policy::Purpose;
use serde::Deserialize;
use serde_json::Value;

use crate::api;
use crate::attachment::PolicyUse;
use crate::managed_policy;
use crate::names::PolicyArn;
use crate::policy_directory::compile;
use crate::url_encoding::url_encoded;

/// All but the largest.
const POLICIES: &str = include_str!("aws_managed/policies.json");
/// The document of ReadOnlyAccess.
const READ_ONLY_ACCESS: &str = include_str!("aws_managed/read_only_access.json");

/// Characters of a unique id after its prefix.
const ID_CHARS: usize = 17;
/// FNV-1a's parameters for 128 bits.
const FNV_OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const FNV_PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// One of AWS's policies.
#[derive(Debug)]
pub(crate) struct AwsManagedPolicy {
    arn: PolicyArn,
    id: String,
    description: Option<String>,
    version: u32,
    created: Option<Timestamp>,
    updated: Option<Timestamp>,
    document: String,
    compiled: OnceLock<Arc<policy::Policy>>,
}

/// A row of the data.
#[derive(Deserialize)]
struct Row {
    name: String,
    path: String,
    id: Option<String>,
    description: Option<String>,
    /// The number of the default version.
    version: u32,
    /// When it was made, ISO 8601.
    created: String,
    /// When its default version was made, ISO 8601.
    updated: String,
    document: Value,
}

/// In the order of their ARNs; read when the first is asked for.
static ALL: LazyLock<Vec<AwsManagedPolicy>> = LazyLock::new(|| {
    let mut rows: Vec<Row> = serde_json::from_str(POLICIES).expect("a test reads the data that is compiled in");
    rows.push(Row {
        name: "ReadOnlyAccess".to_owned(),
        path: "/".to_owned(),
        id: Some("ANPAILL3HVNFSB6DCOWYQ".to_owned()),
        description: Some("Provides read-only access to AWS services and resources.".to_owned()),
        version: 182,
        created: "2015-02-06T18:39:48Z".to_owned(),
        updated: "2026-04-03T15:27:12Z".to_owned(),
        document: serde_json::from_str(READ_ONLY_ACCESS).expect("a test reads the data that is compiled in"),
    });
    let mut all: Vec<_> = rows.into_iter().map(AwsManagedPolicy::new).collect();
    all.sort_by(|one, other| one.arn.text.cmp(&other.arn.text));
    all
});

impl AwsManagedPolicy {
    fn new(row: Row) -> Self {
        Self {
            arn: PolicyArn::of_aws(&row.path, &row.name),
            id: row.id.unwrap_or_else(|| derived_id(&row.name)),
            description: row.description,
            version: row.version,
            created: Timestamp::parse_iso8601(&row.created).ok(),
            updated: Timestamp::parse_iso8601(&row.updated).ok(),
            document: row.document.to_string(),
            compiled: OnceLock::new(),
        }
    }

    /// All that are known, in the order of their ARNs.
    pub(crate) fn all() -> impl Iterator<Item = (&'static PolicyArn, &'static Self)> {
        ALL.iter().map(|policy| (&policy.arn, policy))
    }

    /// The one that an ARN means.
    pub(crate) fn find(arn: &PolicyArn) -> Option<&'static Self> {
        let at = ALL.binary_search_by(|policy| policy.arn.text.as_str().cmp(&arn.text)).ok()?;
        ALL.get(at)
    }

    /// It, ready to be evaluated; made so when it is asked for the first time.
    pub(crate) fn compiled(&'static self) -> Arc<policy::Policy> {
        let ready = || Arc::new(compile(&self.arn.text, &self.document, Purpose::Managed));
        self.compiled.get_or_init(ready).clone()
    }

    /// Its ARN.
    pub(crate) fn arn(&self) -> &PolicyArn {
        &self.arn
    }

    /// The text of its default version.
    pub(crate) fn document(&self) -> &str {
        &self.document
    }

    /// As ListPolicies answers it.
    pub(crate) fn listed(&self, policy_use: PolicyUse) -> api::Policy {
        api::Policy {
            create_date: self.created,
            default_version_id: Some(self.version_id()),
            policy_id: Some(self.id.clone()),
            update_date: self.updated,
            ..managed_policy::view(&self.arn, policy_use)
        }
    }

    /// As GetPolicy answers it.
    pub(crate) fn described(&self, policy_use: PolicyUse) -> api::Policy {
        api::Policy { description: self.description.clone(), tags: Some(Vec::new()), ..self.listed(policy_use) }
    }

    /// Its one version, with the text.
    pub(crate) fn version(&self) -> api::PolicyVersion {
        api::PolicyVersion {
            create_date: self.updated,
            document: Some(url_encoded(&self.document)),
            is_default_version: Some(true),
            version_id: Some(self.version_id()),
        }
    }

    fn version_id(&self) -> String {
        format!("v{}", self.version)
    }
}

/// A unique id for a name, always the same.
fn derived_id(name: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let hash = name.bytes().fold(FNV_OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(FNV_PRIME));
    let digit = |position: usize| char::from(ALPHABET[(hash >> (position * 5)) as usize % ALPHABET.len()]);
    format!("ANPA{}", (0..ID_CHARS).map(digit).collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_policy_of_aws_is_in_order() {
        for (arn, policy) in AwsManagedPolicy::all() {
            assert_eq!(PolicyArn::parse(&arn.text).as_ref(), Some(arn));
            assert!(AwsManagedPolicy::find(arn).is_some(), "{}", arn.text);
            let parsed = policy::parse(&policy.document, Purpose::Managed);
            assert!(parsed.is_ok(), "{}: {parsed:?}", arn.text);
            assert!(policy.created.is_some() && policy.updated.is_some(), "{}", arn.text);
            assert_eq!(policy.id.len(), 21, "{}", arn.text);
        }
    }

    #[test]
    fn no_two_policies_of_aws_have_one_id() {
        let ids: BTreeSet<_> = AwsManagedPolicy::all().map(|(_, policy)| &policy.id).collect();
        assert_eq!(ids.len(), AwsManagedPolicy::all().count());
    }

    #[test]
    fn a_policy_of_aws_is_found_under_its_path_alone() {
        let arn = |text: &str| PolicyArn::parse(text).unwrap();
        let found = |text: &str| AwsManagedPolicy::find(&arn(text)).is_some();
        assert!(found("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"));
        assert!(!found("arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole"));
        assert!(!found("arn:aws:iam::123456789012:policy/service-role/AWSLambdaBasicExecutionRole"));
    }
}
