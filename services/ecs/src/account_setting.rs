//! Account settings: which there are, what they can be set to, and whose value holds for whom.
//!
//! A setting is kept for a principal. What the root user has set holds for everybody in the account who has set nothing,
//! and AWS's own value where nobody has.

use base::{AccountId, Arn, Principal, PrincipalKind};
use serde::{Deserialize, Serialize};
use store::{Record, Scope, Store};

use crate::Error;
use crate::api::{Setting, SettingName, SettingType};
use crate::cluster_choices::CONTAINER_INSIGHTS;

/// The value of one setting that one principal has chosen. Its record's id is the setting's name and the principal's ARN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSetting {
    /// The value.
    pub value: String,
}

impl Record for AccountSetting {
    const SERVICE: &'static str = "ecs";
    const KIND: &'static str = "account-setting";
}

/// What a setting can be set to, and what it is when nobody has set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The values that it takes; none for those that only AWS sets.
    pub values: &'static [&'static str],
    /// AWS's own value.
    pub default: &'static str,
}

const ON_OFF: &[&str] = &["on", "off"];
const SWITCH: &[&str] = &["enabled", "disabled"];

/// A setting's rule.
pub fn rule(name: SettingName) -> Rule {
    match name {
        SettingName::ServiceLongArnFormat
        | SettingName::TaskLongArnFormat
        | SettingName::ContainerInstanceLongArnFormat => Rule { values: SWITCH, default: "enabled" },
        SettingName::AwsvpcTrunking | SettingName::FargateFIPSMode | SettingName::FargateEventWindows => {
            Rule { values: SWITCH, default: "disabled" }
        }
        SettingName::ContainerInsights => Rule { values: &CONTAINER_INSIGHTS, default: "disabled" },
        SettingName::TagResourceAuthorization => Rule { values: ON_OFF, default: "on" },
        SettingName::FargateTaskRetirementWaitPeriod => Rule { values: &["0", "7", "14"], default: "7" },
        SettingName::GuardDutyActivate => Rule { values: &[], default: "off" },
        SettingName::DefaultLogDriverMode => Rule { values: &["blocking", "non-blocking"], default: "non-blocking" },
    }
}

/// Checks a value for a setting.
pub fn admit(name: SettingName, value: &str) -> Result<(), Error> {
    let rule = rule(name);
    if rule.values.is_empty() {
        return Err(Error::SettingName);
    }
    if !rule.values.contains(&value) {
        return Err(Error::SettingValue);
    }
    let is_long_arn = matches!(
        name,
        SettingName::ServiceLongArnFormat
            | SettingName::TaskLongArnFormat
            | SettingName::ContainerInstanceLongArnFormat
    );
    if is_long_arn && value == "disabled" { Err(Error::LongArn) } else { Ok(()) }
}

/// The ARN of an account's root user, under which the account's defaults are kept.
pub fn root_arn(account: AccountId) -> String {
    Arn::global("iam", account, "root").to_string()
}

/// Whose settings a caller's are: a role's sessions share the role's.
pub fn arn_of(caller: &Principal) -> String {
    match &caller.kind {
        PrincipalKind::Root | PrincipalKind::Anonymous | PrincipalKind::User { .. } => caller.arn.to_string(),
        PrincipalKind::AssumedRole { role_arn, .. } => role_arn.to_string(),
    }
}

/// The principal whose setting a request is about: the one that it names, else the caller.
///
/// # Errors
/// [`Error::PrincipalArn`] if it names none of the account; [`Error::NotThePrincipal`] if it names another than the
/// caller, who is not the root user.
pub fn principal(caller: &Principal, is_rooted: bool, named: Option<&str>) -> Result<String, Error> {
    let own = arn_of(caller);
    let Some(named) = named else { return Ok(own) };
    let arn: Arn = named.parse().map_err(|_| Error::PrincipalArn)?;
    let kind = arn.resource.split('/').next().unwrap_or_default();
    let is_principal = matches!(kind, "user" | "role") && arn.resource.len() > kind.len() + 1;
    let is_ours = arn.service == "iam" && arn.account == caller.account.as_str();
    if !is_ours || !(is_principal || arn.resource == "root") {
        return Err(Error::PrincipalArn);
    }
    if is_rooted || named == own { Ok(named.to_owned()) } else { Err(Error::NotThePrincipal) }
}

/// A setting as it holds for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// Its value.
    pub value: String,
    /// Whose value it is: the principal's own, else the root user's.
    pub principal: String,
}

/// What holds for a principal: its own value, the root user's, or AWS's.
pub async fn effective(
    store: &Store,
    scope: &Scope,
    account: AccountId,
    name: SettingName,
    principal: &str,
) -> Result<Effective, Error> {
    let root = root_arn(account);
    let ids: [&[&str]; 2] = [&[name.as_str(), principal], &[name.as_str(), &root]];
    let mut found = store.read_many::<AccountSetting>(scope, &ids).await?.into_iter();
    let (own, of_root) = (found.next().flatten(), found.next().flatten());
    Ok(match (own, of_root) {
        (Some(own), _) => Effective { value: own.value.value, principal: principal.to_owned() },
        (None, Some(of_root)) => Effective { value: of_root.value.value, principal: root },
        (None, None) => Effective { value: rule(name).default.to_owned(), principal: root },
    })
}

/// A setting as operations answer it.
pub fn describe(name: SettingName, value: String, principal: String) -> Setting {
    let r#type = if rule(name).values.is_empty() { SettingType::AwsManaged } else { SettingType::User };
    Setting { name: Some(name), value: Some(value), principal_arn: Some(principal), r#type: Some(r#type) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_takes_its_own_values_alone() {
        for name in SettingName::ALL {
            for value in ["enabled", "disabled", "enhanced", "on", "off", "0", "7", "14", "blocking", "non-blocking"] {
                let is_allowed = rule(*name).values.contains(&value);
                let long_arn = value == "disabled" && name.as_str().ends_with("LongArnFormat");
                assert_eq!(admit(*name, value).is_ok(), is_allowed && !long_arn, "{name} {value}");
            }
            assert!(admit(*name, "ENABLED").is_err(), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_set_is_refused_in_the_words_of_ecs() {
        for (name, value, message) in [
            (SettingName::TaskLongArnFormat, "ENABLED", "Invalid setting 'value'"),
            (SettingName::TaskLongArnFormat, "disabled", "You can no longer disable Long Arn settings"),
            (SettingName::FargateTaskRetirementWaitPeriod, "3", "Invalid setting 'value'"),
            (SettingName::GuardDutyActivate, "on", "Invalid setting 'name'"),
        ] {
            assert_eq!(admit(name, value).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_principal_is_named_by_itself_or_by_the_root_user() {
        let account: AccountId = "123456789012".parse().unwrap();
        let root = Principal::root(account);
        let alice = Principal {
            account,
            arn: Arn::global("iam", account, "user/alice"),
            user_id: "AIDAEXAMPLE".to_owned(),
            kind: PrincipalKind::User { name: "alice".to_owned() },
        };
        let (alice_arn, bob_arn) = ("arn:aws:iam::123456789012:user/alice", "arn:aws:iam::123456789012:user/bob");
        assert_eq!(principal(&alice, false, None).unwrap(), alice_arn);
        assert_eq!(principal(&alice, false, Some(alice_arn)).unwrap(), alice_arn);
        assert_eq!(principal(&root, true, Some(bob_arn)).unwrap(), bob_arn);
        assert!(matches!(principal(&alice, false, Some(bob_arn)), Err(Error::NotThePrincipal)));
        for wrong in ["bob", "arn:aws:iam::999999999999:user/bob", "arn:aws:iam::123456789012:user/", "arn:aws:s3:::b"]
        {
            assert!(matches!(principal(&root, true, Some(wrong)), Err(Error::PrincipalArn)), "{wrong}");
        }
    }

    #[test]
    fn sessions_of_a_role_share_its_settings() {
        let account: AccountId = "123456789012".parse().unwrap();
        let role = "arn:aws:iam::123456789012:role/team/deploy";
        let session = Principal {
            account,
            arn: "arn:aws:sts::123456789012:assumed-role/deploy/ci".parse().unwrap(),
            user_id: "AROAEXAMPLE:ci".to_owned(),
            kind: PrincipalKind::AssumedRole {
                role_arn: role.parse().unwrap(),
                role_id: "AROAEXAMPLE".to_owned(),
                session_name: "ci".to_owned(),
            },
        };
        assert_eq!(arn_of(&session), role);
    }
}
