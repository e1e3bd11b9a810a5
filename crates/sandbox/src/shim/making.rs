//! What processes that make something tell of it.

use super::Shim;
use super::sandbox::Sandbox;
use crate::setup::{self, Making, Report};

/// Whether what was told may be followed by more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// There may be more.
    GoOn,
    /// The channel is closed.
    NothingMore,
}

/// What a key stands for.
#[derive(Debug, Clone)]
enum Made {
    Sandbox,
    Container(String),
    Exec(u64),
}

impl Shim {
    /// Takes all that was told over one channel.
    pub(super) fn making_ready(&mut self, key: u64) {
        while let Some((made, report)) = self.next_report(key) {
            let heard = match made {
                Made::Sandbox => self.sandbox_reported(report),
                Made::Container(name) => self.container_reported(&name, report),
                Made::Exec(exec) => self.exec_reported(exec, report),
            };
            if heard == Heard::NothingMore {
                return;
            }
        }
    }

    /// Takes all that was told over any channel.
    pub(super) fn hear_all(&mut self) {
        let mut keys: Vec<u64> =
            self.execs.iter().filter(|(_, exec)| exec.making().is_some()).map(|(key, _)| *key).collect();
        keys.extend(self.containers.values().filter(|one| one.making().is_some()).map(|one| one.key));
        if let Sandbox::Making { key, .. } = &self.sandbox {
            keys.push(*key);
        }
        for key in keys {
            self.making_ready(key);
        }
    }

    fn next_report(&self, key: u64) -> Option<(Made, Report)> {
        let (made, making) = self.what_is_made(key)?;
        match setup::receive(making) {
            Ok(Some(report)) => Some((made, report)),
            Ok(None) => None,
            Err(failure) => Some((made, Report::Failed(failure))),
        }
    }

    fn what_is_made(&self, key: u64) -> Option<(Made, &Making)> {
        if let Some(exec) = self.execs.get(&key) {
            return Some((Made::Exec(key), exec.making()?));
        }
        if let Some((name, container)) = self.containers.iter().find(|(_, container)| container.key == key) {
            return Some((Made::Container(name.clone()), container.making()?));
        }
        match &self.sandbox {
            Sandbox::Making { key: own, making, .. } if *own == key => Some((Made::Sandbox, making)),
            _ => None,
        }
    }
}
