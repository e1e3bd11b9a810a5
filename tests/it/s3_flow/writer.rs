//! Somebody who writes, reads and deletes, and knows at every moment what must be there.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tests::raw::{Answer, Request};

use super::by_hand::{ByHand, Chance, Elements, INLINE_BYTES_MAX, content};

/// The bucket that never had versions.
pub(super) const PLAIN: &str = "crash-plain";
/// The bucket that has versions.
pub(super) const VERSIONED: &str = "crash-versioned";
/// The key that everybody writes.
pub(super) const SHARED: &str = "shared";
/// The keys that a writer has in the one bucket and in the other.
const KEYS: [usize; 2] = [10, 3];
/// Beyond so many versions of a key the oldest one is deleted.
const VERSIONS_MAX: usize = 5;
const PART_BYTES_MIN: usize = 5 << 20;
/// The sizes of objects, of which the small ones come often.
const SIZES: [usize; 16] = [
    0,
    1,
    100,
    1000,
    INLINE_BYTES_MAX - 1,
    INLINE_BYTES_MAX,
    INLINE_BYTES_MAX + 1,
    20_000,
    65_536,
    100_000,
    262_144,
    262_145,
    700_000,
    1 << 20,
    5 << 20,
    20 << 20,
];

/// What all writers have in common.
#[derive(Debug, Default)]
pub(super) struct Scene {
    pub(super) over: AtomicBool,
    /// Whatever moves on counts here, so that each kill meets work.
    pub(super) steps: AtomicUsize,
    /// What was sent to the shared key: number and size.
    pub(super) shared: Mutex<BTreeMap<u64, usize>>,
}

/// An object that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    /// The number of the write, which the object's metadata have.
    write: u64,
    /// The number that its bytes are made of.
    seed: u64,
    pub(super) size: usize,
    /// How many files it has.
    pub(super) files: usize,
}

/// The versions of a key, the oldest first; none is a delete marker.
type Versions = Vec<(String, Option<Written>)>;

/// A writer, who has keys of his own.
pub(super) struct Writer<'a> {
    scene: &'a Scene,
    hand: ByHand,
    number: u64,
    count: u64,
    chance: Chance,
    /// What is at each key.
    pub(super) plain: BTreeMap<String, Option<Written>>,
    pub(super) versioned: BTreeMap<String, Versions>,
    /// The request and the key of each change that was acknowledged.
    pub(super) events: Vec<(String, String)>,
    /// How many requests got no answer, or one that tells of the server's end.
    pub(super) unanswered: usize,
}

/// Whether a change was acknowledged.
fn acknowledged(outcome: std::io::Result<Answer>, status: u16) -> Option<Answer> {
    let answer = outcome.ok().filter(|answer| answer.status < 500)?;
    assert_eq!(answer.status, status, "{}", answer.text());
    Some(answer)
}

fn target(bucket: &str, key: &str) -> String {
    format!("/{bucket}/{key}")
}

impl<'a> Writer<'a> {
    pub(super) fn new(scene: &'a Scene, hand: ByHand, number: u64) -> Self {
        let keys = |many: usize| (0..many).map(|key| format!("w{number}/k{key:02}"));
        Self {
            scene,
            hand,
            number,
            count: 0,
            chance: Chance(number + 7),
            plain: keys(KEYS[0]).map(|key| (key, None)).collect(),
            versioned: keys(KEYS[1]).map(|key| (key, Versions::new())).collect(),
            events: Vec::new(),
            unanswered: 0,
        }
    }

    /// Goes on until it is over.
    pub(super) fn run(&mut self) {
        while !self.scene.over.load(Ordering::Relaxed) {
            self.step();
            self.scene.steps.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn step(&mut self) {
        let (plain, versioned) = (self.some_key(PLAIN), self.some_key(VERSIONED));
        match self.chance.of(16) {
            0..=3 => self.put(&plain),
            4..=5 => self.put_version(&versioned),
            6..=7 => self.copy(&plain),
            8 => self.upload_in_parts(&plain),
            9 => self.delete(&plain),
            10 => self.delete_some(),
            11 => self.delete_version(&versioned),
            12 => self.put_shared(),
            13 => self.vanish(&plain),
            14 => self.look_at(&plain),
            _ => self.look_at_versions(&versioned),
        }
    }

    fn some_key(&mut self, bucket: &str) -> String {
        let many = KEYS[usize::from(bucket != PLAIN)];
        format!("w{}/k{:02}", self.number, self.chance.of(many))
    }

    /// Something new, of any size.
    fn something(&mut self) -> Written {
        self.count += 1;
        let write = (self.number << 32) + self.count;
        // Small numbers are more frequent.
        let largest = 1 + self.chance.of(SIZES.len());
        let size = SIZES[self.chance.of(largest)];
        Written { write, seed: write, size, files: usize::from(size > INLINE_BYTES_MAX) }
    }

    fn writing(&self, bucket: &str, key: &str, new: &Written) -> Request {
        let mut request = self.hand.with_body("PUT", &target(bucket, key), content(new.seed, new.size));
        request.set("x-amz-meta-write", &new.write.to_string());
        request
    }

    /// Notes a change that was acknowledged, whose event is to come.
    fn note(&mut self, answer: &Answer, key: &str) {
        self.events.push((answer.header("x-amz-request-id").unwrap().to_owned(), key.to_owned()));
    }

    fn put(&mut self, key: &str) {
        let new = self.something();
        let outcome = self.hand.try_send(&self.writing(PLAIN, key, &new));
        self.changed(key, Some(new), acknowledged(outcome, 200));
    }

    fn copy(&mut self, to: &str) {
        let from = self.some_key(PLAIN);
        let Some(source) = self.plain[&from].clone().filter(|_| from != to) else { return self.look_at(to) };
        let new = Written { write: self.something().write, ..source };
        let mut request = self.writing(PLAIN, to, &new);
        request.body.clear();
        request.set("x-amz-copy-source", &target(PLAIN, &from));
        request.set("x-amz-metadata-directive", "REPLACE");
        let outcome = self.hand.try_send(&request);
        self.changed(to, Some(new), acknowledged(outcome, 200));
    }

    fn delete(&mut self, key: &str) {
        let outcome = self.hand.try_send(&self.hand.request("DELETE", &target(PLAIN, key)));
        self.changed(key, None, acknowledged(outcome, 204));
    }

    fn delete_some(&mut self) {
        let keys: std::collections::BTreeSet<String> = (0..3).map(|_| self.some_key(PLAIN)).collect();
        let objects: Vec<(&str, Option<&str>)> = keys.iter().map(|key| (key.as_str(), None)).collect();
        let answer = acknowledged(self.hand.try_send(&self.hand.deletion(PLAIN, &objects)), 200);
        if let Some(answer) = &answer {
            assert_eq!(answer.elements("Deleted").len(), keys.len(), "{}", answer.text());
        }
        for key in keys {
            self.changed(&key, None, answer.clone());
        }
    }

    /// Two parts, one of them large, or a small one alone.
    fn upload_in_parts(&mut self, key: &str) {
        let mut new = self.something();
        new.files = if self.chance.of(4) == 0 { 2 } else { 1 };
        new.size = if new.files == 2 { PART_BYTES_MIN + 100_000 } else { new.size.clamp(1, PART_BYTES_MIN) };
        let mut begin = self.hand.request("POST", &format!("{}?uploads", target(PLAIN, key)));
        begin.set("x-amz-meta-write", &new.write.to_string());
        let upload = self.hand.send_patiently(&begin).success().element("UploadId").unwrap();
        let bytes = content(new.seed, new.size);
        let mut parts = String::new();
        for (number, part) in bytes.chunks(PART_BYTES_MIN).enumerate().map(|(at, part)| (at + 1, part)) {
            let to = format!("{}?partNumber={number}&uploadId={upload}", target(PLAIN, key));
            let answer = self.hand.put(&to, part.to_vec()).success();
            let tag = answer.header("etag").unwrap();
            parts.push_str(&format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"));
            self.scene.steps.fetch_add(1, Ordering::Relaxed);
        }
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>").into_bytes();
        let end = self.hand.with_body("POST", &format!("{}?uploadId={upload}", target(PLAIN, key)), body);
        let outcome = self.hand.try_send(&end);
        self.changed(key, Some(new), acknowledged(outcome, 200));
    }

    /// A key was changed, or perhaps not: then what is there must be what was, or what should be.
    fn changed(&mut self, key: &str, to: Option<Written>, answer: Option<Answer>) {
        let before = self.plain[key].clone();
        let Some(answer) = answer else {
            self.unanswered += 1;
            let found = self.whole(PLAIN, key, "", &[before.as_ref(), to.as_ref()]);
            self.plain.insert(key.to_owned(), found);
            return;
        };
        // What was not there cannot be deleted, and nobody is told of it.
        if before.is_some() || to.is_some() {
            self.note(&answer, key);
        }
        self.plain.insert(key.to_owned(), to);
    }

    /// What is there, all of it as it was written; one of these.
    #[track_caller]
    fn whole(&self, bucket: &str, key: &str, query: &str, allowed: &[Option<&Written>]) -> Option<Written> {
        let answer = self.hand.get(&format!("{}{query}", target(bucket, key)));
        if answer.status == 404 {
            assert!(allowed.contains(&None), "{bucket}/{key}{query} is lost: it should be one of {allowed:?}");
            return None;
        }
        assert_eq!(answer.status, 200, "{}", answer.text());
        let write = answer.header("x-amz-meta-write").and_then(|text| text.parse().ok());
        let found = allowed.iter().flatten().find(|written| Some(written.write) == write);
        let found = found.unwrap_or_else(|| panic!("{bucket}/{key}{query} is {write:?}, none of {allowed:?}"));
        assert!(answer.body == content(found.seed, found.size), "{bucket}/{key}{query} is not whole: {found:?}");
        Some((*found).clone())
    }

    fn look_at(&mut self, key: &str) {
        self.whole(PLAIN, key, "", &[self.plain[key].as_ref()]);
    }

    fn put_shared(&mut self) {
        let new = self.something();
        self.scene.shared.lock().unwrap().insert(new.write, new.size);
        let outcome = self.hand.try_send(&self.writing(PLAIN, SHARED, &new));
        match acknowledged(outcome, 200) {
            Some(answer) => self.note(&answer, SHARED),
            None => self.unanswered += 1,
        }
    }

    /// Goes away in the middle of a write, which must never be seen.
    fn vanish(&mut self, key: &str) {
        let new = Written { size: 1 << 20, ..self.something() };
        drop(self.hand.send_half(&self.writing(PLAIN, key, &new)));
    }

    fn put_version(&mut self, key: &str) {
        let new = self.something();
        let outcome = self.hand.try_send(&self.writing(VERSIONED, key, &new));
        self.added(key, Some(new), acknowledged(outcome, 200));
    }

    /// Writes a delete marker, or deletes a version for good.
    fn delete_version(&mut self, key: &str) {
        let versions = &self.versioned[key];
        let chosen = (versions.len() > self.chance.of(VERSIONS_MAX)).then(|| versions[0].0.clone());
        let Some(id) = chosen else {
            let outcome = self.hand.try_send(&self.hand.request("DELETE", &target(VERSIONED, key)));
            return self.added(key, None, acknowledged(outcome, 204));
        };
        let request = self.hand.request("DELETE", &format!("{}?versionId={id}", target(VERSIONED, key)));
        let is_gone = match acknowledged(self.hand.try_send(&request), 204) {
            Some(answer) => {
                self.note(&answer, key);
                true
            }
            None => {
                self.unanswered += 1;
                self.hand.versions(VERSIONED, key).iter().all(|version| version.id != id)
            }
        };
        if is_gone {
            self.versioned.get_mut(key).unwrap().retain(|(known, _)| *known != id);
        }
    }

    /// A version was added, or perhaps not.
    fn added(&mut self, key: &str, new: Option<Written>, answer: Option<Answer>) {
        if let Some(answer) = answer {
            self.note(&answer, key);
            let id = answer.header("x-amz-version-id").unwrap().to_owned();
            return self.versioned.get_mut(key).unwrap().push((id, new));
        }
        self.unanswered += 1;
        let listed = self.hand.versions(VERSIONED, key);
        let known = self.versioned[key].len();
        assert!(listed.len() == known || listed.len() == known + 1, "{key} has {listed:?}");
        let versions = self.versioned.get_mut(key).unwrap();
        if let Some(added) = listed.iter().find(|version| versions.iter().all(|(id, _)| *id != version.id)) {
            assert_eq!(added.is_marker, new.is_none(), "{key} has {listed:?}");
            versions.push((added.id.clone(), new));
        }
        self.look_at_versions(key);
    }

    /// The listing of a key's versions and what they are must be what was acknowledged.
    fn look_at_versions(&mut self, key: &str) {
        let listed = self.hand.versions(VERSIONED, key);
        let known = &self.versioned[key];
        for markers in [false, true] {
            let found: Vec<_> = listed.iter().rev().filter(|one| one.is_marker == markers).map(|one| &one.id).collect();
            let expected: Vec<_> =
                known.iter().filter(|(_, what)| what.is_none() == markers).map(|(id, _)| id).collect();
            assert_eq!(found, expected, "the versions of {key} (markers: {markers}), the oldest first");
        }
        for (id, written) in known.iter().filter(|(_, what)| what.is_some()) {
            self.whole(VERSIONED, key, &format!("?versionId={id}"), &[written.as_ref()]);
        }
        let latest = known.last().and_then(|(_, what)| what.as_ref());
        self.whole(VERSIONED, key, "", &[latest]);
    }

    /// Looks at everything that it has written.
    pub(super) fn look_at_all(&mut self) {
        for key in self.plain.keys().cloned().collect::<Vec<_>>() {
            self.look_at(&key);
        }
        for key in self.versioned.keys().cloned().collect::<Vec<_>>() {
            self.look_at_versions(&key);
        }
    }
}
