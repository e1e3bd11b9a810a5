//! Between a command and a node: what each of them says in a session reaches the other.
//!
//! Nothing is stored here but the little that is under way. Output is taken from the node as fast as the command reads it, so
//! that a command that stands still holds up itself alone: the node keeps a container's output without us.

use std::collections::VecDeque;

use node::protocol::{Answer, Event, Input};
use node::supply::BoxFuture;

use super::protocol::{INPUT_BYTES_MAX, Say, WorkloadAnswer};
use super::runtime::{Broken, Heard as NodeSaid, Hears, Says, Talking};
use crate::control_socket::{Heard, Teller};

/// What is done when the command wants a signal sent.
pub(super) type OnSignal<'a> = dyn Fn(i32) -> BoxFuture<'a, ()> + Send + Sync + 'a;

/// Passes everything on until the session ends; what it ended with. `position` is where the output goes on.
pub(super) async fn pass(
    talking: Talking,
    heard: &mut Heard,
    teller: &Teller,
    position: &mut u64,
    on_signal: &OnSignal<'_>,
) -> Result<Answer, Broken> {
    let Talking { mut hears, says } = talking;
    tokio::select! {
        ended = outputs(&mut *hears, teller, position) => ended,
        broken = inputs(&*says, heard, teller, on_signal) => Err(broken),
    }
}

async fn outputs(hears: &mut dyn Hears, teller: &Teller, position: &mut u64) -> Result<Answer, Broken> {
    loop {
        match hears.next().await? {
            NodeSaid::Event(Event::Output(output)) => {
                let next = output.next;
                teller.tell_workload(WorkloadAnswer::Output(output)).await;
                *position = next;
            }
            NodeSaid::Event(Event::Started) => teller.tell_workload(WorkloadAnswer::Started).await,
            NodeSaid::Event(_) => {}
            NodeSaid::Answer(answer) => return Ok(answer),
        }
    }
}

/// Input waits for the node to take it; a signal and a new size wait for nothing.
async fn inputs(says: &dyn Says, heard: &mut Heard, teller: &Teller, on_signal: &OnSignal<'_>) -> Broken {
    let mut waiting: VecDeque<Input> = VecDeque::new();
    let mut waiting_bytes = 0;
    loop {
        let first = waiting.front().cloned();
        let sending = async {
            match first {
                Some(input) => says.say(input).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            say = heard.next() => match say {
                Say::Signal(signal) => on_signal(signal).await,
                Say::Resize(size) => {
                    // A session that is over says so by itself.
                    let _ = says.say(Input::Resize(size)).await;
                }
                Say::End => waiting.push_back(Input::End),
                Say::Data(data) => {
                    waiting_bytes += data.len();
                    if waiting_bytes > INPUT_BYTES_MAX {
                        return Broken::Refused("more input was said than was taken".to_owned());
                    }
                    waiting.push_back(Input::Data(data));
                }
            },
            said = sending => {
                if said.is_err() {
                    // Why is told by the other direction.
                    return std::future::pending().await;
                }
                if let Some(Input::Data(data)) = waiting.pop_front() {
                    waiting_bytes -= data.len();
                    let taken = u32::try_from(data.len()).unwrap_or(u32::MAX);
                    teller.tell_workload(WorkloadAnswer::Taken(taken)).await;
                }
            }
        }
    }
}
