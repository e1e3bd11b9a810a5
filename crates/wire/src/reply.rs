//! What a handler answers, before a protocol writes it.

use crate::eventstream::Events;
use crate::value::{Shaped, Value};

/// An operation's answer.
#[derive(Debug)]
pub enum Reply {
    /// The whole output.
    Value(Value),
    /// An output whose last member is a stream of events.
    Stream {
        /// The output's other members.
        initial: Value,
        /// The events, as they come.
        events: Events,
    },
}

impl Reply {
    /// The output of an operation that answers at once.
    pub fn of<T: Shaped>(output: T) -> Self {
        Self::Value(output.into_value())
    }

    /// The output of an operation that answers none.
    pub fn nothing() -> Self {
        Self::Value(crate::nothing())
    }

    /// An output that is nothing but events.
    pub fn events(events: impl Into<Events>) -> Self {
        Self::Stream { initial: crate::nothing(), events: events.into() }
    }

    /// The output; of a stream what comes before its events.
    pub fn into_value(self) -> Value {
        match self {
            Self::Value(value) | Self::Stream { initial: value, .. } => value,
        }
    }
}
