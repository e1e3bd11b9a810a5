//! CreateMultipartUpload.

use base::AccountId;
use platform::{Access, Ctx};
use store::Tx;

use crate::acl::canonical_id;
use crate::api::{ChecksumType, CreateMultipartUploadOutput, CreateMultipartUploadRequest};
use crate::bucket::setting;
use crate::checksum::{Algorithm, Kind};
use crate::describe::{self, ENCRYPTION, acl_access, attributes, object_grants, refuse_unserved};
use crate::lifecycle::Lifecycle;
use crate::multipart::{Upload, upload_id};
use crate::object::{Order, VersionId, refs};
use crate::{Error, S3, bucket, facts, names, tags};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &CreateMultipartUploadRequest) -> Access {
    let arn = names::object_arn(&input.bucket, &input.key);
    let mut access = describe::preparing(Access::to("s3:PutObject").on(arn.as_str()));
    if let Some(class) = input.storage_class {
        access = access.key("s3:x-amz-storage-class", class.as_str());
    }
    if let Some(kind) = input.server_side_encryption {
        access = access.key(ENCRYPTION, kind.as_str());
    }
    access = acl_access!(access, &arn, input);
    tags::access(access, &arn, input.tagging.as_deref())
}

/// Begins an upload in parts.
pub(crate) async fn create_multipart_upload(
    s3: &S3,
    ctx: &Ctx,
    input: CreateMultipartUploadRequest,
) -> Result<CreateMultipartUploadOutput, Error> {
    names::check_key(&input.key)?;
    if ctx.account() == AccountId::NOBODY {
        // (User guide, "Multipart upload API and permissions".)
        let message = "Anonymous users cannot initiate multipart uploads.  Please authenticate.";
        return Err(Error::AccessDenied(message.to_owned()));
    }
    refuse_unserved!(input);
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let canned = input.acl.map(|acl| acl.as_str());
    let writer = facts::writer(ctx, &bucket);
    let (owner, acl) = describe::object_acl(&bucket, writer, canned, object_grants!(input)?)?;
    let checksum = checksum(describe::algorithm(input.checksum_algorithm)?, input.checksum_type)?;
    let order = Order::next(ctx.now, s3.platform.store.revision().0, None);
    let upload = Upload {
        id: VersionId::new(order, &*s3.platform.rng).to_string(),
        owner,
        initiator: (ctx.principal.arn.to_string(), canonical_id(writer)),
        initiated: ctx.now,
        attributes: attributes!(input)?,
        tags: tags::of_header(input.tagging.as_deref())?,
        acl,
        storage_class: describe::storage_class(input.storage_class)?,
        checksum,
    };
    let mut tx = Tx::new();
    tx.require(&bucket);
    tx.insert(&bucket.scope, &refs(&upload_id(&bucket.uid, &input.key, &upload.id)), &upload);
    s3.platform.store.commit(tx).await?;
    let lifecycle = setting::<Lifecycle>(&s3.platform.store, &bucket).await?;
    let abort = lifecycle.as_ref().and_then(|lifecycle| lifecycle.abort_due(&input.key, ctx.now));
    Ok(CreateMultipartUploadOutput {
        abort_date: abort.map(|(due, _)| due),
        abort_rule_id: abort.map(|(_, rule)| rule.to_owned()),
        upload_id: Some(upload.id),
        checksum_algorithm: input.checksum_algorithm,
        checksum_type: checksum
            .filter(|_| input.checksum_algorithm.is_some())
            .map(|(_, kind)| describe::checksum_type(kind)),
        bucket: Some(input.bucket),
        key: Some(input.key),
        ..CreateMultipartUploadOutput::default()
    })
}

/// The checksum that the object is to have: one that nothing is said of has a CRC-64 of all of it, as at AWS.
fn checksum(algorithm: Option<Algorithm>, said: Option<ChecksumType>) -> Result<Option<(Algorithm, Kind)>, Error> {
    let kind = said.map(|said| match said {
        ChecksumType::Composite => Kind::Composite,
        ChecksumType::FullObject => Kind::FullObject,
    });
    let Some(algorithm) = algorithm else {
        return match kind {
            Some(_) => Err(Error::InvalidRequest(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.".to_owned(),
            )),
            None => Ok(Some((Algorithm::Crc64Nvme, Kind::FullObject))),
        };
    };
    let kind = kind.unwrap_or(algorithm.default_kind());
    if algorithm.allows(kind) {
        return Ok(Some((algorithm, kind)));
    }
    Err(Error::InvalidRequest(format!(
        "The {} checksum type cannot be used with the {} checksum algorithm.",
        kind.as_str(),
        algorithm.as_str().to_lowercase()
    )))
}
