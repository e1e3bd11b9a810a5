//! Makes the role that a service has in the account.

use std::collections::BTreeSet;

use platform::{Access, Ctx};
use store::Tx;

use crate::api::{CreateServiceLinkedRoleRequest, CreateServiceLinkedRoleResponse};
use crate::attachment::{HeldPolicies, UseChange};
use crate::entity::{Entity, Identity, Noun, insert};
use crate::limits::SESSION_DURATION_DEFAULT_S;
use crate::names::{PolicyArn, SERVICE_LINKED_PATH, folded};
use crate::role::Role;
use crate::service_linked::LinkedService;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &CreateServiceLinkedRoleRequest) -> Access {
    let service = input.aws_service_name.as_str();
    let linked = LinkedService::find(service);
    let name = linked.and_then(|linked| linked.role_name(input.custom_suffix.as_deref()).ok()).unwrap_or_default();
    let path = format!("{SERVICE_LINKED_PATH}{service}/");
    Access::to("iam:CreateServiceLinkedRole")
        .on(Noun::Role.placed(ctx, Some(&path), &name))
        .key("iam:AWSServiceName", service)
}

pub(crate) async fn create_service_linked_role(
    iam: &Iam,
    ctx: &Ctx,
    input: CreateServiceLinkedRoleRequest,
) -> Result<CreateServiceLinkedRoleResponse, Error> {
    let service = LinkedService::find(&input.aws_service_name);
    let service = service.ok_or_else(|| Error::NoLinkedService { service: input.aws_service_name.clone() })?;
    let name = service.role_name(input.custom_suffix.as_deref())?;
    let identity = Identity::new(iam, ctx, Role::NOUN, name, Some(service.path()), None)?;
    let policy = PolicyArn::parse(&service.policy_arn());
    let attached: Vec<String> = policy.iter().map(|arn| arn.text.clone()).collect();
    let role = Role {
        identity,
        held: HeldPolicies { attached, ..HeldPolicies::default() },
        trust: iam.trust_policy(service.trust_policy()).await?,
        description: input.description,
        max_session_duration_s: SESSION_DURATION_DEFAULT_S,
        instance_profiles: BTreeSet::new(),
    };
    iam.check_quota::<Role>(ctx).await?;
    iam.transact(|| async {
        let name = role.identity.name.as_str();
        if iam.platform.store.read::<Role>(&ctx.global_scope(), &[&folded(name)]).await?.is_some() {
            return Err(Error::LinkedRoleExists { name: name.to_owned() });
        }
        let mut tx = Tx::new();
        insert(&mut tx, &ctx.global_scope(), &role);
        if let Some(arn) = &policy {
            iam.note_use(ctx, &mut tx, arn, UseChange::Attached).await?;
        }
        Ok((tx, ()))
    })
    .await?;
    iam.note_made(ctx, Role::NOUN);
    Ok(CreateServiceLinkedRoleResponse { role: Some(role.created(ctx.account())) })
}
