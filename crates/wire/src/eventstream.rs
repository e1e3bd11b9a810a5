//! Answers that go on: streams of events, `application/vnd.amazon.eventstream`.
//!
//! A handler answers an [`EventStream`] whose events a producer sends:
//!
//! ```
//! # use wire::{eventstream::Event, value::Value};
//! # struct Update;
//! # impl Event for Update {
//! #     fn into_event(self) -> (usize, Value) { (0, wire::nothing()) }
//! # }
//! # struct Tail;
//! # impl Tail {
//! #     async fn next(&mut self) -> Option<Update> { None }
//! # }
//! use wire::EventStream;
//!
//! fn watch(mut tail: Tail) -> EventStream<Update> {
//!     EventStream::produce(|events| async move {
//!         while let Some(update) = tail.next().await {
//!             if events.send(update).await.is_err() {
//!                 return;
//!             }
//!         }
//!     })
//! }
//! ```
//!
//! The producer is dropped, wherever it waits, when the client has gone away or the server has waited long enough for it
//! to stop; [`EventSender::closed`] tells it of both. It may return at any time, which ends the stream. An event that
//! is an exception of the model ends it too. Events wait for the client in a small buffer, so a producer is as fast as its
//! client. [`message`] is the form on the wire.

pub mod message;

use std::any::type_name;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::serve::BoxFuture;
use crate::value::Value;

/// How many events may wait for a client before their producer waits too.
pub const EVENTS_WAITING_MAX: usize = 4;

/// An event of a model's event stream; implemented by generated code.
pub trait Event: Send + 'static {
    /// The event's place in its union, and its value.
    fn into_event(self) -> (usize, Value);
}

/// Nobody listens any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream's client has gone away, or the server stops")]
pub struct Closed;

/// The producer of a stream has panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the producer of an event stream has panicked")]
pub struct ProducerPanicked;

/// Events that a producer sends and a client receives.
#[derive(Debug)]
pub struct EventStream<E> {
    receiver: mpsc::Receiver<E>,
    /// The producer, as long as it is not known how it has ended.
    producer: Option<JoinHandle<()>>,
    is_closed: bool,
}

/// The producer's end of an [`EventStream`].
#[derive(Debug)]
pub struct EventSender<E>(mpsc::Sender<E>);

impl<E: Event> EventStream<E> {
    /// A stream of what `producer` sends. It runs as a task of its own, which ends with the stream.
    pub fn produce<F>(producer: impl FnOnce(EventSender<E>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(EVENTS_WAITING_MAX);
        let producer = Some(tokio::spawn(producer(EventSender(sender))));
        Self { receiver, producer, is_closed: false }
    }

    /// The next event, `None` after the last.
    ///
    /// # Errors
    /// The producer has panicked.
    pub async fn next(&mut self) -> Result<Option<E>, ProducerPanicked> {
        if let Some(event) = self.receiver.recv().await {
            return Ok(Some(event));
        }
        // A producer that was told to end may take its time; any other has sent its last.
        if let Some(producer) = self.producer.as_mut().filter(|_| !self.is_closed) {
            let ended = producer.await;
            self.producer = None;
            ended.map_err(|_| ProducerPanicked)?;
        }
        Ok(None)
    }

    /// Takes no further events than those that wait already, and tells the producer so.
    pub fn close(&mut self) {
        self.is_closed = true;
        self.receiver.close();
    }
}

impl<E> Drop for EventStream<E> {
    fn drop(&mut self) {
        if let Some(producer) = &self.producer {
            producer.abort();
        }
    }
}

impl<E: Event> EventSender<E> {
    /// Sends an event, as soon as there is room for it.
    ///
    /// # Errors
    /// Nobody listens any more.
    pub async fn send(&self, event: E) -> Result<(), Closed> {
        self.0.send(event).await.map_err(|_| Closed)
    }

    /// Waits until nobody listens any more: the client has gone away, or the server stops.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

/// An [`EventStream`] of any service.
pub struct Events(Box<dyn Source>);

impl Events {
    /// The place in the union and the value of the next event, `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<(usize, Value)>, ProducerPanicked> {
        self.0.next().await
    }

    /// See [`EventStream::close`].
    pub(crate) fn close(&mut self) {
        self.0.close();
    }
}

impl<E: Event> From<EventStream<E>> for Events {
    fn from(stream: EventStream<E>) -> Self {
        Self(Box::new(stream))
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Events").field(&self.0.of()).finish()
    }
}

trait Source: Send {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<(usize, Value)>, ProducerPanicked>>;
    fn close(&mut self);
    fn of(&self) -> &'static str;
}

impl<E: Event> Source for EventStream<E> {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<(usize, Value)>, ProducerPanicked>> {
        Box::pin(async { Ok(EventStream::next(self).await?.map(Event::into_event)) })
    }

    fn close(&mut self) {
        EventStream::close(self);
    }

    fn of(&self) -> &'static str {
        type_name::<E>()
    }
}

/// Defines the events of a stream and their way to a [`Value`]. Used by generated code only.
#[macro_export]
macro_rules! events {
    ($name:ident { $($variant:ident($type:ty) = $place:literal),* $(,)? }) => {
        #[doc = concat!("The model's `", stringify!($name), "`.")]
        #[derive(Debug, Clone, PartialEq)]
        pub enum $name {
            $(#[doc = concat!("The model's `", stringify!($variant), "`.")] $variant($type),)*
        }

        impl $crate::eventstream::Event for $name {
            fn into_event(self) -> (usize, $crate::value::Value) {
                match self {
                    $(Self::$variant(event) => ($place, $crate::value::Shaped::into_value(event)),)*
                }
            }
        }
    };
}

#[cfg(test)]
mod tests;
