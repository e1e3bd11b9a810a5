//! What the store knows of a function or a layer when somebody asks for something to be done with it.

use platform::{Asked, Ctx, Facts};

use crate::names::{LayerName, Target};
use crate::{Error, Lambda, function, layer};

/// Whose a function or layer is, its tags, and the policy that hangs by what was named. One that does not exist has an owner
/// all the same, so that nobody learns of another account's functions by asking.
pub(crate) async fn facts(lambda: &Lambda, _: &Ctx, _: Asked<'_>, resource: &str) -> Result<Facts, Error> {
    if let Some(target) = Target::of_arn(resource) {
        return of_function(lambda, &target).await;
    }
    match LayerName::of_arn(resource) {
        Some((layer, Some(number))) => {
            let found = layer::find(lambda, &layer, number).await?;
            let policy = found.and_then(|version| version.policy.compiled());
            Ok(Facts { owner: Some(layer.account), policy, ..Facts::default() })
        }
        Some((layer, None)) => Ok(Facts { owner: Some(layer.account), ..Facts::default() }),
        None => Ok(Facts::default()),
    }
}

async fn of_function(lambda: &Lambda, target: &Target) -> Result<Facts, Error> {
    let owner = Some(target.function.account);
    match function::resolve(lambda, target).await {
        Ok(found) => Ok(Facts {
            owner,
            tags: found.function.tags.clone().into_iter().collect(),
            policy: found.attached().policy.compiled(),
            ..Facts::default()
        }),
        Err(Error::FunctionNotFound(_)) => Ok(Facts { owner, ..Facts::default() }),
        Err(error) => Err(error),
    }
}
