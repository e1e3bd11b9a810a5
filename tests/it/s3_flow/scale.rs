//! Many keys: listed in pages that are small and read no more than they tell, deleted a thousand at a time, expired by rules.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tests::raw::Connection;
use tests::{Options, Server, program};

use super::by_hand::{ByHand, Elements, content, escaped};

/// How many keys there are, unless `PILVI_S3_KEYS` says otherwise.
const KEYS: usize = 3000;
const BUCKET: &str = "scale";
const CLIENTS: usize = 4;
/// How many keys a folder has.
const FOLDER: usize = 150;
const PAGE: usize = 1000;
/// The most memory that a server may ever have had, in bytes. One that is built for debugging has more from the start.
const MEMORY_MAX: u64 = 60 << 20;
/// How much more it may be, for all keys, than when it had just started.
const GROWTH_MAX: u64 = 40 << 20;
/// How long a million keys may take to expire.
const PATIENCE: Duration = Duration::from_secs(3600);

fn keys() -> usize {
    std::env::var("PILVI_S3_KEYS").ok().map_or(KEYS, |text| text.parse().expect("PILVI_S3_KEYS is a number"))
}

/// Keys of folders in folders; a half of the folders is there for a while only.
fn key_of(number: usize) -> String {
    let folder = number / FOLDER;
    let lasting = if folder.is_multiple_of(2) { "kept" } else { "passing" };
    format!("{lasting}/{:05}/{:03}", folder / 2, number % FOLDER)
}

/// One client's way through pages.
struct Pages<'a> {
    hand: &'a ByHand,
    connection: Connection,
    requests: usize,
    slowest: Duration,
}

impl<'a> Pages<'a> {
    fn new(hand: &'a ByHand) -> Self {
        Self { hand, connection: hand.connection(), requests: 0, slowest: Duration::ZERO }
    }

    /// Everything that a listing tells: keys, and what they are rolled up to.
    #[track_caller]
    fn all(&mut self, query: &str) -> (Vec<String>, Vec<String>) {
        let (mut keys, mut prefixes, mut after) = (Vec::new(), Vec::new(), String::new());
        loop {
            let request = self.hand.request("GET", &format!("/{BUCKET}?list-type=2&max-keys={PAGE}{query}{after}"));
            let begun = Instant::now();
            let answer = self.hand.send_over(&mut self.connection, &request).success();
            self.slowest = self.slowest.max(begun.elapsed());
            self.requests += 1;
            keys.extend(answer.elements("Key"));
            let rolled_up = answer.elements("CommonPrefixes");
            prefixes.extend(rolled_up.iter().map(|text| text.replace("<Prefix>", "").replace("</Prefix>", "")));
            match answer.element("NextContinuationToken") {
                Some(token) => after = format!("&continuation-token={}", escaped(&token)),
                None => return (keys, prefixes),
            }
        }
    }
}

/// Puts all keys by several clients at once.
fn fill(hand: &ByHand, count: usize) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut connection = hand.connection();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    // Now and then one that is as large as can lie beside its record.
                    let size = if number.is_multiple_of(10) { 8192 } else { 100 };
                    let target = format!("/{BUCKET}/{}", key_of(number));
                    let request = hand.with_body("PUT", &target, content(number as u64, size));
                    hand.send_over(&mut connection, &request).success();
                }
            });
        }
    });
}

#[test]
fn many_keys_are_listed_in_small_pages_expire_by_a_rule_and_are_deleted_a_thousand_at_a_time() {
    let count = keys();
    let mut server = Server::start(Options { keeps_address: true, ..Options::default() });
    let hand = ByHand::new(&server, &server.account().root);
    hand.put(&format!("/{BUCKET}"), Vec::new()).success();
    let memory = server.memory_peak();
    let begun = Instant::now();
    fill(&hand, count);
    let took = begun.elapsed();
    println!("{count} keys were put in {took:.1?}, {:.0} a second", count as f64 / took.as_secs_f64());

    let expected: BTreeSet<String> = (0..count).map(key_of).collect();
    let mut pages = Pages::new(&hand);
    let (keys, _) = pages.all("");
    assert!(keys.iter().eq(expected.iter()), "each key is listed once, in order");
    assert_eq!(pages.requests, count.div_ceil(PAGE), "each page is full");
    println!("{} pages of keys, the slowest in {:.1?}", pages.requests, pages.slowest);

    // What is rolled up is leapt over.
    let mut pages = Pages::new(&hand);
    assert_eq!(pages.all("&delimiter=%2F"), (Vec::new(), vec!["kept/".to_owned(), "passing/".to_owned()]));
    println!("two prefixes above all keys, in {:.1?}", pages.slowest);
    let folders: BTreeSet<String> =
        expected.iter().filter(|key| key.starts_with("kept/")).map(|key| key[..key.len() - 3].to_owned()).collect();
    let mut pages = Pages::new(&hand);
    let (keys, prefixes) = pages.all("&delimiter=%2F&prefix=kept%2F");
    assert!(keys.is_empty() && prefixes.iter().eq(folders.iter()));
    assert_eq!(pages.requests, folders.len().div_ceil(PAGE));
    println!("{} pages of prefixes, the slowest in {:.1?}", pages.requests, pages.slowest);
    println!("{} MiB of memory at most, {} at first", small(&server, memory, "listing") >> 20, memory >> 20);

    // A rule of a day that has passed is executed when a server starts.
    let rule = "<LifecycleConfiguration><Rule><ID>past</ID><Status>Enabled</Status><Filter><Prefix>passing/</Prefix>\
                </Filter><Expiration><Date>2020-01-01T00:00:00Z</Date></Expiration></Rule></LifecycleConfiguration>";
    let mut request = hand.with_body("PUT", &format!("/{BUCKET}?lifecycle"), rule.into());
    request.set("x-amz-checksum-algorithm", "CRC32");
    hand.send(&request).success();
    server.kill_server();
    let begun = Instant::now();
    let is_empty = || hand.get(&format!("/{BUCKET}?list-type=2&prefix=passing%2F&max-keys=1")).success();
    let expired = program::until(PATIENCE, || is_empty().element("Key").is_none().then_some(()));
    assert!(expired.is_some(), "rules are executed");
    println!("the half of them expired in {:.1?}", begun.elapsed());

    let kept: Vec<String> = expected.into_iter().filter(|key| key.starts_with("kept/")).collect();
    let (keys, _) = Pages::new(&hand).all("");
    assert_eq!(keys, kept, "nothing else expires");
    let begun = Instant::now();
    let mut connection = hand.connection();
    for some in kept.chunks(PAGE) {
        let objects: Vec<_> = some.iter().map(|key| (key.as_str(), None)).collect();
        let answer = hand.send_over(&mut connection, &hand.deletion(BUCKET, &objects)).success();
        assert_eq!(answer.elements("Deleted").len(), some.len());
    }
    println!("{} keys were deleted in {:.1?}", kept.len(), begun.elapsed());
    assert_eq!(hand.send(&hand.request("DELETE", &format!("/{BUCKET}"))).status, 204, "nothing is left in it");
    println!("{} MiB of memory at most", small(&server, memory, "deleting") >> 20);
}

/// The most memory that the server has had, in bytes.
#[track_caller]
fn small(server: &Server, at_first: u64, what: &str) -> u64 {
    let peak = server.memory_peak();
    assert!(
        peak <= at_first + GROWTH_MAX,
        "the server has had {peak} bytes of memory, {what}, and {at_first} at first"
    );
    // Whoever builds the tests for release has built the server so.
    assert!(cfg!(debug_assertions) || peak <= MEMORY_MAX, "the server has had {peak} bytes of memory, {what}");
    peak
}
