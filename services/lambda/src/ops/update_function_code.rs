//! UpdateFunctionCode.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::{FunctionConfiguration, UpdateFunctionCodeRequest};
use crate::code::{self, SaidCode, Source, check_architecture};
use crate::configuration::{Configuration, Package, check_unzipped};
use crate::describe::Described;
use crate::function::{self, Change, Function, changing, find};
use crate::names::Target;
use crate::{Error, Lambda, usage};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &UpdateFunctionCodeRequest) -> Access {
    Access::to("lambda:UpdateFunctionCode").on(Target::read(ctx, &input.function_name, None).function.arn())
}

/// Gives a function other code. What it was is called until that is ready.
pub(crate) async fn update_function_code(
    lambda: &Lambda,
    ctx: &Ctx,
    mut input: UpdateFunctionCodeRequest,
) -> Result<FunctionConfiguration, Error> {
    let name = Target::unqualified(ctx, &input.function_name)?;
    if input.publish_to.is_some() {
        return Err(Error::NotServed("Pilvi does not serve managed instances (PublishTo) yet.".to_owned()));
    }
    code::refuse_unserved(input.s3_object_storage_mode, input.source_kms_key_arn.as_deref())?;
    check_architecture(lambda, input.architectures.as_deref())?;
    let source = SaidCode {
        zip_file: input.zip_file.take(),
        s3_bucket: input.s3_bucket.take(),
        s3_key: input.s3_key.take(),
        s3_object_version: input.s3_object_version.take(),
        image_uri: input.image_uri.take(),
    }
    .source()?;
    let function = find(lambda, &name).await?;
    function::check_revision(&function, input.revision_id.as_deref())?;
    function::check_changeable(&name, &function)?;
    check_kind(&function, &source)?;
    let package = code::package(lambda, ctx, source).await?;
    if input.dry_run == Some(true) {
        let now = Function { latest: with_code(&function, &package)?, ..function.value };
        return Described::latest(&name, &now).whole(lambda);
    }
    let publishes = input.publish == Some(true);
    let outcome = changing(lambda, || async {
        let (function, usage) = (find(lambda, &name).await?, usage::read(lambda, &name.scope()).await?);
        function::check_revision(&function, input.revision_id.as_deref())?;
        function::check_changeable(&name, &function)?;
        let latest = with_code(&function, &package)?;
        let mut tx = Tx::new();
        let outcome = function::change_latest(lambda, ctx, &name, &function, latest, publishes, usage, &mut tx).await?;
        Ok(Change { tx, outcome })
    })
    .await?;
    outcome.describe(lambda, &name)
}

fn with_code(function: &Function, package: &Package) -> Result<Configuration, Error> {
    let mut package = package.clone();
    if let (Package::Image { overrides, .. }, Package::Image { overrides: before, .. }) =
        (&mut package, &function.latest.package)
    {
        *overrides = before.clone();
    }
    let latest = Configuration { package, ..function.latest.clone() };
    check_unzipped(&latest)?;
    Ok(latest)
}

/// A function stays what it was made as: an archive or an image.
fn check_kind(function: &Function, source: &Source) -> Result<(), Error> {
    let refused = |text: &str| Err(Error::Parameter(text.to_owned()));
    match (&function.latest.package, source) {
        (Package::Image { .. }, Source::Zip(_) | Source::Bucket(_)) => {
            refused("Please provide ImageUri when updating a function with packageType Image.")
        }
        (Package::Zip(_), Source::Image(_)) => {
            refused("Please don't provide ImageUri when updating a function with packageType Zip.")
        }
        _ => Ok(()),
    }
}
