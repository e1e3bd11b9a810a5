//! PublishVersion.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::{FunctionConfiguration, PublishVersionRequest};
use crate::function::{self, Change, changing, find};
use crate::names::Target;
use crate::{Error, Lambda, usage};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &PublishVersionRequest) -> Access {
    Access::to("lambda:PublishVersion").on(Target::read(ctx, &input.function_name, None).function.arn())
}

/// Publishes `$LATEST` as a version, unless the last version is the same.
pub(crate) async fn publish_version(
    lambda: &Lambda,
    ctx: &Ctx,
    input: PublishVersionRequest,
) -> Result<FunctionConfiguration, Error> {
    let name = Target::unqualified(ctx, &input.function_name)?;
    if input.publish_to.is_some() {
        return Err(Error::NotServed("Pilvi does not serve managed instances (PublishTo) yet.".to_owned()));
    }
    let outcome = changing(lambda, || async {
        let (function, usage) = (find(lambda, &name).await?, usage::read(lambda, &name.scope()).await?);
        function::check_revision(&function, input.revision_id.as_deref())?;
        function::check_changeable(&name, &function)?;
        let present = function.latest.package.code_sha256();
        if let Some(expected) = input.code_sha256.as_ref().filter(|expected| **expected != present) {
            return Err(Error::Parameter(format!(
                "CodeSHA256 ({expected}) is different from current CodeSHA256 in $LATEST ({present}). Please try again with \
                 the CodeSHA256 in $LATEST."
            )));
        }
        let mut tx = Tx::new();
        let outcome = function::publish(lambda, ctx, &name, &function, input.description.clone(), usage, &mut tx).await?;
        Ok(Change { tx, outcome })
    })
    .await?;
    outcome.describe(lambda, &name)
}
