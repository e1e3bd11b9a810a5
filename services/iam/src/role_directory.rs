//! Roles, as those see them who hand out and check their sessions.

use base::AccountId;
use platform::BoxFuture;
use platform::ports::{RoleDirectory, RoleView};
use store::{Scope, StoreError};

use crate::Iam;
use crate::entity::Noun;
use crate::names::folded;
use crate::role::Role;

impl RoleDirectory for Iam {
    /// The trust policy names users and roles by their unique ids (`AIDA…`, `AROA…`, `AROA…:session`).
    fn role<'a>(&'a self, account: AccountId, name: &'a str) -> BoxFuture<'a, Result<Option<RoleView>, StoreError>> {
        Box::pin(async move {
            let found = self.platform.store.read::<Role>(&Scope::global(account), &[&folded(name)]).await?;
            Ok(found.map(|role| RoleView {
                arn: role.identity.arn(Noun::Role, account),
                id: role.identity.id.clone(),
                trust_policy: role.trust.pinned.clone(),
                max_session_duration_s: role.max_session_duration_s,
            }))
        })
    }
}
