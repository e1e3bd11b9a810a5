//! Preconditions: of reads (If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since), of copies' sources, and of
//! writes and deletions.
//!
//! Source: RFC 9110, section 13.2.2, as the user guide's "Conditional reads" and "Conditional writes" say it.

use base::Timestamp;
use store::Revision;

use crate::etag::{is_among, unquoted};
use crate::{Error, etag};

/// What must hold of an object for it to be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadConditions<'a> {
    /// One of these tags.
    pub if_match: Option<&'a str>,
    /// None of these tags.
    pub if_none_match: Option<&'a str>,
    /// Written after this.
    pub if_modified_since: Option<Timestamp>,
    /// Not written after this.
    pub if_unmodified_since: Option<Timestamp>,
}

/// What must hold of what is at a key for it to be written or deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum WriteCondition {
    /// Nothing.
    #[default]
    None,
    /// There is no object.
    Absent,
    /// There is an object with this tag; `*` is any.
    Matches(String),
    /// The record is the very one that was looked at. A tag does not say so: the same bytes may have been written again, or
    /// what else belongs to them changed. Nor does an id: another version may be the null version now.
    Unchanged(Revision),
}

/// What is at a key, as conditions see it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The object's tag.
    pub etag: &'a str,
    /// When it was written.
    pub modified: Timestamp,
}

impl ReadConditions<'_> {
    /// Whether an object may be read.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`], and [`Error::NotModified`] where the client has what there is.
    pub fn check(&self, seen: Seen<'_>) -> Result<(), Error> {
        self.check_failing(seen, ["If-Match", "If-Unmodified-Since"])?;
        if self.is_unchanged(seen) {
            return Err(Error::NotModified { etag: etag::quoted(seen.etag), modified: seen.modified });
        }
        Ok(())
    }

    /// Whether an object may be the source of a copy: all failures are failed preconditions.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`]
    pub fn check_source(&self, seen: Seen<'_>) -> Result<(), Error> {
        self.check_failing(seen, ["x-amz-copy-source-If-Match", "x-amz-copy-source-If-Unmodified-Since"])?;
        if !self.is_unchanged(seen) {
            return Ok(());
        }
        Err(Error::PreconditionFailed(match self.if_none_match {
            Some(_) => "x-amz-copy-source-If-None-Match",
            None => "x-amz-copy-source-If-Modified-Since",
        }))
    }

    /// If-Match, and only without it If-Unmodified-Since.
    fn check_failing(&self, seen: Seen<'_>, names: [&'static str; 2]) -> Result<(), Error> {
        match (self.if_match, self.if_unmodified_since) {
            (Some(tags), _) if !is_among(tags, seen.etag) => Err(Error::PreconditionFailed(names[0])),
            (None, Some(since)) if seen.modified.as_secs() > since.as_secs() => {
                Err(Error::PreconditionFailed(names[1]))
            }
            _ => Ok(()),
        }
    }

    /// If-None-Match, and only without it If-Modified-Since.
    fn is_unchanged(&self, seen: Seen<'_>) -> bool {
        match (self.if_none_match, self.if_modified_since) {
            (Some(tags), _) => is_among(tags, seen.etag),
            (None, Some(since)) => seen.modified.as_secs() <= since.as_secs(),
            (None, None) => false,
        }
    }
}

impl WriteCondition {
    /// The condition of a write.
    ///
    /// # Errors
    /// [`Error::NotImplemented`] for what S3 does not serve: both headers, or an If-None-Match other than `*`.
    pub fn of_write(if_match: Option<&str>, if_none_match: Option<&str>) -> Result<Self, Error> {
        let refused =
            || Error::NotImplemented("A header you provided implies functionality that is not implemented".to_owned());
        match (if_match, if_none_match) {
            (None, None) => Ok(Self::None),
            (None, Some(tags)) if tags.trim() == "*" => Ok(Self::Absent),
            (Some(tag), None) if unquoted(tag) != "*" => Ok(Self::Matches(unquoted(tag).to_owned())),
            _ => Err(refused()),
        }
    }

    /// The condition of a deletion.
    pub fn of_delete(if_match: Option<&str>) -> Self {
        if_match.map_or(Self::None, |tag| Self::Matches(unquoted(tag).to_owned()))
    }

    /// Whether what is there may be written over or deleted: what conditions see of it, and the revision of its record.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`], and [`Error::NoSuchKey`] where an object has to be there and is not.
    pub fn check(&self, key: &str, current: Option<Seen<'_>>, revision: Option<Revision>) -> Result<(), Error> {
        match (self, current) {
            (Self::Unchanged(looked_at), _) if revision != Some(*looked_at) => {
                Err(Error::PreconditionFailed("the revision"))
            }
            (Self::Absent, Some(_)) => Err(Error::PreconditionFailed("If-None-Match")),
            (Self::Matches(_), None) => Err(Error::NoSuchKey { key: key.to_owned(), marker: None }),
            (Self::Matches(tag), Some(seen)) if tag != "*" && tag != seen.etag => {
                Err(Error::PreconditionFailed("If-Match"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_500);
    const SEEN: Seen<'_> = Seen { etag: "abc", modified: NOW };

    fn outcome(conditions: ReadConditions<'_>) -> u16 {
        conditions.check(SEEN).map_or_else(|error| error.kind().1, |()| 200)
    }

    #[test]
    fn a_tag_counts_for_more_than_a_time() {
        let (before, after) = (Timestamp::from_secs(999), Timestamp::from_secs(1001));
        let none = ReadConditions::default();
        assert_eq!(outcome(none), 200);
        assert_eq!(
            outcome(ReadConditions { if_match: Some("\"abc\""), if_unmodified_since: Some(before), ..none }),
            200
        );
        assert_eq!(outcome(ReadConditions { if_match: Some("x"), if_unmodified_since: Some(after), ..none }), 412);
        assert_eq!(
            outcome(ReadConditions { if_none_match: Some("abc"), if_modified_since: Some(before), ..none }),
            304
        );
        assert_eq!(outcome(ReadConditions { if_none_match: Some("x"), if_modified_since: Some(after), ..none }), 200);
        assert_eq!(outcome(ReadConditions { if_modified_since: Some(after), ..none }), 304);
        assert_eq!(outcome(ReadConditions { if_unmodified_since: Some(before), ..none }), 412);
        let source = ReadConditions { if_none_match: Some("*"), ..none }.check_source(SEEN);
        assert!(matches!(source, Err(Error::PreconditionFailed("x-amz-copy-source-If-None-Match"))));
    }

    #[test]
    fn a_time_is_compared_by_its_seconds() {
        let same = Timestamp::from_secs(1000);
        let none = ReadConditions::default();
        assert_eq!(outcome(ReadConditions { if_modified_since: Some(same), ..none }), 304);
        assert_eq!(outcome(ReadConditions { if_unmodified_since: Some(same), ..none }), 200);
    }

    #[test]
    fn writes_know_two_conditions() {
        let absent = WriteCondition::of_write(None, Some("*")).unwrap();
        assert!(absent.check("k", None, None).is_ok() && absent.check("k", Some(SEEN), None).is_err());
        let matches = WriteCondition::of_write(Some("\"abc\""), None).unwrap();
        assert!(matches.check("k", Some(SEEN), None).is_ok());
        assert!(matches!(matches.check("k", None, None), Err(Error::NoSuchKey { .. })));
        for (if_match, if_none_match) in [(Some("a"), Some("*")), (None, Some("\"abc\"")), (Some("*"), None)] {
            assert!(WriteCondition::of_write(if_match, if_none_match).is_err());
        }
        assert!(WriteCondition::of_delete(Some("*")).check("k", Some(SEEN), None).is_ok());
    }

    #[test]
    fn what_was_looked_at_is_its_record_and_not_its_tag() {
        let unchanged = WriteCondition::Unchanged(Revision(7));
        for seen in [None, Some(SEEN)] {
            assert!(unchanged.check("k", seen, Some(Revision(7))).is_ok());
            assert!(unchanged.check("k", seen, Some(Revision(8))).is_err());
            assert!(unchanged.check("k", seen, None).is_err());
        }
    }
}
