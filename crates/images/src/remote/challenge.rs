//! What a registry wants to know of those who ask: `WWW-Authenticate` (RFC 9110, section 11.6.1).

use http::{HeaderMap, header};

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A name and a password.
    Basic,
    /// A token, and where there are some.
    Bearer {
        /// The address of the token endpoint.
        realm: String,
        /// For whom the token is.
        service: Option<String>,
        /// What it is for; several are separated by spaces.
        scope: Option<String>,
    },
}

/// How many challenges are looked at.
const CHALLENGES_MAX: usize = 16;
/// The longest value of a parameter, in bytes.
const VALUE_LENGTH_MAX: usize = 4096;

/// The challenges of an answer that can be met, in its order.
pub(super) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let values = headers.get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| Scanner { rest: value }.challenges()).take(CHALLENGES_MAX).collect()
}

struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    /// Reads as far as it can be understood.
    fn challenges(mut self) -> Vec<Challenge> {
        let mut found = Vec::new();
        while found.len() < CHALLENGES_MAX {
            self.skip(", \t");
            let Some(scheme) = self.token() else { break };
            self.skip(" \t");
            let parameters = self.parameters();
            found.extend(challenge(scheme, &parameters));
        }
        found
    }

    /// The parameters up to the next scheme, which is told from a parameter by the lack of a `=`.
    fn parameters(&mut self) -> Vec<(&'a str, String)> {
        let mut parameters = Vec::new();
        loop {
            let before = self.rest;
            let Some(name) = self.token() else { return parameters };
            self.skip(" \t");
            if !self.take('=') {
                self.rest = before;
                return parameters;
            }
            self.skip(" \t");
            let Some(value) = self.value() else {
                self.rest = "";
                return parameters;
            };
            parameters.push((name, value));
            self.skip(", \t");
        }
    }

    fn value(&mut self) -> Option<String> {
        if !self.take('"') {
            return self.token().map(str::to_owned);
        }
        let mut value = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((place, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[place + 1..];
                    return (value.len() <= VALUE_LENGTH_MAX).then_some(value);
                }
                '\\' => value.push(characters.next()?.1),
                other => value.push(other),
            }
        }
        None
    }

    /// Letters, digits and the marks of RFC 9110, and what unquoted values of some registries have besides.
    fn token(&mut self) -> Option<&'a str> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:/".contains(c);
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!token.is_empty()).then_some(token)
    }

    fn take(&mut self, character: char) -> bool {
        let rest = self.rest.strip_prefix(character);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn skip(&mut self, these: &str) {
        self.rest = self.rest.trim_start_matches(|c| these.contains(c));
    }
}

fn challenge(scheme: &str, parameters: &[(&str, String)]) -> Option<Challenge> {
    let find = |name: &str| parameters.iter().find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, it)| it.clone());
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    let realm = find("realm").filter(|_| is_bearer)?;
    Some(Challenge::Bearer { realm, service: find("service"), scope: find("scope").filter(|it| !it.is_empty()) })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn read(values: &[&str]) -> Vec<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap());
        }
        challenges(&headers)
    }

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let owned = |it: Option<&str>| it.map(str::to_owned);
        Challenge::Bearer { realm: realm.to_owned(), service: owned(service), scope: owned(scope) }
    }

    #[test]
    fn the_challenges_of_registries_are_read() {
        let docker = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/busybox:pull""#;
        assert_eq!(
            read(&[docker]),
            [bearer(
                "https://auth.docker.io/token",
                Some("registry.docker.io"),
                Some("repository:library/busybox:pull")
            )]
        );
        let ecr = r#"Basic realm="https://012345678901.dkr.ecr.eu-north-1.amazonaws.com/",service="ecr.amazonaws.com""#;
        assert_eq!(read(&[ecr]), [Challenge::Basic]);
        let one = bearer("https://a.example/t", None, None);
        assert_eq!(read(&[r#"bearer realm=https://a.example/t , basic realm="x""#]), [one.clone(), Challenge::Basic]);
        assert_eq!(read(&[r#"Basic"#, r#"Bearer realm="https://a.example/t",scope="""#]), [Challenge::Basic, one]);
        assert_eq!(
            read(&[r#"Negotiate, Digest nonce="a\"b,c", Basic realm="x" "#]),
            [Challenge::Basic],
            "what is not known is passed over"
        );
    }

    #[test]
    fn what_is_no_challenge_is_none() {
        for text in ["", ",", "Bearer", "Bearer realm", r#"Bearer realm="open"#, "=", r#""""#, r#"Bearer service="x""#]
        {
            assert_eq!(read(&[text]), [], "{text}");
        }
        let long = format!(r#"Bearer realm="{}""#, "a".repeat(VALUE_LENGTH_MAX + 1));
        assert_eq!(read(&[&long]), []);
        assert_eq!(read(&["Basic, ".repeat(1000).as_str()]).len(), CHALLENGES_MAX);
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_fail(text in "[ -~]{0,200}") {
            let _ = read(&[&text]);
        }
    }
}
