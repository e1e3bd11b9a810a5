use std::collections::{BTreeMap, HashSet};

use base::SeededRng;
use blobs::files::FileId;
use proptest::prelude::*;

use super::*;
use crate::content::Piece;

fn object(file: u32) -> What {
    What::Object(Box::new(Object {
        size: 1,
        etag: format!("tag{file}"),
        data: Data::Files(vec![Piece { file: file_id(file), size: 1 }]),
        checksum: None,
        parts: Parts::None,
        upload: None,
        attributes: Attributes::default(),
        tags: BTreeMap::new(),
        acl: None,
        storage_class: None,
    }))
}

fn file_id(file: u32) -> FileId {
    format!("{file:032x}").parse().unwrap()
}

/// A key's versions as the store has them.
#[derive(Debug, Default)]
struct Stored {
    current: Option<Current>,
    older: BTreeMap<Order, Version>,
    unused: HashSet<FileId>,
}

impl Stored {
    fn loaded(&self, orders: impl IntoIterator<Item = Order>) -> Versions {
        let older = orders.into_iter().filter_map(|order| self.older.get(&order).cloned()).collect();
        Versions { current: self.current.clone(), older }
    }

    fn apply(&mut self, plan: Plan) {
        self.current = plan.current;
        for order in plan.removed {
            assert!(self.older.remove(&order).is_some(), "only what is there is removed");
        }
        if let Some(added) = plan.added {
            assert!(self.older.insert(added.past.order, added.past).is_none());
        }
        self.unused.extend(plan.unused);
    }

    fn write(&mut self, id: VersionId, order: Order, what: What) {
        let new = Version { order, id, modified: Timestamp::default(), owner: AccountId::DEFAULT, what };
        let needed = self.loaded([]).needed_to_write(&new.id);
        let plan = self.loaded(needed).write(new, Timestamp::default());
        self.apply(plan);
    }

    fn erase(&mut self, id: &VersionId) -> bool {
        let is_latest = self.current.as_ref().is_some_and(|current| current.latest.id == *id);
        let needed = if is_latest {
            self.older.keys().next_back().copied()
        } else {
            self.older.values().find(|version| version.id == *id).map(|version| version.order)
        };
        let plan = self.loaded(needed).erase(id);
        plan.map(|plan| self.apply(plan)).is_some()
    }

    /// The ids, the latest first.
    fn ids(&self) -> Vec<VersionId> {
        let latest = self.current.iter().map(|current| current.latest.id.clone());
        latest.chain(self.older.values().rev().map(|version| version.id.clone())).collect()
    }

    fn files(&self) -> HashSet<FileId> {
        let versions = self.current.iter().map(|current| &current.latest).chain(self.older.values());
        versions.filter_map(Version::object).flat_map(|object| object.data.files()).collect()
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// A write: with versioning, and of a marker.
    Write(bool, bool),
    /// Deleting the version that is at this place.
    Erase(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let write = (any::<bool>(), any::<bool>()).prop_map(|(versioned, marker)| Step::Write(versioned, marker));
    prop::collection::vec(prop_oneof![3 => write, 2 => (0_usize..6).prop_map(Step::Erase)], 0..25)
}

proptest! {
    /// The model is a list of ids and files: a versioned write goes before it, an unversioned one also takes the null version out.
    #[test]
    fn versions_come_and_go_as_in_a_list(steps in steps()) {
        let rng = SeededRng::new(3);
        let (mut stored, mut model) = (Stored::default(), Vec::<(VersionId, Option<FileId>)>::new());
        let mut written = HashSet::new();
        for (at, step) in steps.into_iter().enumerate() {
            match step {
                Step::Write(versioned, marker) => {
                    let latest = stored.current.as_ref().map(|current| current.latest.order);
                    let order = Order::next(Timestamp::from_secs(1), at as u64, latest);
                    let id = if versioned { VersionId::new(order, &rng) } else { VersionId::Null };
                    prop_assert!(!versioned || id.order() == Some(order));
                    let file = (!marker).then(|| file_id(at as u32));
                    written.extend(file);
                    stored.write(id.clone(), order, if marker { What::Marker } else { object(at as u32) });
                    if !versioned {
                        model.retain(|(id, _)| !id.is_null());
                    }
                    model.insert(0, (id, file));
                }
                Step::Erase(at) => {
                    let id = model.get(at).map_or(VersionId::Null, |(id, _)| id.clone());
                    let is_there = model.iter().any(|(other, _)| *other == id);
                    prop_assert_eq!(stored.erase(&id), is_there);
                    model.retain(|(other, _)| *other != id);
                }
            }
            prop_assert_eq!(stored.ids(), model.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>());
            let files: HashSet<FileId> = model.iter().filter_map(|(_, file)| *file).collect();
            prop_assert_eq!(stored.files(), files.clone());
            prop_assert!(stored.unused.is_disjoint(&files));
            let all: HashSet<FileId> = stored.unused.union(&files).copied().collect();
            prop_assert_eq!(all, written.clone());
            let null = stored.older.values().find(|version| version.id.is_null()).map(|version| version.order);
            prop_assert_eq!(stored.current.as_ref().and_then(|current| current.older_null), null);
        }
    }

    #[test]
    fn ids_in_the_store_tell_the_key(key in "[\\x00-\\x02/%a]{1,6}") {
        let order = Order::next(Timestamp::from_secs(5), 1, None);
        prop_assert_eq!(key_of_current(&current_id("b", &key)), key.clone());
        prop_assert_eq!(key_of_older(&older_id("b", &key, order)), key);
    }
}

#[test]
fn a_version_id_is_32_characters_that_say_where_it_stands() {
    let order = Order::next(Timestamp::from_secs(1_767_225_600), 9, None);
    let id = VersionId::new(order, &SeededRng::new(1));
    assert_eq!((id.as_str().len(), id.order()), (32, Some(order)));
    assert_eq!(id.as_str().parse::<VersionId>(), Ok(id.clone()));
    assert_eq!("null".parse::<VersionId>(), Ok(VersionId::Null));
    for wrong in ["", "NULL", "abc", &id.as_str()[1..], "../../../../../../../../../../ab"] {
        assert!(wrong.parse::<VersionId>().is_err(), "{wrong}");
    }
    let later = Order::next(Timestamp::from_secs(0), 0, Some(order));
    assert!(later > order && later.place() < order.place());
}

#[test]
fn what_is_not_said_of_an_object_takes_no_room() {
    let version = Version {
        order: Order::next(Timestamp::from_secs(1_767_225_600), 9, None),
        id: VersionId::Null,
        modified: Timestamp::from_secs(1_767_225_600),
        owner: AccountId::DEFAULT,
        what: object(1),
    };
    let current = Current { latest: version, older_null: None };
    let text = serde_json::to_string(&current).unwrap();
    assert!(text.len() < 220, "{} bytes: {text}", text.len());
    assert_eq!(serde_json::from_str::<Current>(&text).unwrap(), current);
}
