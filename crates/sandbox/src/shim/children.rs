//! Children that end.

use super::Shim;
use super::sandbox::Sandbox;
use crate::sys::{self, ChildEnded};

/// What a child was.
#[derive(Debug)]
enum Child {
    Sandbox,
    Container(String),
    Exec(u64),
}

impl Shim {
    /// Reaps every child that has ended.
    pub(super) fn children_ended(&mut self) {
        let mut signals = [0; 512];
        // How many signals there were means nothing: many children can end with one.
        let _ = rustix::io::read(&self.children, &mut signals);
        while let Some(child) = sys::child_that_ended() {
            // Until it is reaped its number names it, and what it told before it ended can be heard.
            let known = self.which(child.pid).or_else(|| {
                self.hear_all();
                self.which(child.pid)
            });
            sys::reap(child.pid);
            if let Some(known) = known {
                self.child_ended(known, child);
            }
        }
    }

    fn which(&self, pid: i32) -> Option<Child> {
        if self.sandbox.process().is_some_and(|process| process.is(pid)) {
            return Some(Child::Sandbox);
        }
        let container = self.containers.iter().find(|(_, one)| one.process().is_some_and(|process| process.is(pid)));
        if let Some((name, _)) = container {
            return Some(Child::Container(name.clone()));
        }
        let exec = self.execs.iter().find(|(_, exec)| exec.process().is_some_and(|process| process.is(pid)));
        exec.map(|(key, _)| Child::Exec(*key))
    }

    fn child_ended(&mut self, known: Child, child: ChildEnded) {
        match known {
            Child::Sandbox => {
                self.sandbox = Sandbox::Ended;
                self.begin_to_end(None);
            }
            Child::Container(name) => self.container_ended(&name, child),
            Child::Exec(key) => self.exec_ended(key, child),
        }
    }
}
