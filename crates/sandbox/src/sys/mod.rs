//! System calls that nothing safe wraps, each as small as can be.

mod frame;
mod process;

pub(crate) use frame::{Frame, FrameRead, Incoming, Outgoing};
pub(crate) use process::{
    ChildEnded, Fork, child_that_ended, close_from, fork, has_children, ignore, keep_no_memory, reap, send_signal,
    signal_socket,
};
