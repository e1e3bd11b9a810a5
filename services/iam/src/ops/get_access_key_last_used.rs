//! Tells when, where and for what an access key was last used.

use base::{PrincipalKind, Timestamp};
use platform::{Access, Ctx};

use crate::api::{AccessKeyLastUsed, GetAccessKeyLastUsedRequest, GetAccessKeyLastUsedResponse};
use crate::facts::ACCESS_KEY;
use crate::{Error, Iam};

/// Region and service of a key that was never used.
const NEVER: &str = "N/A";

pub(crate) fn access(ctx: &Ctx, input: &GetAccessKeyLastUsedRequest) -> Access {
    Access::to("iam:GetAccessKeyLastUsed").on(ctx.global_arn("iam", format!("{ACCESS_KEY}{}", input.access_key_id)))
}

pub(crate) async fn get_access_key_last_used(
    iam: &Iam,
    ctx: &Ctx,
    input: GetAccessKeyLastUsedRequest,
) -> Result<GetAccessKeyLastUsedResponse, Error> {
    let id = input.access_key_id;
    let key = iam.access_key(&id).await?.filter(|key| key.principal.account == ctx.account());
    let Some(key) = key else {
        return Err(Error::ForeignAccessKey { caller: ctx.principal.arn.to_string(), id });
    };
    let user_name = match &key.principal.kind {
        PrincipalKind::User { name } => Some(name.clone()),
        PrincipalKind::Root | PrincipalKind::Anonymous | PrincipalKind::AssumedRole { .. } => None,
    };
    let last_use = iam.platform.keys.last_use(&iam.platform.store, &id).await?;
    let never = || AccessKeyLastUsed { region: NEVER.to_owned(), service_name: NEVER.to_owned(), last_used_date: None };
    let last_use = last_use.map_or_else(never, |last| AccessKeyLastUsed {
        last_used_date: Some(Timestamp::from_secs(last.at.as_secs())),
        region: last.region,
        service_name: last.service,
    });
    Ok(GetAccessKeyLastUsedResponse { access_key_last_used: Some(last_use), user_name })
}
