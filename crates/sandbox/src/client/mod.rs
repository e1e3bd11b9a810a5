//! The node's handle on shims: [`Launcher::shim`] starts one, [`connect`] finds one again after the node was restarted.
//!
//! A [`Shim`] asks, one call for each [`Request`](crate::protocol::Request); [`Shim::events`] tells what happens. Events are
//! a hint of what to look at: whoever missed some asks [`Shim::state`], which tells everything that matters. Only one node
//! speaks with a shim at a time: a new connection replaces the one before.
//!
//! ```text
//! let launcher = Launcher::start()?;                       // once a process
//! let shim = launcher.shim(directory).await?;              // or connect(directory) for one that is there
//! let mut events = shim.events();                          // before state(), so that nothing falls between them
//! shim.sandbox(plan, Some(network_namespace)).await?;
//! shim.create(plan, root, mounts).await?;                  // everything but what it executes
//! shim.start("app", process, None, vec![]).await?;         // returns once execve has succeeded
//! ```

mod connection;
mod events;
mod failure;
mod launcher;
mod program;
mod shim;
mod terminal;

pub use events::{Event, Events};
pub use failure::ShimError;
pub use launcher::Launcher;
pub use shim::{ExecIo, Executing, Shim, connect, last_words};
pub use terminal::{boot_time_ns, resize};
