//! Issuing sessions.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{Principal, Timestamp};
use platform::Ctx;
use platform::identity::{self, Session, TemporaryCredentials};

use platform::ports::RoleView;

use crate::api::Credentials;
use crate::{Error, Sts};

/// A session of `principal` that begins with the request and carries nothing yet.
pub(crate) fn begin(ctx: &Ctx, principal: Principal, duration: Duration) -> Session {
    lasting(ctx.now, principal, duration)
}

/// A session that begins at an instant.
pub(crate) fn lasting(now: Timestamp, principal: Principal, duration: Duration) -> Session {
    // AWS tells instants to the second.
    let issued = Timestamp::from_secs(now.as_secs());
    Session {
        principal,
        issued,
        expires: issued.plus(duration),
        session_policy: None,
        policy_arns: Vec::new(),
        tags: BTreeMap::new(),
        transitive_tag_keys: Vec::new(),
        source_identity: None,
        keys: BTreeMap::new(),
        external_id: None,
    }
}

/// The length in seconds that a request asks for, or `default`.
pub(crate) fn duration(requested_s: Option<i32>, default: Duration) -> Duration {
    requested_s.and_then(|seconds| u64::try_from(seconds).ok()).map_or(default, Duration::from_secs)
}

/// Refuses a session that is longer than the role's sessions are.
pub(crate) fn check_longest(role: &RoleView, duration: Duration) -> Result<(), Error> {
    let longest = Duration::from_secs(role.max_session_duration_s.into());
    if duration > longest { Err(Error::DurationOfRole) } else { Ok(()) }
}

/// Issues a session's credentials, and tells the size of their token if the request wants one of some size.
pub(crate) fn issue(
    sts: &Sts,
    session: Session,
    minimum_token_size: Option<i32>,
) -> Result<(Credentials, Option<i32>), Error> {
    let TemporaryCredentials { access_key_id, secret_access_key, session_token, expiration } =
        identity::issue_session(&sts.platform, session);
    let size = session_token.len();
    let told = i32::try_from(size).ok().filter(|_| minimum_token_size.is_some());
    match minimum_token_size {
        Some(wanted) if told.is_some_and(|size| size < wanted) => Err(Error::TokenSize { size, wanted }),
        _ => {
            let secret_access_key = secret_access_key.expose().to_owned();
            Ok((Credentials { access_key_id, expiration, secret_access_key, session_token }, told))
        }
    }
}
