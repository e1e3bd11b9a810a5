//! Finding the running Pilvi that a command is about.

use std::io;
use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};

use crate::data_dir::{DataDir, Holder, Lock};
use crate::owner::{Caller, Passwd, SYSTEM_DATA_DIR};
use crate::records::{self, ServerRecord, UpRecord};
use crate::settings::Place;

/// A running Pilvi.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) dir: DataDir,
    /// The supervisor, by its lock.
    pub(crate) holder: Holder,
    /// What the supervisor wrote; it may not have come to it yet.
    pub(crate) up: Option<UpRecord>,
    /// What the server wrote; there is none while it starts.
    pub(crate) server: Option<ServerRecord>,
}

/// What was found.
#[derive(Debug)]
pub(crate) enum Found {
    /// It runs.
    Running(Box<Running>),
    /// Nothing runs on any of these.
    Nothing(Vec<PathBuf>),
}

/// Looks for a running Pilvi: on the data directory that is named, or on the places where one is by default.
///
/// # Errors
/// When the configuration is wrong or the place may not be read by the caller.
pub(crate) fn locate(place: &Place) -> Result<Found> {
    let candidates = match place.named_data_dir()? {
        Some(named) => vec![named],
        None => default_places()?,
    };
    let mut closed = None;
    for path in &candidates {
        let dir = DataDir::at(path);
        match Lock::holder(&dir.lock()) {
            Ok(None) => {}
            Ok(Some(holder)) => return described(dir, holder).map(|running| Found::Running(Box::new(running))),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => closed = Some(path.clone()),
            Err(error) => bail!("cannot read {}: {error}", path.display()),
        }
    }
    match closed {
        Some(path) => Err(closed_to_caller(&path)),
        None => Ok(Found::Nothing(candidates)),
    }
}

/// The running Pilvi that a command needs.
///
/// # Errors
/// As [`locate`], and when nothing runs.
pub(crate) fn running(place: &Place) -> Result<Running> {
    match locate(place)? {
        Found::Running(running) => Ok(*running),
        Found::Nothing(places) => bail!("{}", nothing_runs(&places)),
    }
}

/// The caller's own place first; then the system's, where `sudo pilvi up` of another day may have left it.
fn default_places() -> Result<Vec<PathBuf>> {
    let own = Caller::detect()?.default_data_dir(&Passwd::read())?;
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let mut places = vec![own];
    for further in [home.map(|home| home.join(".local/share/pilvi")), Some(PathBuf::from(SYSTEM_DATA_DIR))] {
        places.extend(further.filter(|path| !places.contains(path)));
    }
    Ok(places)
}

fn described(dir: DataDir, holder: Holder) -> Result<Running> {
    let up = records::read(&dir.up_record())?;
    let server = records::read(&dir.server_record())?;
    Ok(Running { dir, holder, up, server })
}

fn closed_to_caller(path: &std::path::Path) -> anyhow::Error {
    anyhow!(
        "{} is closed to you: if Pilvi runs there, its owner and root can tell (run this with sudo)",
        path.display()
    )
}

/// The sentence for a person when nothing runs.
pub(crate) fn nothing_runs(places: &[PathBuf]) -> String {
    let places: Vec<String> = places.iter().map(|path| path.display().to_string()).collect();
    format!("Pilvi is not running (looked at {}); start it with `pilvi up`", places.join(", "))
}
