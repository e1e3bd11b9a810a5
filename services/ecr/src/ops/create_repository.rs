//! CreateRepository.

use platform::{Access, Ctx};
use store::{StoreError, Tx};

use crate::api::{CreateRepositoryRequest, CreateRepositoryResponse, EncryptionType};
use crate::names::RepositoryName;
use crate::repository::{Repository, TagMutability};
use crate::{Ecr, Error, tags};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &CreateRepositoryRequest) -> Access {
    let arn = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name).arn();
    let access = Access::to("ecr:CreateRepository").on(&arn);
    let pairs = tags::pairs(input.tags.as_deref());
    if pairs.is_empty() {
        return access;
    }
    let tagging = Access::to("ecr:TagResource").on(arn).request_tags(pairs.iter().copied());
    access.request_tags(pairs).and(tagging)
}

/// Creates a repository.
pub(crate) async fn create_repository(
    ecr: &Ecr,
    ctx: &Ctx,
    input: CreateRepositoryRequest,
) -> Result<CreateRepositoryResponse, Error> {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let encryption = input.encryption_configuration;
    if encryption.is_some_and(|it| it.encryption_type != EncryptionType::Aes256 || it.kms_key.is_some()) {
        return Err(Error::Kms);
    }
    let repository = Repository {
        id: base::ids::hex32(&*ecr.platform.rng),
        created: ctx.now,
        mutability: TagMutability::admit(input.image_tag_mutability, input.image_tag_mutability_exclusion_filters)?,
        scan_on_push: input.image_scanning_configuration.and_then(|it| it.scan_on_push).unwrap_or(false),
        tags: tags::admit(input.tags)?,
        policy: None,
    };
    let mut tx = Tx::new();
    tx.insert(&name.scope(), &[&name.name], &repository);
    match ecr.platform.store.commit(tx).await {
        Ok(_) => Ok(CreateRepositoryResponse { repository: Some(ecr.describe(ctx, &name, &repository)) }),
        Err(StoreError::Conflict { .. }) => Err(Error::RepositoryExists(name)),
        Err(error) => Err(error.into()),
    }
}
