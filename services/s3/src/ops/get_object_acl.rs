//! GetObjectAcl.

use platform::{Access, Ctx};

use crate::acl::Acl;
use crate::amend;
use crate::api::{GetObjectAclOutput, GetObjectAclRequest};
use crate::describe::{grants, owner};
use crate::{Error, S3};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetObjectAclRequest) -> Access {
    let actions = ["s3:GetObjectAcl", "s3:GetObjectVersionAcl"];
    amend::access(actions, &input.bucket, &input.key, input.version_id.as_deref())
}

/// Answers the list of grants of an object.
pub(crate) async fn get_object_acl(
    s3: &S3,
    ctx: &Ctx,
    input: GetObjectAclRequest,
) -> Result<GetObjectAclOutput, Error> {
    let expected = input.expected_bucket_owner.as_deref();
    let found =
        amend::read(s3, ctx, &access(ctx, &input), &input.bucket, expected, &input.key, input.version_id.as_deref())
            .await?;
    let whose = found.bucket.owner_of(&found.version);
    let acl = match &found.object()?.acl {
        Some(acl) if found.bucket.has_acls() => acl.clone(),
        _ => Acl::private(whose),
    };
    Ok(GetObjectAclOutput { grants: Some(grants(&acl)), owner: Some(owner(whose)), request_charged: None })
}
