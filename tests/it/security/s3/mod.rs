//! Attacks on S3: its own ways of signing, naming and sharing.

mod answers;
mod bodies;
mod bound;
mod clients;
mod conditions;
mod copies;
mod documents;
mod forms;
mod hosts;
mod paths;
mod presigned;
mod sharing;
mod sweep;
mod takeovers;
mod yard;
