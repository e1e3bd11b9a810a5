//! A node that runs nothing and says that it does: what placement, the loops of nodes and services are tested with.
//!
//! It keeps the promises of a real one: an assignment that it took survives its death, a higher generation replaces a lower,
//! what it tells of a workload has rising numbers, and whoever follows it hears of everything first.

mod follow;
mod play;
mod print;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::Clock;
use platform::BoxFuture;
use platform::workloads::{
    Assignment, Description, DriverError, Following, ImageOrder, NodeDriver, OutputOf, Printed, Printing, Report,
};
use tokio::sync::{Notify, mpsc};
use workload::{Desired, Observed, Phase, WorkloadId};

use follow::Follower;
use print::Reader;

/// A node that only says what it does. Cheap to clone; all clones are the same node.
#[derive(Clone)]
pub struct FakeNode {
    inner: Arc<Mutex<Inner>>,
    clock: Arc<dyn Clock>,
    /// Goes off when an image may be had that was held back.
    released: Arc<Notify>,
    /// Goes off when something was printed, or a workload stopped.
    printed: Arc<Notify>,
}

struct Inner {
    description: Description,
    is_up: bool,
    manner: Manner,
    workloads: BTreeMap<WorkloadId, Fake>,
    /// What comes of images, the next first; what is not here is had at once.
    images: BTreeMap<String, VecDeque<ImageFate>>,
    followers: Vec<mpsc::UnboundedSender<Report>>,
    starts: BTreeMap<WorkloadId, u32>,
    prepared: Vec<String>,
    output: BTreeMap<(WorkloadId, String), Output>,
    refuses: Option<DriverError>,
}

/// A workload on the node.
struct Fake {
    assignment: Assignment,
    observed: Observed,
}

/// What a container printed.
#[derive(Default)]
struct Output {
    pieces: Vec<Printed>,
    /// How much of it is not there any more.
    overwritten: u64,
}

/// What the node does with what it is assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It runs at once, and stops when it is told to.
    Prompt,
    /// It is being prepared until [`FakeNode::run`].
    Slow,
}

/// What comes of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageFate {
    /// It cannot be had.
    Fails(DriverError),
    /// It is on its way until [`FakeNode::release_images`].
    Held,
}

impl FakeNode {
    /// A node with so many processors and so many MiB of memory and disk, that is there.
    pub fn new(clock: Arc<dyn Clock>, cpus: u64, mib: u64) -> Self {
        let description = Description {
            cpu_millis: cpus * 1000,
            memory_bytes: mib << 20,
            disk_bytes: mib << 20,
            attributes: BTreeMap::new(),
            boot_id: "boot-1".to_owned(),
        };
        let inner = Inner {
            description,
            is_up: true,
            manner: Manner::Prompt,
            workloads: BTreeMap::new(),
            images: BTreeMap::new(),
            followers: Vec::new(),
            starts: BTreeMap::new(),
            prepared: Vec::new(),
            output: BTreeMap::new(),
            refuses: None,
        };
        Self { inner: Arc::new(Mutex::new(inner)), clock, released: Arc::default(), printed: Arc::default() }
    }

    /// What it does with what it is assigned from now on.
    pub fn behave(&self, manner: Manner) {
        self.lock().manner = manner;
    }

    /// What it says of itself from now on.
    pub fn describe_as(&self, change: impl FnOnce(&mut Description)) {
        change(&mut self.lock().description);
    }

    /// What comes of an image the next time that it is asked for.
    pub fn image(&self, name: &str, fate: ImageFate) {
        self.lock().images.entry(name.to_owned()).or_default().push_back(fate);
    }

    /// Lets images go that were held back.
    pub fn release_images(&self) {
        self.lock().images.values_mut().for_each(|fates| fates.retain(|fate| *fate != ImageFate::Held));
        self.released.notify_waiters();
    }

    /// What it answers to assignments from now on, instead of taking them.
    pub fn refuse(&self, with: Option<DriverError>) {
        self.lock().refuses = with;
    }

    /// Its process is killed. What it runs goes on.
    pub fn crash(&self) {
        let mut inner = self.lock();
        inner.is_up = false;
        inner.followers.clear();
        self.printed.notify_waiters();
    }

    /// Its process is there again.
    pub fn start(&self) {
        self.lock().is_up = true;
    }

    /// The links with it break; it is there all the while.
    pub fn hang_up(&self) {
        self.lock().followers.clear();
    }

    /// Its directory is lost, and with it all that it ran.
    pub fn wipe(&self) {
        let mut inner = self.lock();
        inner.workloads.clear();
        inner.followers.clear();
    }

    /// Its machine is started anew: nothing that it ran runs any more.
    pub fn reboot(&self) {
        let mut inner = self.lock();
        inner.description.boot_id.push('\'');
        inner.followers.clear();
        let ids: Vec<WorkloadId> = inner.workloads.keys().cloned().collect();
        ids.iter().for_each(|id| self.lose(&mut inner, id));
    }

    /// A workload that is being prepared runs.
    pub fn run(&self, id: &WorkloadId) {
        self.play_running(&mut self.lock(), id);
    }

    /// The first container of a workload ends by itself, and the workload with it.
    pub fn exit(&self, id: &WorkloadId, code: i32) {
        self.play_exit(&mut self.lock(), id, code);
    }

    /// A container prints something: 1 is its output, 2 its errors.
    pub fn print(&self, id: &WorkloadId, container: &str, stream: u8, text: &str) {
        let at = self.clock.now();
        let mut inner = self.lock();
        let output = inner.output.entry((id.clone(), container.to_owned())).or_default();
        let next = output.pieces.last().map_or(0, |last| last.next) + text.len() as u64;
        output.pieces.push(Printed { stream, data: text.as_bytes().to_vec(), at, next, lost_bytes: 0 });
        self.printed.notify_waiters();
    }

    /// Everything that a container has printed is overwritten.
    pub fn overwrite(&self, id: &WorkloadId, container: &str) {
        let mut inner = self.lock();
        let output = inner.output.entry((id.clone(), container.to_owned())).or_default();
        output.overwritten = output.pieces.last().map_or(0, |last| last.next);
    }

    /// Tells something of a workload as it is, whatever that is.
    pub fn tell(&self, id: &WorkloadId, generation: u64, observed: Observed) {
        let report = Report::Observed { id: id.clone(), generation, observed: Box::new(observed) };
        self.lock().followers.retain(|follower| follower.send(report.clone()).is_ok());
    }

    /// The workloads that it has.
    pub fn has(&self) -> Vec<WorkloadId> {
        self.lock().workloads.keys().cloned().collect()
    }

    /// The workloads that run there.
    pub fn running(&self) -> Vec<WorkloadId> {
        let is_running = |(_, fake): &(&WorkloadId, &Fake)| fake.observed.phase == Phase::Running;
        self.lock().workloads.iter().filter(is_running).map(|(id, _)| id.clone()).collect()
    }

    /// What a workload was assigned as, if it has it.
    pub fn assignment(&self, id: &WorkloadId) -> Option<Assignment> {
        self.lock().workloads.get(id).map(|fake| fake.assignment.clone())
    }

    /// What it last told of a workload.
    pub fn observed(&self, id: &WorkloadId) -> Option<Observed> {
        self.lock().workloads.get(id).map(|fake| fake.observed.clone())
    }

    /// How often it began with a workload.
    pub fn starts(&self, id: &WorkloadId) -> u32 {
        self.lock().starts.get(id).copied().unwrap_or_default()
    }

    /// The images that it was asked for, in this order.
    pub fn images_asked_for(&self) -> Vec<String> {
        self.lock().prepared.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self) -> Result<(), DriverError> {
        if self.lock().is_up { Ok(()) } else { Err(DriverError::Unavailable("the node is not there".to_owned())) }
    }
}

impl NodeDriver for FakeNode {
    fn describe(&self) -> BoxFuture<'_, Result<Description, DriverError>> {
        Box::pin(async {
            self.check()?;
            Ok(self.lock().description.clone())
        })
    }

    fn prepare<'a>(
        &'a self,
        order: ImageOrder<'a>,
        tell: &'a (dyn Fn(String) + Send + Sync),
    ) -> BoxFuture<'a, Result<String, DriverError>> {
        Box::pin(async move {
            self.check()?;
            self.lock().prepared.push(order.image.to_owned());
            loop {
                let released = self.released.notified();
                let fate = self.lock().images.get_mut(order.image).and_then(VecDeque::pop_front);
                match fate {
                    None => return Ok(format!("sha256:{}", order.image)),
                    Some(ImageFate::Fails(error)) => return Err(error),
                    Some(ImageFate::Held) => {
                        tell(format!("{} is on its way", order.image));
                        released.await;
                    }
                }
            }
        })
    }

    fn assign(&self, assignment: Assignment) -> BoxFuture<'_, Result<(), DriverError>> {
        Box::pin(async move {
            self.check()?;
            let mut inner = self.lock();
            if let Some(error) = &inner.refuses {
                return Err(error.clone());
            }
            self.take(&mut inner, assignment);
            Ok(())
        })
    }

    fn retire<'a>(&'a self, id: &'a WorkloadId) -> BoxFuture<'a, Result<(), DriverError>> {
        Box::pin(async move {
            self.check()?;
            let mut inner = self.lock();
            match inner.workloads.get(id) {
                Some(fake) if !fake.observed.phase.is_final() => {
                    Err(DriverError::Unavailable("it has not stopped".to_owned()))
                }
                _ => {
                    inner.workloads.remove(id);
                    inner.output.retain(|(of, _), _| of != id);
                    Ok(())
                }
            }
        })
    }

    fn follow(&self) -> BoxFuture<'_, Result<Box<dyn Following>, DriverError>> {
        Box::pin(async {
            self.check()?;
            let mut inner = self.lock();
            let (sender, receiver) = mpsc::unbounded_channel();
            for (id, fake) in &inner.workloads {
                // The receiver is here.
                let _ = sender.send(report(id, fake));
            }
            let _ = sender.send(Report::Told);
            inner.followers.push(sender);
            Ok(Box::new(Follower(receiver)) as Box<dyn Following>)
        })
    }

    fn output<'a>(&'a self, wanted: OutputOf<'a>) -> BoxFuture<'a, Result<Box<dyn Printing>, DriverError>> {
        Box::pin(async move {
            self.check()?;
            if !self.lock().workloads.contains_key(wanted.id) {
                return Err(DriverError::Refused("there is no such workload".to_owned()));
            }
            let source = (wanted.id.clone(), wanted.container.to_owned());
            Ok(Box::new(Reader::new(self.clone(), source, wanted.position, wanted.follow)) as Box<dyn Printing>)
        })
    }
}

impl FakeNode {
    /// Takes an assignment, as a node does: a lower generation than the one that it has changes nothing.
    fn take(&self, inner: &mut Inner, assignment: Assignment) {
        let id = assignment.id.clone();
        if let Some(fake) = inner.workloads.get_mut(&id) {
            if fake.assignment.generation < assignment.generation {
                fake.assignment.generation = assignment.generation;
                fake.assignment.desired = assignment.desired;
            }
        } else {
            let observed = play::pending(&assignment);
            inner.workloads.insert(id.clone(), Fake { assignment, observed });
        }
        self.go_on(inner, &id);
    }

    fn go_on(&self, inner: &mut Inner, id: &WorkloadId) {
        let Some(fake) = inner.workloads.get(id) else { return };
        match (&fake.assignment.desired, fake.observed.phase) {
            (_, Phase::Stopped) => {}
            (Desired::Running, Phase::Pending) => {
                *inner.starts.entry(id.clone()).or_default() += 1;
                self.play_preparing(inner, id);
                if inner.manner == Manner::Prompt {
                    self.play_running(inner, id);
                }
            }
            (Desired::Running, _) => {}
            (Desired::Stopped { timeout_s, .. }, _) => {
                let code = if *timeout_s == Some(0) { 137 } else { 143 };
                self.play_exit(inner, id, code);
            }
        }
    }
}

fn report(id: &WorkloadId, fake: &Fake) -> Report {
    let (generation, observed) = (fake.assignment.generation, Box::new(fake.observed.clone()));
    Report::Observed { id: id.clone(), generation, observed }
}

#[cfg(test)]
mod tests;
