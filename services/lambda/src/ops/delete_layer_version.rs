//! DeleteLayerVersion.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::DeleteLayerVersionRequest;
use crate::function::{Change, changing};
use crate::layer::{find, number};
use crate::names::LayerName;
use crate::{Error, Lambda, usage};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &DeleteLayerVersionRequest) -> Access {
    let number = u64::try_from(input.version_number).unwrap_or_default();
    Access::to("lambda:DeleteLayerVersion").on(LayerName::read(ctx, &input.layer_name).version_arn(number))
}

/// Deletes a layer's version. Functions that have it keep it; one that is not there need not be deleted.
pub(crate) async fn delete_layer_version(
    lambda: &Lambda,
    ctx: &Ctx,
    input: DeleteLayerVersionRequest,
) -> Result<(), Error> {
    let (layer, number) = (LayerName::read(ctx, &input.layer_name), number(input.version_number)?);
    changing(lambda, || async {
        let mut tx = Tx::new();
        if let Some(version) = find(lambda, &layer, number).await? {
            let mut usage = usage::read(lambda, &layer.scope()).await?;
            usage.free_code(version.archive.size);
            tx.remove(&version);
            usage.write(&mut tx);
        }
        Ok(Change { tx, outcome: () })
    })
    .await
}
