//! Finding workloads.

use store::{ListOptions, RecordWatch, Revision, Scope, StoreError, Versioned};
use workload::{Spec, WorkloadId};

use super::{Specification, Workload, WorkloadError, Workloads};

/// The changes of the workloads of an account and region.
pub type WorkloadWatch = RecordWatch<Workload>;

/// Which workloads are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Those of one owner.
    pub owner: Option<String>,
    /// Those that have stopped, too.
    pub stopped: bool,
}

/// Workloads, the newest first.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The workloads.
    pub workloads: Vec<Versioned<Workload>>,
    /// What was read: a watch after this revision misses nothing.
    pub revision: Revision,
}

impl Workloads {
    /// A workload.
    ///
    /// # Errors
    /// The store's.
    pub async fn get(&self, scope: &Scope, id: &WorkloadId) -> Result<Option<Versioned<Workload>>, WorkloadError> {
        Ok(self.store().read(scope, &[id.as_str()]).await?)
    }

    /// What a workload is; nothing if it is gone.
    ///
    /// # Errors
    /// The store's.
    pub async fn spec(&self, scope: &Scope, id: &WorkloadId) -> Result<Option<Spec>, WorkloadError> {
        let found = self.store().read::<Specification>(scope, &[id.as_str()]).await?;
        Ok(found.map(|found| found.value.0))
    }

    /// The workload that is meant by an id, a name, or the beginning of an id, in this order.
    ///
    /// # Errors
    /// [`WorkloadError::NotFound`], [`WorkloadError::Ambiguous`], and the store's.
    pub async fn find(&self, scope: &Scope, given: &str) -> Result<Versioned<Workload>, WorkloadError> {
        if let Ok(id) = given.parse::<WorkloadId>()
            && let Some(found) = self.get(scope, &id).await?
        {
            return Ok(found);
        }
        if let Some(found) = self.named(scope, given).await? {
            return Ok(found);
        }
        let not_found = || WorkloadError::NotFound { given: given.chars().take(WorkloadId::LENGTH).collect() };
        if given.is_empty() || !given.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(not_found());
        }
        let before = before(given);
        let options = ListOptions { after: before.as_deref(), limit: 2, ..ListOptions::default() };
        let mut begun = self.store().list::<Workload>(scope, options).await?.items;
        begun.retain(|found| found.name().starts_with(given));
        match (begun.pop(), begun.pop()) {
            (Some(found), None) => Ok(found),
            (None, _) => Err(not_found()),
            (Some(_), Some(_)) => Err(WorkloadError::Ambiguous { given: given.to_owned() }),
        }
    }

    /// The workloads of an account and region.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, scope: &Scope, filter: &Filter) -> Result<Listed, WorkloadError> {
        let (mut workloads, mut after, mut revision) = (Vec::new(), None::<String>, None);
        loop {
            let options = ListOptions { after: after.as_deref(), ..ListOptions::default() };
            let page = self.store().list::<Workload>(scope, options).await?;
            // Later pages are newer: a watch after the first's revision tells of all that they miss.
            let revision = *revision.get_or_insert(page.revision);
            let wanted = |one: &Versioned<Workload>| {
                (filter.stopped || !one.is_stopped()) && filter.owner.as_ref().is_none_or(|owner| *owner == one.owner)
            };
            workloads.extend(page.items.into_iter().filter(wanted));
            after = page.next;
            if after.is_none() {
                workloads.sort_by_key(|one| std::cmp::Reverse(one.created_at));
                return Ok(Listed { workloads, revision });
            }
        }
    }

    /// The changes of the workloads of an account and region after a revision.
    pub fn watch(&self, scope: &Scope, after: Revision) -> WorkloadWatch {
        self.store().watch_records(scope, after)
    }

    /// Waits until a workload is as it is wanted, and answers it; nothing if it is removed before.
    ///
    /// # Errors
    /// The store's; [`StoreError::Closed`] when the server ends.
    pub async fn wait(
        &self,
        scope: &Scope,
        id: &WorkloadId,
        is_wanted: impl Fn(&Workload) -> bool,
    ) -> Result<Option<Versioned<Workload>>, WorkloadError> {
        let key = scope.key().join(["workload", "workload", id.as_str()]);
        let mut watch = self.store().watch(&key, self.store().revision());
        loop {
            match self.get(scope, id).await? {
                Some(found) if !is_wanted(&found) => {}
                found => return Ok(found),
            }
            match watch.next().await {
                Ok(_) => {}
                Err(StoreError::Compacted { .. }) => watch = self.store().watch(&key, self.store().revision()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What is listed after so that the first that is listed may begin with the given digits: the digits before them; nothing
/// for the very first.
fn before(given: &str) -> Option<String> {
    // The ids are all as long as each other, so none is the beginning of another: that which comes right before the first
    // that begins with `given` is not longer than it, and greater than every id before.
    let mut digits: Vec<u8> = given.bytes().collect();
    while let Some(last) = digits.pop() {
        if last != b'0' {
            let smaller = if last == b'a' { b'9' } else { last - 1 };
            digits.push(smaller);
            // Greater than every id that begins with these digits.
            digits.push(b'g');
            return String::from_utf8(digits).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_begins_right_before_the_ids_that_begin_so() {
        assert_eq!(before("0"), None);
        assert_eq!(before("000"), None);
        assert_eq!(before("1").as_deref(), Some("0g"));
        assert_eq!(before("a0").as_deref(), Some("9g"));
        assert_eq!(before("1b3").as_deref(), Some("1b2g"));
        for (smaller, given) in [("1b2ffff", "1b3"), ("9ffff", "a0"), ("0fff", "1")] {
            let before = before(given).unwrap();
            assert!(smaller < before.as_str() && before.as_str() < given);
        }
    }
}
