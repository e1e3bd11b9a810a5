//! PutBucketAcl.

use platform::{Access, Ctx};

use crate::acl::{Acl, Permission};
use crate::api::PutBucketAclRequest;
use crate::bucket;
use crate::describe::{self, acl_said, read_grants, refuse_public};
use crate::{Error, S3, names};

const AMBIGUOUS: &str = "Specifying both Canned ACLs and Header Grants is not allowed";

/// Who may.
pub(crate) fn access(_: &Ctx, input: &PutBucketAclRequest) -> Access {
    let access = Access::to("s3:PutBucketAcl").on(names::bucket_arn(&input.bucket));
    describe::told(access, acl_said!(input, with write))
}

/// Gives a bucket a list of grants in place of the one that it has.
pub(crate) async fn put_bucket_acl(s3: &S3, _: &Ctx, input: PutBucketAclRequest) -> Result<(), Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let headers = Acl::of_headers(
        [
            (Permission::FullControl, &input.grant_full_control),
            (Permission::Read, &input.grant_read),
            (Permission::Write, &input.grant_write),
            (Permission::ReadAcp, &input.grant_read_acp),
            (Permission::WriteAcp, &input.grant_write_acp),
        ]
        .into_iter()
        .filter_map(|(permission, header)| header.as_deref().map(|header| (permission, header))),
    )?;
    bucket::update(s3, &input.bucket, owner, |bucket| {
        let said = (input.acl, &headers, &input.access_control_policy);
        let acl = match said {
            (Some(canned), None, None) => Acl::canned(canned.as_str(), bucket.owner, bucket.owner),
            (None, Some(grants), None) => Some(grants.clone()),
            (None, None, Some(policy)) => Some(read_grants(policy, bucket.owner)?),
            (None, None, None) => return Err(Error::MissingSecurityHeader),
            _ => return Err(Error::InvalidRequest(AMBIGUOUS.to_owned())),
        };
        let acl = acl.filter(|acl| !acl.is_only_of(bucket.owner));
        if !bucket.has_acls() {
            // What is owner's full control alone says what holds anyway, in a document.
            return if acl.is_none() && input.access_control_policy.is_some() {
                Ok(())
            } else {
                Err(Error::AclsNotSupported)
            };
        }
        refuse_public(bucket, acl.as_ref())?;
        bucket.acl = acl;
        Ok(())
    })
    .await
    .map(drop)
}
