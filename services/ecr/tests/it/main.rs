//! Every operation, called as the gateway calls it: a request in JSON, admitted and checked against the model, over a
//! platform that forgets.

#![allow(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod policies;
mod registry;
mod repositories;

use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, Arn, ManualClock, Principal, PrincipalKind, Region, Timestamp};
use ecr::Ecr;
use platform::{Ctx, Platform, Rights, Service};
use policy::{IdentityPolicies, Policy, Purpose};
use serde_json::{Value, json};
use store::{Store, StoreOptions};

/// The account that most tests call from.
const ACCOUNT: &str = "123456789012";
/// Another one.
const OTHER: &str = "999999999999";
/// When the clock starts: 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000;
/// The host by which callers reach the API.
const HOST: &str = "127.0.0.1:4566";

/// Who calls: a service and an identity.
#[derive(Clone)]
struct Caller {
    ecr: Ecr,
    clock: Arc<ManualClock>,
    principal: Principal,
    rights: Option<Rights>,
}

impl Caller {
    /// The root user of [`ACCOUNT`], on a platform of its own.
    fn new() -> Self {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(START)));
        let platform = Platform {
            store: Store::in_memory(StoreOptions { clock: clock.clone(), ..StoreOptions::default() }),
            clock: clock.clone(),
            ..Platform::in_memory()
        };
        let ecr = Ecr { platform, public_address: None };
        Self { ecr, clock, principal: Principal::root(ACCOUNT.parse().unwrap()), rights: None }
    }

    /// The root user of another account, on the same platform.
    fn other_account(&self) -> Self {
        Self { principal: Principal::root(OTHER.parse().unwrap()), rights: None, ..self.clone() }
    }

    /// A user of the same account who has a policy, on the same platform.
    fn user(&self, name: &str, policy: &Value) -> Self {
        let account: AccountId = self.principal.account;
        let principal = Principal {
            account,
            arn: Arn::global("iam", account, format!("user/{name}")),
            user_id: format!("AIDA{name}"),
            kind: PrincipalKind::User { name: name.to_owned() },
        };
        Self { principal, rights: Some(rights(policy)), ..self.clone() }
    }

    fn ctx(&self) -> Ctx {
        let mut ctx = Ctx::new(self.principal.clone(), Region::default(), self.ecr.platform.clock.now(), "test");
        ctx.host = HOST.to_owned();
        if let Some(rights) = &self.rights {
            ctx.rights = rights.clone();
        }
        ctx
    }

    /// Calls an operation.
    async fn call(&self, operation: &str, input: Value) -> Result<Value, wire::Error> {
        let model = self.ecr.model();
        let number = model.operation(operation).unwrap();
        let shape = model.input(number).unwrap();
        let value = wire::json::decode(shape, input.to_string().as_bytes(), &wire::json::Limits::REQUEST).unwrap();
        wire::validate::validate(shape, &value)
            .map_err(|message| wire::Error::new("InvalidParameterException", 400, message))?;
        let answer = self.ecr.call(&self.ctx(), number, value).await?.into_value();
        let bytes = wire::json::encode(model.output(number).unwrap(), &answer);
        Ok(serde_json::from_slice(&bytes).unwrap())
    }

    /// Calls an operation that must be answered.
    async fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input.clone()).await.unwrap_or_else(|error| panic!("{operation} {input}: {error}"))
    }

    /// Calls an operation that must be refused, and answers code and message.
    async fn refused(&self, operation: &str, input: Value) -> (String, String) {
        match self.call(operation, input.clone()).await {
            Err(error) => (error.code.into_owned(), error.message),
            Ok(answer) => panic!("{operation} {input} answered {answer}"),
        }
    }

    /// Creates a repository.
    async fn repository(&self, name: &str) {
        self.ok("CreateRepository", json!({"repositoryName": name})).await;
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

/// The rights of somebody whose policy has one statement.
fn rights(statement: &Value) -> Rights {
    let text = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
    let policy = Policy::new("own", policy::parse(&text, Purpose::Managed).unwrap());
    Rights::of_policies(IdentityPolicies { attached: vec![Arc::new(policy)], ..IdentityPolicies::default() })
}

/// A statement that allows everything.
fn everything() -> Value {
    json!({"Effect": "Allow", "Action": "*", "Resource": "*"})
}

/// A refusal as [`Caller::refused`] answers it.
fn refusal(code: &str, message: &str) -> (String, String) {
    (code.to_owned(), message.to_owned())
}

fn arn(name: &str) -> String {
    format!("arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{name}")
}

fn repository_not_found(name: &str) -> (String, String) {
    let message = format!("The repository with name '{name}' does not exist in the registry with id '{ACCOUNT}'");
    refusal("RepositoryNotFoundException", &message)
}
