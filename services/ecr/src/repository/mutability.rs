//! Whether a tag may be moved from one image to another.

use serde::{Deserialize, Serialize};

use crate::api::{ImageTagMutability, ImageTagMutabilityExclusionFilter, ImageTagMutabilityExclusionFilterType};
use crate::{Error, wildcard};

/// The most wildcards in one filter. (User guide, "Preventing image tags from being overwritten".)
pub const EXCLUSION_WILDCARDS_MAX: usize = 2;

/// A repository's choice, with the patterns of the tags to which it does not apply.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "mode", content = "filters")]
pub enum TagMutability {
    /// Every tag may be moved.
    #[default]
    Mutable,
    /// None may.
    Immutable,
    /// Every tag may be moved but those that match.
    MutableWithExclusion(Vec<String>),
    /// None may be moved but those that match.
    ImmutableWithExclusion(Vec<String>),
}

impl TagMutability {
    /// What a request asks for.
    ///
    /// # Errors
    /// [`Error::Parameter`] where filters are missing, or given for nothing, or are none.
    pub(crate) fn admit(
        mode: Option<ImageTagMutability>,
        filters: Option<Vec<ImageTagMutabilityExclusionFilter>>,
    ) -> Result<Self, Error> {
        let filters: Vec<String> = filters.into_iter().flatten().map(|filter| filter.filter).collect();
        let refuse = |constraint: String| Error::parameter("imageTagMutabilityExclusionFilters", constraint);
        if filters.iter().any(|filter| wildcard::count(filter) > EXCLUSION_WILDCARDS_MAX) {
            return Err(refuse(format!("A filter can have up to {EXCLUSION_WILDCARDS_MAX} wildcards")));
        }
        let mode = mode.unwrap_or(ImageTagMutability::Mutable);
        match (mode, filters.is_empty()) {
            (ImageTagMutability::Mutable, true) => Ok(Self::Mutable),
            (ImageTagMutability::Immutable, true) => Ok(Self::Immutable),
            (ImageTagMutability::MutableWithExclusion, false) => Ok(Self::MutableWithExclusion(filters)),
            (ImageTagMutability::ImmutableWithExclusion, false) => Ok(Self::ImmutableWithExclusion(filters)),
            (_, true) => Err(refuse(format!("{} needs at least one filter", mode.as_str()))),
            (_, false) => Err(refuse(format!("{} takes no filters", mode.as_str()))),
        }
    }

    /// Whether a tag that an image has may be given to another.
    pub fn may_move(&self, tag: &str) -> bool {
        let matched = |filters: &[String]| filters.iter().any(|filter| wildcard::matches(filter, tag));
        match self {
            Self::Mutable => true,
            Self::Immutable => false,
            Self::MutableWithExclusion(filters) => !matched(filters),
            Self::ImmutableWithExclusion(filters) => matched(filters),
        }
    }

    /// The word on the wire.
    pub(crate) fn describe(&self) -> ImageTagMutability {
        match self {
            Self::Mutable => ImageTagMutability::Mutable,
            Self::Immutable => ImageTagMutability::Immutable,
            Self::MutableWithExclusion(_) => ImageTagMutability::MutableWithExclusion,
            Self::ImmutableWithExclusion(_) => ImageTagMutability::ImmutableWithExclusion,
        }
    }

    /// The filters as operations answer them.
    pub(crate) fn describe_filters(&self) -> Vec<ImageTagMutabilityExclusionFilter> {
        let filters = match self {
            Self::Mutable | Self::Immutable => &[][..],
            Self::MutableWithExclusion(filters) | Self::ImmutableWithExclusion(filters) => filters,
        };
        let described = |filter: &String| ImageTagMutabilityExclusionFilter {
            filter_type: ImageTagMutabilityExclusionFilterType::Wildcard,
            filter: filter.clone(),
        };
        filters.iter().map(described).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_moves_where_the_mode_and_its_exceptions_let_it() {
        let filters = vec!["latest".to_owned(), "dev-*".to_owned()];
        for (mutability, latest, dev, v1) in [
            (TagMutability::Mutable, true, true, true),
            (TagMutability::Immutable, false, false, false),
            (TagMutability::MutableWithExclusion(filters.clone()), false, false, true),
            (TagMutability::ImmutableWithExclusion(filters), true, true, false),
        ] {
            let moves = ["latest", "dev-7", "v1"].map(|tag| mutability.may_move(tag));
            assert_eq!(moves, [latest, dev, v1], "{mutability:?}");
        }
    }

    #[test]
    fn filters_go_with_the_modes_that_have_exceptions() {
        let filter = |text: &str| ImageTagMutabilityExclusionFilter {
            filter_type: ImageTagMutabilityExclusionFilterType::Wildcard,
            filter: text.to_owned(),
        };
        let admit = |mode, filters: &[&str]| {
            TagMutability::admit(Some(mode), Some(filters.iter().map(|text| filter(text)).collect()))
        };
        assert!(admit(ImageTagMutability::Immutable, &["x"]).is_err());
        assert!(admit(ImageTagMutability::ImmutableWithExclusion, &[]).is_err());
        assert!(admit(ImageTagMutability::ImmutableWithExclusion, &["a*b*c*"]).is_err());
        let admitted = admit(ImageTagMutability::ImmutableWithExclusion, &["a*b*"]).unwrap();
        assert_eq!(admitted, TagMutability::ImmutableWithExclusion(vec!["a*b*".to_owned()]));
        assert_eq!(TagMutability::admit(None, None).unwrap(), TagMutability::Mutable);
    }
}
