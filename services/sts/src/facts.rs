//! What is known of resources: nothing. A role's trust policy is brought by the operation that asks it.

use platform::{Asked, Ctx, Facts};

use crate::{Error, Sts};

pub(crate) async fn facts(_sts: &Sts, _ctx: &Ctx, _asked: Asked<'_>, _resource: &str) -> Result<Facts, Error> {
    Ok(Facts::default())
}
