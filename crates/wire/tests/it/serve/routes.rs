//! Routes beside the API: large bodies, files, and what goes wrong on the way.

mod answers;
mod bodies;
mod endings;
mod files;
mod memory;
mod stage;
