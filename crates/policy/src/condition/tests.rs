use serde_json::{Value, json};

use super::*;
use crate::{Purpose, parse};

/// Whether a condition block holds for a context, both as JSON objects.
fn holds(block: &Value, context: &Value) -> bool {
    let statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": block});
    let document = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
    let document = parse(&document, Purpose::Managed).unwrap();
    let mut keys = Context::new();
    for (name, value) in context.as_object().unwrap() {
        match value {
            Value::Array(values) => keys.set_all(name, values.iter().map(|value| value.as_str().unwrap())),
            value => keys.set(name, value.as_str().unwrap()),
        }
    }
    document.statements[0].conditions.iter().all(|condition| Test::new(condition, true, Effect::Allow).holds(&keys))
}

/// One operator, its values, a value of the key (null: the key is absent), whether it holds.
#[track_caller]
fn check(rows: &[(&str, Value, Value, bool)]) {
    for (operator, expected, given, outcome) in rows {
        let mut block = json!({});
        block[operator] = json!({"k": expected});
        let context = if given.is_null() { json!({}) } else { json!({"K": given}) };
        assert_eq!(holds(&block, &context), *outcome, "{operator} {expected} {given}");
    }
}

#[test]
fn texts_are_compared_whole_or_by_wildcards() {
    check(&[
        ("StringEquals", json!("a"), json!("a"), true),
        ("StringEquals", json!("a"), json!("A"), false),
        ("StringEquals", json!("a*"), json!("ab"), false),
        ("StringEquals", json!(["a", "b"]), json!("b"), true),
        ("StringEquals", json!([]), json!("b"), false),
        ("StringEqualsIgnoreCase", json!("ÄB*"), json!("äb*"), true),
        ("StringNotEqualsIgnoreCase", json!("a"), json!("A"), false),
        ("StringLike", json!("a*"), json!("ab"), true),
        ("StringLike", json!("a?"), json!("abc"), false),
        ("StringLike", json!("A*"), json!("ab"), false),
    ]);
}

#[test]
fn a_negated_comparison_holds_when_no_value_is_alike_and_when_there_is_none() {
    check(&[
        ("StringNotEquals", json!(["a", "b"]), json!("b"), false),
        ("StringNotEquals", json!(["a", "b"]), json!("c"), true),
        ("StringNotEquals", json!(["a", "b"]), json!(["c", "a"]), false),
        ("StringNotEquals", json!("a"), json!(null), true),
        ("StringNotLike", json!("a*"), json!("ab"), false),
        ("NumericNotEquals", json!("1"), json!(null), true),
        ("DateNotEquals", json!("2026-01-01"), json!(null), true),
        ("NotIpAddress", json!("10.0.0.0/8"), json!("10.1.1.1"), false),
        ("NotIpAddress", json!("10.0.0.0/8"), json!("11.1.1.1"), true),
        ("ArnNotLike", json!("arn:aws:s3:::a*"), json!("arn:aws:s3:::b"), true),
        ("ArnNotEquals", json!("arn:aws:s3:::a"), json!("arn:aws:s3:::a"), false),
        ("StringNotEqualsIfExists", json!("a"), json!(null), true),
        ("StringNotEqualsIfExists", json!("a"), json!("a"), false),
    ]);
}

#[test]
fn an_absent_key_fails_unless_the_operator_says_if_exists() {
    check(&[
        ("StringEquals", json!("a"), json!(null), false),
        ("StringEqualsIfExists", json!("a"), json!(null), true),
        ("StringEqualsIfExists", json!("a"), json!("b"), false),
        ("NumericLessThanIfExists", json!(1), json!(null), true),
        ("Bool", json!("false"), json!(null), false),
        ("BoolIfExists", json!("false"), json!(null), true),
        ("Null", json!("true"), json!(null), true),
        ("Null", json!(true), json!("x"), false),
        ("Null", json!("false"), json!("x"), true),
        ("Null", json!("False"), json!(null), false),
        ("Null", json!("maybe"), json!(null), false),
    ]);
}

#[test]
fn sets_are_compared_by_all_or_by_any_of_their_values() {
    check(&[
        ("ForAllValues:StringEquals", json!(["a", "b"]), json!(["a", "b", "a"]), true),
        ("ForAllValues:StringEquals", json!(["a", "b"]), json!(["a", "c"]), false),
        ("ForAllValues:StringEquals", json!(["a"]), json!(null), true),
        ("ForAllValues:StringEquals", json!(["a"]), json!([]), true),
        ("ForAllValues:StringNotEquals", json!(["a"]), json!(["b", "c"]), true),
        ("ForAllValues:StringNotEquals", json!(["a"]), json!(["b", "a"]), false),
        ("ForAnyValue:StringEquals", json!(["a", "b"]), json!(["x", "b"]), true),
        ("ForAnyValue:StringEquals", json!(["a", "b"]), json!(["x"]), false),
        ("ForAnyValue:StringEquals", json!(["a"]), json!(null), false),
        ("ForAnyValue:StringEqualsIfExists", json!(["a"]), json!(null), true),
        ("ForAnyValue:StringNotEquals", json!(["a"]), json!(["a", "b"]), true),
        ("ForAnyValue:StringNotEquals", json!(["a"]), json!(["a"]), false),
        ("ForAnyValue:StringNotEquals", json!(["a"]), json!(null), false),
        ("ForAnyValue:StringLike", json!("a*"), json!(["x", "ab"]), true),
    ]);
}

#[test]
fn without_a_quantifier_an_allowance_needs_all_values_and_a_denial_any() {
    let rows = [
        ("StringEquals", ["a", "a"], true, true),
        ("StringEquals", ["a", "b"], false, true),
        ("StringEquals", ["b", "c"], false, false),
        ("StringNotEquals", ["b", "c"], true, true),
        ("StringNotEquals", ["a", "b"], false, true),
        ("StringNotEquals", ["a", "a"], false, false),
    ];
    for (operator, values, allows, denies) in rows {
        let operator = operator.parse().unwrap();
        let condition = Condition { operator, key: "k".to_owned(), values: vec!["a".to_owned()] };
        let mut context = Context::new();
        context.set_all("k", values);
        for (effect, expected) in [(Effect::Allow, allows), (Effect::Deny, denies)] {
            assert_eq!(
                Test::new(&condition, true, effect).holds(&context),
                expected,
                "{operator} {values:?} {effect:?}"
            );
        }
    }
}

#[test]
fn numbers_and_dates_are_ordered() {
    check(&[
        ("NumericEquals", json!("10"), json!("10.0"), true),
        ("NumericLessThan", json!(10), json!("9"), true),
        ("NumericLessThan", json!("10"), json!("10"), false),
        ("NumericLessThanEquals", json!("10"), json!("10"), true),
        ("NumericGreaterThan", json!(["100", "5"]), json!("6"), true),
        ("NumericGreaterThanEquals", json!("-1.5"), json!("-1.5"), true),
        ("NumericEquals", json!("ten"), json!("ten"), false),
        ("NumericNotEquals", json!("ten"), json!("ten"), true),
        ("DateGreaterThan", json!("2026-01-01T00:00:00Z"), json!("2026-01-01T00:00:01Z"), true),
        ("DateGreaterThan", json!("2026-01-01T00:00:00Z"), json!("1767225601"), true),
        ("DateLessThan", json!("1767225600"), json!("2025-12-31T23:59:59.999Z"), true),
        ("DateEquals", json!("2026-01-01"), json!("2026-01-01T01:00:00+01:00"), true),
        ("DateLessThanEquals", json!("2026-01-01"), json!("2026-01-01T00:00:00Z"), true),
        ("DateGreaterThanEquals", json!("2026-01-01"), json!("yesterday"), false),
    ]);
}

#[test]
fn booleans_binaries_and_addresses_are_read() {
    check(&[
        ("Bool", json!(true), json!("true"), true),
        ("Bool", json!("TRUE"), json!("true"), true),
        ("Bool", json!("false"), json!("true"), false),
        ("Bool", json!("yes"), json!("yes"), false),
        ("BinaryEquals", json!("QmluYXJ5VmFsdWU="), json!("QmluYXJ5VmFsdWU="), true),
        ("BinaryEquals", json!("QmluYXJ5"), json!("QmluYXJ5VmFsdWU="), false),
        ("BinaryEquals", json!("no base64"), json!("no base64"), false),
        ("IpAddress", json!(["10.0.0.0/8", "203.0.113.7"]), json!("203.0.113.7"), true),
        ("IpAddress", json!("203.0.113.0/24"), json!("::ffff:203.0.113.9"), true),
        ("IpAddress", json!("2001:db8::/32"), json!("2001:db8:1::9"), true),
        ("IpAddress", json!("0.0.0.0/0"), json!("not an address"), false),
    ]);
}

#[test]
fn arns_are_compared_by_their_parts() {
    check(&[
        ("ArnEquals", json!("arn:aws:sns:*:123456789012:topic-?"), json!("arn:aws:sns:r:123456789012:topic-1"), true),
        ("ArnLike", json!("arn:aws:s3:::b*"), json!("arn:aws:s3:::bucket/key:1"), true),
        ("ArnLike", json!("arn:aws:*"), json!("arn:aws:s3:::bucket"), false),
        ("ArnLike", json!("*"), json!("arn:aws:s3:::bucket"), false),
        ("ArnLike", json!("arn:aws:s3:*:bucket"), json!("arn:aws:s3:::bucket"), false),
        ("ArnLike", json!("arn:aws:s3:::*"), json!("bucket"), false),
    ]);
}

#[test]
fn a_variable_without_value_is_like_nothing() {
    let rows = [
        (json!({"StringEquals": {"a": "${b}"}}), json!({"a": "x", "b": "x"}), true),
        (json!({"StringEquals": {"a": "${b}"}}), json!({"a": "x"}), false),
        (json!({"StringEquals": {"a": "${b}"}}), json!({"a": "${b}"}), false),
        (json!({"StringNotEquals": {"a": "${b}"}}), json!({"a": "x"}), true),
        (json!({"StringEqualsIgnoreCase": {"a": "x${b}"}}), json!({"a": "XY", "b": "y"}), true),
        (json!({"StringLike": {"a": "${b}*"}}), json!({"a": "x*yz", "b": "x*"}), true),
        (json!({"StringLike": {"a": "${b}"}}), json!({"a": "xy", "b": "x*"}), false),
        (json!({"StringLike": {"a": "${*}"}}), json!({"a": "xy"}), false),
        (json!({"ArnLike": {"a": "${b}"}}), json!({"a": "arn:aws:s3:::x", "b": "arn:aws:s3:::x"}), true),
        (json!({"ArnLike": {"a": "arn:aws:s3:::${b}/*"}}), json!({"a": "arn:aws:s3:::x/y", "b": "x"}), true),
        (json!({"NumericEquals": {"a": "${b}"}}), json!({"a": "1", "b": "1"}), false),
        (json!({"StringEquals": {"a": "${b, 'c'}"}}), json!({"a": "c"}), true),
    ];
    for (block, context, expected) in rows {
        assert_eq!(holds(&block, &context), expected, "{block} {context}");
    }
}

#[test]
fn all_lines_of_a_block_have_to_hold() {
    let block = json!({"StringEquals": {"a": "1", "b": "2"}, "Bool": {"c": "true"}});
    assert!(holds(&block, &json!({"a": "1", "b": "2", "c": "true"})));
    assert!(!holds(&block, &json!({"a": "1", "b": "3", "c": "true"})));
    assert!(!holds(&block, &json!({"a": "1", "b": "2", "c": "false"})));
}
