//! CreateFunction.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::{CreateFunctionRequest, FunctionConfiguration, PackageType};
use crate::code::{self, SaidCode, check_architecture};
use crate::configuration::{Configuration, said};
use crate::describe::Described;
use crate::executor::PRINCIPAL;
use crate::function::{Attached, Change, Condition, Function, Version, changing, new_revision, version_id};
use crate::names::{LATEST, Target};
use crate::reconcile::settle;
use crate::{Error, Lambda, limits, tags, usage};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &CreateFunctionRequest) -> Access {
    let function = Target::read(ctx, &input.function_name, None).function;
    let layers = input.layers.iter().flatten();
    let access = Access::to("lambda:CreateFunction")
        .on(function.arn())
        .request_tags(tags::pairs(input.tags.as_ref()))
        .keys("lambda:Layer", layers.clone().cloned());
    let access = layers.fold(access, |access, arn| access.and(Access::to("lambda:GetLayerVersion").on(arn)));
    access.pass_role(Some(&input.role), PRINCIPAL)
}

/// Creates a function, and its first version if that is wanted. It can be called when it is active.
pub(crate) async fn create_function(
    lambda: &Lambda,
    ctx: &Ctx,
    mut input: CreateFunctionRequest,
) -> Result<FunctionConfiguration, Error> {
    let name = Target::unqualified(ctx, &input.function_name)?;
    if name.account != ctx.account() {
        return Err(Error::AccessDenied("Functions are created in the caller's own account.".to_owned()));
    }
    if name.name.chars().count() > limits::FUNCTION_NAME_CHARS_MAX {
        return Err(Error::Parameter(format!(
            "1 validation error detected: Value '{}' at 'functionName' failed to satisfy constraint: Member must have length \
             less than or equal to {}",
            name.name,
            limits::FUNCTION_NAME_CHARS_MAX
        )));
    }
    refuse_unserved(&input)?;
    check_architecture(lambda, input.architectures.as_deref())?;
    let tags = tags::admit(input.tags.take())?;
    let source = source(&mut input)?;
    if lambda.platform.store.read::<Function>(&name.scope(), &[&name.name]).await?.is_some() {
        return Err(exists(&name.name));
    }
    let role = input.role.clone();
    let checked = said!(input, Some(role.clone())).check(lambda, ctx, &name).await?;
    let package = code::package(lambda, ctx, source).await?;
    let blank = Configuration::new(&name.name, role, package, lambda.settings.architecture);
    let latest = checked.apply(lambda, &name, &blank)?;
    let now = ctx.now;
    let publishes = input.publish == Some(true);
    let function = Function {
        uid: base::ids::hex32(&*lambda.platform.rng),
        created: now,
        tags,
        latest,
        previous: None,
        condition: Condition::Pending,
        update: None,
        modified: now,
        revision: new_revision(lambda),
        next_version: if publishes { 2 } else { 1 },
        code_bytes: 0,
        reserved: None,
        provisioned: Default::default(),
        may_recurse: false,
        attached: Attached::default(),
    };
    let first = publishes.then(|| Version::of(&function, 1, None, now, new_revision(lambda)));
    let size = function.latest.package.size() * if publishes { 2 } else { 1 };
    let function = Function { code_bytes: size, ..function };
    changing(lambda, || async {
        let mut usage = usage::read(lambda, &name.scope()).await?;
        if lambda.platform.store.read::<Function>(&name.scope(), &[&name.name]).await?.is_some() {
            return Err(exists(&name.name));
        }
        usage.take_code(size)?;
        usage.now.functions += 1;
        let mut tx = Tx::new();
        tx.insert(&name.scope(), &[&name.name], &function);
        settle::wanted(&mut tx, &name, &function.uid, LATEST);
        if let Some(version) = &first {
            tx.insert(&name.scope(), &[&function.uid, &version_id(version.number)], version);
            settle::wanted(&mut tx, &name, &function.uid, "1");
        }
        usage.write(&mut tx);
        Ok(Change { tx, outcome: () })
    })
    .await?;
    match &first {
        Some(version) => Described::version(&name, version).whole(lambda),
        None => Described::latest(&name, &function).whole(lambda),
    }
}

fn exists(name: &str) -> Error {
    Error::Conflict(format!("Function already exist: {name}"))
}

fn source(input: &mut CreateFunctionRequest) -> Result<code::Source, Error> {
    let said = SaidCode {
        zip_file: input.code.zip_file.take(),
        s3_bucket: input.code.s3_bucket.take(),
        s3_key: input.code.s3_key.take(),
        s3_object_version: input.code.s3_object_version.take(),
        image_uri: input.code.image_uri.take(),
    };
    let is_image = input.package_type == Some(PackageType::Image);
    match said.source()? {
        code::Source::Image(uri) if is_image => Ok(code::Source::Image(uri)),
        code::Source::Image(_) => Err(Error::Parameter(
            "Please do not provide ImageUri when creating a function with packageType Zip.".to_owned(),
        )),
        _ if is_image => {
            Err(Error::Parameter("Please provide ImageUri when creating a function with packageType Image.".to_owned()))
        }
        source => Ok(source),
    }
}

fn refuse_unserved(input: &CreateFunctionRequest) -> Result<(), Error> {
    if let Some(arn) = &input.code_signing_config_arn {
        return Err(Error::CodeSigningConfigNotFound(arn.clone()));
    }
    if input.tenancy_config.is_some() {
        return Err(Error::NotServed("Pilvi does not serve tenant isolation (TenancyConfig) yet.".to_owned()));
    }
    if input.publish_to.is_some() {
        return Err(Error::NotServed("Pilvi does not serve managed instances (PublishTo) yet.".to_owned()));
    }
    code::refuse_unserved(input.code.s3_object_storage_mode, input.code.source_kms_key_arn.as_deref())
}
