//! CreateBucket.

use base::{AccountId, Region};
use platform::{Access, Ctx};

use crate::acl::{Acl, Ownership, Permission};
use crate::api::{BucketNamespace, CreateBucketOutput, CreateBucketRequest};
use crate::bucket::{self, Bucket, PublicAccessBlock, Versioning};
use crate::describe::{self, acl_said, tags_of};
use crate::tags::BUCKET_TAGS_MAX;
use crate::{Error, S3, names, tags};

/// The region whose buckets have no location constraint.
const REGION_WITHOUT_CONSTRAINT: &str = "us-east-1";

/// The list of grants that a bucket has anyway.
const PRIVATE: &str = "private";

/// Who may.
pub(crate) fn access(_: &Ctx, input: &CreateBucketRequest) -> Access {
    let access = Access::to("s3:CreateBucket").on(names::bucket_arn(&input.bucket));
    let ownership = input.object_ownership.map(|ownership| ownership.as_str().to_owned());
    let access = describe::told(access, [("s3:x-amz-object-ownership", ownership)]);
    let access = describe::told(access, acl_said!(input, with write));
    match tags_said(input) {
        Some(tags) => access.request_tags(tags),
        None => access,
    }
}

/// What the caller may have to be allowed besides. The handler asks for it: these are actions on a bucket, of which nothing
/// that is there may decide before there is this one. (API reference, CreateBucket: "Permissions", and of its tags: "You must
/// have the s3:TagResource permission".)
fn further(input: &CreateBucketRequest) -> Access {
    let arn = names::bucket_arn(&input.bucket);
    let mut access = Access::open();
    let is_granted = acl_said!(input, with write).any(|(_, value)| value.is_some_and(|value| value != PRIVATE));
    if is_granted {
        let set = Access::to("s3:PutBucketAcl").on(arn.as_str());
        access = access.and(describe::told(set, acl_said!(input, with write)));
    }
    if input.object_ownership.is_some() {
        access = access.and(Access::to("s3:PutBucketOwnershipControls").on(arn.as_str()));
    }
    match tags_said(input) {
        Some(tags) => access.and(Access::to("s3:TagResource").on(arn).request_tags(tags)),
        None => access,
    }
}

/// The tags of the new bucket, if there are any.
fn tags_said(input: &CreateBucketRequest) -> Option<impl Iterator<Item = (&str, &str)>> {
    let tags = input.create_bucket_configuration.as_ref()?.tags.as_ref().filter(|tags| !tags.is_empty())?;
    Some(tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())))
}

/// Creates a bucket, without ACLs and with the public kept out.
pub(crate) async fn create_bucket(s3: &S3, ctx: &Ctx, input: CreateBucketRequest) -> Result<CreateBucketOutput, Error> {
    if ctx.account() == AccountId::NOBODY {
        return Err(Error::AccessDenied("Access Denied".to_owned()));
    }
    ctx.authorize(&further(&input)).map_err(Error::Body)?;
    names::check_new_bucket(&input.bucket)?;
    refuse(&input)?;
    let said = input.create_bucket_configuration.clone().unwrap_or_default();
    check_location(said.location_constraint.map(|location| location.as_str()), &ctx.region)?;
    let ownership = input.object_ownership.map_or(Ownership::BucketOwnerEnforced, bucket::ownership_of);
    let bucket = Bucket {
        uid: base::ids::hex32(&*s3.platform.rng),
        name: input.bucket.clone(),
        owner: ctx.account(),
        region: ctx.region.clone(),
        created: ctx.now,
        versioning: Versioning::Never,
        ownership: Some(ownership),
        acl: acl(&input, ctx.account(), ownership)?,
        public_access_block: Some(PublicAccessBlock::ALL),
        tags: tags::check(tags_of(said.tags.unwrap_or_default()), BUCKET_TAGS_MAX)?,
        settings: Default::default(),
    };
    let arn = bucket.arn();
    match bucket::create(s3, bucket).await {
        // (API reference: "… except in the North Virginia Region … Amazon S3 returns 200 OK".)
        Err(Error::BucketAlreadyOwnedByYou(_)) if ctx.region.as_str() == REGION_WITHOUT_CONSTRAINT => {}
        other => other?,
    }
    Ok(CreateBucketOutput { location: Some(format!("/{}", input.bucket)), bucket_arn: Some(arn) })
}

fn refuse(input: &CreateBucketRequest) -> Result<(), Error> {
    if input.object_lock_enabled_for_bucket == Some(true) {
        return Err(Error::NotImplemented("Pilvi does not serve Object Lock.".to_owned()));
    }
    let said = input.create_bucket_configuration.as_ref();
    let is_directory = said.is_some_and(|said| said.bucket.is_some() || said.location.is_some());
    if is_directory || input.bucket_namespace == Some(BucketNamespace::AccountRegional) {
        return Err(Error::NotImplemented("Pilvi serves general purpose buckets in the global namespace.".to_owned()));
    }
    Ok(())
}

/// A bucket is made where the request was signed for.
fn check_location(constraint: Option<&str>, region: &Region) -> Result<(), Error> {
    match constraint {
        // The word of old for one region.
        Some("EU") if region.as_str() == "eu-west-1" => Ok(()),
        Some(constraint) if constraint == region.as_str() => Ok(()),
        Some(constraint) => Err(Error::IllegalLocationConstraint(format!(
            "The {constraint} location constraint is incompatible for the region specific endpoint this request was sent to."
        ))),
        // Every client but one of us-east-1 names its region at AWS; here nobody is led astray without.
        None => Ok(()),
    }
}

fn acl(input: &CreateBucketRequest, owner: AccountId, ownership: Ownership) -> Result<Option<Acl>, Error> {
    let headers = [
        (Permission::FullControl, &input.grant_full_control),
        (Permission::Read, &input.grant_read),
        (Permission::Write, &input.grant_write),
        (Permission::ReadAcp, &input.grant_read_acp),
        (Permission::WriteAcp, &input.grant_write_acp),
    ];
    let said = headers.into_iter().filter_map(|(permission, header)| Some((permission, header.as_deref()?)));
    let grants = Acl::of_headers(said)?;
    let acl = match (input.acl, grants) {
        (Some(_), Some(_)) => {
            let message = "Specifying both Canned ACLs and Header Grants is not allowed";
            return Err(Error::InvalidRequest(message.to_owned()));
        }
        (Some(canned), None) => Acl::canned(canned.as_str(), owner, owner),
        (None, grants) => grants,
    };
    let acl = acl.filter(|acl| !acl.is_only_of(owner));
    if acl.is_some() && ownership == Ownership::BucketOwnerEnforced {
        return Err(Error::InvalidBucketAcl);
    }
    if acl.as_ref().is_some_and(Acl::is_public) {
        // A new bucket keeps the public out.
        return Err(Error::AccessDenied("Access Denied".to_owned()));
    }
    Ok(acl)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_the_region_that_was_signed_for() {
        let region = |name: &str| name.parse::<Region>().unwrap();
        assert!(check_location(Some("eu-west-1"), &region("eu-west-1")).is_ok());
        assert!(check_location(Some("EU"), &region("eu-west-1")).is_ok());
        assert!(check_location(None, &region("us-east-1")).is_ok());
        assert!(check_location(Some("eu-west-1"), &region("us-east-1")).is_err());
    }
}
