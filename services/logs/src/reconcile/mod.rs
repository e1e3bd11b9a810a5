//! What goes on without a request.

pub mod deletion;
