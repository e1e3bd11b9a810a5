//! Random histories against a naive model: a list.

use proptest::prelude::*;
use segments::{Direction, Event, NewEvent, Options, Scan};

use crate::bed::{Bed, NOW, at, event, group, options, read_all, scan_all};

const STREAMS: [&str; 3] = ["a", "a/b", "c"];

#[derive(Debug, Clone)]
enum Step {
    Append { stream: usize, times: Vec<i64> },
    Seal,
    Reopen,
    Expire { before: i64 },
    DeleteStream { stream: usize },
}

fn a_step() -> impl Strategy<Value = Step> {
    let times = proptest::collection::vec(-40_i64..40, 1..12);
    prop_oneof![
        12 => (0..3_usize, times).prop_map(|(stream, times)| Step::Append { stream, times }),
        2 => Just(Step::Seal),
        1 => Just(Step::Reopen),
        1 => (-50_i64..10).prop_map(|before| Step::Expire { before }),
        1 => (0..3_usize).prop_map(|stream| Step::DeleteStream { stream }),
    ]
}

/// Files that are full soon, and queries that must read blocks again and again.
fn small() -> Options {
    Options { query_bytes_max: 1_500, ..options(700) }
}

/// What is stored: time, order of arrival, stream, message.
type Model = Vec<(i64, u64, usize, String)>;

fn apply(step: &Step, model: &mut Model, bed: &mut Bed, arrived: &mut u64) {
    let group = group("g");
    match step {
        Step::Append { stream, times } => {
            let mut sorted = times.clone();
            sorted.sort_unstable();
            let events: Vec<NewEvent> = sorted
                .iter()
                .map(|time| {
                    *arrived += 1;
                    model.push((*time, *arrived, *stream, format!("{arrived} {}", "ü".repeat(*arrived as usize % 9))));
                    event(NOW + time, &model.last().unwrap().3)
                })
                .collect();
            bed.append(&group, STREAMS[*stream], events);
        }
        Step::Seal => bed.store.seal(&group).unwrap(),
        Step::Reopen => bed.reopen(small()),
        Step::Expire { before } => {
            bed.store.expire(&group, at(NOW + before)).unwrap();
            model.retain(|(time, ..)| time >= before);
        }
        Step::DeleteStream { stream } => {
            bed.store.delete_stream(&group, STREAMS[*stream]).unwrap();
            model.retain(|(_, _, of, _)| of != stream);
        }
    }
    model.sort();
}

/// `expired` is the latest time before which something has expired.
fn check(model: &Model, bed: &Bed, expired: i64) -> Result<(), TestCaseError> {
    let group = group("g");
    let expect = |of: Option<usize>| -> Vec<String> {
        let wanted = model.iter().filter(|(_, _, stream, _)| of.is_none_or(|of| of == *stream));
        wanted.map(|(_, _, stream, message)| format!("{}: {message}", STREAMS[*stream])).collect()
    };
    let texts = |events: Vec<Event>| -> Vec<String> {
        events.iter().map(|event| format!("{}: {}", event.stream, event.message)).collect()
    };
    for (stream, name) in STREAMS.iter().enumerate() {
        for direction in [Direction::Forward, Direction::Backward] {
            prop_assert_eq!(texts(read_all(&bed.store, &group, name, direction)), expect(Some(stream)));
        }
        let stats = bed.store.stream_stats(&group, name).unwrap();
        let times: Vec<i64> = model.iter().filter(|(_, _, of, _)| *of == stream).map(|it| it.0).collect();
        // What has expired may count until it is rewritten: the last event is right unless it is older than that.
        if let Some(last) = times.last() {
            let told = stats.unwrap().last_event;
            prop_assert!(told == at(NOW + last) || (*last < expired && told < at(NOW + expired)), "{told:?}, {last}");
            prop_assert!(stats.unwrap().events >= times.len() as u64);
        }
    }
    prop_assert_eq!(texts(scan_all(&bed.store, &group, &Scan::default())), expect(None));
    let mut backward = scan_all(&bed.store, &group, &Scan { direction: Direction::Backward, ..Scan::default() });
    backward.reverse();
    prop_assert_eq!(texts(backward), expect(None));
    let prefixed = scan_all(&bed.store, &group, &Scan { stream_prefix: Some("a".into()), ..Scan::default() });
    let of_a: Vec<String> = expect(None).into_iter().filter(|text| text.starts_with('a')).collect();
    prop_assert_eq!(texts(prefixed), of_a);
    prop_assert_eq!(bed.store.corruptions(), []);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        // A quarter of what is asked for: each case opens and seals files.
        cases: ProptestConfig::default().cases.div_ceil(4),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_history_is_read_back_as_the_model_has_it(steps in proptest::collection::vec(a_step(), 1..40)) {
        let mut bed = Bed::new(small());
        let (mut model, mut arrived, mut expired) = (Model::new(), 0, i64::MIN);
        for (number, step) in steps.iter().enumerate() {
            apply(step, &mut model, &mut bed, &mut arrived);
            if let Step::Expire { before } = step {
                expired = expired.max(*before);
            }
            if number % 8 == 7 {
                check(&model, &bed, expired)?;
            }
        }
        check(&model, &bed, expired)?;
        bed.store.settle();
        check(&model, &bed, expired)?;
        bed.reopen(small());
        check(&model, &bed, expired)?;
    }
}
