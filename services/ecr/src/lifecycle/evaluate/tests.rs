use proptest::prelude::*;

use super::*;

fn at(days: u32) -> Timestamp {
    Timestamp::from_secs(1_767_225_600).plus(DAY * days)
}

fn image(digest: &str, tags: &[&str], pushed: u32) -> Image {
    Image {
        digest: digest.to_owned(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        pushed: at(pushed),
        pulled: None,
        archived: None,
        is_kept: false,
    }
}

fn rule(priority: i32, tags: TagSelection, count: Count) -> Rule {
    Rule { priority, tags, storage: StorageClass::Standard, count, action: Action::Expire }
}

fn hit(rules: Vec<Rule>, images: &[Image], now: u32) -> Vec<(String, i32)> {
    let verdicts = evaluate(&Document { rules }, images, at(now));
    verdicts.iter().map(|verdict| (images[verdict.image].digest.clone(), verdict.priority)).collect()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn hits(expected: &[(&str, i32)]) -> Vec<(String, i32)> {
    expected.iter().map(|(digest, priority)| ((*digest).to_owned(), *priority)).collect()
}

#[test]
fn all_but_the_newest_go_the_oldest_first() {
    let images = [image("a", &[], 1), image("b", &[], 3), image("c", &["x"], 2), image("d", &[], 4)];
    let rules = || vec![rule(1, TagSelection::Untagged, Count::MoreThan(1))];
    assert_eq!(hit(rules(), &images, 9), hits(&[("a", 1), ("b", 1)]));
    assert_eq!(hit(vec![rule(1, TagSelection::Any, Count::MoreThan(9))], &images, 9), []);
}

#[test]
fn an_image_goes_once_it_is_older_than_its_days() {
    let images = [image("a", &[], 0), image("b", &[], 1)];
    let rules = || vec![rule(1, TagSelection::Any, Count::DaysSincePushed(5))];
    assert_eq!(hit(rules(), &images, 5), []);
    assert_eq!(hit(rules(), &images, 6), hits(&[("a", 1)]));
    assert_eq!(hit(rules(), &images, 7), hits(&[("a", 1), ("b", 1)]));
}

#[test]
fn a_pull_keeps_an_image_and_one_without_a_pull_counts_from_its_push() {
    let mut images = [image("a", &[], 0), image("b", &[], 0)];
    images[0].pulled = Some(at(8));
    let rules = vec![rule(1, TagSelection::Any, Count::DaysSincePulled(5))];
    assert_eq!(hit(rules, &images, 10), hits(&[("b", 1)]));
}

#[test]
fn every_prefix_or_pattern_needs_a_tag_of_its_own_or_the_same() {
    let images = [image("a", &["prod-1", "v1"], 0), image("b", &["prod-2"], 0), image("c", &["v2-prod"], 0)];
    let of = |tags| hit(vec![rule(1, tags, Count::DaysSincePushed(1))], &images, 9);
    assert_eq!(of(TagSelection::Prefixes(words(&["prod", "v"]))), hits(&[("a", 1)]));
    assert_eq!(of(TagSelection::Patterns(words(&["*prod*"]))), hits(&[("c", 1), ("b", 1), ("a", 1)]));
    assert_eq!(of(TagSelection::Patterns(words(&["v*", "*prod"]))), hits(&[("c", 1)]));
}

#[test]
fn a_rule_keeps_its_images_from_later_rules_but_not_from_their_counting() {
    // The first rule is about `a` and `b` and hits neither; the second one counts them and may hit `c` alone.
    let images = [image("a", &["prod"], 1), image("b", &["prod"], 2), image("c", &["dev"], 0)];
    let rules = || {
        vec![
            rule(1, TagSelection::Prefixes(words(&["prod"])), Count::MoreThan(2)),
            rule(2, TagSelection::Any, Count::MoreThan(1)),
        ]
    };
    assert_eq!(hit(rules(), &images, 9), hits(&[("c", 2)]));
}

#[test]
fn what_an_index_has_is_counted_and_stays() {
    let mut images = [image("a", &[], 0), image("b", &[], 1), image("c", &[], 2)];
    images[0].is_kept = true;
    assert_eq!(hit(vec![rule(1, TagSelection::Any, Count::MoreThan(1))], &images, 9), hits(&[("b", 1)]));
}

#[test]
fn each_storage_class_has_its_own_rules() {
    let mut images = [image("a", &[], 0), image("b", &[], 0)];
    images[0].archived = Some(at(5));
    let archive =
        Rule { storage: StorageClass::Archive, ..rule(1, TagSelection::Any, Count::DaysSinceTransitioned(10)) };
    let standard = Rule { action: Action::Archive, ..rule(2, TagSelection::Any, Count::DaysSincePushed(1)) };
    let rules = || vec![archive.clone(), standard.clone()];
    assert_eq!(hit(rules(), &images, 9), hits(&[("b", 2)]));
    assert_eq!(hit(rules(), &images, 16), hits(&[("a", 1), ("b", 2)]));
}

/// The documentation read literally, image by image.
fn by_the_book(document: &Document, images: &[Image], now: Timestamp) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for (place, rule) in document.rules.iter().enumerate() {
        for (index, image) in images.iter().enumerate() {
            let earlier = document.rules[..place].iter().any(|earlier| is_about(earlier, image));
            if earlier || image.is_kept || !is_about(rule, image) {
                continue;
            }
            let age = |other: &Image| (std::cmp::Reverse(instant(rule, other)), other.digest.clone());
            let newer = images.iter().filter(|other| is_about(rule, other) && age(other) < age(image)).count();
            let is_hit = match rule.count {
                Count::MoreThan(kept) => newer >= kept as usize,
                Count::DaysSincePushed(days) | Count::DaysSincePulled(days) | Count::DaysSinceTransitioned(days) => {
                    now.as_millis() - instant(rule, image).as_millis() > i64::from(days) * 86_400_000
                }
            };
            if is_hit {
                verdicts.push(Verdict { image: index, action: rule.action, priority: rule.priority });
            }
        }
    }
    verdicts
}

fn tag() -> impl Strategy<Value = String> {
    "(prod|dev|v)(-[12])?"
}

fn images() -> impl Strategy<Value = Vec<Image>> {
    let image =
        (prop::collection::vec(tag(), 0..3), 0_u32..12, prop::option::of(0_u32..12), prop::option::of(0_u32..12));
    prop::collection::vec((image, any::<bool>()), 0..12).prop_map(|images| {
        let made = images.into_iter().enumerate().map(|(n, ((tags, pushed, pulled, archived), is_kept))| Image {
            digest: format!("sha256:{n:02}"),
            tags,
            pushed: at(pushed),
            pulled: pulled.map(at),
            archived: archived.map(at),
            is_kept,
        });
        made.collect()
    })
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let list = || prop::collection::vec("(prod|dev|v|\\*1|p\\*)", 1..3);
    let tags = prop_oneof![
        list().prop_map(TagSelection::Prefixes),
        list().prop_map(TagSelection::Patterns),
        Just(TagSelection::Untagged),
        Just(TagSelection::Any),
    ];
    let count = prop_oneof![
        (1_u32..5).prop_map(Count::MoreThan),
        (1_u32..9).prop_map(Count::DaysSincePushed),
        (1_u32..9).prop_map(Count::DaysSincePulled),
        (1_u32..9).prop_map(Count::DaysSinceTransitioned),
    ];
    let storage = prop_oneof![3 => Just(StorageClass::Standard), 1 => Just(StorageClass::Archive)];
    let action = prop_oneof![Just(Action::Expire), Just(Action::Archive)];
    prop::collection::vec((tags, count, storage, action), 1..5).prop_map(|rules| {
        let numbered = (1..).zip(rules);
        numbered
            .map(|(priority, (tags, count, storage, action))| Rule { priority, tags, storage, count, action })
            .collect()
    })
}

proptest! {
    #[test]
    fn it_does_what_the_documentation_says(rules in rules(), images in images(), now in 0_u32..20) {
        let document = Document { rules };
        let verdicts = evaluate(&document, &images, at(now));
        let mut sorted = verdicts.clone();
        sorted.sort_by_key(|verdict| (verdict.priority, verdict.image));
        prop_assert_eq!(&sorted, &by_the_book(&document, &images, at(now)));
        let mut hit: Vec<usize> = verdicts.iter().map(|verdict| verdict.image).collect();
        hit.sort_unstable();
        hit.dedup();
        prop_assert_eq!(hit.len(), verdicts.len(), "an image is hit once");
    }
}
