//! The service and its callers.

use base::{AccountId, Arn, Principal, PrincipalKind, Region};
use iam::Iam;
use iam::api::{self, MODEL};
use platform::{Ctx, Platform, Service as _};
use wire::value::{Shaped, Value};

pub(crate) const ACCOUNT: &str = "111111111111";
pub(crate) const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
pub(crate) const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

pub(crate) struct Bench {
    pub(crate) iam: Iam,
    pub(crate) ctx: Ctx,
}

/// What a refusal says: code, status, message.
pub(crate) type Refusal = (String, u16, String);

pub(crate) fn refusal(code: &str, status: u16, message: &str) -> Refusal {
    (code.to_owned(), status, message.to_owned())
}

impl Bench {
    /// An empty account and its root.
    pub(crate) fn new() -> Self {
        Self::over(Platform::in_memory())
    }

    pub(crate) fn over(platform: Platform) -> Self {
        let ctx = ctx_of(&platform, Principal::root(ACCOUNT.parse().unwrap()));
        Self { iam: Iam::new(platform), ctx }
    }

    /// The same installation, another caller.
    pub(crate) fn as_caller(&self, principal: Principal) -> Self {
        Self { iam: self.iam.clone(), ctx: ctx_of(&self.iam.platform, principal) }
    }

    pub(crate) fn as_root_of(&self, account: &str) -> Self {
        self.as_caller(Principal::root(account.parse().unwrap()))
    }

    pub(crate) fn as_session(&self) -> Self {
        let account: AccountId = ACCOUNT.parse().unwrap();
        self.as_caller(Principal {
            account,
            arn: Arn::global("sts", account, "assumed-role/deploy/ci"),
            user_id: "AROAAAAAAAAAAAAAAAAAA:ci".to_owned(),
            kind: PrincipalKind::AssumedRole {
                role_arn: Arn::global("iam", account, "role/deploy"),
                role_id: "AROAAAAAAAAAAAAAAAAAA".to_owned(),
                session_name: "ci".to_owned(),
            },
        })
    }

    async fn call(&self, operation: &str, input: impl Shaped) -> Result<Value, Refusal> {
        let number = MODEL.operation(operation).unwrap();
        let answer = self.iam.call(&self.ctx, number, input.into_value()).await;
        answer.map(wire::Reply::into_value).map_err(|error| (error.code.into_owned(), error.status, error.message))
    }

    /// Calls an operation that answers something.
    pub(crate) async fn ask<O: Shaped>(&self, operation: &str, input: impl Shaped) -> Result<O, Refusal> {
        self.call(operation, input).await.map(|output| O::from_value(output).unwrap())
    }

    /// Calls an operation that takes nothing.
    pub(crate) async fn ask_without_input<O: Shaped>(&self, operation: &str) -> Result<O, Refusal> {
        let number = MODEL.operation(operation).unwrap();
        let answer = self.iam.call(&self.ctx, number, wire::nothing()).await;
        let answer = answer.map(wire::Reply::into_value);
        answer
            .map(|output| O::from_value(output).unwrap())
            .map_err(|error| (error.code.into_owned(), error.status, error.message))
    }

    /// Calls an operation that answers nothing.
    pub(crate) async fn tell(&self, operation: &str, input: impl Shaped) -> Result<(), Refusal> {
        self.call(operation, input).await.map(drop)
    }

    pub(crate) async fn create_user(&self, name: &str) -> Result<api::User, Refusal> {
        let input = api::CreateUserRequest { user_name: name.to_owned(), ..Default::default() };
        self.ask::<api::CreateUserResponse>("CreateUser", input).await.map(|answer| answer.user.unwrap())
    }

    pub(crate) async fn get_user(&self, name: Option<&str>) -> Result<api::User, Refusal> {
        let input = api::GetUserRequest { user_name: name.map(str::to_owned) };
        self.ask::<api::GetUserResponse>("GetUser", input).await.map(|answer| answer.user)
    }

    pub(crate) async fn delete_user(&self, name: &str) -> Result<(), Refusal> {
        self.tell("DeleteUser", api::DeleteUserRequest { user_name: name.to_owned() }).await
    }

    pub(crate) async fn create_key(&self, user: &str) -> Result<api::AccessKey, Refusal> {
        let input = api::CreateAccessKeyRequest { user_name: Some(user.to_owned()) };
        self.ask::<api::CreateAccessKeyResponse>("CreateAccessKey", input).await.map(|answer| answer.access_key)
    }

    pub(crate) async fn create_role_with(&self, name: &str, trust: &str) -> Result<api::Role, Refusal> {
        let input = api::CreateRoleRequest {
            role_name: name.to_owned(),
            assume_role_policy_document: trust.to_owned(),
            ..Default::default()
        };
        self.ask::<api::CreateRoleResponse>("CreateRole", input).await.map(|answer| answer.role)
    }

    pub(crate) async fn create_role(&self, name: &str) -> Result<api::Role, Refusal> {
        self.create_role_with(name, TRUST).await
    }

    pub(crate) async fn get_role(&self, name: &str) -> Result<api::Role, Refusal> {
        let input = api::GetRoleRequest { role_name: name.to_owned() };
        self.ask::<api::GetRoleResponse>("GetRole", input).await.map(|answer| answer.role)
    }

    pub(crate) async fn delete_role(&self, name: &str) -> Result<(), Refusal> {
        self.tell("DeleteRole", api::DeleteRoleRequest { role_name: name.to_owned() }).await
    }

    pub(crate) async fn create_policy(&self, name: &str) -> Result<api::Policy, Refusal> {
        let input = api::CreatePolicyRequest {
            policy_name: name.to_owned(),
            policy_document: POLICY.to_owned(),
            ..Default::default()
        };
        self.ask::<api::CreatePolicyResponse>("CreatePolicy", input).await.map(|answer| answer.policy.unwrap())
    }

    pub(crate) async fn get_policy(&self, arn: &str) -> Result<api::Policy, Refusal> {
        let input = api::GetPolicyRequest { policy_arn: arn.to_owned() };
        self.ask::<api::GetPolicyResponse>("GetPolicy", input).await.map(|answer| answer.policy.unwrap())
    }

    pub(crate) async fn attach_to_user(&self, user: &str, arn: &str) -> Result<(), Refusal> {
        let input = api::AttachUserPolicyRequest { user_name: user.to_owned(), policy_arn: arn.to_owned() };
        self.tell("AttachUserPolicy", input).await
    }

    pub(crate) async fn attach_to_role(&self, role: &str, arn: &str) -> Result<(), Refusal> {
        let input = api::AttachRolePolicyRequest { role_name: role.to_owned(), policy_arn: arn.to_owned() };
        self.tell("AttachRolePolicy", input).await
    }

    pub(crate) async fn put_user_policy(&self, user: &str, name: &str, document: &str) -> Result<(), Refusal> {
        let input = api::PutUserPolicyRequest {
            user_name: user.to_owned(),
            policy_name: name.to_owned(),
            policy_document: document.to_owned(),
        };
        self.tell("PutUserPolicy", input).await
    }
}

fn ctx_of(platform: &Platform, principal: Principal) -> Ctx {
    Ctx::new(principal, Region::default(), platform.clock.now(), "request")
}

pub(crate) fn policy_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:policy/{name}")
}

pub(crate) fn tag(key: &str, value: &str) -> api::Tag {
    api::Tag { key: key.to_owned(), value: value.to_owned() }
}
