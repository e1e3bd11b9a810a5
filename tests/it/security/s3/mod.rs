//! Attacks on S3: its own ways of signing, naming and sharing.
