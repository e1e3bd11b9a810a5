//! The parameters of a query, decoded once for everybody who looks at them.

use crate::error::Error;
use crate::sigv4::decode_query_text;

/// The parameters of a query in the order in which they came. They are those that the signature covers: their number and
/// length were bounded when it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Splits at `&` and the first `=`; a name without `=` has the empty value, an empty piece is none; `+` is a blank.
    ///
    /// # Errors
    /// A name or value that is not UTF-8.
    pub fn parse(query: Option<&str>) -> Result<Self, Error> {
        let text = |piece: &str| String::from_utf8(decode_query_text(piece).into_owned()).map_err(|_| not_text());
        let pieces = query.unwrap_or_default().split('&').filter(|piece| !piece.is_empty());
        let pairs = pieces.map(|piece| {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            Ok((text(name)?, text(value)?))
        });
        pairs.collect::<Result<_, _>>().map(Self)
    }

    /// Whether there is such a parameter, of whatever value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The value of a parameter; of several the first.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a parameter.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn not_text() -> Error {
    Error::new("InvalidURI", 400, "Couldn't parse the specified URI.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_is_there_with_an_empty_value_and_the_first_of_several_counts() {
        let parameters = Parameters::parse(Some("uploads&&prefix=a+b%2Bc&prefix=z&x=1=2")).unwrap();
        assert!(parameters.has("uploads") && !parameters.has("Uploads") && !parameters.has(""));
        assert_eq!(parameters.get("uploads"), Some(""));
        assert_eq!(parameters.get("prefix"), Some("a b+c"));
        assert_eq!(parameters.all("prefix").collect::<Vec<_>>(), ["a b+c", "z"]);
        assert_eq!(parameters.get("x"), Some("1=2"));
        assert_eq!(Parameters::parse(None).unwrap(), Parameters::default());
    }

    #[test]
    fn what_is_not_text_is_refused() {
        assert_eq!(Parameters::parse(Some("a=%ff")).unwrap_err().code, "InvalidURI");
    }
}
