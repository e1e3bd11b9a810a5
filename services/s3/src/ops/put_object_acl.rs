//! PutObjectAcl.

use platform::{Access, Ctx};

use crate::acl::Acl;
use crate::amend::{self, Target};
use crate::api::{PutObjectAclOutput, PutObjectAclRequest};
use crate::describe::{self, acl_said, object_grants, read_grants, refuse_public};
use crate::event::By;
use crate::{Error, S3};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &PutObjectAclRequest) -> Access {
    let actions = ["s3:PutObjectAcl", "s3:PutObjectVersionAcl"];
    let access = amend::access(actions, &input.bucket, &input.key, input.version_id.as_deref());
    describe::told(access, acl_said!(input, with write))
}

/// Gives an object a list of grants in place of the one that it has.
pub(crate) async fn put_object_acl(
    s3: &S3,
    ctx: &Ctx,
    input: PutObjectAclRequest,
) -> Result<PutObjectAclOutput, Error> {
    let access = access(ctx, &input);
    let headers = object_grants!(input)?;
    let target = Target {
        bucket: &input.bucket,
        owner: input.expected_bucket_owner.as_deref(),
        key: &input.key,
        version_id: input.version_id.as_deref(),
        access: &access,
        by: By::PutAcl,
    };
    amend::amend(s3, ctx, target, |bucket, owner, object| {
        let acl = match (input.acl, &headers, &input.access_control_policy) {
            (Some(canned), None, None) => Acl::canned(canned.as_str(), owner, bucket.owner),
            (None, Some(grants), None) => Some(grants.clone()),
            (None, None, Some(policy)) => Some(read_grants(policy, owner)?),
            (None, None, None) => return Err(Error::MissingSecurityHeader),
            _ => {
                let message = "Specifying both Canned ACLs and Header Grants is not allowed";
                return Err(Error::InvalidRequest(message.to_owned()));
            }
        };
        if !bucket.has_acls() {
            return Err(Error::AclsNotSupported);
        }
        refuse_public(bucket, acl.as_ref())?;
        object.acl = acl.filter(|acl| !acl.is_only_of(owner));
        Ok(())
    })
    .await?;
    Ok(PutObjectAclOutput::default())
}
