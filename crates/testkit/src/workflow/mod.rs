//! Tests that every workflow must pass: whatever fails, dies or happens twice, at the end everything is there or nothing
//! is left.
//!
//! ```text
//! struct Deletion { platform: Platform }
//!
//! impl World for Deletion { … }
//!
//! #[tokio::test]
//! async fn a_deletion_survives_every_fault() {
//!     testkit::workflow::every_fault::<Deletion>().await;
//! }
//! ```
//!
//! A [`World`] is what the workflow works on. Each case gets a new one, starts one instance, and drives it to its end with
//! a new engine for every single step, as if the process were replaced after each. The faults:
//!
//! | case | every step in turn … | must end |
//! | --- | --- | --- |
//! | [`fail_each_step`] | fails for good, before or after it has done its work; or fails, or panics, too often | undone, nothing left |
//! | [`recover_at_each_step`] | fails or panics twice and then works | done, all there |
//! | [`crash_at_each_point`] | dies before or after its work, and is run by another process | done, all there |
//! | [`repeat_each_step`] | is run twice, the first time forgotten | done, all there |
//! | [`crash_in_each_undo`] | is undone by a process that dies before or after that | undone, nothing left |
//! | [`undo_each_step_twice`] | is undone twice | undone, nothing left |
//! | [`cancel_at_each_step`] | is where somebody cancels | undone, nothing left |
//! | [`random_faults`] | meets any of these, from a seed | one or the other |

mod faults;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;

use base::{AccountId, ManualClock, Region};
use platform::Platform;
use platform::workflow::{Advance, Outcome, Progress, Step, UndoCause, Workflow, Workflows};
use store::{Scope, Tx};

use faults::{Fault, Faults, Faulty, Kind, When};

/// How many turns an instance may take to its end: far more than any retries of a few steps.
const TURNS_MAX: u32 = 100_000;
/// The seeds that [`every_fault`] tries.
const SEEDS: u64 = 64;
/// The instance's id.
const ID: &str = "instance";

/// What a workflow works on.
pub trait World: Sized {
    /// The workflow.
    type Workflow: Workflow;

    /// A new world on a new platform, with everything that must be there before the workflow is started.
    fn new(platform: Platform) -> impl Future<Output = Self>;

    /// The workflow, as a new process makes it: what it keeps in memory of its own is lost with each step.
    fn workflow(&self) -> Self::Workflow;

    /// What the instance is started with.
    fn state(&self) -> <Self::Workflow as Workflow>::State;

    /// Where the instance lives.
    fn scope(&self) -> Scope {
        Scope::new(AccountId::DEFAULT, Region::default())
    }

    /// Panics unless everything is there that the workflow makes, once.
    fn assert_all_there(&self) -> impl Future<Output = ()>;

    /// Panics unless the world is as it was before the workflow.
    fn assert_nothing_left(&self) -> impl Future<Output = ()>;
}

/// All cases, with a number of seeds.
pub async fn every_fault<T: World>() {
    without_fault::<T>().await;
    fail_each_step::<T>().await;
    recover_at_each_step::<T>().await;
    crash_at_each_point::<T>().await;
    repeat_each_step::<T>().await;
    crash_in_each_undo::<T>().await;
    undo_each_step_twice::<T>().await;
    cancel_at_each_step::<T>().await;
    for seed in 0..SEEDS {
        random_faults::<T>(seed).await;
    }
}

/// Nothing goes wrong.
pub async fn without_fault<T: World>() {
    case::<T>(Faults::none(), Expected::Done).await;
}

/// Each step fails: for good, before and after its work, and in vain too often.
pub async fn fail_each_step<T: World>() {
    for step in steps::<T>() {
        for kind in [Kind::Refuse(When::Before), Kind::Refuse(When::After)] {
            case::<T>(Faults::of([Fault::run(step, kind)]), Expected::Undone).await;
        }
        for kind in [Kind::Fail(When::Before), Kind::Fail(When::After), Kind::Panic(When::After)] {
            case::<T>(Faults::of([Fault::run(step, kind).always()]), Expected::Undone).await;
        }
    }
}

/// Each step fails twice, and works the third time.
pub async fn recover_at_each_step<T: World>() {
    for step in steps::<T>() {
        for kind in [Kind::Fail(When::Before), Kind::Fail(When::After), Kind::Panic(When::After)] {
            case::<T>(Faults::of([Fault::run(step, kind).times(2)]), Expected::Done).await;
        }
    }
}

/// The process dies before and after each step's work, once and twice.
pub async fn crash_at_each_point<T: World>() {
    for step in steps::<T>() {
        for when in [When::Before, When::After] {
            for times in [1, 2] {
                case::<T>(Faults::of([Fault::run(step, Kind::Crash(when)).times(times)]), Expected::Done).await;
            }
        }
    }
}

/// Each step is run twice, and what the first run told is forgotten.
pub async fn repeat_each_step<T: World>() {
    for step in steps::<T>() {
        case::<T>(Faults::of([Fault::run(step, Kind::Repeat)]), Expected::Done).await;
    }
}

/// Each step is the last that is tried, and the process dies before and after each undo.
pub async fn crash_in_each_undo<T: World>() {
    each_undo::<T>([Kind::Crash(When::Before), Kind::Crash(When::After), Kind::Fail(When::After)]).await;
}

/// Each step is the last that is tried, and each undo happens twice.
pub async fn undo_each_step_twice<T: World>() {
    each_undo::<T>([Kind::Repeat]).await;
}

async fn each_undo<T: World>(kinds: impl IntoIterator<Item = Kind>) {
    for kind in kinds {
        for (position, last) in steps::<T>().into_iter().enumerate() {
            for when in [When::Before, When::After] {
                let undos = steps::<T>().into_iter().take(position + 1).map(|step| Fault::undo(step, kind));
                let faults = Faults::of(undos.chain([Fault::run(last, Kind::Refuse(when))]));
                case::<T>(faults, Expected::Undone).await;
            }
        }
    }
}

/// Somebody cancels while each step is waiting to be tried again, after its work.
pub async fn cancel_at_each_step<T: World>() {
    for step in steps::<T>() {
        let faults = Faults::of([Fault::run(step, Kind::Fail(When::After)).always()]);
        Case::<T>::new(faults).await.cancelled_while_it_waits().await;
    }
}

/// Any fault at any step, from a seed. The end is one or the other.
pub async fn random_faults<T: World>(seed: u64) {
    case::<T>(Faults::random(seed), Expected::Either).await;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Done,
    Undone,
    Either,
}

async fn case<T: World>(faults: Faults, expected: Expected) {
    let case = Case::<T>::new(faults).await;
    let outcome = case.to_the_end().await;
    let is_as_expected = match outcome {
        Outcome::Done => expected != Expected::Undone,
        Outcome::Undone { .. } => expected != Expected::Done,
    };
    assert!(is_as_expected, "{:?}: it ended {outcome:?}", case.faults);
    case.check(&outcome).await;
}

struct Case<T: World> {
    platform: Platform,
    clock: Arc<ManualClock>,
    world: T,
    faults: Arc<Faults>,
}

impl<T: World> Case<T> {
    async fn new(faults: Faults) -> Self {
        let (platform, clock) = crate::platform();
        let world = T::new(platform.clone()).await;
        let case = Self { platform, clock, world, faults: Arc::new(faults) };
        let mut tx = Tx::new();
        case.workflows().start(&mut tx, &case.world.scope(), ID, case.world.state());
        case.platform.store.commit(tx).await.expect("a store in memory takes a new instance");
        case
    }

    /// The engine of a new process.
    fn workflows(&self) -> Arc<Workflows<Faulty<T::Workflow>>> {
        let faulty = Faulty { inner: self.world.workflow(), faults: self.faults.clone() };
        Workflows::new(&self.platform, faulty)
    }

    async fn to_the_end(&self) -> Outcome {
        for _ in 0..TURNS_MAX {
            match self.turn().await {
                None | Some(Advance::Moved) => {}
                Some(Advance::Waits(due)) => self.clock.advance(due.since(base::Clock::now(&*self.clock))),
                Some(Advance::Ended(outcome)) => return outcome,
                Some(Advance::Stuck | Advance::Missing) => panic!("{:?}: it is stuck or lost", self.faults),
            }
        }
        panic!("{:?}: it does not end", self.faults)
    }

    /// One step in a process of its own; none if that died.
    async fn turn(&self) -> Option<Advance> {
        let workflows = self.workflows();
        let scope = self.world.scope();
        tokio::select! {
            biased;
            advance = workflows.advance(&scope, ID) => Some(advance.expect("a store in memory does not fail")),
            () = self.faults.crashed() => None,
        }
    }

    async fn cancelled_while_it_waits(self) {
        while !matches!(self.turn().await, Some(Advance::Waits(_))) {}
        let scope = self.world.scope();
        self.workflows().cancel(&scope, ID, "test").await.expect("the instance is there");
        let outcome = self.to_the_end().await;
        let cause = UndoCause::Cancelled { reason: "test".to_owned() };
        assert_eq!(outcome, Outcome::Undone { cause }, "{:?}", self.faults);
        self.check(&outcome).await;
    }

    async fn check(&self, outcome: &Outcome) {
        let found = self.workflows().find(&self.world.scope(), ID).await.expect("a store in memory does not fail");
        match found {
            Some(Progress::Ended(ended)) => assert_eq!(ended.outcome, *outcome, "{:?}", self.faults),
            _ => panic!("{:?}: the outcome is not recorded", self.faults),
        }
        // What panics below is the world's own assertion, which does not know the case.
        let about = About(&self.faults);
        match outcome {
            Outcome::Done => self.world.assert_all_there().await,
            Outcome::Undone { .. } => self.world.assert_nothing_left().await,
        }
        drop(about);
    }
}

/// Says after which faults an assertion failed, if one does while it lives.
struct About<'a>(&'a Faults);

impl Drop for About<'_> {
    #[allow(clippy::print_stderr, reason = "a failing test is read where tests print")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("after {:?}", self.0);
        }
    }
}

fn steps<T: World>() -> Vec<&'static str> {
    <T::Workflow as Workflow>::STEPS.iter().map(|step| step.name()).collect()
}
