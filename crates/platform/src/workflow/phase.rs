//! Where an instance stands, and where each event takes it. Pure.

use base::Timestamp;
use serde::{Deserialize, Serialize};

/// Where an instance stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "phase")]
pub enum Phase {
    /// It goes forward.
    Running {
        /// The step that is next.
        at: Place,
    },
    /// It takes back what it did.
    Undoing {
        /// The step that is undone next.
        at: Place,
        /// Why.
        cause: UndoCause,
    },
    /// It cannot take back a step, and waits for a person.
    Stuck {
        /// The step.
        at: Place,
        /// Why it is undone.
        cause: UndoCause,
    },
}

/// A step, and how it has gone so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The step's name.
    pub step: String,
    /// How often it has failed.
    pub failures: u32,
    /// When it is tried again.
    pub due: Option<Timestamp>,
    /// Why it failed the last time: what it waits for.
    pub error: Option<String>,
}

/// Why an instance is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "cause")]
pub enum UndoCause {
    /// A step failed.
    Failed {
        /// Its name.
        step: String,
        /// Its last error.
        error: String,
    },
    /// Somebody wanted it.
    Cancelled {
        /// Who or why.
        reason: String,
    },
}

/// How an instance ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "outcome")]
pub enum Outcome {
    /// Every step was done.
    Done,
    /// Every step that was tried was undone.
    Undone {
        /// Why.
        #[serde(flatten)]
        cause: UndoCause,
    },
}

/// What happens to an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// Its step was done, or undone.
    StepDone,
    /// Its step failed and is tried again.
    StepFailed { error: String, due: Timestamp },
    /// Its step failed and is not tried again.
    StepGivenUp { error: String },
    /// Somebody wants it undone.
    Cancelled { reason: String },
    /// Somebody has removed what it was stuck at.
    Resumed,
}

/// Where an event takes an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    Phase(Phase),
    Ended(Outcome),
}

/// An event that cannot happen to an instance in its phase.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event} cannot happen to a workflow that is {phase}")]
pub struct IllegalTransition {
    event: String,
    phase: String,
}

impl Place {
    pub(super) fn at(step: &str) -> Self {
        Self { step: step.to_owned(), failures: 0, due: None, error: None }
    }

    fn failed(self, error: String, due: Option<Timestamp>) -> Self {
        Self { step: self.step, failures: self.failures.saturating_add(1), due, error: Some(error) }
    }
}

impl Phase {
    /// The start of a workflow of these steps.
    pub(super) fn first(steps: &[&str]) -> Self {
        Self::Running { at: Place::at(steps.first().copied().unwrap_or_default()) }
    }

    /// The step that is next.
    pub fn place(&self) -> &Place {
        match self {
            Self::Running { at } | Self::Undoing { at, .. } | Self::Stuck { at, .. } => at,
        }
    }

    /// Where an event takes it.
    pub(super) fn next(self, event: Event, steps: &[&str]) -> Result<Next, IllegalTransition> {
        let position = |place: &Place| steps.iter().position(|step| *step == place.step);
        let phase = match (self, event) {
            (Self::Running { at }, Event::StepDone) => match position(&at).and_then(|here| steps.get(here + 1)) {
                Some(step) => Self::Running { at: Place::at(step) },
                None => return Ok(Next::Ended(Outcome::Done)),
            },
            (Self::Undoing { at, cause }, Event::StepDone) => {
                match position(&at).and_then(|here| here.checked_sub(1)) {
                    Some(before) => Self::Undoing { at: Place::at(steps[before]), cause },
                    None => return Ok(Next::Ended(Outcome::Undone { cause })),
                }
            }
            (Self::Running { at }, Event::StepFailed { error, due }) => {
                Self::Running { at: at.failed(error, Some(due)) }
            }
            (Self::Undoing { at, cause }, Event::StepFailed { error, due }) => {
                Self::Undoing { at: at.failed(error, Some(due)), cause }
            }
            (Self::Running { at }, Event::StepGivenUp { error }) => {
                let cause = UndoCause::Failed { step: at.step.clone(), error };
                Self::Undoing { at: Place::at(&at.step), cause }
            }
            (Self::Undoing { at, cause }, Event::StepGivenUp { error }) => {
                Self::Stuck { at: at.failed(error, None), cause }
            }
            (Self::Running { at }, Event::Cancelled { reason }) => {
                Self::Undoing { at: Place::at(&at.step), cause: UndoCause::Cancelled { reason } }
            }
            // It is on its way back already.
            (phase @ (Self::Undoing { .. } | Self::Stuck { .. }), Event::Cancelled { .. }) => phase,
            (Self::Stuck { at, cause }, Event::Resumed) => Self::Undoing { at: Place::at(&at.step), cause },
            (phase, event) => {
                return Err(IllegalTransition { event: format!("{event:?}"), phase: format!("{phase:?}") });
            }
        };
        Ok(Next::Phase(phase))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STEPS: [&str; 3] = ["a", "b", "c"];

    fn failed() -> Event {
        Event::StepGivenUp { error: "e".to_owned() }
    }

    fn through(events: impl IntoIterator<Item = Event>) -> Next {
        let mut next = Next::Phase(Phase::first(&STEPS));
        for event in events {
            let Next::Phase(phase) = next else { panic!("it has ended") };
            next = phase.next(event, &STEPS).unwrap();
        }
        next
    }

    #[test]
    fn it_ends_after_its_last_step() {
        assert_eq!(through([Event::StepDone, Event::StepDone, Event::StepDone]), Next::Ended(Outcome::Done));
    }

    #[test]
    fn the_step_that_failed_is_undone_and_all_before_it() {
        let cause = UndoCause::Failed { step: "b".to_owned(), error: "e".to_owned() };
        let Next::Phase(phase) = through([Event::StepDone, failed()]) else { panic!("it has ended") };
        assert_eq!(phase, Phase::Undoing { at: Place::at("b"), cause: cause.clone() });
        let ended = through([Event::StepDone, failed(), Event::StepDone, Event::StepDone]);
        assert_eq!(ended, Next::Ended(Outcome::Undone { cause }));
    }

    #[test]
    fn what_is_stuck_goes_on_when_somebody_resumes_it() {
        let ended = through([failed(), failed(), Event::Resumed, Event::StepDone]);
        assert!(matches!(ended, Next::Ended(Outcome::Undone { .. })));
        let Next::Phase(stuck) = through([failed(), failed()]) else { panic!("it has ended") };
        assert!(stuck.next(Event::StepDone, &STEPS).is_err());
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            4 => Just(Event::StepDone),
            2 => Just(Event::StepFailed { error: "e".to_owned(), due: Timestamp::from_secs(1) }),
            1 => Just(failed()),
            1 => Just(Event::Cancelled { reason: "r".to_owned() }),
            1 => Just(Event::Resumed),
        ]
    }

    proptest! {
        #[test]
        fn it_never_goes_forward_again_and_ends_done_only_if_every_step_was_done(
            events in prop::collection::vec(event(), 0..40),
        ) {
            let mut phase = Phase::first(&STEPS);
            let (mut done, mut undoing) = (0, false);
            for event in events {
                let before = phase.clone();
                match phase.next(event.clone(), &STEPS) {
                    Err(_) => phase = before,
                    Ok(Next::Ended(outcome)) => {
                        prop_assert_eq!(outcome == Outcome::Done, !undoing && done == 2);
                        return Ok(());
                    }
                    Ok(Next::Phase(next)) => {
                        done += usize::from(!undoing && event == Event::StepDone);
                        let is_forward = matches!(next, Phase::Running { .. });
                        prop_assert!(!(undoing && is_forward));
                        undoing |= !is_forward;
                        let place = |phase: &Phase| STEPS.iter().position(|step| *step == phase.place().step).unwrap();
                        prop_assert!(!undoing || place(&next) <= place(&before));
                        phase = next;
                    }
                }
            }
        }
    }
}
