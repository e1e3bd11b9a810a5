//! What the function's environment says.

use crate::picture::Size;

/// The settings, each with the variable that it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `THUMBNAIL_SIZE`, as `300x300`: thumbnails fit into it. The default is 300 × 300.
    pub thumbnail: Size,
    /// `THUMBNAIL_BUCKET`: where thumbnails are put; by default where the photo is.
    pub thumbnail_bucket: Option<String>,
    /// `THUMBNAIL_PREFIX`: what their keys begin with. What begins with it in the same bucket is no photo. The default is
    /// `thumbnails/`.
    pub thumbnail_prefix: String,
    /// `SOURCE_BUCKET`: whose pictures are served over the function URL; without it none are.
    pub source_bucket: Option<String>,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{name} is `{value}`, which is no {expected}")]
pub struct InvalidSetting {
    name: &'static str,
    value: String,
    expected: &'static str,
}

impl Settings {
    /// The settings of this process.
    ///
    /// # Errors
    /// [`InvalidSetting`]
    pub fn from_env() -> Result<Self, InvalidSetting> {
        Self::of(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Result<Self, InvalidSetting> {
        const SIZE: &str = "THUMBNAIL_SIZE";
        let size = variable(SIZE).unwrap_or_else(|| "300x300".to_owned());
        let invalid = InvalidSetting { name: SIZE, value: size.clone(), expected: "WIDTHxHEIGHT" };
        Ok(Self {
            thumbnail: Size::parse(&size).ok_or(invalid)?,
            thumbnail_bucket: variable("THUMBNAIL_BUCKET"),
            thumbnail_prefix: variable("THUMBNAIL_PREFIX").unwrap_or_else(|| "thumbnails/".to_owned()),
            source_bucket: variable("SOURCE_BUCKET"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_has_a_default_and_what_is_wrong_is_named() {
        let settings = Settings::of(|_| None).unwrap();
        assert_eq!(settings.thumbnail, Size { width: Some(300), height: Some(300) });
        assert_eq!(settings.thumbnail_prefix, "thumbnails/");
        let wrong = Settings::of(|name| (name == "THUMBNAIL_SIZE").then(|| "large".to_owned())).unwrap_err();
        assert_eq!(wrong.to_string(), "THUMBNAIL_SIZE is `large`, which is no WIDTHxHEIGHT");
    }
}
