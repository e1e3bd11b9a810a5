//! Principals of a statement, and how much it means to be one.

use base::{AccountId, Arn, Principal, PrincipalKind};

use crate::{Effect, Principals, Select, TypedPrincipal};

/// Whoever asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Caller<'a> {
    /// A root, a user or a role's session.
    Identity(&'a Principal),
    /// A service on its own account: `logs.amazonaws.com`.
    Service(&'a str),
    /// Somebody whom an identity provider vouches for.
    Federated(&'a str),
    /// Nobody in particular.
    Anonymous,
}

/// How a resource's policy names the caller, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// By the account: what the account's own policies make of it decides.
    Account,
    /// A session by its role: needs no identity policy, but is narrowed by boundary and session policies.
    Role,
    /// In person, or as one of everybody: nothing that is merely not allowed elsewhere takes it away.
    Person,
}

/// The `Principal` or `NotPrincipal` of a statement.
#[derive(Debug, Clone)]
pub(crate) struct Whom(Select<Named>);

#[derive(Debug, Clone)]
enum Named {
    Everyone,
    These(Box<[Name]>),
}

#[derive(Debug, Clone)]
enum Name {
    /// `{"AWS": "*"}`
    AnyAws,
    Account(AccountId),
    Arn(Box<Arn>),
    /// A user's, a role's or a session's unique id.
    Id(Box<str>),
    Service(Box<str>),
    Federated(Box<str>),
    /// What can be nobody here: a canonical S3 id.
    Nobody,
}

/// In which of its capacities a caller is listed.
#[derive(Debug, Default, Clone, Copy)]
struct Listed {
    account: bool,
    role: bool,
    person: bool,
}

impl Listed {
    fn or(self, other: Self) -> Self {
        Self {
            account: self.account || other.account,
            role: self.role || other.role,
            person: self.person || other.person,
        }
    }

    fn reach(self) -> Option<Reach> {
        let by = |is: bool, reach| is.then_some(reach);
        by(self.person, Reach::Person).or(by(self.role, Reach::Role)).or(by(self.account, Reach::Account))
    }
}

impl Whom {
    pub(crate) fn new(principals: &Select<Principals>) -> Self {
        Self(principals.map(|principals| match principals {
            Principals::Everyone => Named::Everyone,
            Principals::Named(named) => Named::These(named.iter().map(Name::new).collect()),
        }))
    }

    /// How a caller is named.
    ///
    /// A caller is several principals at once: the account, the role, the session. `NotPrincipal` has to list all of
    /// them to spare the caller from a denial, as AWS documents; and an allowance for everybody but somebody
    /// reaches the caller only when none of them is listed.
    pub(crate) fn reach(&self, caller: &Caller<'_>, effect: Effect) -> Option<Reach> {
        match (&self.0, effect) {
            (Select::Only(named), _) => named.listed(caller, effect).reach(),
            (Select::Except(named), Effect::Allow) => {
                // Who is listed as an exception is listed in the widest sense.
                named.listed(caller, Effect::Deny).reach().is_none().then_some(Reach::Person)
            }
            (Select::Except(named), Effect::Deny) => {
                (!is_wholly_listed(named.listed(caller, Effect::Allow), caller)).then_some(Reach::Person)
            }
        }
    }
}

fn is_wholly_listed(listed: Listed, caller: &Caller<'_>) -> bool {
    let Caller::Identity(principal) = caller else { return listed.person };
    match principal.kind {
        PrincipalKind::Root => listed.account,
        PrincipalKind::Anonymous => listed.person,
        PrincipalKind::User { .. } => listed.account && listed.person,
        PrincipalKind::AssumedRole { .. } => listed.account && listed.role && listed.person,
    }
}

impl Named {
    fn listed(&self, caller: &Caller<'_>, effect: Effect) -> Listed {
        match self {
            Self::Everyone => EVERY_CAPACITY,
            Self::These(names) => {
                names.iter().map(|name| name.lists(caller, effect)).fold(Listed::default(), Listed::or)
            }
        }
    }
}

const EVERY_CAPACITY: Listed = Listed { account: true, role: true, person: true };

impl Name {
    fn new(principal: &TypedPrincipal) -> Self {
        match principal {
            TypedPrincipal::Aws(text) if text == "*" => Self::AnyAws,
            TypedPrincipal::Aws(text) => Self::of_identity(text),
            TypedPrincipal::Service(text) => Self::Service(text.as_str().into()),
            TypedPrincipal::Federated(text) => Self::Federated(text.as_str().into()),
            TypedPrincipal::CanonicalUser(_) => Self::Nobody,
        }
    }

    fn of_identity(text: &str) -> Self {
        if let Ok(account) = text.parse() {
            return Self::Account(account);
        }
        let Ok(arn) = text.parse::<Arn>() else { return Self::Id(text.into()) };
        match arn.account.parse() {
            Ok(account) if arn == Arn::global("iam", account, "root") => Self::Account(account),
            _ => Self::Arn(Box::new(arn)),
        }
    }

    /// An allowance for any principal of AWS is none for whom only an identity provider vouches; a denial of any is for
    /// all.
    fn lists(&self, caller: &Caller<'_>, effect: Effect) -> Listed {
        let person = |person| Listed { person, ..Listed::default() };
        match (self, caller) {
            (Self::AnyAws, Caller::Federated(_)) if effect == Effect::Allow => Listed::default(),
            (Self::AnyAws, _) => EVERY_CAPACITY,
            (Self::Account(account), Caller::Identity(caller)) => {
                Listed { account: caller.account == *account, ..Listed::default() }
            }
            (Self::Arn(arn), Caller::Identity(caller)) => {
                let role = matches!(&caller.kind, PrincipalKind::AssumedRole { role_arn, .. } if *role_arn == **arn);
                Listed { role, person: caller.arn == **arn, ..Listed::default() }
            }
            (Self::Id(id), Caller::Identity(caller)) => {
                let role =
                    matches!(&caller.kind, PrincipalKind::AssumedRole { role_id, .. } if role_id.as_str() == &**id);
                Listed { role, person: caller.user_id.as_str() == &**id, ..Listed::default() }
            }
            (Self::Service(name), Caller::Service(service)) => person(**name == **service),
            (Self::Federated(name), Caller::Federated(provider)) => person(**name == **provider),
            _ => Listed::default(),
        }
    }
}
