use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A managed policy of one statement that is in order but for these elements; null takes one away.
fn with(changes: Value) -> Value {
    let statement = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"});
    json!({"Version": "2012-10-17", "Statement": merged(statement, changes)})
}

/// A trust policy of one statement that is in order but for these elements.
fn trust_with(changes: Value) -> Value {
    let statement =
        json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}});
    json!({"Version": "2012-10-17", "Statement": [merged(statement, changes)]})
}

fn merged(mut base: Value, changes: Value) -> Value {
    let members = base.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(members.remove(name)),
            value => drop(members.insert(name.clone(), value.clone())),
        }
    }
    base
}

fn message(document: &Value, purpose: Purpose) -> String {
    match parse(&document.to_string(), purpose) {
        Ok(_) => "accepted".to_owned(),
        Err(malformed) => malformed.to_string(),
    }
}

const SYNTAX: &str = "Syntax errors in policy.";
const LEGACY: &str = "The policy failed legacy parsing";
const OLD_VERSION: &str = "Policy document must be version 2012-10-17 or greater.";
const NO_ACTIONS: &str = "Policy statement must contain actions.";
const NO_RESOURCES: &str = "Policy statement must contain resources.";
const NO_VENDOR: &str = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
const NO_ASSUME_ROLE: &str = "AssumeRole policy may only specify STS AssumeRole actions.";
const ACCEPTED: &str = "accepted";

const PURPOSES: [Purpose; 7] = [
    Purpose::Managed,
    Purpose::Inline,
    Purpose::Trust,
    Purpose::PinnedTrust,
    Purpose::Session,
    Purpose::Resource(ResourceElement::Required),
    Purpose::Resource(ResourceElement::Optional),
];

#[test]
fn a_managed_policy_is_refused_in_awss_words() {
    let rows = [
        (json!("a text"), SYNTAX),
        (json!([]), SYNTAX),
        (json!({"Version": "2012-10-17"}), SYNTAX),
        (json!({"Version": "2012-10-17", "Statement": []}), SYNTAX),
        (json!({"Version": "2012-10-17", "Statement": ["x"]}), SYNTAX),
        (merged(with(json!({})), json!({"Version": "2020-01-01"})), SYNTAX),
        (merged(with(json!({})), json!({"Version": "2008-10-17"})), OLD_VERSION),
        (merged(with(json!({})), json!({"Version": null})), OLD_VERSION),
        (merged(with(json!({"Effect": "denY"})), json!({"Version": null})), OLD_VERSION),
        (merged(with(json!({})), json!({"Comment": "x"})), SYNTAX),
        (merged(with(json!({})), json!({"Id": ["x"]})), SYNTAX),
        (with(json!({"Comment": "x"})), SYNTAX),
        (with(json!({"Sid": 1})), SYNTAX),
        (with(json!({"Effect": null})), SYNTAX),
        (with(json!({"Effect": "Perhaps"})), SYNTAX),
        (with(json!({"Effect": "allow"})), LEGACY),
        (with(json!({"Action": {}})), SYNTAX),
        (with(json!({"Action": [["s3:GetObject"]]})), SYNTAX),
        (with(json!({"NotAction": []})), SYNTAX),
        (with(json!({"NotResource": "*"})), SYNTAX),
        (with(json!({"Resource": ["*", {}]})), SYNTAX),
        (with(json!({"Resource": ["*", null]})), SYNTAX),
        (with(json!({"Action": null})), NO_ACTIONS),
        (with(json!({"Action": []})), NO_ACTIONS),
        (with(json!({"Action": null, "Resource": null})), NO_ACTIONS),
        (with(json!({"Resource": null})), NO_RESOURCES),
        (with(json!({"Resource": []})), NO_RESOURCES),
        (with(json!({"Resource": null, "Action": "nonsense"})), NO_RESOURCES),
        (with(json!({"Action": "nonsense"})), NO_VENDOR),
        (with(json!({"Action": null, "NotAction": ""})), NO_VENDOR),
        (with(json!({"Action": "s 3:GetObject"})), "Vendor s 3 is not valid"),
        (with(json!({"Action": ["s3:*", "s3:Get:Object"]})), "Actions/Condition can contain only one colon."),
        (with(json!({"Principal": "*"})), "Policy document should not specify a principal."),
        (with(json!({"Principal": {"AWS": "*"}, "Resource": null})), "Policy document should not specify a principal."),
        (
            with(json!({"Sid": "not so"})),
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression \
             [0-9A-Za-z]*",
        ),
        (
            json!({"Version": "2012-10-17", "Statement": [
                {"Sid": "a", "Effect": "Allow", "Action": "*", "Resource": "*"},
                {"Sid": "a", "Effect": "Allow"},
            ]}),
            "Statement IDs (SID) in a single policy must be unique.",
        ),
    ];
    for (document, expected) in rows {
        assert_eq!(message(&document, Purpose::Managed), expected, "{document}");
    }
}

#[test]
fn a_resource_is_refused_in_awss_words() {
    let iam_path = Malformed::IamPath.to_string();
    let rows = [
        ("photos", "Resource photos must be in ARN format or \"*\"."),
        ("", "Resource  must be in ARN format or \"*\"."),
        ("a:x", "Partition \"x\" is not valid for resource \"arn:x:*:*:*:*\"."),
        ("a:x:y", "Partition \"x\" is not valid for resource \"arn:x:y:*:*:*\"."),
        ("arn:x:s3:::a:b", "Partition \"x\" is not valid for resource \"arn:x:s3:::a:b\"."),
        ("arn::s3:::photos", "Partition \"\" is not valid for resource \"arn::s3:::photos\"."),
        ("aws:s3:::photos", "Partition \"s3\" is not valid for resource \"arn:s3:::photos:*\"."),
        ("arn:aws", "Resource vendor must be fully qualified and cannot contain regexes."),
        ("arn:aws:s*:::photos", "Resource vendor must be fully qualified and cannot contain regexes."),
        ("arn:aws:s3::photos", LEGACY),
        ("arn:aws::photos", LEGACY),
        ("arn:aws::::photos", LEGACY),
        ("arn:aws:iam:123456789012:user/a", LEGACY),
        ("arn:aws:iam:::photos", &iam_path),
        (
            "arn:aws:iam:us-east-1::user/a",
            "IAM resource arn:aws:iam:us-east-1::user/a cannot contain region information.",
        ),
        ("arn:aws:s3:eu-west-1::photos", "Resource arn:aws:s3:eu-west-1::photos can not contain region information."),
        ("*", ACCEPTED),
        ("arn:aws:s3", ACCEPTED),
        ("arn:*:s3:::photos", ACCEPTED),
        ("arn:aws-cn:s3:::photos", ACCEPTED),
        ("arn:aws:iam::123456789012:root", ACCEPTED),
        ("arn:aws:iam::*:user/${aws:username}", ACCEPTED),
        ("arn:aws:s3:us-west-2:123456789012:accesspoint/mine/object/*", ACCEPTED),
        ("arn:aws:anything:us-east-1::x", ACCEPTED),
    ];
    for (resource, expected) in rows {
        for changes in [json!({"Resource": [resource]}), json!({"Resource": null, "NotResource": [resource]})] {
            assert_eq!(message(&with(changes.clone()), Purpose::Managed), expected, "{changes}");
        }
    }
}

#[test]
fn conditions_are_read_as_aws_reads_them() {
    let rows = [
        (json!({}), ACCEPTED),
        (json!({"Unheard": {}}), ACCEPTED),
        (json!({"Unheard": {"a": "1"}}), SYNTAX),
        (json!({"DateLessThan": {}}), ACCEPTED),
        (json!({"DateLessThan": {"a": []}}), ACCEPTED),
        (json!({"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}), ACCEPTED),
        (json!({"DateLessThan": {"aws:CurrentTime": "tomorrow"}}), LEGACY),
        (json!({"DateLessThan": {"aws:EpochTime": 1_900_000_000}}), ACCEPTED),
        (json!({"Bool": {"aws:SecureTransport": true}}), ACCEPTED),
        (json!({"NumericLessThan": {"s3:max-keys": [10, "20", 1.5]}}), ACCEPTED),
        (json!({"Null": {"aws:TokenIssueTime": "true"}}), ACCEPTED),
        (json!({"NullIfExists": {"aws:TokenIssueTime": "true"}}), SYNTAX),
        (json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}), ACCEPTED),
        (json!({"ForAnyValue:StringLikeIfExists": {"aws:TagKeys": "a*"}}), ACCEPTED),
        (json!({"ForAnyValue::StringLike": {"aws:TagKeys": "a*"}}), SYNTAX),
        (json!({"StringEquals": {"a": {}}}), SYNTAX),
        (json!({"StringEquals": {"a": [["b"]]}}), SYNTAX),
        (json!({"StringEquals": {"a": null}}), SYNTAX),
        (json!({"StringEquals": "a"}), SYNTAX),
        (json!([]), SYNTAX),
        (json!("a"), SYNTAX),
    ];
    for (block, expected) in rows {
        assert_eq!(message(&with(json!({"Condition": block})), Purpose::Managed), expected, "{block}");
    }
}

#[test]
fn a_trust_policy_is_refused_in_awss_words() {
    let invalid = |kind: &str, value: &str| format!("Invalid principal in policy: \"{kind}\":\"{value}\"");
    let aws = |value: &str| trust_with(json!({"Principal": {"AWS": value}}));
    let rows = [
        (json!({"probe": 1}), "Unknown field probe".to_owned()),
        (json!({"Version": "2012-10-17"}), "Missing required field Statement".to_owned()),
        (trust_with(json!({"Comment": "x"})), "Unknown field Comment".to_owned()),
        (trust_with(json!({"Effect": null})), "Missing required field Effect".to_owned()),
        (trust_with(json!({"Principal": null})), "Missing required field Principal".to_owned()),
        (trust_with(json!({"Action": null})), "Missing required field Action".to_owned()),
        (trust_with(json!({"Resource": "*"})), "Has prohibited field Resource".to_owned()),
        (trust_with(json!({"NotResource": "*"})), "Has prohibited field NotResource".to_owned()),
        (trust_with(json!({"Principal": null, "NotPrincipal": "*"})), "Has prohibited field NotPrincipal".to_owned()),
        (trust_with(json!({"Action": "s3:GetObject"})), NO_ASSUME_ROLE.to_owned()),
        (trust_with(json!({"Action": "*"})), NO_ASSUME_ROLE.to_owned()),
        (trust_with(json!({"Action": []})), NO_ASSUME_ROLE.to_owned()),
        (trust_with(json!({"Action": null, "NotAction": "sts:AssumeRole"})), NO_ASSUME_ROLE.to_owned()),
        (trust_with(json!({"Principal": {}})), Malformed::NoPrincipals.to_string()),
        (trust_with(json!({"Principal": {"AWS": []}})), Malformed::NoPrincipals.to_string()),
        (aws("12345"), invalid("AWS", "12345")),
        (aws("arn:aws:iam::123456789012:user/*"), invalid("AWS", "arn:aws:iam::123456789012:user/*")),
        (aws("arn:aws-cn:iam::123456789012:root"), invalid("AWS", "arn:aws-cn:iam::123456789012:root")),
        (aws("arn:aws:iam::123456789012:group/a"), invalid("AWS", "arn:aws:iam::123456789012:group/a")),
        (trust_with(json!({"Principal": {"Service": "ecs"}})), invalid("SERVICE", "ecs")),
        (trust_with(json!({"Principal": {"Federated": "*"}})), invalid("FEDERATED", "*")),
        (trust_with(json!({"Principal": "*"})), ACCEPTED.to_owned()),
        (aws("*"), ACCEPTED.to_owned()),
        (aws("123456789012"), ACCEPTED.to_owned()),
        (aws("arn:aws:iam::123456789012:root"), ACCEPTED.to_owned()),
        (aws("arn:aws:iam::123456789012:role/team/deployer"), ACCEPTED.to_owned()),
        (aws("arn:aws:sts::123456789012:assumed-role/deployer/ci"), ACCEPTED.to_owned()),
        (trust_with(json!({"Action": ["sts:AssumeRole", "sts:TagSession"]})), ACCEPTED.to_owned()),
        (merged(trust_with(json!({})), json!({"Version": "2008-10-17"})), ACCEPTED.to_owned()),
        (merged(trust_with(json!({})), json!({"Version": null})), ACCEPTED.to_owned()),
        (
            trust_with(json!({"Principal": {"Federated": "arn:aws:iam::123456789012:oidc-provider/a.example"},
                              "Action": "sts:AssumeRoleWithWebIdentity"})),
            ACCEPTED.to_owned(),
        ),
    ];
    for (document, expected) in rows {
        assert_eq!(message(&document, Purpose::Trust), expected, "{document}");
    }
}

#[test]
fn a_pinned_trust_policy_names_principals_by_their_unique_ids() {
    let rows = [
        ("AIDACKCEVSQ6C2EXAMPLE", ACCEPTED),
        ("AROACKCEVSQ6C2EXAMPLE", ACCEPTED),
        ("AROACKCEVSQ6C2EXAMPLE:build-7", ACCEPTED),
        ("123456789012", ACCEPTED),
        ("AROACKCEVSQ6C2EXAMPLE:", "Invalid principal in policy: \"AWS\":\"AROACKCEVSQ6C2EXAMPLE:\""),
        ("AIDACKCEVSQ6C2EXAMPLE:x", "Invalid principal in policy: \"AWS\":\"AIDACKCEVSQ6C2EXAMPLE:x\""),
        ("ASIACKCEVSQ6C2EXAMPLE", "Invalid principal in policy: \"AWS\":\"ASIACKCEVSQ6C2EXAMPLE\""),
    ];
    for (id, expected) in rows {
        let document = trust_with(json!({"Principal": {"AWS": id}}));
        assert_eq!(message(&document, Purpose::PinnedTrust), expected, "{document}");
    }
    let unpinned = trust_with(json!({"Principal": {"AWS": "AROACKCEVSQ6C2EXAMPLE"}}));
    assert_ne!(message(&unpinned, Purpose::Trust), ACCEPTED);
}

#[test]
fn a_resources_policy_is_refused_in_awss_words() {
    let required = Purpose::Resource(ResourceElement::Required);
    let optional = Purpose::Resource(ResourceElement::Optional);
    let on_bucket = |changes: Value| {
        let mut document = with(json!({"Principal": "*"}));
        document["Statement"] = merged(document["Statement"].take(), changes);
        document
    };
    let rows = [
        (json!({}), required, ACCEPTED),
        (json!({"Resource": null}), optional, ACCEPTED),
        (json!({"Resource": null}), required, "Missing required field Resource"),
        (json!({"Principal": null}), optional, "Missing required field Principal"),
        (json!({"Principal": null, "NotPrincipal": {"CanonicalUser": "79a59df900b949e5"}}), required, ACCEPTED),
        (json!({"Principal": {"Service": "logs.amazonaws.com"}}), required, ACCEPTED),
        (json!({"Principal": {"AWS": "alice"}}), required, "Invalid principal in policy: \"AWS\":\"alice\""),
        (json!({"Action": null}), required, "Missing required field Action"),
        (json!({"Action": null, "NotAction": "s3:*"}), required, ACCEPTED),
        (json!({"Resource": "photos"}), required, "Resource photos must be in ARN format or \"*\"."),
        (json!({"Extra": 1}), required, "Unknown field Extra"),
        (json!({"Sid": "__default-statement ID"}), required, ACCEPTED),
    ];
    for (changes, purpose, expected) in rows {
        assert_eq!(message(&on_bucket(changes.clone()), purpose), expected, "{changes}");
    }
}

#[test]
fn text_that_is_no_json_is_refused_by_purpose() {
    for text in ["", "{", "{\"Version\": \"2012-10-17\",}", "{\"Statement\": 1, \"Statement\": 2}"] {
        assert_eq!(parse(text, Purpose::Trust), Err(Malformed::InvalidJson), "{text}");
        for purpose in [Purpose::Managed, Purpose::Inline, Purpose::Session] {
            assert_eq!(parse(text, purpose), Err(Malformed::Syntax), "{text}");
        }
    }
}

#[test]
fn an_inline_policy_may_be_of_the_older_version() {
    for version in [json!("2008-10-17"), Value::Null] {
        let document = merged(with(json!({})), json!({"Version": version}));
        assert_eq!(parse(&document.to_string(), Purpose::Inline).unwrap().version, Version::V2008);
    }
}

#[test]
fn a_document_becomes_what_it_says() {
    let text = with(json!({"Sid": "Read", "Effect": "Deny", "Action": null, "NotAction": "s3:Get*", "Condition": {
        "StringEquals": {"s3:prefix": "a"}, "Bool": {"aws:SecureTransport": false}}}));
    let document = parse(&text.to_string(), Purpose::Managed).unwrap();
    let condition = |operator: &str, key: &str, value: &str| Condition {
        operator: operator.parse().unwrap(),
        key: key.to_owned(),
        values: vec![value.to_owned()],
    };
    assert_eq!(
        document.statements,
        [Statement {
            sid: Some("Read".to_owned()),
            effect: Effect::Deny,
            principals: None,
            actions: Select::Except(vec!["s3:Get*".to_owned()]),
            resources: Some(Select::Only(vec!["arn:aws:s3:::photos/*".to_owned()])),
            conditions: vec![
                condition("Bool", "aws:SecureTransport", "false"),
                condition("StringEquals", "s3:prefix", "a"),
            ],
        }]
    );
}

#[test]
fn white_space_does_not_count_towards_the_size() {
    assert_eq!(counted_size(" { \"a\" :\n\t\"b c\" } "), "{\"a\":\"bc\"}".len());
    assert_eq!(counted_size("é\u{a0}é"), 2);
}

fn any_json() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("Version"),
        Just("Id"),
        Just("Statement"),
        Just("Sid"),
        Just("Effect"),
        Just("Principal"),
        Just("Action"),
        Just("NotAction"),
        Just("Resource"),
        Just("NotResource"),
        Just("Condition"),
        Just("AWS"),
        Just("Allow"),
        Just("2012-10-17"),
        Just("*"),
        Just("s3:*"),
        Just("arn:aws:s3:::a"),
        Just("DateEquals"),
        Just("StringLike"),
        Just(""),
    ];
    let text = prop_oneof![3 => word.prop_map(str::to_owned), 1 => ".{0,12}"];
    let leaf = prop_oneof![
        4 => text.clone().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text.clone(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn element<T: Clone + std::fmt::Debug + 'static>(
    listed: impl Strategy<Value = T> + Clone + 'static,
) -> impl Strategy<Value = Select<T>> {
    prop_oneof![listed.clone().prop_map(Select::Only), listed.prop_map(Select::Except)]
}

fn any_condition() -> impl Strategy<Value = Vec<Condition>> {
    let operator = prop::sample::select(vec!["StringLike", "ForAnyValue:ArnLikeIfExists", "Bool", "Null", "IpAddress"]);
    prop::collection::btree_map((operator, "[a-z]{1,6}:[A-Za-z]{1,8}"), prop::collection::vec(".{0,8}", 0..3), 0..4)
        .prop_map(|lines| {
            let condition = |((operator, key), values): ((&str, String), Vec<String>)| Condition {
                operator: operator.parse().unwrap(),
                key,
                values,
            };
            let mut conditions: Vec<Condition> = lines.into_iter().map(condition).collect();
            conditions.sort_by_cached_key(|it| (it.operator.to_string(), it.key.clone()));
            conditions
        })
}

fn any_document() -> impl Strategy<Value = Document> {
    let actions = prop::collection::vec(prop_oneof![Just("*".to_owned()), "[a-z0-9.-]{1,6}:[A-Za-z*?]{0,8}"], 1..3);
    let resources = prop::collection::vec(
        prop_oneof![Just("*".to_owned()), "arn:aws:sqs:[a-z1-9*-]{0,8}:[0-9*]{0,12}:[a-z*/:]{0,12}"],
        1..3,
    );
    let statement = (any::<bool>(), element(actions), element(resources), any_condition());
    (prop::option::of(".{0,8}"), prop::collection::vec(statement, 1..4)).prop_map(|(id, statements)| Document {
        version: Version::V2012,
        id,
        statements: statements
            .into_iter()
            .enumerate()
            .map(|(position, (allow, actions, resources, conditions))| Statement {
                sid: (position > 0).then(|| format!("s{position}")),
                effect: if allow { Effect::Allow } else { Effect::Deny },
                principals: None,
                actions,
                resources: Some(resources),
                conditions,
            })
            .collect(),
    })
}

proptest! {
    #[test]
    fn any_text_is_answered_without_panic(text in ".{0,400}") {
        for purpose in [Purpose::Managed, Purpose::Trust] {
            let _ = parse(&text, purpose);
        }
    }

    #[test]
    fn any_bytes_are_answered_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&String::from_utf8_lossy(&bytes), Purpose::Inline);
    }

    #[test]
    fn any_json_is_answered_without_panic_and_what_is_accepted_can_be_written_back(json in any_json()) {
        for purpose in PURPOSES {
            if let Ok(document) = parse(&json.to_string(), purpose) {
                prop_assert_eq!(parse(&document.to_json().to_string(), purpose), Ok(document));
            }
        }
    }

    #[test]
    fn a_valid_document_is_the_same_after_writing_and_reading(document in any_document()) {
        prop_assert_eq!(parse(&document.to_json().to_string(), Purpose::Managed), Ok(document));
    }
}
