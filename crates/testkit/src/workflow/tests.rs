use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Mutex;

use platform::workflow::{StepCtx, StepError};
use platform::{BoxFuture, Reconcilers, Runner};
use serde::{Deserialize, Serialize};
use store::Record;

use super::*;

/// What is outside of the store: names and who made them.
type Outside = Arc<Mutex<BTreeMap<String, String>>>;

/// How an example is wrong.
trait Mistake: Send + Sync + 'static {
    const MAKES_ANOTHER_EACH_TIME: bool = false;
    const UNDO_EXPECTS_IT: bool = false;
    const FORGETS_TO_UNDO: bool = false;
}

struct Right;
impl Mistake for Right {}
struct NotIdempotent;
impl Mistake for NotIdempotent {
    const MAKES_ANOTHER_EACH_TIME: bool = true;
}
struct UndoNotIdempotent;
impl Mistake for UndoNotIdempotent {
    const UNDO_EXPECTS_IT: bool = true;
}
struct Forgetful;
impl Mistake for Forgetful {
    const FORGETS_TO_UNDO: bool = true;
}

/// Draws a name, makes something outside of the store under it, and notes it in the store.
struct Making<M> {
    platform: Platform,
    outside: Outside,
    mistake: PhantomData<fn() -> M>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct State {
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Name,
    Make,
    Note,
}

impl Step for Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Make => "make",
            Self::Note => "note",
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Note {
    name: String,
}

impl Record for Note {
    const SERVICE: &'static str = "example";
    const KIND: &'static str = "note";
}

impl<M: Mistake> Making<M> {
    async fn do_it(&self, stage: Stage, cx: &mut StepCtx<State>) -> Result<(), StepError> {
        match stage {
            Stage::Name => cx.state.name = base::ids::hex32(&*self.platform.rng),
            Stage::Make => {
                let mut outside = self.outside.lock().unwrap();
                let suffix = if M::MAKES_ANOTHER_EACH_TIME { outside.len().to_string() } else { String::new() };
                outside.insert(format!("{}{suffix}", cx.state.name), cx.id.clone());
            }
            Stage::Note => {
                cx.tx.insert(&cx.scope, &[&cx.state.name], &Note { name: cx.state.name.clone() });
            }
        }
        Ok(())
    }

    async fn undo_it(&self, stage: Stage, cx: &mut StepCtx<State>) -> Result<(), StepError> {
        match stage {
            Stage::Name => {}
            Stage::Make if M::FORGETS_TO_UNDO => {}
            Stage::Make => {
                let was_there = self.outside.lock().unwrap().remove(&cx.state.name).is_some();
                if M::UNDO_EXPECTS_IT && !was_there {
                    return Err(StepError::permanent("it is not there"));
                }
            }
            Stage::Note => {
                if let Some(note) = self.platform.store.read::<Note>(&cx.scope, &[&cx.state.name]).await? {
                    cx.tx.remove(&note);
                }
            }
        }
        Ok(())
    }
}

impl<M: Mistake> Workflow for Making<M> {
    const SERVICE: &'static str = "example";
    const KIND: &'static str = "making";
    type State = State;
    type Step = Stage;
    const STEPS: &'static [Stage] = &[Stage::Name, Stage::Make, Stage::Note];

    fn run<'a>(&'a self, step: Stage, cx: &'a mut StepCtx<State>) -> BoxFuture<'a, Result<(), StepError>> {
        Box::pin(self.do_it(step, cx))
    }

    fn undo<'a>(&'a self, step: Stage, cx: &'a mut StepCtx<State>) -> BoxFuture<'a, Result<(), StepError>> {
        Box::pin(self.undo_it(step, cx))
    }
}

struct Example<M> {
    platform: Platform,
    outside: Outside,
    mistake: PhantomData<fn() -> M>,
}

impl<M: Mistake> Example<M> {
    async fn notes(&self) -> Vec<String> {
        let notes = self.platform.store.list::<Note>(&self.scope(), store::ListOptions::default()).await.unwrap();
        notes.items.into_iter().map(|note| note.value.name).collect()
    }
}

impl<M: Mistake> World for Example<M> {
    type Workflow = Making<M>;

    async fn new(platform: Platform) -> Self {
        Self { platform, outside: Outside::default(), mistake: PhantomData }
    }

    fn workflow(&self) -> Making<M> {
        Making { platform: self.platform.clone(), outside: self.outside.clone(), mistake: PhantomData }
    }

    fn state(&self) -> State {
        State::default()
    }

    async fn assert_all_there(&self) {
        let made: Vec<String> = self.outside.lock().unwrap().keys().cloned().collect();
        assert_eq!((made.len(), made), (1, self.notes().await));
    }

    async fn assert_nothing_left(&self) {
        let made = self.outside.lock().unwrap().len();
        assert_eq!((made, self.notes().await.len()), (0, 0));
    }
}

#[tokio::test]
async fn a_right_workflow_survives_every_fault() {
    every_fault::<Example<Right>>().await;
}

#[tokio::test]
#[should_panic = "left == right"]
async fn a_step_that_makes_another_one_each_time_is_found() {
    crash_at_each_point::<Example<NotIdempotent>>().await;
}

#[tokio::test]
#[should_panic = "left == right"]
async fn so_it_is_by_repetition() {
    repeat_each_step::<Example<NotIdempotent>>().await;
}

#[tokio::test]
#[should_panic = "it is stuck"]
async fn an_undo_that_expects_what_a_crash_has_taken_is_found() {
    undo_each_step_twice::<Example<UndoNotIdempotent>>().await;
}

#[tokio::test]
#[should_panic = "left == right"]
async fn a_step_that_is_not_undone_is_found() {
    fail_each_step::<Example<Forgetful>>().await;
}

async fn start(world: &Example<Right>, workflows: &Workflows<Making<Right>>, id: &str) {
    let mut tx = Tx::new();
    workflows.start(&mut tx, &world.scope(), id, world.state());
    world.platform.store.commit(tx).await.unwrap();
}

async fn outcome(world: &Example<Right>, workflows: &Workflows<Making<Right>>, id: &str) -> Option<Outcome> {
    match workflows.find(&world.scope(), id).await.unwrap() {
        Some(Progress::Ended(ended)) => Some(ended.value.outcome),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn the_reconciler_drives_what_is_started_and_what_a_dead_process_left() {
    let (platform, _) = crate::platform();
    let world = Example::<Right>::new(platform.clone()).await;
    let left = Workflows::new(&platform, world.workflow());
    start(&world, &left, "left").await;
    left.advance(&world.scope(), "left").await.unwrap();
    drop(left);

    let workflows = Workflows::new(&platform, world.workflow());
    let reconcilers = Reconcilers::new(&platform);
    reconcilers.start(workflows.clone());
    let ids: Vec<String> = (0..200).map(|number| format!("new-{number}")).collect();
    for id in &ids {
        start(&world, &workflows, id).await;
    }
    let mut ends =
        platform.store.watch_records::<platform::workflow::WorkflowOutcome>(&world.scope(), store::Revision(1));
    let mut ended = 0;
    while ended < ids.len() + 1 {
        ended += ends.next().await.unwrap().len();
    }
    for id in ids.iter().map(String::as_str).chain(["left"]) {
        assert_eq!(outcome(&world, &workflows, id).await, Some(Outcome::Done), "{id}");
    }
    assert_eq!(world.notes().await.len(), 201);
    platform.store.close().await.unwrap();
    reconcilers.ended().await;
    assert_eq!(reconcilers.list()[0].failures, 0);
}

#[tokio::test]
async fn an_outcome_is_kept_for_its_time_and_its_id_can_be_used_again() {
    let (platform, clock) = crate::platform();
    let world = Example::<Right>::new(platform.clone()).await;
    let workflows = Workflows::new(&platform, world.workflow());
    let mut runner = Runner::new(&platform, workflows.clone());
    let kept = <Making<Right> as Workflow>::KEPT;
    for wait in [kept / 2, kept / 2] {
        start(&world, &workflows, "again").await;
        while !matches!(workflows.advance(&world.scope(), "again").await.unwrap(), Advance::Ended(_)) {}
        clock.advance(wait);
        runner.settle().await;
        // The first one's time is over in the second round; the second one's is not.
        assert_eq!(outcome(&world, &workflows, "again").await, Some(Outcome::Done));
    }
    clock.advance(kept);
    runner.settle().await;
    assert!(workflows.find(&world.scope(), "again").await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_stuck_is_resumed_when_its_reason_is_gone() {
    let (platform, _) = crate::platform();
    let world = Example::<UndoNotIdempotent>::new(platform.clone()).await;
    let (workflows, scope) = (Workflows::new(&platform, world.workflow()), world.scope());
    let mut tx = Tx::new();
    workflows.start(&mut tx, &scope, "stuck", world.state());
    platform.store.commit(tx).await.unwrap();
    for _ in 0..2 {
        workflows.advance(&scope, "stuck").await.unwrap();
    }
    let taken = std::mem::take(&mut *world.outside.lock().unwrap());
    workflows.cancel(&scope, "stuck", "test").await.unwrap();
    while workflows.advance(&scope, "stuck").await.unwrap() == Advance::Moved {}
    assert_eq!(workflows.advance(&scope, "stuck").await.unwrap(), Advance::Stuck);
    let Some(Progress::Active(found)) = workflows.find(&scope, "stuck").await.unwrap() else { panic!("it has ended") };
    assert_eq!(found.phase.place().error.as_deref(), Some("it is not there"));
    *world.outside.lock().unwrap() = taken;
    workflows.resume(&scope, "stuck").await.unwrap();
    while workflows.advance(&scope, "stuck").await.unwrap() == Advance::Moved {}
    world.assert_nothing_left().await;
}
