//! The evaluator against a second one, which is slow, obvious and written from the JSON alone, over generated cases.
//!
//! `PILVI_POLICY_CASES` says how many (100,000 unless it does), `PILVI_POLICY_SEED` from which seed. A case on which the two
//! differ is printed with its seed.

#![allow(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod dice;
mod generate;
mod properties;
mod reference;
mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;

use dice::Dice;

const CASES: u64 = 100_000;
/// How many requests each set of policies is asked.
const REQUESTS: u64 = 20;
/// Each outcome that can be must be one of so many of the cases, or the generator has become too dull to prove a thing.
const RARITY_MAX: u64 = 400;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn the_evaluator_decides_as_the_reference_does() {
    let cases = setting("PILVI_POLICY_CASES").unwrap_or(CASES);
    let first_seed = setting("PILVI_POLICY_SEED").unwrap_or(1);
    let worlds = cases.div_ceil(REQUESTS);
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let outcomes = Mutex::new(BTreeMap::<String, u64>::new());
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let outcomes = &outcomes;
            scope.spawn(move || {
                let mut mine = BTreeMap::new();
                for seed in (thread..worlds).step_by(usize::try_from(threads).unwrap()) {
                    compare(first_seed + seed, &mut mine);
                }
                let mut all = outcomes.lock().unwrap();
                mine.into_iter().for_each(|(outcome, count)| *all.entry(outcome).or_default() += count);
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    println!("{outcomes:#?}");
    assert_eq!(outcomes.values().sum::<u64>(), worlds * REQUESTS, "a thread stopped early");
    for outcome in ["allowed", "explicit", "implicit"].into_iter().flat_map(with_kinds) {
        let count = outcomes.get(&outcome).copied().unwrap_or(0);
        assert!(count * RARITY_MAX >= cases || cases < CASES, "{outcome} came out only {count} times");
    }
}

fn with_kinds(outcome: &str) -> Vec<String> {
    match outcome {
        "allowed" => vec![outcome.to_owned()],
        _ => ["Identity", "Resource", "Boundary", "Session"].map(|kind| format!("{outcome} {kind}")).to_vec(),
    }
}

fn compare(seed: u64, outcomes: &mut BTreeMap<String, u64>) {
    let dice = Dice::new(seed);
    let (policies, base) = generate::world(&dice);
    let ready = world::Ready::new(&policies);
    for _ in 0..REQUESTS {
        let request = generate::variation(&dice, &base);
        let expected = reference::decide(&policies, &request);
        let answer = ready.decide(&request);
        assert_eq!(answer, expected, "seed {seed}: {request:#?}\n{policies}");
        *outcomes.entry(answer.outcome).or_default() += 1;
    }
}
