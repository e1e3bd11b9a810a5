//! A request as its function gets it: the payload of format 2.0.
//!
//! Source: developer guide, "Request payload format", and the events that real addresses are seen to send: of the members that
//! the guide shows as null none is there, and `accountId` is `anonymous` where nobody has to sign.

use std::collections::BTreeMap;

use base::{Rng, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST};
use http::request::Parts;
use http::{HeaderMap, Version};
use platform::Ctx;
use serde_json::{Map, Value, json};
use wire::rest::Parameters;

use super::without_port;
use crate::names::Target;
use crate::url::FunctionUrl;

/// The header of a trace, in small letters.
pub(super) const TRACE: &str = "x-amzn-trace-id";
/// The longest trace header that is handed on, in bytes.
const TRACE_LENGTH_MAX: usize = 512;
/// Headers that are about the connection, and those that are said anew.
const NOT_HANDED_ON: [&str; 14] = [
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-forwarded-port",
    "x-forwarded-proto",
    TRACE,
];
/// Bodies that are handed on as text; of all other types they are in base64.
const TEXT_TYPES: [&str; 3] = ["application/json", "application/javascript", "application/xml"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A request that was let in.
pub(super) struct Asked<'a> {
    pub(super) parts: &'a Parts,
    /// The path, as the function sees it.
    pub(super) path: &'a str,
    pub(super) body: &'a [u8],
    pub(super) url: &'a FunctionUrl,
    pub(super) target: &'a Target,
    /// Who asks, where from and when.
    pub(super) ctx: &'a Ctx,
    /// The trace that the call belongs to.
    pub(super) trace: &'a str,
    /// The host, and perhaps port, below which addresses are.
    pub(super) host: &'a str,
}

impl Asked<'_> {
    /// The event.
    pub(super) fn event(&self) -> Value {
        let query = self.parts.uri.query().unwrap_or_default();
        let mut event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": self.path,
            "rawQueryString": query,
            "headers": self.headers(),
            "requestContext": self.context(),
            "isBase64Encoded": false,
        });
        let cookies = cookies(&self.parts.headers);
        if !cookies.is_empty() {
            event["cookies"] = json!(cookies);
        }
        let parameters = parameters(query);
        if !parameters.is_empty() {
            event["queryStringParameters"] = json!(parameters);
        }
        match text(&self.parts.headers, self.body) {
            _ if self.body.is_empty() => {}
            Some(text) => event["body"] = text.into(),
            None => {
                event["body"] = BASE64.encode(self.body).into();
                event["isBase64Encoded"] = true.into();
            }
        }
        event
    }

    /// The headers, names in small letters, several of one name together.
    fn headers(&self) -> Map<String, Value> {
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &self.parts.headers {
            let is_signature = self.url.is_signed && name == AUTHORIZATION;
            if is_signature || NOT_HANDED_ON.contains(&name.as_str()) {
                continue;
            }
            let value = String::from_utf8_lossy(value.as_bytes());
            let separator = if name == COOKIE { "; " } else { "," };
            headers
                .entry(name.as_str().to_owned())
                .and_modify(|all| *all = format!("{all}{separator}{value}"))
                .or_insert_with(|| value.into_owned());
        }
        headers.entry(HOST.as_str().to_owned()).or_insert_with(|| self.ctx.host.clone());
        let protocol = if self.ctx.is_secure { "https" } else { "http" };
        let port = match self.ctx.host.rsplit_once(':') {
            Some((_, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => port,
            _ if self.ctx.is_secure => "443",
            _ => "80",
        };
        // What a client says of itself here would be believed.
        headers.insert("x-forwarded-for".to_owned(), self.source_ip());
        headers.insert("x-forwarded-port".to_owned(), port.to_owned());
        headers.insert("x-forwarded-proto".to_owned(), protocol.to_owned());
        headers.insert(TRACE.to_owned(), self.trace.to_owned());
        headers.into_iter().map(|(name, value)| (name, value.into())).collect()
    }

    fn context(&self) -> Value {
        let agent = self.ctx.user_agent.as_deref().unwrap_or_default();
        let mut context = json!({
            "accountId": "anonymous",
            "apiId": self.url.id,
            "domainName": self.domain(),
            "domainPrefix": self.url.id,
            "http": {
                "method": self.parts.method.as_str(),
                "path": self.path,
                "protocol": if self.parts.version == Version::HTTP_2 { "HTTP/2.0" } else { "HTTP/1.1" },
                "sourceIp": self.source_ip(),
                "userAgent": agent,
            },
            "requestId": self.ctx.request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": common_log_time(self.ctx.now),
            "timeEpoch": self.ctx.now.as_millis(),
        });
        if self.url.is_signed {
            let caller = &self.ctx.principal;
            context["accountId"] = self.target.function.account.to_string().into();
            context["authorizer"] = json!({ "iam": {
                "accessKey": self.ctx.access_key_id,
                "accountId": caller.account.to_string(),
                "callerId": caller.user_id,
                "cognitoIdentity": null,
                "principalOrgId": null,
                "userArn": caller.arn.to_string(),
                "userId": caller.user_id,
            }});
        }
        context
    }

    fn source_ip(&self) -> String {
        self.ctx.source_ip.map(|ip| ip.to_canonical().to_string()).unwrap_or_default()
    }

    /// The function's own name, whatever it was reached by.
    fn domain(&self) -> String {
        let host = without_port(&self.ctx.host);
        if host.starts_with(&self.url.id) {
            return host.to_owned();
        }
        format!("{}.lambda-url.{}.{}", self.url.id, self.target.function.region, without_port(self.host))
    }
}

/// The trace that a request says that it belongs to, or a new one that is not sampled.
pub(super) fn trace(headers: &HeaderMap, now: Timestamp, rng: &dyn Rng) -> String {
    let is_trace = |text: &&str| text.contains("Root=1-") && text.len() <= TRACE_LENGTH_MAX;
    match headers.get(TRACE).and_then(|value| value.to_str().ok()).filter(is_trace) {
        Some(said) => said.to_owned(),
        None => {
            let mut id = [0; 12];
            rng.fill(&mut id);
            let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("Root=1-{:08x}-{id}", now.as_secs())
        }
    }
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

/// The query's parameters, several of one name together. What is not UTF-8 is in the raw query alone.
fn parameters(query: &str) -> BTreeMap<String, String> {
    let mut together: BTreeMap<String, String> = BTreeMap::new();
    if let Ok(parameters) = Parameters::parse(Some(query)) {
        for (name, value) in parameters.iter() {
            together
                .entry(name.to_owned())
                .and_modify(|all| *all = format!("{all},{value}"))
                .or_insert_with(|| value.to_owned());
        }
    }
    together
}

/// A body as text, if its type says that it is, and it is.
fn text<'b>(headers: &HeaderMap, body: &'b [u8]) -> Option<&'b str> {
    let said = headers.get(CONTENT_TYPE)?.to_str().ok()?.to_ascii_lowercase();
    let essence = said.split(';').next().unwrap_or_default().trim();
    let is_text = essence.starts_with("text/") || TEXT_TYPES.contains(&essence);
    std::str::from_utf8(body).ok().filter(|_| is_text)
}

/// An instant as `18/Apr/2023:16:17:17 +0000`.
fn common_log_time(instant: Timestamp) -> String {
    let text = instant.iso8601();
    let piece = |range| text.get(range).unwrap_or_default();
    let month = piece(5..7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?));
    format!("{}/{}/{}:{} +0000", piece(8..10), month.unwrap_or(&MONTHS[0]), piece(0..4), piece(11..19))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_as_web_servers_log_it() {
        assert_eq!(common_log_time(Timestamp::from_millis(1_681_834_637_081)), "18/Apr/2023:16:17:17 +0000");
    }

    #[test]
    fn parameters_of_one_name_are_together_and_decoded() {
        let told = parameters("a=1&b=x%20y+z&a=2&c&=&d=%ff");
        assert!(told.is_empty(), "what is no text is in the raw query alone");
        let told = parameters("a=1&b=x%20y+z&a=2&c");
        let expected = [("a", "1,2"), ("b", "x y z"), ("c", "")];
        assert_eq!(told, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn a_trace_is_kept_or_begun() {
        let rng = base::SeededRng::new(1);
        let begun = trace(&HeaderMap::new(), Timestamp::from_secs(1_681_834_637), &rng);
        assert!(begun.starts_with("Root=1-643ec28d-") && begun.len() == 40, "{begun}");
        let mut headers = HeaderMap::new();
        headers.insert(TRACE, "Root=1-643ec28d-5503dc7274559e68706dae64;Sampled=1".parse().unwrap());
        assert!(trace(&headers, Timestamp::default(), &rng).ends_with("64;Sampled=1"));
        headers.insert(TRACE, "nonsense".parse().unwrap());
        assert!(trace(&headers, Timestamp::default(), &rng).starts_with("Root=1-00000000-"));
    }
}
