use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse_iso8601(text).unwrap()
}

fn rule(prefix: &str) -> Rule {
    Rule {
        id: prefix.to_owned(),
        is_enabled: true,
        filter: Filter { prefix: Some(prefix.to_owned()), ..Filter::default() },
        ..Rule::default()
    }
}

fn of(rules: Vec<Rule>) -> Lifecycle {
    Lifecycle { rules }
}

#[test]
fn days_end_at_the_next_midnight() {
    let lifecycle = of(vec![Rule { expiration: Some(Expiration::Days(3)), ..rule("logs/") }]);
    let tags = BTreeMap::new();
    let subject = Subject { key: "logs/a", size: 1, tags: &tags };
    let written = at("2014-01-15T10:30:00Z");
    let (due, id) = lifecycle.expiry(subject, written).unwrap();
    assert_eq!((due, id), (at("2014-01-19T00:00:00Z"), "logs/"));
    assert!(!lifecycle.is_expired(subject, written, at("2014-01-18T23:59:59Z")));
    assert!(lifecycle.is_expired(subject, written, due));
    assert_eq!(lifecycle.expiry(Subject { key: "images/a", ..subject }, written), None);
    let off = of(vec![Rule { is_enabled: false, ..lifecycle.rules[0].clone() }]);
    assert!(!off.is_expired(subject, written, Timestamp::MAX));
}

#[test]
fn a_filter_is_all_of_its_conditions() {
    let tags: BTreeMap<String, String> = [("kind".to_owned(), "tmp".to_owned())].into();
    let filter = Filter { tags: tags.clone(), larger_than: Some(10), smaller_than: Some(20), ..Filter::default() };
    assert!(filter.fits(Subject { key: "x", size: 15, tags: &tags }));
    for (size, tags) in [(10, tags.clone()), (20, tags), (15, BTreeMap::new())] {
        assert!(!filter.fits(Subject { key: "x", size, tags: &tags }));
    }
}

#[test]
fn the_newest_of_the_older_versions_are_kept() {
    let lifecycle = of(vec![Rule { noncurrent_days: Some(1), newer_noncurrent_versions: Some(2), ..rule("") }]);
    let tags = BTreeMap::new();
    let subject = Subject { key: "a", size: 1, tags: &tags };
    let (since, now) = (at("2026-01-01T12:00:00Z"), at("2026-01-03T00:00:00Z"));
    assert!(!lifecycle.removes_noncurrent(subject, since, 1, now));
    assert!(lifecycle.removes_noncurrent(subject, since, 2, now));
    assert!(!lifecycle.removes_noncurrent(subject, since, 2, at("2026-01-02T23:00:00Z")));
    let code = |kept, days| {
        let rule = Rule { noncurrent_days: days, newer_noncurrent_versions: Some(kept), ..rule("") };
        of(vec![rule]).check().map_err(|error| error.kind().0)
    };
    assert_eq!(code(100, Some(1)), Ok(()));
    assert_eq!(code(0, Some(1)), Err("InvalidArgument"));
    assert_eq!(code(101, Some(1)), Err("InvalidRequest"));
    assert_eq!(code(1, None), Err("MalformedXML"));
}

#[test]
fn a_date_is_a_midnight_from_which_on_everything_has_expired() {
    let date = at("2026-03-01T00:00:00Z");
    let lifecycle = of(vec![Rule { expiration: Some(Expiration::Date(date)), ..rule("") }]);
    assert!(lifecycle.check().is_ok());
    let tags = BTreeMap::new();
    let subject = Subject { key: "a", size: 1, tags: &tags };
    assert!(!lifecycle.is_expired(subject, at("2026-02-01T00:00:00Z"), at("2026-02-28T23:59:59Z")));
    assert!(lifecycle.is_expired(subject, at("2026-02-01T00:00:00Z"), date));
    // What is written later expires at once, too: the rule acts for as long as it is there.
    assert!(lifecycle.is_expired(subject, at("2026-04-01T00:00:00Z"), at("2026-04-02T00:00:00Z")));
}

#[test]
fn markers_and_uploads_have_rules_of_their_own() {
    let lifecycle = of(vec![
        Rule { expiration: Some(Expiration::DeleteMarker), ..rule("a") },
        Rule { abort_days: Some(7), ..rule("b") },
    ]);
    let then = at("2026-01-01T00:00:00Z");
    assert!(lifecycle.removes_marker("a", then, then) && !lifecycle.removes_marker("b", then, Timestamp::MAX));
    assert_eq!(lifecycle.abort_due("b/x", then), Some((at("2026-01-09T00:00:00Z"), "b")));
    assert_eq!(lifecycle.abort_due("c", then), None);
}

#[test]
fn rules_that_cannot_be_are_refused() {
    let code = |rule: Rule| of(vec![rule]).check().unwrap_err().kind().0;
    assert_eq!(code(rule("")), "InvalidRequest");
    assert_eq!(code(Rule { expiration: Some(Expiration::Days(0)), ..rule("") }), "InvalidArgument");
    let noon = Expiration::Date(at("2026-01-01T12:00:00Z"));
    assert_eq!(code(Rule { expiration: Some(noon), ..rule("") }), "InvalidArgument");
    let sized = Filter { larger_than: Some(1), ..Filter::default() };
    assert_eq!(code(Rule { abort_days: Some(1), filter: sized.clone(), ..rule("") }), "InvalidRequest");
    let marker = Some(Expiration::DeleteMarker);
    assert_eq!(code(Rule { expiration: marker, filter: sized, ..rule("") }), "InvalidRequest");
    let twice = vec![Rule { abort_days: Some(1), ..rule("") }, Rule { abort_days: Some(1), ..rule("") }];
    assert!(of(twice).check().is_err() && Lifecycle::default().check().is_err());
}
#[test]
fn transitions_that_cannot_be_are_refused_though_they_change_nothing() {
    let to = |class: &str, days: Option<i32>, date| Transition { days, date, storage_class: class.to_owned() };
    let checked = |transitions: Vec<Transition>, expires: Option<i32>| {
        let rule = Rule { transitions, expiration: expires.map(Expiration::Days), ..rule("a") };
        of(vec![rule]).check().map_err(|error| (error.kind().0, error.to_string()))
    };
    let (midnight, noon) = (at("2026-01-01T00:00:00Z"), at("2026-01-01T12:00:00Z"));
    assert_eq!(checked(vec![to("GLACIER", Some(0), None), to("DEEP_ARCHIVE", Some(90), None)], Some(91)), Ok(()));
    assert_eq!(checked(vec![to("STANDARD_IA", None, Some(midnight))], None), Ok(()));
    assert_eq!(checked(vec![to("STANDARD_IA", Some(30), None)], None), Ok(()));
    let refused = |transitions, expires| checked(transitions, expires).unwrap_err();
    let (code, text) = refused(vec![to("ONEZONE_IA", Some(29), None)], None);
    assert_eq!(code, "InvalidArgument");
    assert_eq!(text, "'Days' in Transition action must be greater than or equal to 30 for storageClass 'ONEZONE_IA'");
    assert_eq!(refused(vec![to("GLACIER", Some(-1), None)], None).0, "InvalidArgument");
    assert_eq!(refused(vec![to("GLACIER", None, Some(noon))], None).0, "InvalidArgument");
    assert_eq!(refused(vec![to("GLACIER", None, None)], None).0, "MalformedXML");
    assert_eq!(refused(vec![to("GLACIER", Some(1), Some(midnight))], None).0, "MalformedXML");
    let (code, text) = refused(vec![to("GLACIER", Some(1), None), to("GLACIER", Some(2), None)], None);
    assert_eq!(code, "InvalidRequest");
    assert!(text.ends_with("in same 'Rule' with filter '(prefix=a)'"), "{text}");
    let (code, text) = refused(vec![to("GLACIER", Some(7), None)], Some(7));
    assert_eq!(code, "InvalidArgument");
    assert!(text.contains("filter '(prefix=a)' must be greater than"), "{text}");
    let older = NoncurrentTransition { days: Some(-1), newer_versions: None, storage_class: "GLACIER".to_owned() };
    let rules = of(vec![Rule { noncurrent_transitions: vec![older], ..rule("") }]);
    assert_eq!(rules.check().unwrap_err().kind().0, "InvalidArgument");
}
