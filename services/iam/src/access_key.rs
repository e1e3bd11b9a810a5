//! Access keys of users. The keys are the platform's identity records, because a signature names a key before anybody
//! knows the account; which ones a user has is in the user's record.

use base::PrincipalKind;
use platform::identity::{AccessKey, KeyStatus};
use platform::{Access, Ctx};
use store::{Scope, Versioned};

use crate::api::StatusType;
use crate::entity::Noun;
use crate::user::User;
use crate::{Error, Iam};

impl Iam {
    /// The user that a request about keys means: the one it names, or the caller.
    pub(crate) async fn key_owner(&self, ctx: &Ctx, user_name: Option<&str>) -> Result<Versioned<User>, Error> {
        let name = named_user(ctx, user_name).ok_or(Error::UserNameRequired)?;
        self.find::<User>(ctx, name).await
    }

    /// A key of a user.
    pub(crate) async fn key_of(&self, user: &User, id: &str) -> Result<Versioned<AccessKey>, Error> {
        let missing = || Error::NoSuchAccessKey { id: id.to_owned() };
        if !user.access_keys.iter().any(|key| key == id) {
            return Err(missing());
        }
        self.access_key(id).await?.ok_or_else(missing)
    }

    /// A key, whoever's it is.
    pub(crate) async fn access_key(&self, id: &str) -> Result<Option<Versioned<AccessKey>>, Error> {
        Ok(self.platform.store.read::<AccessKey>(&Scope::system(), &[id]).await?)
    }
}

/// The user that a request names, or the caller if it is one.
pub(crate) fn named_user<'a>(ctx: &'a Ctx, user_name: Option<&'a str>) -> Option<&'a str> {
    match &ctx.principal.kind {
        _ if user_name.is_some() => user_name,
        PrincipalKind::User { name } => Some(name),
        PrincipalKind::Root | PrincipalKind::Anonymous | PrincipalKind::AssumedRole { .. } => None,
    }
}

/// What a request about a user's keys, or about the user, needs. Where it names nobody and the caller is no user, the
/// handler answers no more than that.
pub(crate) fn owner_access(ctx: &Ctx, action: &'static str, user_name: Option<&str>) -> Access {
    match named_user(ctx, user_name) {
        Some(name) => Access::to(action).on(Noun::User.named(ctx, name)),
        None => Access::open(),
    }
}

/// As the API names it.
pub(crate) fn status(status: KeyStatus) -> StatusType {
    match status {
        KeyStatus::Active => StatusType::Active,
        KeyStatus::Inactive => StatusType::Inactive,
    }
}
