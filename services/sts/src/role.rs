//! The role of a session: which one an ARN means, and whom a session of it acts as.

use base::{AccountId, Arn, Principal, PrincipalKind};
use platform::ports::RoleView;

use crate::{Error, Sts};

/// A role as a request names it.
#[derive(Debug)]
pub(crate) struct NamedRole {
    pub(crate) arn: String,
    pub(crate) account: AccountId,
    /// None if there is no such role, which a caller must not learn.
    pub(crate) found: Option<RoleView>,
}

impl Sts {
    /// Looks up the role that `arn:aws:iam::123456789012:role/path/name` means; path and case must be right, too.
    pub(crate) async fn named_role(&self, arn: String) -> Result<NamedRole, Error> {
        let (account, name) = read_role_arn(&arn)?;
        let found = self.roles.role(account, &name).await?.filter(|role| role.arn.to_string() == arn);
        Ok(NamedRole { arn, account, found })
    }
}

/// The account and the name of a role.
pub(crate) fn read_role_arn(text: &str) -> Result<(AccountId, String), Error> {
    let invalid = || Error::InvalidRoleArn { arn: text.to_owned() };
    let arn: Arn = text.parse().map_err(|_| invalid())?;
    let account = arn.account.parse().map_err(|_| invalid())?;
    let path_and_name = arn.resource.strip_prefix("role/").ok_or_else(invalid)?;
    let name = path_and_name.rsplit('/').next().unwrap_or_default();
    if arn.service != "iam" || !arn.region.is_empty() || name.is_empty() {
        return Err(invalid());
    }
    Ok((account, name.to_owned()))
}

/// Whom a session acts as.
pub(crate) fn session_principal(role: &RoleView, account: AccountId, session_name: &str) -> Principal {
    let name = role.arn.resource.rsplit('/').next().unwrap_or_default();
    Principal {
        account,
        arn: Arn::global("sts", account, format!("assumed-role/{name}/{session_name}")),
        user_id: format!("{}:{session_name}", role.id),
        kind: PrincipalKind::AssumedRole {
            role_arn: role.arn.clone(),
            role_id: role.id.clone(),
            session_name: session_name.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_arn_of_a_role_is_refused_in_awss_words() {
        for wrong in [
            "nothing-valid-in-here",
            "arn::b:::something/test-role",
            "arn:a::::something/test-role",
            "arn:a:::something/test-role",
            "arn:a:a::aaaaaaaaaa:",
            "arn:aws:iam::111111111111:user/alice",
            "arn:aws:iam::111111111111:role/",
            "arn:aws:iam::1111:role/worker",
            "arn:aws:iam:us-east-1:111111111111:role/worker",
        ] {
            assert_eq!(read_role_arn(wrong).unwrap_err().to_string(), format!("{wrong} is invalid"));
        }
        let (account, name) = read_role_arn("arn:aws:iam::111111111111:role/team/ci/worker").unwrap();
        assert_eq!((account.as_str(), name.as_str()), ("111111111111", "worker"));
    }
}
