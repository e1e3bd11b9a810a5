//! Hands out temporary credentials of the caller itself.

use std::time::Duration;

use base::PrincipalKind;
use platform::{Access, Ctx};

use crate::api::{GetSessionTokenRequest, GetSessionTokenResponse};
use crate::{Error, Sts, session};

/// How long a user's session lasts when the request does not say.
const USER_DEFAULT: Duration = Duration::from_hours(12);
/// How long a root's session lasts at most; longer wishes get this.
const ROOT_MAX: Duration = Duration::from_hours(1);
/// What the ids of temporary access keys begin with.
const TEMPORARY_KEY: &str = "ASIA";

/// No policy is asked about it, as at AWS.
pub(crate) fn access(_ctx: &Ctx, _input: &GetSessionTokenRequest) -> Access {
    Access::open()
}

pub(crate) async fn get_session_token(
    sts: &Sts,
    ctx: &Ctx,
    input: GetSessionTokenRequest,
) -> Result<GetSessionTokenResponse, Error> {
    if input.serial_number.is_some() || input.token_code.is_some() {
        return Err(Error::Mfa);
    }
    let duration = match &ctx.principal.kind {
        _ if ctx.access_key_id.starts_with(TEMPORARY_KEY) => return Err(Error::SessionCredentials),
        PrincipalKind::AssumedRole { .. } | PrincipalKind::Anonymous => return Err(Error::SessionCredentials),
        PrincipalKind::User { .. } => session::duration(input.duration_seconds, USER_DEFAULT),
        PrincipalKind::Root => session::duration(input.duration_seconds, ROOT_MAX).min(ROOT_MAX),
    };
    let session = session::begin(ctx, ctx.principal.clone(), duration);
    let (credentials, session_token_size) = session::issue(sts, session, input.minimum_session_token_size)?;
    Ok(GetSessionTokenResponse { credentials: Some(credentials), session_token_size, session_token_utilization: None })
}
