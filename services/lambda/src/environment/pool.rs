//! The environments of each version: which are free, which will be in a moment, and who waits for one.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::lifecycle::Work;
use crate::configuration::Configuration;
use crate::executor::Callee;

/// How long a call waits for an environment whose last call is answered and whose runtime asks for the next event at any moment,
/// before one is made for it.
const SETTLING_PATIENCE: Duration = Duration::from_millis(20);

/// All pools. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Pools(Arc<Mutex<All>>);

#[derive(Debug, Default)]
struct All {
    pools: HashMap<Key, Pool>,
    /// Numbers environments, and the moments at which they became free.
    next: u64,
}

/// A version of a function.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    uid: String,
    version: String,
}

#[derive(Debug)]
struct Pool {
    /// What its environments are of. Those of something else are not given out any more.
    configuration: Configuration,
    /// Rises whenever that changes.
    generation: u64,
    members: HashMap<u64, Member>,
    /// The one that was free last is given out first, so that those that are not needed grow old.
    free: Vec<u64>,
    waiting: VecDeque<oneshot::Sender<u64>>,
}

#[derive(Debug)]
struct Member {
    generation: u64,
    state: State,
    /// Where its calls go. When this is dropped it ends.
    work: Option<mpsc::Sender<Work>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It begins, or has a call.
    Busy,
    /// Its call is answered.
    Settling,
    /// Since that moment.
    Free(u64),
}

/// What a call gets.
pub(super) enum Given {
    /// A free environment.
    Free(Free),
    /// The place of one that is to be made.
    New(Place),
}

/// A free environment, which nobody else has. Dropped, it is free again.
pub(super) struct Free {
    pools: Pools,
    key: Key,
    number: u64,
    work: Option<mpsc::Sender<Work>>,
}

/// The place of an environment in its pool; dropped when it has ended.
#[derive(Debug)]
pub(super) struct Place {
    pools: Pools,
    key: Key,
    number: u64,
}

impl Pools {
    /// How many environments there are.
    pub(super) fn count(&self) -> usize {
        self.all().pools.values().map(|pool| pool.members.len()).sum()
    }

    /// A free environment for a call, or the place of one that is to be made.
    pub(super) async fn take(&self, callee: &Callee) -> Given {
        let key = Key::of(callee);
        let waits = {
            let mut all = self.all();
            let pool = all.pool(&key, &callee.configuration);
            if let Some(number) = pool.free.pop() {
                return Given::Free(self.taken(&key, number, pool));
            }
            let settling = pool.members.values().filter(|member| member.state == State::Settling).count();
            (settling > pool.waiting.len()).then(|| pool.wait())
        };
        if let Some(waits) = waits
            && let Some(free) = self.wait(&key, waits, Instant::now() + SETTLING_PATIENCE).await
        {
            return Given::Free(free);
        }
        Given::New(self.begins(&key, &callee.configuration))
    }

    /// Waits for an environment that somebody else is done with.
    pub(super) async fn wait_for_free(&self, callee: &Callee, until: Instant) -> Option<Free> {
        let key = Key::of(callee);
        let waits = self.all().pool(&key, &callee.configuration).wait();
        self.wait(&key, waits, until).await
    }

    /// Has the environment end that has been free for longest; tells whether there was one.
    pub(super) fn shed(&self) -> bool {
        let mut all = self.all();
        let since = |pool: &Pool, number: &u64| match pool.members[number].state {
            State::Free(since) => since,
            State::Busy | State::Settling => u64::MAX,
        };
        let oldest = all.pools.iter().flat_map(|(key, pool)| pool.free.iter().map(move |number| (key, pool, *number)));
        let oldest = oldest.min_by_key(|(_, pool, number)| since(pool, number));
        let Some((key, number)) = oldest.map(|(key, _, number)| (key.clone(), number)) else { return false };
        if let Some(pool) = all.pools.get_mut(&key) {
            pool.dismiss(number);
        }
        true
    }

    async fn wait(&self, key: &Key, waits: oneshot::Receiver<u64>, until: Instant) -> Option<Free> {
        let number = timeout_at(until, waits).await.ok()?.ok()?;
        let mut all = self.all();
        let pool = all.pools.get_mut(key)?;
        pool.members.contains_key(&number).then(|| self.taken(key, number, pool))
    }

    fn taken(&self, key: &Key, number: u64, pool: &mut Pool) -> Free {
        let work = pool.members.get_mut(&number).and_then(|member| {
            member.state = State::Busy;
            member.work.clone()
        });
        Free { pools: self.clone(), key: key.clone(), number, work }
    }

    fn begins(&self, key: &Key, configuration: &Configuration) -> Place {
        let mut all = self.all();
        let number = all.number();
        let pool = all.pool(key, configuration);
        let member = Member { generation: pool.generation, state: State::Busy, work: None };
        pool.members.insert(number, member);
        Place { pools: self.clone(), key: key.clone(), number }
    }

    /// An environment is free: whoever waits for one gets it. One that is of something else by now ends.
    fn frees(&self, key: &Key, number: u64) {
        let mut all = self.all();
        let since = all.number();
        let Some(pool) = all.pools.get_mut(key) else { return };
        let generation = pool.generation;
        let Some(member) = pool.members.get_mut(&number) else { return };
        if member.generation != generation {
            pool.dismiss(number);
            return;
        }
        member.state = State::Busy;
        while let Some(waits) = pool.waiting.pop_front() {
            // Who does not wait any more has gone on without.
            if waits.send(number).is_ok() {
                return;
            }
        }
        member.state = State::Free(since);
        pool.free.push(number);
    }

    fn all(&self) -> MutexGuard<'_, All> {
        // Each change is whole before anything in it can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The pool of a version. If that is something else now, whoever is free there ends.
    fn pool(&mut self, key: &Key, configuration: &Configuration) -> &mut Pool {
        let pool = self.pools.entry(key.clone()).or_insert_with(|| Pool {
            configuration: configuration.clone(),
            generation: 0,
            members: HashMap::new(),
            free: Vec::new(),
            waiting: VecDeque::new(),
        });
        if pool.configuration != *configuration {
            pool.configuration = configuration.clone();
            pool.generation += 1;
            for number in std::mem::take(&mut pool.free) {
                pool.dismiss(number);
            }
        }
        pool
    }
}

impl Pool {
    fn wait(&mut self) -> oneshot::Receiver<u64> {
        let (waits, given) = oneshot::channel();
        self.waiting.retain(|other| !other.is_closed());
        self.waiting.push_back(waits);
        given
    }

    /// Gives it no more calls: it ends, and its place goes then.
    fn dismiss(&mut self, number: u64) {
        self.free.retain(|free| *free != number);
        if let Some(member) = self.members.get_mut(&number) {
            (member.state, member.work) = (State::Busy, None);
        }
    }
}

impl Key {
    fn of(callee: &Callee) -> Self {
        Self { uid: callee.uid.clone(), version: callee.version.clone() }
    }
}

impl Free {
    /// Hands a call to it.
    ///
    /// # Errors
    /// The call, if the environment has just ended: nothing has seen it.
    pub(super) fn give(mut self, work: Work) -> Result<(), Box<Work>> {
        match self.work.take() {
            Some(sender) => sender.try_send(work).map_err(|error| Box::new(error.into_inner())),
            None => Err(Box::new(work)),
        }
    }
}

impl Drop for Free {
    fn drop(&mut self) {
        // Whoever took it has given it nothing.
        if self.work.take().is_some() {
            self.pools.frees(&self.key, self.number);
        }
    }
}

impl Place {
    /// Calls go to this from now on.
    pub(super) fn settles(&self, work: mpsc::Sender<Work>) {
        let mut all = self.pools.all();
        if let Some(member) = all.pools.get_mut(&self.key).and_then(|pool| pool.members.get_mut(&self.number)) {
            member.work = Some(work);
        }
    }

    /// Its call is answered: it will be free at any moment.
    pub(super) fn answers(&self) {
        let mut all = self.pools.all();
        if let Some(member) = all.pools.get_mut(&self.key).and_then(|pool| pool.members.get_mut(&self.number)) {
            member.state = State::Settling;
        }
    }

    /// It has nothing to do.
    pub(super) fn frees(&self) {
        self.pools.frees(&self.key, self.number);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.pools.all();
        let Some(pool) = all.pools.get_mut(&self.key) else { return };
        pool.members.remove(&self.number);
        pool.free.retain(|free| *free != self.number);
        pool.waiting.retain(|waits| !waits.is_closed());
        if pool.members.is_empty() && pool.waiting.is_empty() {
            all.pools.remove(&self.key);
        }
    }
}
