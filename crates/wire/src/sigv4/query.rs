//! A query string, decoded once and written out in canonical form.

use std::borrow::Cow;

use super::encode::{decode, encode};
use super::error::AuthError;
use super::{QUERY_LENGTH_MAX, QUERY_PARAMETERS_MAX};

/// The one parameter that a presigned request does not sign.
const SIGNATURE: &[u8] = b"X-Amz-Signature";

/// A decoded name or value.
type Piece<'a> = Cow<'a, [u8]>;

/// A raw query's parameters in the order they came in.
pub(super) struct Query<'a>(Vec<(Piece<'a>, Piece<'a>)>);

impl<'a> Query<'a> {
    /// Splits at `&` and the first `=`; a name without `=` has the empty value, an empty piece is none.
    pub(super) fn parse(raw: Option<&'a str>) -> Result<Self, AuthError> {
        let raw = raw.unwrap_or_default();
        AuthError::limit("The query string", raw.len(), QUERY_LENGTH_MAX)?;
        let mut parameters = Vec::new();
        for piece in raw.split('&').filter(|piece| !piece.is_empty()) {
            AuthError::limit("The number of query parameters", parameters.len() + 1, QUERY_PARAMETERS_MAX)?;
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            parameters.push((decode(name), decode(value)));
        }
        Ok(Self(parameters))
    }

    /// Is there such a parameter?
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(n, _)| n.as_ref() == name.as_bytes())
    }

    /// The value of a parameter that may be given once only.
    pub(super) fn once(&self, name: &'static str) -> Result<Option<&str>, AuthError> {
        let mut values = self.0.iter().filter(|(n, _)| n.as_ref() == name.as_bytes()).map(|(_, value)| value);
        let Some(first) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(AuthError::Repeated { name });
        }
        str::from_utf8(first).map(Some).map_err(|_| AuthError::NotText { name })
    }

    /// Every parameter encoded anew and sorted by encoded name, then value; without the signature itself if it lies here.
    pub(super) fn canonical(&self, without_signature: bool) -> String {
        let mut encoded: Vec<(String, String)> = self
            .0
            .iter()
            .filter(|(name, _)| !(without_signature && name.as_ref() == SIGNATURE))
            .map(|(name, value)| (encode(name), encode(value)))
            .collect();
        encoded.sort_unstable();
        let mut out = String::new();
        for (name, value) in &encoded {
            if !out.is_empty() {
                out.push('&');
            }
            out.push_str(name);
            out.push('=');
            out.push_str(value);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(raw: &str) -> String {
        Query::parse(Some(raw)).unwrap().canonical(true)
    }

    #[test]
    fn parameters_sort_by_encoded_name_and_then_by_value() {
        assert_eq!(canonical("b=2&a=2&a=1&B=0"), "B=0&a=1&a=2&b=2");
        assert_eq!(canonical("Param-3=3&Param=2&%E1%88%B4=1"), "%E1%88%B4=1&Param=2&Param-3=3");
        assert_eq!(canonical("a-=1&a=2"), "a=2&a-=1", "a name sorts before what it begins");
    }

    #[test]
    fn empty_values_blanks_and_stray_separators_have_one_form() {
        assert_eq!(canonical("&&a&b=&c=x=y&"), "a=&b=&c=x%3Dy");
        assert_eq!(canonical("q=a+b"), canonical("q=a%20b"));
        assert_eq!(canonical("q=%7e%2a"), "q=~%2A");
        assert_eq!(canonical(""), "");
        assert_eq!(Query::parse(None).unwrap().canonical(false), "");
    }

    #[test]
    fn the_signature_is_left_out_only_where_it_is_one() {
        let query = Query::parse(Some("X-Amz-Signature=ab&x=1")).unwrap();
        assert_eq!(query.canonical(true), "x=1");
        assert_eq!(query.canonical(false), "X-Amz-Signature=ab&x=1");
    }

    #[test]
    fn a_parameter_that_decides_who_asks_is_given_once_and_is_text() {
        let query = Query::parse(Some("a=1&b=1&%62=2&c=%ff")).unwrap();
        assert_eq!(query.once("a"), Ok(Some("1")));
        assert_eq!(query.once("z"), Ok(None));
        assert_eq!(query.once("b"), Err(AuthError::Repeated { name: "b" }));
        assert_eq!(query.once("c"), Err(AuthError::NotText { name: "c" }));
    }

    #[test]
    fn a_query_beyond_the_bounds_is_refused() {
        assert!(Query::parse(Some(&"a".repeat(QUERY_LENGTH_MAX + 1))).is_err());
        assert!(Query::parse(Some(&"a&".repeat(QUERY_PARAMETERS_MAX + 1))).is_err());
        assert!(Query::parse(Some(&"a&".repeat(QUERY_PARAMETERS_MAX))).is_ok());
    }
}
