use serde_json::json;

use super::*;

fn rule(priority: i32, selection: Value) -> Value {
    json!({"rulePriority": priority, "selection": selection, "action": {"type": "expire"}})
}

fn untagged() -> Value {
    json!({"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1})
}

fn any() -> Value {
    json!({"tagStatus": "any", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14})
}

fn tagged(list: &str, tags: Value) -> Value {
    json!({"tagStatus": "tagged", list: tags, "countType": "imageCountMoreThan", "countNumber": 3})
}

fn read(rules: Value) -> Result<Document, String> {
    parse(&json!({"rules": rules}).to_string()).map_err(|invalid| invalid.to_string())
}

#[test]
fn rules_come_in_the_order_of_their_priorities() {
    let document =
        read(json!(
            [rule(30, any()), rule(10, tagged("tagPatternList", json!(["v*", "*-rc"]))), rule(20, untagged()),]
        ))
        .unwrap();
    let rules: Vec<_> = document.rules.iter().map(|rule| (rule.priority, rule.tags.clone(), rule.count)).collect();
    let patterns = TagSelection::Patterns(vec!["v*".to_owned(), "*-rc".to_owned()]);
    assert_eq!(
        rules,
        [
            (10, patterns, Count::MoreThan(3)),
            (20, TagSelection::Untagged, Count::MoreThan(1)),
            (30, TagSelection::Any, Count::DaysSincePushed(14)),
        ]
    );
}

#[test]
fn images_are_archived_and_expire_from_the_archive() {
    let archive = json!({
        "rulePriority": 1, "description": "later",
        "selection": {"tagStatus": "any", "countType": "sinceImagePulled", "countUnit": "days", "countNumber": 90},
        "action": {"type": "transition", "targetStorageClass": "archive"},
    });
    let expire = rule(
        2,
        json!({
            "tagStatus": "any", "storageClass": "archive", "countType": "sinceImageTransitioned", "countUnit": "days",
            "countNumber": 365,
        }),
    );
    let document = read(json!([archive, expire])).unwrap();
    let found: Vec<_> = document.rules.iter().map(|rule| (rule.storage, rule.count, rule.action)).collect();
    assert_eq!(
        found,
        [
            (StorageClass::Standard, Count::DaysSincePulled(90), Action::Archive),
            (StorageClass::Archive, Count::DaysSinceTransitioned(365), Action::Expire),
        ]
    );
}

#[test]
fn a_text_of_another_form_is_refused_in_the_validators_words() {
    for text in ["", "x", "[]", "1"] {
        assert_eq!(parse(text), Err(InvalidPolicy::NotAnObject), "{text}");
    }
    let document = |json: Value| parse(&json.to_string()).unwrap_err().to_string();
    assert_eq!(document(json!({})), r#"object has missing required properties (["rules"])"#);
    assert_eq!(
        document(json!({"rules": [], "x": 1})),
        r#"object instance has properties which are not allowed by the schema: (["x"])"#
    );
    assert_eq!(
        document(json!({"rules": {}})),
        r#"instance type (object) does not match any allowed primitive type (allowed: ["array"])"#
    );
    assert_eq!(
        document(json!({"rules": []})),
        "array is too short: must have at least 1 elements but instance has 0 elements"
    );
    let many: Vec<Value> = (1..=51).map(|n| rule(n, tagged("tagPrefixList", json!(["v"])))).collect();
    assert_eq!(
        document(json!({"rules": many})),
        "array is too long: must have at most 50 elements but instance has 51 elements"
    );
}

#[test]
fn a_wrong_rule_is_refused_in_the_validators_words() {
    let change = |pointer: &str, value: Value| {
        let mut rules = json!([rule(1, untagged())]);
        *rules.pointer_mut(pointer).unwrap() = value;
        read(rules).unwrap_err()
    };
    assert_eq!(
        change("/0/rulePriority", json!(0)),
        "numeric instance is lower than the required minimum (minimum: 1, found: 0)"
    );
    assert_eq!(
        change("/0/rulePriority", json!("1")),
        r#"instance type (string) does not match any allowed primitive type (allowed: ["integer"])"#
    );
    assert_eq!(
        change("/0/selection/tagStatus", json!("TAGGED")),
        r#"instance value ("TAGGED") not found in enum (possible values: ["any","tagged","untagged"])"#
    );
    assert_eq!(
        change("/0/action/type", json!("keep")),
        r#"instance value ("keep") not found in enum (possible values: ["expire","transition"])"#
    );
    assert_eq!(change("/0/action", json!({})), r#"object has missing required properties (["type"])"#);
    assert_eq!(
        change("/0/selection/countType", json!("sinceImagePushed")),
        "instance failed to match exactly one schema (matched 0 out of 2)"
    );
    for number in [json!(0), json!(-1), json!(1.5), json!(3_000_000_000_u64), json!("1")] {
        assert!(!change("/0/selection/countNumber", number).is_empty());
    }
}

#[test]
fn rules_that_contradict_are_refused() {
    let tags = |extra: Value| {
        let mut selection = untagged();
        selection.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!([rule(1, selection)])
    };
    for (rules, message) in [
        (json!([rule(1, untagged()), rule(2, untagged())]), InvalidPolicy::UntaggedTwice),
        (json!([rule(1, any()), rule(2, untagged())]), InvalidPolicy::AnyNotLast),
        (json!([rule(1, any()), rule(2, any())]), InvalidPolicy::AnyNotLast),
        (json!([rule(7, any()), rule(7, untagged())]), InvalidPolicy::PriorityTwice(7)),
        (tags(json!({"tagStatus": "tagged"})), InvalidPolicy::TagsMissing),
        (tags(json!({"tagPrefixList": ["v"]})), InvalidPolicy::TagsUnwanted),
        (
            tags(json!({"tagStatus": "tagged", "tagPrefixList": ["v"], "tagPatternList": ["v*"]})),
            InvalidPolicy::TagsBothWays,
        ),
        (tags(json!({"tagStatus": "tagged", "tagPatternList": ["a*b*c*d*e*"]})), InvalidPolicy::PatternWildcards),
        (tags(json!({"storageClass": "archive"})), InvalidPolicy::CountOfClass("imageCountMoreThan", "archive")),
    ] {
        assert_eq!(read(rules), Err(message.to_string()));
    }
    let mut action = json!([rule(1, untagged())]);
    action[0]["action"] = json!({"type": "transition"});
    assert_eq!(read(action.clone()), Err(InvalidPolicy::Transition.to_string()));
    action[0]["action"] = json!({"type": "expire", "targetStorageClass": "archive"});
    assert_eq!(read(action), Err(InvalidPolicy::ExpireTarget.to_string()));
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        let _ = parse(&text);
    }
}
