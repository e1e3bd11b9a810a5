//! Website hosting: index and error documents, and routing rules. Pure: what is to be answered is decided here, and read and
//! sent elsewhere.
//!
//! Source: user guide, "Configuring an index document", "Configuring a custom error document", "(Optional) Configuring a webpage
//! redirect".

use serde::{Deserialize, Serialize};
use store::Record;

use crate::Error;
use crate::bucket::Setting;

/// The most routing rules of a website.
pub const ROUTING_RULES_MAX: usize = 50;

/// A bucket's website.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Website {
    /// What is answered for a directory: `index.html`.
    pub index_suffix: Option<String>,
    /// The key of what is answered instead of an error.
    pub error_key: Option<String>,
    /// Where all requests are sent.
    pub redirect_all: Option<RedirectAll>,
    /// What is done with some requests.
    pub routing_rules: Vec<RoutingRule>,
}

/// Where all requests are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedirectAll {
    /// To this host.
    pub host: String,
    /// By this protocol; none is the request's own.
    pub protocol: Option<String>,
}

/// A rule: under a condition, a redirect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoutingRule {
    /// What the key begins with.
    pub key_prefix: Option<String>,
    /// The error that would be answered otherwise.
    pub error_code: Option<String>,
    /// The host that is named.
    pub host: Option<String>,
    /// The status of the redirect.
    pub redirect_code: Option<String>,
    /// The protocol that is named.
    pub protocol: Option<String>,
    /// What takes the place of the prefix.
    pub replace_prefix: Option<String>,
    /// What takes the place of the whole key.
    pub replace_key: Option<String>,
}

/// A redirect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// The status.
    pub status: u16,
    /// Where to.
    pub location: String,
}

/// What the request says of where it came to.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The host, with its port.
    pub host: &'a str,
    /// `http` or `https`.
    pub protocol: &'a str,
    /// The key: the path without its first slash, decoded.
    pub key: &'a str,
}

impl Record for Website {
    const SERVICE: &'static str = "s3";
    const KIND: &'static str = "bucket-website";
}

impl Setting for Website {}

impl Website {
    /// Checks a website that is to be set.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] and [`Error::InvalidRequest`], in AWS's words.
    pub fn check(&self) -> Result<(), Error> {
        match (&self.index_suffix, &self.redirect_all) {
            (None, None) => {
                let message = "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty";
                return Err(Error::argument("IndexDocument", "null", message));
            }
            (Some(suffix), None) if suffix.is_empty() || suffix.contains('/') => {
                return Err(Error::argument(
                    "IndexDocument",
                    suffix.as_str(),
                    "The IndexDocument Suffix is not well formed",
                ));
            }
            (_, Some(_))
                if self.index_suffix.is_some() || self.error_key.is_some() || !self.routing_rules.is_empty() =>
            {
                let message = "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.";
                return Err(Error::argument("RedirectAllRequestsTo", "not null", message));
            }
            _ => {}
        }
        if self.error_key.as_deref() == Some("") {
            return Err(Error::argument("ErrorDocument", "", "The ErrorDocument Key is not well formed"));
        }
        if self.routing_rules.len() > ROUTING_RULES_MAX {
            return Err(Error::InvalidRequest(format!(
                "{} routing rules provided, the number of routing rules in a website configuration is limited to \
                 {ROUTING_RULES_MAX}.",
                self.routing_rules.len()
            )));
        }
        let protocols = self.redirect_all.iter().filter_map(|all| all.protocol.as_deref());
        check_protocols(protocols)?;
        self.routing_rules.iter().try_for_each(RoutingRule::check)
    }

    /// Where everything is sent; none if nothing is.
    pub fn redirect_all(&self, asked: Asked<'_>) -> Option<Redirect> {
        let all = self.redirect_all.as_ref()?;
        let protocol = all.protocol.as_deref().unwrap_or(asked.protocol);
        let location = format!("{protocol}://{}/{}", all.host, encoded(asked.key));
        Some(Redirect { status: 301, location })
    }

    /// What a rule does with a request before anything is looked for.
    pub fn redirect_before(&self, asked: Asked<'_>) -> Option<Redirect> {
        let fits = |rule: &&RoutingRule| rule.error_code.is_none() && rule.fits_key(asked.key);
        self.routing_rules.iter().find(fits).map(|rule| rule.redirect(asked))
    }

    /// What a rule does with a request that ended in an error.
    pub fn redirect_on_error(&self, asked: Asked<'_>, status: u16) -> Option<Redirect> {
        let status = status.to_string();
        let fits = |rule: &&RoutingRule| rule.error_code.as_ref() == Some(&status) && rule.fits_key(asked.key);
        self.routing_rules.iter().find(fits).map(|rule| rule.redirect(asked))
    }

    /// The key of the object that is asked for: of a directory, its index.
    pub fn key_of(&self, key: &str) -> String {
        match &self.index_suffix {
            Some(suffix) if key.is_empty() || key.ends_with('/') => format!("{key}{suffix}"),
            _ => key.to_owned(),
        }
    }

    /// The index that may be there where a key is not: then the client is sent to the directory.
    pub fn index_below(&self, key: &str) -> Option<String> {
        let suffix = self.index_suffix.as_ref().filter(|_| !key.is_empty() && !key.ends_with('/'))?;
        Some(format!("{key}/{suffix}"))
    }
}

impl RoutingRule {
    fn check(&self) -> Result<(), Error> {
        let invalid = |message: &str| Err(Error::InvalidRequest(message.to_owned()));
        if self.replace_key.is_some() && self.replace_prefix.is_some() {
            return invalid("You can only define ReplaceKeyPrefix or ReplaceKey but not both.");
        }
        if self.host.is_none()
            && self.redirect_code.is_none()
            && self.protocol.is_none()
            && self.replace_prefix.is_none()
            && self.replace_key.is_none()
        {
            return Err(Error::MalformedXml);
        }
        let is_between =
            |code: &str, first: u16, last: u16| code.parse::<u16>().is_ok_and(|code| (first..=last).contains(&code));
        if self.redirect_code.as_deref().is_some_and(|code| !is_between(code, 301, 399)) {
            return invalid("The provided HTTP redirect code is not valid. Valid codes are 3XX except 300.");
        }
        if self.error_code.as_deref().is_some_and(|code| !is_between(code, 400, 599)) {
            return invalid("The provided HTTP error code is not valid. Valid codes are 4XX or 5XX.");
        }
        check_protocols(self.protocol.as_deref().into_iter())
    }

    fn fits_key(&self, key: &str) -> bool {
        self.key_prefix.as_deref().is_none_or(|prefix| key.starts_with(prefix))
    }

    fn redirect(&self, asked: Asked<'_>) -> Redirect {
        let prefix = self.key_prefix.as_deref().unwrap_or_default();
        let key = match (&self.replace_key, &self.replace_prefix) {
            (Some(key), _) => key.clone(),
            (None, Some(replacement)) => {
                format!("{replacement}{}", asked.key.strip_prefix(prefix).unwrap_or(asked.key))
            }
            (None, None) => asked.key.to_owned(),
        };
        let protocol = self.protocol.as_deref().unwrap_or(asked.protocol);
        let host = self.host.as_deref().unwrap_or(asked.host);
        let status = self.redirect_code.as_deref().and_then(|code| code.parse().ok()).unwrap_or(301);
        Redirect { status, location: format!("{protocol}://{host}/{}", encoded(&key)) }
    }
}

fn check_protocols<'a>(mut protocols: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    match protocols.find(|protocol| !matches!(*protocol, "http" | "https")) {
        Some(_) => Err(Error::InvalidRequest(
            "Invalid protocol, protocol can be http or https. If not defined the protocol \
             will be selected automatically."
                .to_owned(),
        )),
        None => Ok(()),
    }
}

/// A key as it stands in a URL. What a rule's author wrote for a query stays one.
fn encoded(key: &str) -> String {
    let mut text = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => text.push(char::from(byte)),
            b'/' | b'-' | b'_' | b'.' | b'~' | b'?' | b'=' | b'&' | b'+' | b':' | b'@' | b'!' | b'$' | b'(' | b')'
            | b'*' | b',' | b';' | b'\'' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(key: &str) -> Asked<'_> {
        Asked { host: "photos.s3-website.localhost:4566", protocol: "http", key }
    }

    fn with(rule: RoutingRule) -> Website {
        Website { index_suffix: Some("index.html".to_owned()), routing_rules: vec![rule], ..Website::default() }
    }

    /// The rule by which a missing thumbnail is made when it is first asked for.
    #[test]
    fn a_missing_object_leads_to_whoever_makes_it() {
        let site = with(RoutingRule {
            error_code: Some("404".to_owned()),
            host: Some("api.example.com".to_owned()),
            protocol: Some("https".to_owned()),
            redirect_code: Some("307".to_owned()),
            replace_prefix: Some("prod/resize?key=".to_owned()),
            ..RoutingRule::default()
        });
        assert!(site.check().is_ok());
        assert_eq!(site.redirect_before(asked("300x300/a.jpg")), None);
        assert_eq!(site.redirect_on_error(asked("300x300/a.jpg"), 403), None);
        let redirect = site.redirect_on_error(asked("300x300/blue sky.jpg"), 404).unwrap();
        assert_eq!(redirect.status, 307);
        assert_eq!(redirect.location, "https://api.example.com/prod/resize?key=300x300/blue%20sky.jpg");
    }

    #[test]
    fn a_prefix_is_replaced_before_anything_is_looked_for() {
        let rule = |key| RoutingRule { key_prefix: Some("docs/".to_owned()), ..key };
        let site = with(rule(RoutingRule { replace_prefix: Some("documents/".to_owned()), ..RoutingRule::default() }));
        let redirect = site.redirect_before(asked("docs/a.html")).unwrap();
        assert_eq!(redirect.location, "http://photos.s3-website.localhost:4566/documents/a.html");
        assert_eq!(redirect.status, 301);
        assert_eq!(site.redirect_before(asked("images/a")), None);
        let site = with(rule(RoutingRule { replace_key: Some("error.html".to_owned()), ..RoutingRule::default() }));
        assert!(site.redirect_before(asked("docs/x")).unwrap().location.ends_with(":4566/error.html"));
    }

    #[test]
    fn a_directory_is_its_index() {
        let site = with(RoutingRule::default());
        assert_eq!(
            (site.key_of(""), site.key_of("a/"), site.key_of("a")),
            ("index.html".into(), "a/index.html".into(), "a".into())
        );
        assert_eq!(site.index_below("a").as_deref(), Some("a/index.html"));
        assert_eq!(site.index_below("a/"), None);
        let all = Website {
            redirect_all: Some(RedirectAll { host: "example.com".to_owned(), protocol: Some("https".to_owned()) }),
            ..Website::default()
        };
        assert!(all.check().is_ok());
        assert_eq!(all.redirect_all(asked("a/b")).unwrap().location, "https://example.com/a/b");
    }

    #[test]
    fn websites_that_cannot_be_are_refused() {
        assert!(Website::default().check().is_err());
        let bad = |rule: RoutingRule| with(rule).check().is_err();
        assert!(bad(RoutingRule::default()));
        assert!(bad(RoutingRule { redirect_code: Some("200".to_owned()), ..RoutingRule::default() }));
        assert!(bad(RoutingRule { protocol: Some("ftp".to_owned()), ..RoutingRule::default() }));
        let both =
            RoutingRule { replace_key: Some("a".into()), replace_prefix: Some("b".into()), ..RoutingRule::default() };
        assert!(bad(both));
    }
}
