//! What pages of other origins may do with an address.
//!
//! Source: developer guide, "Cross-origin resource sharing (CORS)": of preflight requests only what is configured is answered,
//! without the function; of others the function's own headers are answered, too.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};

use crate::url::CorsRules;

/// The page's origin, if a page asks.
pub(super) fn origin(headers: &HeaderMap) -> Option<&str> {
    headers.get(ORIGIN)?.to_str().ok()
}

/// Whether a page asks what it may do.
pub(super) fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(ORIGIN)
        && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// What it may.
pub(super) fn preflight(rules: &CorsRules, asked: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(origin) = origin(asked).filter(|origin| admits(rules, origin)) else { return headers };
    allow_origin(rules, origin, &mut headers);
    put(&mut headers, ACCESS_CONTROL_ALLOW_METHODS, rules.allow_methods.as_deref());
    let wanted = asked.get(ACCESS_CONTROL_REQUEST_HEADERS);
    match (&rules.allow_headers, wanted) {
        // Beside credentials `*` would be a name like any other.
        (Some(allowed), Some(wanted)) if allowed.iter().any(|name| name == "*") => {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        (allowed, _) => put(&mut headers, ACCESS_CONTROL_ALLOW_HEADERS, allowed.as_deref()),
    }
    if let Some(age) = rules.max_age_s {
        headers.insert(ACCESS_CONTROL_MAX_AGE, age.into());
    }
    headers
}

/// Adds to an answer what a page of this origin may do with it.
pub(super) fn share(rules: &CorsRules, origin: &str, headers: &mut HeaderMap) {
    if admits(rules, origin) {
        allow_origin(rules, origin, headers);
        put(headers, ACCESS_CONTROL_EXPOSE_HEADERS, rules.expose_headers.as_deref());
    }
}

fn allow_origin(rules: &CorsRules, origin: &str, headers: &mut HeaderMap) {
    if let Ok(origin) = HeaderValue::from_str(origin) {
        headers.append(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    if rules.allow_credentials == Some(true) {
        headers.append(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}

/// Whether an origin is one of those listed: `*`, or one with a `*` in it, such as `https://*.example.com`.
fn admits(rules: &CorsRules, origin: &str) -> bool {
    rules.allow_origins.iter().flatten().any(|listed| match listed.split_once('*') {
        None => listed.eq_ignore_ascii_case(origin),
        Some((start, end)) => {
            let (origin, start, end) =
                (origin.to_ascii_lowercase(), start.to_ascii_lowercase(), end.to_ascii_lowercase());
            origin.len() >= start.len() + end.len() && origin.starts_with(&start) && origin.ends_with(&end)
        }
    })
}

fn put(headers: &mut HeaderMap, name: HeaderName, values: Option<&[String]>) {
    let Some(values) = values.filter(|values| !values.is_empty()) else { return };
    if let Ok(value) = HeaderValue::from_str(&values.join(",")) {
        headers.append(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(origins: &[&str]) -> CorsRules {
        let list = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect());
        CorsRules {
            allow_credentials: Some(true),
            allow_headers: list(&["content-type", "x-own"]),
            allow_methods: list(&["GET", "POST"]),
            allow_origins: list(origins),
            expose_headers: list(&["date"]),
            max_age_s: Some(300),
        }
    }

    fn page(origin: &str) -> HeaderMap {
        [(ORIGIN, origin), (ACCESS_CONTROL_REQUEST_METHOD, "GET"), (ACCESS_CONTROL_REQUEST_HEADERS, "x-a, x-b")]
            .into_iter()
            .map(|(name, value)| (name, value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_page_is_told_what_it_may_and_a_page_from_elsewhere_nothing() {
        let told = preflight(&rules(&["https://app.example"]), &page("https://app.example"));
        assert_eq!(told[ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example");
        assert_eq!(
            (&told[ACCESS_CONTROL_ALLOW_METHODS], &told[ACCESS_CONTROL_MAX_AGE]),
            (&"GET,POST".parse().unwrap(), &"300".parse().unwrap())
        );
        assert_eq!(told[ACCESS_CONTROL_ALLOW_HEADERS], "content-type,x-own");
        assert_eq!(told[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
        assert!(preflight(&rules(&["https://app.example"]), &page("https://evil.example")).is_empty());
        let all = CorsRules { allow_headers: Some(vec!["*".to_owned()]), ..rules(&["*"]) };
        let told = preflight(&all, &page("https://any.example"));
        assert_eq!(told[ACCESS_CONTROL_ALLOW_ORIGIN], "https://any.example");
        assert_eq!(told[ACCESS_CONTROL_ALLOW_HEADERS], "x-a, x-b");
    }

    #[test]
    fn what_the_function_says_stays_beside_what_is_configured() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("https://own.example"));
        share(&rules(&["https://*.example.com"]), "https://a.example.com", &mut headers);
        assert_eq!(headers.get_all(ACCESS_CONTROL_ALLOW_ORIGIN).iter().count(), 2);
        assert_eq!(headers[ACCESS_CONTROL_EXPOSE_HEADERS], "date");
        let mut headers = HeaderMap::new();
        share(&rules(&["https://*.example.com"]), "https://example.com.evil.org", &mut headers);
        assert!(headers.is_empty());
    }
}
