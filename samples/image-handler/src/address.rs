//! What a path and its query ask for: `/300x200/summer/photo.jpg`, `/fit-in/300x200/photo.jpg`, `/photo.jpg?width=300&format=webp`.

use percent_encoding::percent_decode_str;

use crate::picture::{Fit, Format, Quality, Size, Wish};

/// A picture that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The photo's key.
    pub key: String,
    /// What is to be made of it.
    pub wish: Wish,
}

/// Why an address asks for nothing that there could be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// No photo is named.
    #[error("the path names no picture")]
    NoKey,
    /// A parameter has no meaning.
    #[error("`{0}` has no value that it could have")]
    Parameter(String),
}

impl Address {
    /// Reads a path and a query, both as they were sent. Parameters come before what the path says.
    ///
    /// # Errors
    /// [`InvalidAddress`]
    pub fn parse(path: &str, query: &str) -> Result<Self, InvalidAddress> {
        let mut rest = path.trim_start_matches('/');
        let mut wish = Wish { fit: Fit::Cover, ..Wish::default() };
        if let Some(below) = rest.strip_prefix("fit-in/") {
            (rest, wish.fit) = (below, Fit::Contain);
        }
        if let Some((size, below)) = rest.split_once('/').and_then(|(text, below)| Some((Size::parse(text)?, below))) {
            (wish.size, rest) = (size, below);
        } else {
            // It was a folder of that name.
            rest = path.trim_start_matches('/');
            wish.fit = Fit::Contain;
        }
        for (name, value) in query.split('&').filter(|pair| !pair.is_empty()).map(pair) {
            wish = with(wish, &name, &value).ok_or(InvalidAddress::Parameter(name))?;
        }
        let key = decoded(rest);
        if key.is_empty() { Err(InvalidAddress::NoKey) } else { Ok(Self { key, wish }) }
    }
}

/// The wish with a parameter; none if its value is none. What is no parameter of ours is passed over.
fn with(wish: Wish, name: &str, value: &str) -> Option<Wish> {
    let mut wish = wish;
    match name {
        "width" => wish.size.width = Size::side(value)?,
        "height" => wish.size.height = Size::side(value)?,
        "format" => wish.format = Some(Format::of_name(value)?),
        "quality" => wish.quality = Quality::new(value.parse().ok()?)?,
        "fit" => {
            wish.fit = match value {
                "cover" => Fit::Cover,
                "contain" | "inside" => Fit::Contain,
                _ => return None,
            }
        }
        _ => {}
    }
    Some(wish)
}

fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (decoded(&name.replace('+', " ")), decoded(&value.replace('+', " ")))
}

/// A text without its escapes. What is no UTF-8 names nothing that is there.
pub fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(path: &str, query: &str) -> (String, Option<u32>, Option<u32>, Fit) {
        let Address { key, wish } = Address::parse(path, query).unwrap();
        (key, wish.size.width, wish.size.height, wish.fit)
    }

    #[test]
    fn a_path_may_say_size_and_fit() {
        assert_eq!(parsed("/300x200/a/b.jpg", ""), ("a/b.jpg".into(), Some(300), Some(200), Fit::Cover));
        assert_eq!(parsed("/fit-in/300x200/b.jpg", ""), ("b.jpg".into(), Some(300), Some(200), Fit::Contain));
        assert_eq!(parsed("/300x0/b.jpg", ""), ("b.jpg".into(), Some(300), None, Fit::Cover));
        assert_eq!(parsed("/a/b%20c.jpg", ""), ("a/b c.jpg".into(), None, None, Fit::Contain));
        assert_eq!(parsed("/fit-in/b.jpg", ""), ("fit-in/b.jpg".into(), None, None, Fit::Contain));
        assert_eq!(parsed("/10xy/b.jpg", ""), ("10xy/b.jpg".into(), None, None, Fit::Contain));
    }

    #[test]
    fn a_query_may_say_the_same_and_more() {
        let wish = Address::parse("/b.jpg", "width=640&format=webp&quality=70&unknown=1").unwrap().wish;
        assert_eq!((wish.size.width, wish.size.height), (Some(640), None));
        assert_eq!((wish.format, wish.quality), (Some(Format::WebP), Quality::new(70).unwrap()));
        assert_eq!(parsed("/300x200/b.jpg", "width=30&fit=contain").1, Some(30));
    }

    #[test]
    fn what_no_picture_could_be_is_refused() {
        assert_eq!(Address::parse("/", ""), Err(InvalidAddress::NoKey));
        assert_eq!(Address::parse("/300x200/", ""), Err(InvalidAddress::NoKey));
        for query in ["width=-1", "height=100000", "format=bmp", "quality=0", "quality=101", "fit=stretch"] {
            let name = query.split('=').next().unwrap().to_owned();
            assert_eq!(Address::parse("/b.jpg", query), Err(InvalidAddress::Parameter(name)), "{query}");
        }
    }
}
