//! Uploads of browsers: a form of `multipart/form-data` whose last field of use is the file, and a policy, signed by somebody
//! with a key, that says what the other fields may be.
//!
//! Source: S3 API Reference, "POST Object" and "Browser-based uploads using POST"; and the errors that S3 is seen to answer.

pub mod multipart;
pub mod policy;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::Error;

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
            let name = match field {
                "acl" => "x-amz-acl",
                name if HEADERS.contains(&name) => name,
                name if is_amazons && !OF_SIGNATURE.contains(&name) => name,
                "tagging" => {
                    return Err(Error::new("NotImplemented", 501, "Pilvi does not serve a form's tagging yet."));
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
    fn a_field_comes_once_and_the_file_s_name_has_no_path() {
        let mut fields = fields(&[("key", "user/${filename}"), ("x-ignore-a", "${filename}")]);
        assert_eq!(fields.add("KEY", String::new()).unwrap_err().code, "MalformedPOSTRequest");
        fields.name_file("C:\\photos\\cat.png");
        assert_eq!((fields.get("key"), fields.get("x-ignore-a")), (Some("user/cat.png"), Some("${filename}")));
        assert_eq!(fields.required("policy").unwrap_err().code, "InvalidArgument");
    }
}
