use super::*;
use crate::fixture::{CHOICE, EVERYTHING, NESTED, STRICT, shape, structure, text, texts};

fn check(members: impl IntoIterator<Item = (&'static str, Value)>) -> Result<(), String> {
    validate(shape(STRICT), &structure(STRICT, members))
}

/// The sentence about one violation of a structure that is valid otherwise.
fn problem(name: &'static str, value: Value) -> String {
    let name_member = if name == "Name" { None } else { Some(("Name", text("good"))) };
    let sentence = check(name_member.into_iter().chain([(name, value)])).unwrap_err();
    sentence.strip_prefix("1 validation error detected: ").unwrap_or_else(|| panic!("{sentence}")).to_owned()
}

#[test]
fn what_keeps_within_the_model_passes() {
    let map = Value::Map(vec![("ab".to_owned(), text("red"))]);
    let members = [
        ("Name", text("good")),
        ("Choice", structure(CHOICE, [("text", text(""))])),
        ("Colours", texts(&["red", "green"])),
        ("NameMap", map),
        ("Names", texts(&["ab", "abcdefgh"])),
        ("Secret", text("long enough")),
        ("Small", Value::Integer(10)),
    ];
    assert_eq!(check(members), Ok(()));
    assert_eq!(validate(shape(EVERYTHING), &structure(EVERYTHING, [])), Ok(()));
}

#[test]
fn each_constraint_has_the_sentence_of_aws() {
    let constraint = "failed to satisfy constraint: Member must";
    assert_eq!(
        check([]).unwrap_err(),
        format!("1 validation error detected: Value null at 'name' {constraint} not be null")
    );
    assert_eq!(
        problem("Name", text("abcdefghi")),
        format!("Value 'abcdefghi' at 'name' {constraint} have length less than or equal to 8")
    );
    assert_eq!(
        problem("Name", text("a")),
        format!("Value 'a' at 'name' {constraint} have length greater than or equal to 2")
    );
    assert_eq!(
        problem("Name", text("ABC")),
        format!("Value 'ABC' at 'name' {constraint} satisfy regular expression pattern: [a-z]+")
    );
    assert_eq!(
        problem("Small", Value::Integer(11)),
        format!("Value '11' at 'small' {constraint} have value less than or equal to 10")
    );
    assert_eq!(
        problem("Small", Value::Integer(0)),
        format!("Value '0' at 'small' {constraint} have value greater than or equal to 1")
    );
    assert_eq!(
        problem("Names", texts(&["ab", "cd", "ef", "gh"])),
        format!("Value '[ab, cd, ef, gh]' at 'names' {constraint} have length less than or equal to 3")
    );
    assert_eq!(
        problem("NameMap", Value::Map(vec![("good".to_owned(), text("blue"))])),
        "Value '{good=blue}' at 'nameMap' failed to satisfy constraint: Map value must satisfy constraint: [Member must satisfy enum \
         value set: [red, green]]"
    );
}

#[test]
fn the_whole_text_must_match() {
    for name in ["abc\n", "\nabc", "abcD", "1abc", "ab cd"] {
        assert!(problem("Name", text(name)).ends_with("pattern: [a-z]+"), "{name:?}");
    }
}

#[test]
fn length_counts_characters() {
    assert!(problem("Name", text("ééé")).contains("pattern"), "six bytes, three characters");
    assert!(check([("Name", text("good")), ("Secret", text("éééééééé"))]).is_ok());
    assert!(problem("Secret", text("ééééééé")).contains("length greater than or equal to 8"));
}

#[test]
fn a_broken_element_is_told_of_its_collection_with_every_constraint() {
    assert_eq!(
        problem("Names", texts(&["good", "x", "BAD"])),
        "Value '[good, x, BAD]' at 'names' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than \
         or equal to 8, Member must have length greater than or equal to 2, Member must satisfy regular expression \
         pattern: [a-z]+]"
    );
    assert!(
        problem("Colours", texts(&["blue"]))
            .ends_with("Member must satisfy constraint: [Member must satisfy enum value set: [red, green]]")
    );
    assert!(
        problem("NameMap", Value::Map(vec![("X".to_owned(), text("red"))]))
            .contains("Map keys must satisfy constraint: [")
    );
}

#[test]
fn a_nested_member_is_named_by_its_path() {
    let choice = structure(CHOICE, []);
    assert_eq!(
        problem("Choice", choice),
        "Value at 'choice' failed to satisfy constraint: Exactly one member of CHOICE must be set"
    );
    let list = Value::List(vec![structure(STRICT, [("Name", text("good"))]), structure(STRICT, [])]);
    let mut violations = Violations::default();
    let strict = shape(STRICT);
    let Value::List(items) = &list else { unreachable!() };
    let mut path = "outer".to_owned();
    for item in items {
        violations.structure(strict, item, &mut path);
    }
    assert_eq!(violations.0, ["Value null at 'outer.name' failed to satisfy constraint: Member must not be null"]);
}

#[test]
fn a_member_of_a_structure_in_a_list_or_map_is_named_by_place_or_key() {
    // The model's `value` is reached through the list's only member and the map's second.
    let nested = structure(NESTED, [("child", structure(NESTED, [("options", Value::Map(Vec::new()))]))]);
    assert_eq!(validate(shape(EVERYTHING), &structure(EVERYTHING, [("Nesteds", Value::List(vec![nested]))])), Ok(()));
    let mut violations = Violations::default();
    violations.structure(shape(STRICT), &structure(STRICT, []), &mut "tags.2.member".to_owned());
    assert_eq!(
        violations.0,
        ["Value null at 'tags.2.member.name' failed to satisfy constraint: Member must not be null"]
    );
}

#[test]
fn several_violations_are_told_at_once_up_to_ten() {
    let sentence = check([("Small", Value::Integer(0)), ("Secret", text("short"))]).unwrap_err();
    assert_eq!(
        sentence,
        "3 validation errors detected: Value null at 'name' failed to satisfy constraint: Member must not be null; Value at \
         'secret' failed to satisfy constraint: Member must have length greater than or equal to 8; Value '0' at 'small' \
         failed to satisfy constraint: Member must have value greater than or equal to 1"
    );
    let mut violations = Violations::default();
    for _ in 0..20 {
        violations.structure(shape(STRICT), &structure(STRICT, []), &mut String::new());
    }
    assert_eq!(violations.0.len(), 10);
}

#[test]
fn a_sensitive_value_is_not_told_neither_alone_nor_within_another() {
    let told = check([("Name", text("good")), ("Secret", text("hunter2"))]).unwrap_err();
    assert!(told.contains("Value at 'secret'") && !told.contains("hunter2"), "{told}");
    let strict = structure(STRICT, [("Name", text("good")), ("Secret", text("hunter2"))]);
    let list = structure(EVERYTHING, [("Nesteds", Value::List(vec![strict.clone()]))]);
    let Value::Structure(fields) = &list else { unreachable!() };
    let member = shape(EVERYTHING).members().zip(fields).find_map(|(member, field)| field.as_ref().map(|_| member));
    // A value of another form than its shape is printed without panic, too.
    assert!(!quote::subject(member.unwrap(), &Value::List(vec![strict])).is_empty());
}

#[test]
fn a_long_value_is_cut() {
    let told = check([("Name", text(&"é".repeat(100_000)))]).unwrap_err();
    assert!(told.contains("...' at 'name'") && told.len() < 2000, "{told}");
    let told = check([("Name", text("good")), ("Names", texts(&["x".repeat(300).as_str(); 1000]))]).unwrap_err();
    assert!(told.contains("...' at 'names'") && told.len() < 3000, "{told}");
}

#[test]
fn no_number_keeps_no_bound() {
    assert_eq!(violated(shape(crate::fixture::SMALL), &Value::Double(f64::NAN)).len(), 2);
    assert!(violated(shape(crate::fixture::DOUBLE), &Value::Double(f64::NAN)).is_empty());
}

#[test]
fn a_long_path_is_cut() {
    let mut violations = Violations::default();
    violations.report("Value", &"é".repeat(10_000), "x");
    assert!(violations.0[0].chars().count() < PATH_SHOWN_MAX + 100);
}

#[test]
fn java_patterns_mean_here_what_they_mean_there() {
    let accepts = |pattern, text: &str| compiled(pattern).unwrap().is_match(text);
    assert!(accepts(r"[\w+=,.@-]+", "a_Z9+=,.@-"));
    assert!(!accepts(r"[\w+=,.@-]+", "é"), "word characters are those of ASCII");
    assert!(!accepts(r"\d{12}", "\u{0661}".repeat(12).as_str()), "and so are digits");
    assert!(accepts(r"[\s\S]*", "any\ntext"));
    assert!(!accepts(r"\s", "\u{a0}"), "and so is space");
    assert!(accepts(r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", "Löwe 1\u{2003}x"));
    assert!(accepts(r"[\u0009\u000A\u000D\u0020-\u00FF]+", "a\tb\r\n\u{ff}"));
    assert!(!accepts(r"[\u0009\u000A\u000D\u0020-\u00FF]+", "\u{100}"));
    assert!(accepts(r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)", "/a/b/"));
    assert!(
        !accepts(r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)", "/a/b"),
        "an alternative must match the whole text too"
    );
    assert!(compiled("(?=no)").is_none());
}

proptest::proptest! {
    #[test]
    fn the_account_alias_means_what_its_pattern_says(alias in "[a-c0-]{3,12}") {
        let regex = compiled(REWRITTEN[0].0).unwrap();
        let valid = !alias.starts_with('-') && !alias.ends_with('-') && !alias.contains("--");
        proptest::prop_assert_eq!(regex.is_match(&alias), valid);
    }
}

#[test]
fn what_looks_around_in_a_model_is_judged_all_the_same() {
    let fits = |pattern: &'static str, text: &str| compiled(pattern).unwrap().is_match(text);
    let judged = |at: usize, right: &[&str], wrong: &[&str]| {
        let pattern = REWRITTEN[at].0;
        right.iter().for_each(|text| assert!(fits(pattern, text), "{pattern} {text}"));
        wrong.iter().for_each(|text| assert!(!fits(pattern, text), "{pattern} {text}"));
    };
    for alias in [1, 2] {
        judged(alias, &["live", "1a", "a-b_C", "-"], &["12", "", "a b", "$LATEST", "a.b"]);
    }
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:f";
    judged(
        3,
        &["f", "f:live", "123456789012:f", arn, &format!("{arn}:live")],
        &["f:1", "f:$LATEST", &format!("{arn}:1"), "a.b"],
    );
    judged(4, &["photos", "a.b", "a-b_"], &["photos.", "a/b"]);
    judged(5, &["s", "system", "systems", "_x", "user.system."], &["system.", "system.users", "$x", "a$"]);
}
