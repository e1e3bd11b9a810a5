//! Cross-origin resource sharing: which pages of others may use a bucket.
//!
//! Source: user guide, "Using cross-origin resource sharing (CORS)"; the Fetch standard for what a browser makes of it.

use serde::{Deserialize, Serialize};
use store::Record;

use crate::Error;
use crate::bucket::Setting;

/// The most rules of a bucket.
pub const RULES_MAX: usize = 100;
const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

/// A bucket's rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cors {
    /// The first that fits decides.
    pub rules: Vec<CorsRule>,
}

/// A rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CorsRule {
    /// Its id.
    pub id: Option<String>,
    /// Origins; one may have a `*` in it.
    pub allowed_origins: Vec<String>,
    /// Methods.
    pub allowed_methods: Vec<String>,
    /// Headers of requests; one may have a `*` in it.
    pub allowed_headers: Vec<String>,
    /// Headers of answers that pages may see.
    pub expose_headers: Vec<String>,
    /// How long a browser may keep what it has been told, in seconds.
    pub max_age_s: Option<i32>,
}

impl Record for Cors {
    const SERVICE: &'static str = "s3";
    const KIND: &'static str = "bucket-cors";
}

impl Setting for Cors {}

/// What is answered to a request of another origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The headers of the answer.
    pub headers: Vec<(&'static str, String)>,
}

impl Cors {
    /// Checks rules that are to be set.
    ///
    /// # Errors
    /// [`Error::MalformedXml`] and [`Error::InvalidRequest`], in AWS's words.
    pub fn check(&self) -> Result<(), Error> {
        if self.rules.is_empty() || self.rules.len() > RULES_MAX {
            return Err(Error::MalformedXml);
        }
        for rule in &self.rules {
            if rule.allowed_origins.is_empty() || rule.allowed_methods.is_empty() {
                return Err(Error::MalformedXml);
            }
            if let Some(method) = rule.allowed_methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
                return Err(Error::InvalidRequest(format!(
                    "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
                )));
            }
            let wild = |text: &&String| text.matches('*').count() > 1;
            if let Some(origin) = rule.allowed_origins.iter().find(wild) {
                return Err(Error::InvalidRequest(format!(
                    "AllowedOrigin \"{origin}\" can not have more than one wildcard."
                )));
            }
            if let Some(header) = rule.allowed_headers.iter().find(wild) {
                return Err(Error::InvalidRequest(format!(
                    "AllowedHeader \"{header}\" can not have more than one wildcard."
                )));
            }
            if let Some(header) = rule.expose_headers.iter().find(|header| header.contains('*')) {
                return Err(Error::InvalidRequest(format!(
                    "ExposeHeader \"{header}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
                )));
            }
        }
        Ok(())
    }

    /// What a browser is told that asks before it sends a request; none if it may not.
    pub fn preflight(&self, origin: &str, method: &str, headers: &[&str]) -> Option<Allowed> {
        let rule = self.rules.iter().find(|rule| rule.fits(origin, method, headers))?;
        let mut answer = rule.answer(origin);
        if !headers.is_empty() {
            let asked = headers.iter().map(|header| header.to_ascii_lowercase()).collect::<Vec<_>>();
            answer.headers.push(("access-control-allow-headers", asked.join(", ")));
        }
        Some(answer)
    }

    /// What goes with the answer to a request of another origin; none if no rule fits.
    pub fn actual(&self, origin: &str, method: &str) -> Option<Allowed> {
        self.rules.iter().find(|rule| rule.fits(origin, method, &[])).map(|rule| rule.answer(origin))
    }
}

impl CorsRule {
    fn fits(&self, origin: &str, method: &str, headers: &[&str]) -> bool {
        self.origin_pattern(origin).is_some()
            && self.allowed_methods.iter().any(|allowed| allowed == method)
            && headers.iter().all(|header| {
                let header = header.to_ascii_lowercase();
                self.allowed_headers.iter().any(|allowed| matches(&allowed.to_ascii_lowercase(), &header))
            })
    }

    fn origin_pattern(&self, origin: &str) -> Option<&str> {
        self.allowed_origins.iter().map(String::as_str).find(|allowed| matches(allowed, origin))
    }

    fn answer(&self, origin: &str) -> Allowed {
        let is_anybody = self.origin_pattern(origin) == Some("*");
        let mut headers = vec![
            ("access-control-allow-origin", if is_anybody { "*".to_owned() } else { origin.to_owned() }),
            ("access-control-allow-methods", self.allowed_methods.join(", ")),
        ];
        if !self.expose_headers.is_empty() {
            headers.push(("access-control-expose-headers", self.expose_headers.join(", ")));
        }
        if let Some(seconds) = self.max_age_s {
            headers.push(("access-control-max-age", seconds.to_string()));
        }
        if !is_anybody {
            headers.push(("access-control-allow-credentials", "true".to_owned()));
        }
        headers.push(("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method".to_owned()));
        Allowed { headers }
    }
}

/// Whether a pattern, which may have one `*`, matches a text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn cors() -> Cors {
        let first = CorsRule {
            allowed_origins: texts(&["https://*.example.com"]),
            allowed_methods: texts(&["PUT"]),
            allowed_headers: texts(&["x-amz-*", "Content-Type"]),
            expose_headers: texts(&["ETag"]),
            max_age_s: Some(60),
            ..CorsRule::default()
        };
        let second =
            CorsRule { allowed_origins: texts(&["*"]), allowed_methods: texts(&["GET"]), ..CorsRule::default() };
        Cors { rules: vec![first, second] }
    }

    fn value<'a>(allowed: &'a Allowed, name: &str) -> Option<&'a str> {
        allowed.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn the_first_rule_that_fits_origin_method_and_headers_decides() {
        let cors = cors();
        let put = cors.preflight("https://a.example.com", "PUT", &["X-Amz-Date", "content-type"]).unwrap();
        assert_eq!(value(&put, "access-control-allow-origin"), Some("https://a.example.com"));
        assert_eq!(value(&put, "access-control-allow-headers"), Some("x-amz-date, content-type"));
        assert_eq!(value(&put, "access-control-max-age"), Some("60"));
        let get = cors.actual("https://elsewhere.org", "GET").unwrap();
        assert_eq!(value(&get, "access-control-allow-origin"), Some("*"));
        assert_eq!(value(&get, "access-control-allow-credentials"), None);
        assert_eq!(cors.preflight("https://a.example.com", "PUT", &["authorization"]), None);
        assert_eq!(cors.preflight("https://example.com.evil.org", "PUT", &[]), None);
        assert_eq!(cors.actual("https://a.example.com", "DELETE"), None);
    }

    #[test]
    fn rules_that_cannot_be_are_refused() {
        assert!(cors().check().is_ok());
        let with = |change: fn(&mut CorsRule)| {
            let mut cors = cors();
            change(&mut cors.rules[0]);
            cors.check().unwrap_err().to_string()
        };
        assert!(with(|rule| rule.allowed_methods = texts(&["PATCH"])).contains("PATCH"));
        assert!(with(|rule| rule.allowed_origins = texts(&["*.*"])).contains("more than one wildcard"));
        assert!(with(|rule| rule.expose_headers = texts(&["x-*"])).contains("wildcard"));
        assert!(Cors::default().check().is_err());
    }
}
