//! Every operation, called as the gateway calls it: a request in JSON, checked against the model, over a platform that
//! forgets.

#![allow(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod account_settings;
mod clusters;
mod definitions;
mod properties;
mod tags;

use std::sync::Arc;

use base::{AccountId, Arn, Principal, PrincipalKind, Region};
use ecs::Ecs;
use platform::{Ctx, Platform, Rights, Service};
use policy::{IdentityPolicies, Policy, Purpose};
use serde_json::{Value, json};

/// Who calls: a service and a context.
#[derive(Clone)]
struct Caller {
    ecs: Arc<Ecs>,
    ctx: Ctx,
}

/// The account that most tests call from.
const ACCOUNT: &str = "123456789012";

impl Caller {
    /// The root user of [`ACCOUNT`], on a platform of its own.
    fn new() -> Self {
        Self::on(Platform::in_memory(), Principal::root(ACCOUNT.parse().unwrap()))
    }

    fn on(platform: Platform, principal: Principal) -> Self {
        let now = platform.clock.now();
        let ctx = Ctx::new(principal, Region::default(), now, "test");
        Self { ecs: Arc::new(Ecs { platform }), ctx }
    }

    /// The root user of another account, on the same platform.
    fn other_account(&self) -> Self {
        Self::on(self.ecs.platform.clone(), Principal::root("999999999999".parse().unwrap()))
    }

    /// A user of the same account, on the same platform.
    fn user(&self, name: &str) -> Self {
        let account: AccountId = self.ctx.account();
        let principal = Principal {
            account,
            arn: Arn::global("iam", account, format!("user/{name}")),
            user_id: format!("AIDA{name}"),
            kind: PrincipalKind::User { name: name.to_owned() },
        };
        let mut user = Self::on(self.ecs.platform.clone(), principal);
        user.ctx.rights = everything();
        user
    }

    /// Calls an operation.
    async fn call(&self, operation: &str, input: Value) -> Result<Value, wire::Error> {
        let model = self.ecs.model();
        let number = model.operation(operation).unwrap();
        let shape = model.input(number).unwrap();
        let value = wire::json::decode(shape, input.to_string().as_bytes(), &wire::json::Limits::REQUEST).unwrap();
        wire::validate::validate(shape, &value).unwrap();
        let answer = self.ecs.call(&self.ctx, number, value).await?.into_value();
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

    /// Registers a small definition and answers its ARN.
    async fn register(&self, family: &str) -> String {
        let answer = self.ok("RegisterTaskDefinition", small(family)).await;
        answer["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned()
    }
}

/// What somebody may do who may do everything.
fn everything() -> Rights {
    let text = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
    let policy = Policy::new("all", policy::parse(text, Purpose::Managed).unwrap());
    Rights::of_policies(IdentityPolicies { attached: vec![Arc::new(policy)], ..IdentityPolicies::default() })
}

/// A small definition.
fn small(family: &str) -> Value {
    json!({"family": family, "containerDefinitions": [{"name": "app", "image": "busybox", "memory": 64}]})
}

/// A refusal as [`Caller::refused`] answers it.
fn refusal(code: &str, message: &str) -> (String, String) {
    (code.to_owned(), message.to_owned())
}

fn arn(resource: &str) -> String {
    format!("arn:aws:ecs:us-east-1:{ACCOUNT}:{resource}")
}
