//! What users, roles, policies and instance profiles have in common: a name under a path, a unique id, an ARN, tags,
//! and the ways in which they are found, made, changed and listed.

use base::{AccountId, Arn, Timestamp};
use platform::Ctx;
use serde::{Deserialize, Serialize};
use store::{Record, Scope, Tx, Versioned};

use crate::api::Tag;
use crate::limits::ATTEMPTS_MAX;
use crate::names::{PolicyAccount, PolicyArn, ROOT_PATH, folded, is_under};
use crate::page::{Page, PageRequest};
use crate::tag::TagKeys;
use crate::{Error, Iam, oidc_provider};

/// The service segment of the keys of all that IAM stores.
pub(crate) const SERVICE: &str = "iam";

/// The kinds of entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Noun {
    User,
    Group,
    Role,
    Policy,
    InstanceProfile,
    OidcProvider,
}

/// Who an entity is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Identity {
    /// The name in the case in which it was given.
    pub(crate) name: String,
    /// Slashes at both ends.
    pub(crate) path: String,
    /// The unique id: it outlives a renaming and is never given to another.
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    /// In the order in which they were given.
    #[serde(with = "wire::stored")]
    pub(crate) tags: Vec<Tag>,
}

/// A record that is an entity. Its id is the folded name.
pub(crate) trait Entity: Record + Clone {
    const NOUN: Noun;

    fn identity(&self) -> &Identity;
    fn identity_mut(&mut self) -> &mut Identity;

    /// Refuses what only a service may do with an entity of its own.
    fn check_modifiable(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Noun {
    /// How many there are.
    pub(crate) const KINDS: usize = 6;

    /// As ARNs name it.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
            Self::Policy => "policy",
            Self::InstanceProfile => "instance-profile",
            Self::OidcProvider => "oidc-provider",
        }
    }

    /// The ARN of the entity of this name, as far as the name tells. Its path is in its record, where the gate finds it.
    pub(crate) fn named(self, ctx: &Ctx, name: &str) -> String {
        self.placed(ctx, None, name)
    }

    /// The ARN of the entity of this name under a path; without a name, of what is there.
    pub(crate) fn placed(self, ctx: &Ctx, path: Option<&str>, name: &str) -> String {
        ctx.global_arn("iam", format!("{}{}{name}", self.kind(), path.unwrap_or(ROOT_PATH)))
    }

    pub(crate) fn tag_keys(self) -> TagKeys {
        match self {
            Self::User | Self::Group | Self::Role => TagKeys::AnyCase,
            Self::Policy | Self::InstanceProfile | Self::OidcProvider => TagKeys::Exact,
        }
    }

    fn unique_id_prefix(self) -> &'static str {
        match self {
            Self::User => "AIDA",
            Self::Group => "AGPA",
            Self::Role => "AROA",
            Self::Policy => "ANPA",
            Self::InstanceProfile => "AIPA",
            // It has none at AWS; this one is told to nobody.
            Self::OidcProvider => "AOIP",
        }
    }

    fn exists(self, name: &str) -> Error {
        let name = name.to_owned();
        match self {
            Self::User => Error::Exists { what: "User with name", name },
            Self::Group => Error::Exists { what: "Group with name", name },
            Self::Role => Error::Exists { what: "Role with name", name },
            Self::Policy => Error::PolicyExists { name },
            Self::InstanceProfile => Error::Exists { what: "Instance Profile", name },
            Self::OidcProvider => Error::Exists { what: "Provider with url", name: format!("https://{name}") },
        }
    }

    fn missing(self, reference: &str) -> Error {
        let name = reference.to_owned();
        match self {
            Self::User => Error::NoSuchUser { name },
            Self::Group => Error::NoSuchGroup { name },
            Self::Role => Error::NoSuchRole { name },
            Self::Policy => Error::NoSuchPolicy { arn: name },
            Self::InstanceProfile => Error::NoSuchInstanceProfile { name },
            Self::OidcProvider => Error::NoSuchOidcProvider { arn: name },
        }
    }

    /// The id of the record that a request means: by name, policies and providers by ARN.
    fn record_id(self, ctx: &Ctx, reference: &str) -> Result<String, Error> {
        if self == Self::OidcProvider {
            let name = oidc_provider::name_in(reference, ctx.account());
            return name.map(|name| folded(&name)).ok_or_else(|| self.missing(reference));
        }
        if self != Self::Policy {
            return Ok(folded(reference));
        }
        let arn = PolicyArn::parse(reference).ok_or_else(|| Error::InvalidPolicyArn { arn: reference.to_owned() })?;
        match arn.owner {
            PolicyAccount::Customer(account) if account == ctx.account() => Ok(folded(&arn.name)),
            PolicyAccount::Customer(_) | PolicyAccount::Aws => {
                Err(Error::ForeignPolicy { caller: ctx.principal.arn.to_string(), arn: arn.text })
            }
        }
    }
}

impl Identity {
    /// A new entity's; the tags are checked.
    pub(crate) fn new(
        iam: &Iam,
        ctx: &Ctx,
        noun: Noun,
        name: String,
        path: Option<String>,
        tags: Option<Vec<Tag>>,
    ) -> Result<Self, Error> {
        Ok(Self {
            name,
            path: path.unwrap_or_else(|| ROOT_PATH.to_owned()),
            id: base::ids::iam(&*iam.platform.rng, noun.unique_id_prefix()),
            created: instant(ctx),
            tags: noun.tag_keys().of_new(tags)?,
        })
    }

    /// Its ARN.
    pub(crate) fn arn(&self, noun: Noun, account: AccountId) -> Arn {
        Arn::global("iam", account, format!("{}{}{}", noun.kind(), self.path, self.name))
    }
}

impl Iam {
    /// The entity that a request names (policies by ARN, the others by name).
    pub(crate) async fn find<E: Entity>(&self, ctx: &Ctx, reference: &str) -> Result<Versioned<E>, Error> {
        let id = E::NOUN.record_id(ctx, reference)?;
        let found = self.platform.store.read::<E>(&ctx.global_scope(), &[&id]).await?;
        // An ARN means one policy, so path and case must be right too.
        let is_meant = |entity: &Versioned<E>| {
            !matches!(E::NOUN, Noun::Policy | Noun::OidcProvider)
                || entity.identity().arn(E::NOUN, ctx.account()).to_string() == reference
        };
        found.filter(is_meant).ok_or_else(|| E::NOUN.missing(reference))
    }

    /// Refuses a name that is taken.
    pub(crate) async fn check_is_free<E: Entity>(&self, ctx: &Ctx, name: &str) -> Result<(), Error> {
        match self.platform.store.read::<E>(&ctx.global_scope(), &[&folded(name)]).await? {
            None => Ok(()),
            Some(_) => Err(E::NOUN.exists(name)),
        }
    }

    /// Changes an entity and answers it as it now is.
    pub(crate) async fn change<E: Entity>(
        &self,
        ctx: &Ctx,
        reference: &str,
        modify: impl Fn(&mut E) -> Result<(), Error>,
    ) -> Result<E, Error> {
        self.transact(|| async {
            let old = self.find::<E>(ctx, reference).await?;
            let mut new = old.value.clone();
            modify(&mut new)?;
            let mut tx = Tx::new();
            tx.replace(&old, &new);
            Ok((tx, new))
        })
        .await
    }

    /// Builds a transaction from fresh reads and commits it; builds it anew when somebody else was faster.
    pub(crate) async fn transact<T, A, F>(&self, attempt: A) -> Result<T, Error>
    where
        A: Fn() -> F,
        F: Future<Output = Result<(Tx, T), Error>>,
    {
        for _ in 0..ATTEMPTS_MAX {
            let (tx, answer) = attempt().await?;
            if tx.is_empty() {
                return Ok(answer);
            }
            match self.platform.store.commit(tx).await {
                Ok(_) => return Ok(answer),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::ConcurrentModification)
    }

    /// A page of the account's entities under a path.
    pub(crate) async fn entities<E: Entity>(
        &self,
        request: PageRequest<'_>,
        path_prefix: Option<&str>,
    ) -> Result<Page<E>, Error> {
        let page = request.scan::<E>(|entity| is_under(&entity.identity().path, path_prefix)).await?;
        Ok(page.map(|entity| entity.value))
    }
}

/// The instant of a request as IAM tells instants: to the second.
pub(crate) fn instant(ctx: &Ctx) -> Timestamp {
    Timestamp::from_secs(ctx.now.as_secs())
}

/// Adds the record of a new entity.
pub(crate) fn insert<E: Entity>(tx: &mut Tx, scope: &Scope, entity: &E) {
    tx.insert(scope, &[&folded(&entity.identity().name)], entity);
}
