//! Users, as those see them who check their sessions.

use base::{AccountId, Principal};
use platform::BoxFuture;
use platform::ports::UserDirectory;
use store::{Scope, StoreError};

use crate::Iam;
use crate::user::{BY_ID, User};

impl UserDirectory for Iam {
    fn user<'a>(&'a self, account: AccountId, id: &'a str) -> BoxFuture<'a, Result<Option<Principal>, StoreError>> {
        Box::pin(async move {
            let found = self.platform.store.find_by::<User>(&Scope::global(account), BY_ID, id).await?;
            Ok(found.map(|user| user.principal(account)))
        })
    }
}
