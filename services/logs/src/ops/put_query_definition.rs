//! PutQueryDefinition.

use base::ids;
use platform::{Access, Ctx};
use sha2::{Digest, Sha256};
use store::{ListOptions, StoreError, Tx};

use crate::api::{PutQueryDefinitionRequest, PutQueryDefinitionResponse, QueryLanguage};
use crate::names::on_no_group;
use crate::query_definition::{DEFINITIONS_MAX, QueryDefinition};
use crate::{Error, Logs};

pub(crate) fn access(ctx: &Ctx, _: &PutQueryDefinitionRequest) -> Access {
    on_no_group(ctx, "logs:PutQueryDefinition")
}

/// Keeps a query, or writes the one of the given id anew. A request that is repeated with its client token makes none
/// twice.
pub(crate) async fn put_query_definition(
    logs: &Logs,
    ctx: &Ctx,
    input: PutQueryDefinitionRequest,
) -> Result<PutQueryDefinitionResponse, Error> {
    if let Some(language @ (QueryLanguage::Sql | QueryLanguage::Ppl)) = input.query_language {
        return Err(Error::QueryLanguage(language.as_str()));
    }
    let definition = QueryDefinition {
        name: input.name,
        text: input.query_string,
        groups: input.log_group_names.unwrap_or_default(),
        parameters: input.parameters.unwrap_or_default(),
        modified: ctx.now,
    };
    let id = match input.query_definition_id {
        Some(id) => replace(logs, ctx, id, &definition).await?,
        None => insert(logs, ctx, input.client_token.as_deref(), &definition).await?,
    };
    Ok(PutQueryDefinitionResponse { query_definition_id: Some(id) })
}

async fn replace(logs: &Logs, ctx: &Ctx, id: String, definition: &QueryDefinition) -> Result<String, Error> {
    let write = |stored: &mut QueryDefinition| {
        stored.clone_from(definition);
        Ok(())
    };
    match logs.platform.store.update(&ctx.scope(), &[&id], write).await {
        Ok(_) => Ok(id),
        Err(Error::Store(StoreError::NotFound { .. })) => Err(Error::QueryDefinitionNotFound),
        Err(error) => Err(error),
    }
}

async fn insert(logs: &Logs, ctx: &Ctx, token: Option<&str>, definition: &QueryDefinition) -> Result<String, Error> {
    let (store, scope) = (&logs.platform.store, ctx.scope());
    let id = token.map_or_else(|| ids::uuid(&*logs.platform.rng), id_of_token);
    if let Some(before) = store.read::<QueryDefinition>(&scope, &[&id]).await? {
        return if before.says_the_same(definition) { Ok(id) } else { Err(Error::ClientToken) };
    }
    let listed =
        store.list::<QueryDefinition>(&scope, ListOptions { limit: DEFINITIONS_MAX, ..ListOptions::default() });
    let listed = listed.await?;
    if listed.more || listed.items.len() >= DEFINITIONS_MAX {
        return Err(Error::LimitExceeded);
    }
    let mut tx = Tx::new();
    tx.insert(&scope, &[&id], definition);
    match store.commit(tx).await {
        Ok(_) => Ok(id),
        // The same token, at the same time.
        Err(StoreError::Conflict { .. }) => Err(Error::ClientToken),
        Err(error) => Err(error.into()),
    }
}

/// The id of what a client token makes: the same one each time.
fn id_of_token(token: &str) -> String {
    let text = hex::encode(Sha256::digest(token.as_bytes()));
    format!("{}-{}-4{}-8{}-{}", &text[..8], &text[8..12], &text[12..15], &text[15..18], &text[18..30])
}
