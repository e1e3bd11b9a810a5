//! Cases that any S3 has to pass, by subject.
