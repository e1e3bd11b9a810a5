//! Work that goes on beside a reconciler's rounds, one task a subject.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{Cause, Wake};
use crate::guarded::caught;

/// A bounded number of tasks, never two for one subject. A round starts them and does not wait; each that ends wakes the
/// next round. They are stopped, wherever they are, when the crew is dropped.
pub(crate) struct Crew {
    shared: Arc<Shared>,
    tasks: Mutex<JoinSet<()>>,
    places: usize,
}

struct Shared {
    state: Mutex<State>,
    ended: Arc<Notify>,
}

#[derive(Default)]
struct State {
    /// The subjects at work, and whether each must look again before it ends.
    busy: BTreeMap<String, bool>,
    failure: Option<Cause>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // What holds the lock only inserts, removes and replaces whole values.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the task goes on, because somebody wanted it to look again while it worked.
    fn goes_on(&self, subject: &str, result: Result<(), Cause>) -> bool {
        let mut state = self.lock();
        match result {
            Ok(()) => {
                if let Some(again) = state.busy.get_mut(subject)
                    && std::mem::take(again)
                {
                    return true;
                }
            }
            Err(cause) => state.failure = state.failure.take().or(Some(cause)),
        }
        state.busy.remove(subject);
        false
    }
}

impl Crew {
    pub(crate) fn new(places: usize) -> Self {
        let shared = Shared { state: Mutex::default(), ended: Arc::new(Notify::new()) };
        Self { shared: Arc::new(shared), tasks: Mutex::default(), places }
    }

    /// Goes off when a task has ended.
    pub(crate) fn wake(&self) -> Wake {
        Wake::Signal(self.shared.ended.clone())
    }

    /// How many more can be started.
    pub(crate) fn places_left(&self) -> usize {
        self.places.saturating_sub(self.shared.lock().busy.len())
    }

    /// The failure of a task, if one failed since the last call: the round fails with it, and its backoff keeps the task
    /// from being started over and over.
    pub(crate) fn check(&self) -> Result<(), Cause> {
        self.shared.lock().failure.take().map_or(Ok(()), Err)
    }

    /// Starts the work on a subject; if it is going on already, has it look again before it ends. Answers whether it was
    /// started.
    pub(crate) fn start<F>(&self, subject: &str, mut work: impl FnMut() -> F + Send + 'static) -> bool
    where
        F: Future<Output = Result<(), Cause>> + Send + 'static,
    {
        {
            let mut state = self.shared.lock();
            if let Some(again) = state.busy.get_mut(subject) {
                *again = true;
                return false;
            }
            state.busy.insert(subject.to_owned(), false);
        }
        let (shared, subject) = (self.shared.clone(), subject.to_owned());
        let task = async move {
            loop {
                let result = caught(work()).await.map_err(Cause::from).flatten();
                if !shared.goes_on(&subject, result) {
                    break;
                }
            }
            shared.ended.notify_one();
        };
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counts how often it was begun, and ends when it is let go.
    #[derive(Default, Clone)]
    struct Work {
        begun: Arc<AtomicUsize>,
        go: Arc<Notify>,
    }

    impl Work {
        fn start(&self, crew: &Crew, subject: &str) -> bool {
            let work = self.clone();
            crew.start(subject, move || {
                let work = work.clone();
                async move {
                    work.begun.fetch_add(1, Ordering::SeqCst);
                    work.go.notified().await;
                    Ok(())
                }
            })
        }

        async fn begun(&self, times: usize) {
            while self.begun.load(Ordering::SeqCst) < times {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn ended(crew: &Crew) {
        crew.shared.ended.notified().await;
    }

    #[tokio::test]
    async fn a_subject_that_is_wanted_while_it_is_at_work_is_looked_at_once_more() {
        let (crew, work) = (Crew::new(2), Work::default());
        assert!(work.start(&crew, "a"));
        work.begun(1).await;
        assert!(!work.start(&crew, "a") && !work.start(&crew, "a"));
        assert_eq!(crew.places_left(), 1);
        work.go.notify_one();
        work.begun(2).await;
        work.go.notify_one();
        ended(&crew).await;
        assert_eq!((work.begun.load(Ordering::SeqCst), crew.places_left()), (2, 2));
    }

    #[tokio::test]
    async fn a_task_that_fails_or_panics_gives_its_place_back_and_is_told_once() {
        let crew = Crew::new(1);
        for panics in [false, true] {
            assert!(crew.start("a", move || async move {
                if panics { std::panic::resume_unwind(Box::new("it breaks")) } else { Err("it fails".into()) }
            }));
            ended(&crew).await;
            let told = if panics { "it panicked: it breaks" } else { "it fails" };
            assert_eq!(crew.check().unwrap_err().to_string(), told);
            assert!(crew.check().is_ok());
            assert_eq!(crew.places_left(), 1);
        }
    }

    #[tokio::test]
    async fn tasks_end_with_their_crew() {
        let (crew, work) = (Crew::new(1), Work::default());
        work.start(&crew, "a");
        work.begun(1).await;
        drop(crew);
        while Arc::strong_count(&work.begun) > 1 {
            tokio::task::yield_now().await;
        }
    }
}
