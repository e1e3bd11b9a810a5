//! The AWS SDK for JavaScript.
