//! Who asks, and whose registry is asked.

use base::{AccountId, Region};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{AUTHORIZATION, HOST, HeaderValue, USER_AGENT, WWW_AUTHENTICATE};
use http::request::Parts;
use platform::{Arrival, Ctx};
use wire::model::Protocol;
use wire::serve::raw::RawRequest;

use super::refusal::{Code, Refusal};
use super::{Registry, header};
use crate::token::{Bearer, TOKEN_LENGTH_MAX, TOKEN_USER, TokenError};

/// What stands between account and region in the host name of an account's registry.
const HOST_MIDDLE: &str = "dkr.ecr";
/// What such a name ends with.
const HOST_END: &str = "amazonaws.com";
/// What the challenge calls this service.
const SERVICE: &str = "ecr.amazonaws.com";

/// The context of a request, and the account whose registry it is about.
pub(super) async fn context(registry: &Registry, request: &RawRequest) -> Result<(Ctx, AccountId), Refusal> {
    let host = host(&request.parts);
    let challenged = |message: &str| challenge(registry, &host, message);
    let Some(credential) = header(&request.parts.headers, AUTHORIZATION) else {
        return Err(challenged("Not Authorized"));
    };
    let bearer = bearer(registry, credential).map_err(|error| match error {
        TokenError::Invalid => challenged("Your authorization token is invalid."),
        // As Amazon ECR does; clients print what they are told.
        TokenError::Expired => Refusal::new(Code::Denied, TokenError::Expired.to_string()),
    })?;
    let (named, region) = registry_of(&host).unzip();
    if region.is_some_and(|region| region != bearer.region) {
        return Err(challenged("Your authorization token is not for this region."));
    }
    let arrival = Arrival {
        request_id: request.request_id.clone(),
        region: bearer.region.clone(),
        now: request.now,
        source_ip: request.source_ip,
        user_agent: header(&request.parts.headers, USER_AGENT).map(str::to_owned),
        referer: None,
        // The one whose denials are called by no other name.
        protocol: Protocol::AwsJson11,
        is_form: false,
        signing: None,
        host: host.clone(),
    };
    let ctx = registry.admission.bearer(bearer.into_caller(), arrival).await;
    // Their user or role is gone.
    let ctx = ctx.map_err(|error| Refusal::of_store(&error))?.ok_or_else(|| challenged("Not Authorized"))?;
    registry.ecr.platform.keys.note_use(&ctx, "ecr");
    let account = named.unwrap_or(ctx.account());
    Ok((ctx, account))
}

/// Whom an `Authorization` header stands for.
fn bearer(registry: &Registry, credential: &str) -> Result<Bearer, TokenError> {
    let (scheme, value) = credential.trim().split_once(' ').ok_or(TokenError::Invalid)?;
    let (platform, value) = (&registry.ecr.platform, value.trim());
    if scheme.eq_ignore_ascii_case("basic") {
        return Bearer::open(platform, &password(value).ok_or(TokenError::Invalid)?);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(TokenError::Invalid);
    }
    // What `get-login-password` prints, or what `get-authorization-token` answers.
    match Bearer::open(platform, value) {
        Err(TokenError::Invalid) => Bearer::open(platform, &password(value).ok_or(TokenError::Invalid)?),
        other => other,
    }
}

/// The password of basic credentials, if the name with it is the right one.
fn password(value: &str) -> Option<String> {
    if value.len() > TOKEN_LENGTH_MAX * 2 {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(value).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    (user == TOKEN_USER).then(|| password.to_owned())
}

/// The name by which the client calls the server.
fn host(parts: &Parts) -> String {
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    authority.or_else(|| header(&parts.headers, HOST)).unwrap_or_default().to_owned()
}

/// The registry that a host name means: `<account>.dkr.ecr.<region>.amazonaws.com`, with or without a port.
fn registry_of(host: &str) -> Option<(AccountId, Region)> {
    let name = host.split_once(':').map_or(host, |(name, _)| name).to_ascii_lowercase();
    let (account, rest) = name.split_once('.')?;
    let region = rest.strip_prefix(HOST_MIDDLE)?.strip_prefix('.')?.strip_suffix(HOST_END)?.strip_suffix('.')?;
    Some((account.parse().ok()?, region.parse().ok()?))
}

/// The answer to whoever is not let in: what to send, and for where.
fn challenge(registry: &Registry, host: &str, message: &str) -> Refusal {
    let public = registry.ecr.public_address.as_ref();
    let is_secure = public.map_or(registry.admission.is_secure, |public| public.is_secure);
    let host = public.map_or(host, |public| &public.authority);
    let scheme = if is_secure { "https" } else { "http" };
    // A name that could end the quotation is told to nobody.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    let host = if host.bytes().all(is_plain) { host } else { "" };
    let text = format!("Basic realm=\"{scheme}://{host}/\",service=\"{SERVICE}\"");
    let refusal = Refusal::new(Code::Unauthorized, message);
    match HeaderValue::try_from(text) {
        Ok(value) => refusal.header(WWW_AUTHENTICATE, value),
        Err(_) => refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_named_by_its_account_and_region() {
        let named = registry_of("123456789012.dkr.ecr.eu-west-1.amazonaws.com:4566").unwrap();
        assert_eq!((named.0.to_string(), named.1.to_string()), ("123456789012".to_owned(), "eu-west-1".to_owned()));
        assert_eq!(registry_of("123456789012.DKR.ECR.EU-WEST-1.AMAZONAWS.COM"), Some(named));
        for other in [
            "",
            "127.0.0.1:4566",
            "localhost",
            "12345678901.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr..amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example",
            "123456789012.dkr.ecreu-west-1.amazonaws.com",
            "x.123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr.eu/west.amazonaws.com",
            "123456789012.dkr.ecr.amazonaws.com",
        ] {
            assert_eq!(registry_of(other), None, "{other}");
        }
    }

    #[test]
    fn basic_credentials_are_those_of_the_right_user() {
        assert_eq!(password(&BASE64.encode("AWS:a:b")).as_deref(), Some("a:b"));
        for wrong in ["aws:x", "root:x", "AWS", "", ":x"] {
            assert_eq!(password(&BASE64.encode(wrong)), None, "{wrong}");
        }
        assert_eq!(password("AWS:x"), None);
        assert_eq!(password(&BASE64.encode(vec![b'A'; TOKEN_LENGTH_MAX * 2])), None);
    }
}
