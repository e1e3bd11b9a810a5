//! Makes a managed policy, whose first version is its default.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::{CreatePolicyRequest, CreatePolicyResponse};
use crate::entity::{Entity, Identity, Noun, insert};
use crate::inline::PolicyText;
use crate::managed_policy::{Policy, check_document};
use crate::tag::pairs;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &CreatePolicyRequest) -> Access {
    Access::to("iam:CreatePolicy")
        .on(Noun::Policy.placed(ctx, input.path.as_deref(), &input.policy_name))
        .request_tags(pairs(input.tags.as_deref().unwrap_or_default()))
}

pub(crate) async fn create_policy(
    iam: &Iam,
    ctx: &Ctx,
    input: CreatePolicyRequest,
) -> Result<CreatePolicyResponse, Error> {
    check_document(&input.policy_document)?;
    let identity = Identity::new(iam, ctx, Policy::NOUN, input.policy_name, input.path, input.tags)?;
    let policy = Policy::new(identity, input.description);
    let text = PolicyText { document: input.policy_document };
    iam.check_quota::<Policy>(ctx).await?;
    iam.transact(|| async {
        iam.check_is_free::<Policy>(ctx, &policy.identity.name).await?;
        let scope = ctx.global_scope();
        let mut tx = Tx::new();
        insert(&mut tx, &scope, &policy);
        for version in &policy.versions {
            tx.insert(&scope, &[&policy.identity.id, &version.id()], &text);
        }
        Ok((tx, ()))
    })
    .await?;
    iam.note_made(ctx, Policy::NOUN);
    Ok(CreatePolicyResponse { policy: Some(policy.created(ctx.account())) })
}
