//! The runtimes that functions may have, on the server's side: images, made of this machine's own interpreters or named by
//! somebody.
//!
//! A runtime of this machine is made when the first function wants it, and made again when the files have changed that it was
//! made of. What was added by `pilvi runtime add` comes before what this machine has by itself; what was removed is not made
//! again.

mod commands;
mod elf;
mod host;
mod image;
mod libraries;
mod name;
mod named;
mod record;
mod tree;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base::{Clock, Timestamp};
use blobs::Blobs;
use images::{Descriptor, Reference};
use node::supply::{BoxFuture, chain};
use serde::{Deserialize, Serialize};
use store::{Store, StoreError};
use tracing::{info, warn};

pub(crate) use commands::RuntimeCommands;
pub(crate) use name::is_known;

use host::{HostError, Plan};
use image::MakeError;
use name::{Family, family};
use named::NamedError;
use record::{Offered, Origin, Runtime, Standing};

/// The runtimes that are always there, by this machine's C library or without one.
const ALWAYS: [&str; 2] = ["provided.al2", "provided.al2023"];

/// What the images of runtimes are called by those who need one.
pub(crate) trait RuntimeImages: Send + Sync {
    /// The image of a runtime; nothing if there is none.
    ///
    /// # Errors
    /// What went wrong, for whoever asked.
    fn find<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Descriptor>, String>>;
}

/// The runtimes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Runtimes(Arc<Inner>);

struct Inner {
    store: Store,
    blobs: Blobs,
    clock: Arc<dyn Clock>,
    /// One is made at a time: what two want at once is made once.
    making: tokio::sync::Mutex<()>,
    /// Those that were compared with this machine's files since the server started.
    compared: Mutex<HashSet<String>>,
}

/// What a runtime is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Source {
    /// What this machine has of it.
    Machine,
    /// An interpreter of this machine.
    Host(PathBuf),
    /// An image that is here.
    Image(Reference),
}

/// A runtime as it is told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedRuntime {
    /// Its name.
    pub(crate) name: String,
    /// How it stands.
    pub(crate) state: RuntimeState,
    /// The interpreter that it was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) program: Option<PathBuf>,
    /// The image that was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<Reference>,
    /// The bytes of its layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) layer_bytes: Option<u64>,
    /// Since when it stands so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Timestamp>,
}

/// How a runtime stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum RuntimeState {
    /// Its image is here.
    Ready,
    /// Its image is made when the first function wants it.
    Found,
    /// It was removed.
    Removed,
}

/// Why a runtime is not supplied.
#[derive(Debug, thiserror::Error)]
enum RuntimeError {
    /// Lambda has never had one of this name.
    #[error("Lambda has no runtime {0}")]
    Unknown(String),
    /// This machine has nothing that it could be made of.
    #[error("this machine has no interpreter of {0}: name one (--host PATH), or an image (--image REF)")]
    NotHere(String),
    /// It cannot be made of this machine's files.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Its image cannot be made.
    #[error(transparent)]
    Make(#[from] MakeError),
    /// The image that was named cannot be used.
    #[error(transparent)]
    Named(#[from] NamedError),
    /// The state cannot be read or written.
    #[error("the state failed: {0}")]
    Store(#[from] StoreError),
    /// A fault of this program.
    #[error("making it broke off")]
    BrokenOff,
}

impl Runtimes {
    /// The runtimes that are written down in `store` and have their bytes in `blobs`.
    pub(crate) fn new(store: Store, blobs: Blobs, clock: Arc<dyn Clock>) -> Self {
        let (making, compared) = (tokio::sync::Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { store, blobs, clock, making, compared }))
    }

    /// The image of a runtime, made now if this machine has what it takes. Nothing if it is not offered.
    async fn get(&self, name: &str) -> Result<Option<Descriptor>, RuntimeError> {
        let Some(family) = family(name) else { return Ok(None) };
        if let Some(known) = self.known(name).await? {
            return Ok(known);
        }
        let _making = self.0.making.lock().await;
        // Somebody else may have made it meanwhile.
        if let Some(known) = self.known(name).await? {
            return Ok(known);
        }
        let before = match record::find(&self.0.store, name).await?.map(|record| record.value.standing) {
            Some(Standing::Offered(offered)) => Some(*offered),
            _ => None,
        };
        let compared = self.compare(name, family, before.as_ref()).await;
        let root = match (compared, before) {
            (Ok(root), _) => root,
            // It is as good as it was: what it was made of may have been removed.
            (Err(error), Some(before)) => {
                warn!(runtime = name, error = chain(&error), "a runtime cannot be compared with this machine's files");
                Some(before.root)
            }
            (Err(error), None) => return Err(error),
        };
        if root.is_some() {
            self.compared().insert(name.to_owned());
        }
        Ok(root)
    }

    /// What is known of a runtime without looking at this machine's files; nothing if these are to be looked at.
    async fn known(&self, name: &str) -> Result<Option<Option<Descriptor>>, StoreError> {
        let Some(record) = record::find(&self.0.store, name).await? else { return Ok(None) };
        Ok(match record.value.standing {
            Standing::Removed => Some(None),
            Standing::Offered(offered) => {
                let is_known = matches!(offered.origin, Origin::Image { .. }) || self.compared().contains(name);
                is_known.then_some(Some(offered.root))
            }
        })
    }

    /// Makes the image of a runtime unless it was made of the same files before.
    async fn compare(
        &self,
        name: &str,
        family: Family<'_>,
        before: Option<&Offered>,
    ) -> Result<Option<Descriptor>, RuntimeError> {
        let (program, made_of) = match before.map(|before| &before.origin) {
            Some(Origin::Machine { program, fingerprint }) => (program.clone(), Some(fingerprint.clone())),
            _ => (None, None),
        };
        let program = match (program, family) {
            (None, Family::Python(_) | Family::Nodejs(_) | Family::Other) => {
                let name = name.to_owned();
                let found = blocking(move || Ok(name::family(&name).and_then(host::find))).await?;
                let Some(found) = found else { return Ok(None) };
                Some(found)
            }
            (program, _) => program,
        };
        let plan = planned(name, program).await?;
        if let (Some(before), Some(made_of)) = (before, made_of)
            && fingerprint(&plan) == made_of
        {
            return Ok(Some(before.root.clone()));
        }
        self.make(name, plan).await.map(|offered| Some(offered.root))
    }

    /// Makes an image and writes it down.
    async fn make(&self, name: &str, plan: Plan) -> Result<Offered, RuntimeError> {
        let origin = Origin::Machine { program: plan.program.clone(), fingerprint: fingerprint(&plan) };
        let blobs = self.0.blobs.clone();
        let made = blocking(move || Ok(image::make(&blobs, &plan.layers, &plan.env)?)).await?;
        let offered = self.keep(name, origin, made).await?;
        info!(runtime = name, image = %offered.root.digest, bytes = offered.layer_bytes, "a runtime was made");
        Ok(offered)
    }

    async fn keep(&self, name: &str, origin: Origin, made: image::Made) -> Result<Offered, RuntimeError> {
        let offered = Offered { origin, root: made.root, layer_bytes: made.layer_bytes, files: made.files };
        self.write(name, Standing::Offered(Box::new(offered.clone()))).await?;
        Ok(offered)
    }

    async fn write(&self, name: &str, standing: Standing) -> Result<(), RuntimeError> {
        let runtime = Runtime { name: name.to_owned(), standing, since: self.0.clock.now() };
        Ok(record::keep(&self.0.store, &runtime).await?)
    }

    /// Supplies a runtime, in place of what had its name.
    async fn add(&self, name: &str, source: Source, root: Option<Descriptor>) -> Result<ListedRuntime, RuntimeError> {
        let family = family(name).ok_or_else(|| RuntimeError::Unknown(name.to_owned()))?;
        let _making = self.0.making.lock().await;
        match (source, root) {
            (Source::Image(reference), Some(root)) => {
                let (blobs, owned) = (self.0.blobs.clone(), name.to_owned());
                let made = blocking(move || Ok(named::make(&blobs, &owned, &root)?)).await?;
                self.keep(name, Origin::Image { reference }, made).await?;
            }
            (Source::Image(reference), None) => return Err(NamedError::NotHere(reference.to_string()).into()),
            (Source::Host(program), _) => {
                let plan = planned(name, Some(program)).await?;
                self.make(name, plan).await?;
                self.compared().insert(name.to_owned());
            }
            (Source::Machine, _) => {
                let found = self.compare(name, family, None).await?;
                found.ok_or_else(|| RuntimeError::NotHere(name.to_owned()))?;
                self.compared().insert(name.to_owned());
            }
        }
        let record = record::find(&self.0.store, name).await?;
        Ok(record.map_or_else(|| found(name), |record| listed(record.value)))
    }

    /// Takes a runtime away. Answers whether it was there. What runs with it goes on.
    async fn remove(&self, name: &str) -> Result<bool, RuntimeError> {
        let family = family(name).ok_or_else(|| RuntimeError::Unknown(name.to_owned()))?;
        let _making = self.0.making.lock().await;
        let was_there = match record::find(&self.0.store, name).await? {
            Some(record) => matches!(record.value.standing, Standing::Offered(_)),
            None if family == Family::Provided => true,
            None => {
                let name = name.to_owned();
                blocking(move || Ok(name::family(&name).and_then(host::find).is_some())).await?
            }
        };
        if was_there {
            self.write(name, Standing::Removed).await?;
        }
        Ok(was_there)
    }

    /// All that there are, and those that were removed, in the order of their names.
    async fn list(&self) -> Result<Vec<ListedRuntime>, RuntimeError> {
        let here = blocking(|| Ok(host::names())).await?;
        let known = |name: &String| is_known(name);
        let here = here.into_iter().filter(known).chain(ALWAYS.map(str::to_owned));
        let mut all: BTreeMap<String, ListedRuntime> = here.map(|name| (name.clone(), found(&name))).collect();
        all.extend(record::all(&self.0.store).await?.into_iter().map(|one| (one.name.clone(), listed(one))));
        Ok(all.into_values().collect())
    }

    fn compared(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        // Whole names go in.
        self.0.compared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RuntimeImages for Runtimes {
    fn find<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Descriptor>, String>> {
        Box::pin(async move { self.get(name).await.map_err(|error| format!("the runtime {name}: {}", chain(&error))) })
    }
}

fn listed(runtime: Runtime) -> ListedRuntime {
    let Runtime { name, standing, since } = runtime;
    let since = Some(since);
    match standing {
        Standing::Removed => ListedRuntime { since, state: RuntimeState::Removed, ..found(&name) },
        Standing::Offered(offered) => {
            let Offered { origin, layer_bytes, .. } = *offered;
            let (program, image) = match origin {
                Origin::Machine { program, .. } => (program, None),
                Origin::Image { reference } => (None, Some(reference)),
            };
            ListedRuntime { name, state: RuntimeState::Ready, program, image, layer_bytes: Some(layer_bytes), since }
        }
    }
}

/// One that this machine has by itself.
fn found(name: &str) -> ListedRuntime {
    ListedRuntime {
        name: name.to_owned(),
        state: RuntimeState::Found,
        program: None,
        image: None,
        layer_bytes: None,
        since: None,
    }
}

/// What an image is to have in it.
async fn planned(name: &str, program: Option<PathBuf>) -> Result<Plan, RuntimeError> {
    let name = name.to_owned();
    blocking(move || {
        let family = name::family(&name).ok_or(RuntimeError::Unknown(name.clone()))?;
        Ok(host::plan(family, program.as_deref().map(Path::new))?)
    })
    .await
}

/// What tells the files that an image is made of from others.
fn fingerprint(plan: &Plan) -> String {
    let layers: Vec<String> = plan.layers.iter().map(tree::Tree::fingerprint).collect();
    let variables: Vec<String> = plan.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    [layers, variables].concat().join(" ")
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RuntimeError> + Send + 'static,
) -> Result<T, RuntimeError> {
    // A panic in there has been printed.
    tokio::task::spawn_blocking(work).await.map_err(|_| RuntimeError::BrokenOff)?
}

#[cfg(test)]
mod tests;
