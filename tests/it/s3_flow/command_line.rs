//! The AWS CLI.
