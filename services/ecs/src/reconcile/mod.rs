//! What goes on without a request.

pub mod task_definition;
