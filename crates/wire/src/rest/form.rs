//! Uploads of browsers: a form of `multipart/form-data` whose last field of use is the file, and a policy, signed by somebody
//! with a key, that says what the other fields may be.
//!
//! Source: S3 API Reference, "POST Object" and "Browser-based uploads using POST"; and the errors that S3 is seen to answer.

pub mod multipart;
pub mod policy;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::arguments::malformed_xml;
use crate::error::Error;
use crate::sigv4::encode_query_text;
use crate::xml::reader::{Event, Reader};

/// The field that the file is in.
pub(crate) const FILE: &str = "file";
/// What stands for the name that the file has with its sender.
const FILENAME: &str = "${filename}";
/// Fields that become the headers of their names.
const HEADERS: [&str; 6] =
    ["cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires"];
/// Fields that belong to the signature.
const OF_SIGNATURE: [&str; 5] =
    ["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature", "x-amz-security-token"];

/// The fields before the file, names in small letters, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Adds a field.
    ///
    /// # Errors
    /// A field that is there already: which of the two is meant is anybody's guess.
    pub fn add(&mut self, name: &str, value: String) -> Result<(), Error> {
        let name = name.to_ascii_lowercase();
        if self.get(&name).is_some() {
            return Err(malformed());
        }
        self.0.push((name, value));
        Ok(())
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Every field.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Puts the file's name where the key asks for it: what stands behind the last slash, as some browsers send whole paths.
    pub(crate) fn name_file(&mut self, filename: &str) {
        let name = filename.rsplit(['/', '\\']).next().unwrap_or_default();
        for (_, value) in self.0.iter_mut().filter(|(field, _)| field == "key") {
            *value = value.replace(FILENAME, name);
        }
    }

    /// The headers that a request without a form would have.
    ///
    /// # Errors
    /// A value that no header can have.
    pub(crate) fn headers(&self) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        for (field, value) in self.iter() {
            let is_amazons = field.starts_with("x-amz-") && !field.starts_with("x-amz-copy-source");
            let tags: String;
            let (name, value) = match field {
                "acl" => ("x-amz-acl", value),
                name if HEADERS.contains(&name) => (name, value),
                name if is_amazons && !OF_SIGNATURE.contains(&name) => (name, value),
                "tagging" => {
                    tags = header_of_tags(value).ok_or_else(malformed_xml)?;
                    ("x-amz-tagging", tags.as_str())
                }
                _ => continue,
            };
            let invalid = || Error::new("InvalidArgument", 400, format!("The value of {name} is not valid."));
            let header = name.parse::<HeaderName>().map_err(|_| invalid())?;
            headers.insert(header, HeaderValue::from_bytes(value.as_bytes()).map_err(|_| invalid())?);
        }
        Ok(headers)
    }

    /// The value of a field that has to be there.
    ///
    /// # Errors
    /// That it is not.
    pub(crate) fn required(&self, name: &str) -> Result<&str, Error> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            let message = format!(
                "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
            );
            Error::new("InvalidArgument", 400, message).with("ArgumentName", name).with("ArgumentValue", "")
        })
    }
}

/// The tags of a form's document, as the header of other uploads writes them.
fn header_of_tags(document: &str) -> Option<String> {
    let mut reader = Reader::new(document.as_bytes()).ok()?;
    let (mut open, mut tags) = (Vec::new(), Vec::new());
    let (mut key, mut value) = (String::new(), String::new());
    while let Some(event) = reader.read().ok()? {
        match event {
            Event::Start { name, .. } => open.push(name),
            Event::Text(text) => match open[..] {
                ["Tagging", "TagSet", "Tag", "Key"] => key.push_str(&text),
                ["Tagging", "TagSet", "Tag", "Value"] => value.push_str(&text),
                _ if text.trim_ascii().is_empty() => {}
                _ => return None,
            },
            Event::End => {
                if open[..] == ["Tagging", "TagSet", "Tag"] {
                    tags.push(format!("{}={}", encode_query_text(&key), encode_query_text(&value)));
                    key.clear();
                    value.clear();
                }
                open.pop();
            }
        }
    }
    Some(tags.join("&"))
}

/// What is no form, or not one that can be read.
pub(crate) fn malformed() -> Error {
    let message = "The body of your POST request is not well-formed multipart/form-data.";
    Error::new("MalformedPOSTRequest", 400, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        pairs.iter().for_each(|(name, value)| fields.add(name, (*value).to_owned()).unwrap());
        fields
    }

    #[test]
    fn fields_become_headers_but_for_those_that_would_make_another_request_of_it() {
        let fields = fields(&[
            ("Content-Type", "image/png"),
            ("acl", "public-read"),
            ("x-amz-meta-a", "b"),
            ("x-amz-copy-source", "/other/key"),
            ("X-Amz-Signature", "0"),
            ("host", "evil"),
            ("content-length", "1"),
        ]);
        let headers = fields.headers().unwrap();
        let names: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(names, [("content-type", "image/png"), ("x-amz-acl", "public-read"), ("x-amz-meta-a", "b")]);
        let split = super::Fields(vec![("x-amz-meta-a".to_owned(), "b\r\nx-amz-acl: public-read".to_owned())]);
        assert_eq!(split.headers().unwrap_err().code, "InvalidArgument");
    }

    #[test]
    fn tags_come_as_a_document() {
        let headers = |document: &str| fields(&[("tagging", document)]).headers();
        let document = "<Tagging><TagSet><Tag><Key>a b</Key><Value>1&amp;2</Value></Tag>\n<Tag><Key>c</Key><Value/></Tag></TagSet></Tagging>";
        assert_eq!(headers(document).unwrap()["x-amz-tagging"], "a%20b=1%262&c=");
        for document in ["", "a=b", "<Tagging>a</Tagging>", "<!DOCTYPE a><Tagging/>"] {
            assert_eq!(headers(document).unwrap_err().code, "MalformedXML", "{document}");
        }
    }

    #[test]
    fn a_field_comes_once_and_the_file_s_name_has_no_path() {
        let mut fields = fields(&[("key", "user/${filename}"), ("x-ignore-a", "${filename}")]);
        assert_eq!(fields.add("KEY", String::new()).unwrap_err().code, "MalformedPOSTRequest");
        fields.name_file("C:\\photos\\cat.png");
        assert_eq!((fields.get("key"), fields.get("x-ignore-a")), (Some("user/cat.png"), Some("${filename}")));
        assert_eq!(fields.required("policy").unwrap_err().code, "InvalidArgument");
    }
}
