//! Adds a version to a managed policy.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::{CreatePolicyVersionRequest, CreatePolicyVersionResponse};
use crate::entity::instant;
use crate::inline::PolicyText;
use crate::limits::POLICY_VERSIONS_MAX;
use crate::managed_policy::{Policy, PolicyVersion, check_document};
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, input: &CreatePolicyVersionRequest) -> Access {
    Access::to("iam:CreatePolicyVersion").on(&*input.policy_arn)
}

pub(crate) async fn create_policy_version(
    iam: &Iam,
    ctx: &Ctx,
    input: CreatePolicyVersionRequest,
) -> Result<CreatePolicyVersionResponse, Error> {
    check_document(&input.policy_document)?;
    let text = PolicyText { document: input.policy_document };
    let (policy, version) = iam
        .transact(|| async {
            let old = iam.find::<Policy>(ctx, &input.policy_arn).await?;
            if old.versions.len() >= POLICY_VERSIONS_MAX {
                return Err(Error::TooManyVersions);
            }
            let version = PolicyVersion { number: old.next_version, created: instant(ctx) };
            let mut new = old.value.clone();
            new.versions.push(version);
            new.next_version += 1;
            new.updated = version.created;
            if input.set_as_default == Some(true) {
                new.default_version = version.number;
            }
            let mut tx = Tx::new();
            tx.replace(&old, &new);
            tx.insert(&ctx.global_scope(), &[&new.identity.id, &version.id()], &text);
            Ok((tx, (new, version)))
        })
        .await?;
    Ok(CreatePolicyVersionResponse { policy_version: Some(policy.version_view(version)) })
}
