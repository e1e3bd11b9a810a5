//! DeleteQueryDefinition.

use platform::{Access, Ctx};
use store::{StoreError, Tx};

use crate::api::{DeleteQueryDefinitionRequest, DeleteQueryDefinitionResponse};
use crate::names::on_no_group;
use crate::query_definition::QueryDefinition;
use crate::{Error, Logs};

pub(crate) fn access(ctx: &Ctx, _: &DeleteQueryDefinitionRequest) -> Access {
    on_no_group(ctx, "logs:DeleteQueryDefinition")
}

/// Deletes a query definition.
pub(crate) async fn delete_query_definition(
    logs: &Logs,
    ctx: &Ctx,
    input: DeleteQueryDefinitionRequest,
) -> Result<DeleteQueryDefinitionResponse, Error> {
    let store = &logs.platform.store;
    let found = store.read::<QueryDefinition>(&ctx.scope(), &[&input.query_definition_id]).await?;
    let mut tx = Tx::new();
    tx.remove(&found.ok_or(Error::QueryDefinitionNotFound)?);
    match store.commit(tx).await {
        Ok(_) => Ok(DeleteQueryDefinitionResponse { success: Some(true) }),
        Err(StoreError::Conflict { .. }) => Err(Error::QueryDefinitionNotFound),
        Err(error) => Err(error.into()),
    }
}
