//! The examples of the user guide, and what it leaves open.

use super::*;

fn matches(pattern: &str, message: &str) -> bool {
    Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}")).matches(message)
}

fn selected<'m>(pattern: &str, messages: &[&'m str]) -> Vec<&'m str> {
    messages.iter().copied().filter(|message| matches(pattern, message)).collect()
}

fn refused(pattern: &str) -> String {
    Pattern::parse(pattern).expect_err(pattern).to_string()
}

fn extracted(pattern: &str, message: &str) -> Vec<(String, String)> {
    Pattern::parse(pattern).unwrap().extract(message).expect("it should match").into_iter().collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

const ERRORS: [&str; 4] = [
    "[ERROR 400] BAD REQUEST",
    "[ERROR 401] UNAUTHORIZED REQUEST",
    "[ERROR 419] MISSING ARGUMENTS",
    "[ERROR 420] INVALID ARGUMENTS",
];

#[test]
fn a_term_matches_wherever_it_stands_and_case_matters() {
    assert_eq!(selected("ERROR", &ERRORS), ERRORS);
    assert!(matches("ERROR", "Exiting with ERRORCODE: -1"));
    assert!(!matches("error", "ERROR"));
}

#[test]
fn several_terms_must_all_be_there() {
    assert_eq!(selected("ERROR ARGUMENTS", &ERRORS), &ERRORS[2..]);
}

#[test]
fn of_optional_terms_one_is_enough() {
    assert_eq!(selected("?ERROR ?ARGUMENTS", &ERRORS), ERRORS);
    assert_eq!(selected("?BAD ?\"INVALID ARGUMENTS\"", &ERRORS), [ERRORS[0], ERRORS[3]]);
}

#[test]
fn optional_terms_beside_others_are_ignored() {
    assert_eq!(selected("?ARGUMENTS REQUEST", &ERRORS), &ERRORS[..2]);
    assert_eq!(selected("?BAD -ARGUMENTS", &ERRORS), &ERRORS[..2]);
}

#[test]
fn a_phrase_is_found_as_it_is_written() {
    assert!(matches("\"INTERNAL SERVER ERROR\"", "[ERROR 500] INTERNAL SERVER ERROR"));
    assert!(!matches("\"INTERNAL SERVER ERROR\"", "INTERNAL ERROR of a SERVER"));
    assert!(matches(r#""say \"hi\" \\ bye""#, r#"they say "hi" \ bye"#));
}

#[test]
fn an_excluded_term_may_not_be_there() {
    assert_eq!(selected("ERROR -ARGUMENTS", &ERRORS), &ERRORS[..2]);
    assert_eq!(selected("-\"[ERROR 4\"", &["[ERROR 400]", "fine"]), ["fine"]);
}

#[test]
fn nothing_and_a_phrase_of_space_match_everything() {
    for pattern in ["", "  ", "\" \"", "\"\""] {
        let pattern = Pattern::parse(pattern).unwrap();
        assert!(pattern.matches_everything() && pattern.matches("") && pattern.matches("x"));
    }
    assert!(!Pattern::parse("x").unwrap().matches_everything());
}

#[test]
fn a_bare_term_of_other_characters_is_refused_in_awss_words() {
    assert_eq!(refused("2022-07-19"), "Invalid character(s) in term '2022-07-19'");
    assert_eq!(refused("a.b"), "Invalid character(s) in term 'a.b'");
    assert!(refused("\"open").starts_with("Invalid filter pattern: "));
    assert_eq!(refused("-"), "Invalid character(s) in term ''");
}

#[test]
fn a_pattern_has_at_most_1024_characters() {
    assert!(Pattern::parse(&"ä".repeat(1024)).is_ok());
    assert_eq!(Pattern::parse(&"a".repeat(1025)).unwrap_err(), PatternError::TooLong);
}

#[test]
fn regular_expressions_are_found_anywhere() {
    assert_eq!(
        selected("%AUTHORIZED%", &["[ERROR 401] UNAUTHORIZED REQUEST", "[SUCCESS 200] AUTHORIZED", "x"]).len(),
        2
    );
    assert_eq!(selected("%colou?r%", &["color", "colour", "colr"]), ["color", "colour"]);
    assert_eq!(selected("%gray|grey%", &["gray", "grey", "groy"]), ["gray", "grey"]);
    assert_eq!(selected(r"%^10\.10\.0\.1$%", &["10.10.0.1", "10.10.0.1\n", "10x10.0.1", "110.10.0.1"]).len(), 2);
    assert!(matches(r"%\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}%", "from 192.168.0.1 to"));
    assert!(matches(r"%\x28\d+\x29%", "took (12)"));
    assert!(matches(r"%[^a-f\d]%", "abcx") && !matches(r"%[^a-f\d]%", "abc1"));
    assert!(matches("%[.$]%", "a.b") && !matches("%[.$]%", "ab"));
    assert!(!matches(r"%\d%", "٣"), "digits are ASCII's");
}

#[test]
fn what_regular_expressions_may_not_have_is_refused() {
    for pattern in [
        "%something!%",
        "%(a)%",
        r"%\(a\)%",
        "%é%",
        "%%",
        "%[%",
        "%[]%",
        "%[a&&b]%",
        "%[a--b]%",
        "%[[a]]%",
        "%a{%",
        "%a{,3}%",
        "%*%",
        r"%\b%",
        r"%\x4%",
        r"%\p%",
        "%[z-a]%",
        "%a{1000}{1000}%",
    ] {
        let error = Pattern::parse(pattern).expect_err(pattern);
        assert!(matches!(error, PatternError::Term(_) | PatternError::Grammar { .. }), "{pattern}: {error}");
    }
    assert_eq!(refused("%something!%"), "Invalid character(s) in term 'something!'");
    assert!(refused("%a").contains("the % that ends a regular expression is missing"));
}

#[test]
fn a_pattern_has_at_most_two_regular_expressions() {
    assert_eq!(Pattern::parse("{ $.a = %x% && $.b = %y% }").unwrap().regexes(), 2);
    assert_eq!(Pattern::parse("[a, b]").unwrap().regexes(), 0);
    assert!(refused("{ $.a = %x% && $.b = %y% && $.c = %z% }").contains("more than 2 regular expressions"));
    assert!(refused("[a=%x%, b=%x%, c=%x%]").contains("more than 2 regular expressions"));
}

const TRAIL: &str = r#"{"eventType":"UpdateTrail","sourceIPAddress":"111.111.111.111","arrayKey":["value","another value"],
    "objectList":[{"name":"a","id":1},{"name":"b","id":2}],"SomeObject":null,"ThisFlag":true,"cluster.name":"c"}"#;

#[test]
fn the_guides_json_conditions_hold() {
    for pattern in [
        r#"{ $.eventType = "UpdateTrail" }"#,
        "{ $.eventType = UpdateTrail }",
        "{$.eventType=UpdateTrail}",
        "{ $.sourceIPAddress != 123.123.* }",
        r#"{ $.sourceIPAddress = 111.111.* }"#,
        r#"{ $.arrayKey[0] = "value" }"#,
        "{ $.objectList[1].id = 2 }",
        "{ $.SomeObject IS NULL }",
        "{ $.SomeOtherObject NOT EXISTS }",
        "{ $.ThisFlag IS TRUE }",
        "{ $.ThisFlag = true }",
        r#"{ $.['cluster.name'] = "c" }"#,
        r#"{ $["cluster.name"] = "c" }"#,
        r#"{ $.["cluster.name"] = c && $['eventType'] = *Trail }"#,
        "{ $.eventType = %Trail% }",
        "{ $.eventType != %^Trail% }",
        r#"{ $.eventType = "*" && $.sourceIPAddress != 123.123.* }"#,
        r#"{ $.arrayKey[*] = "another value" }"#,
        "{ $.objectList[*].id > 1 }",
        "{ $.* = UpdateTrail }",
    ] {
        assert!(matches(pattern, TRAIL), "{pattern}");
    }
}

#[test]
fn json_conditions_that_do_not_hold() {
    for pattern in [
        "{ $.eventType = updateTrail }",
        "{ $.eventType = Update }",
        "{ $.sourceIPAddress != 111.111.* }",
        "{ $.arrayKey[2] = * }",
        "{ $.eventType[0] = * }",
        "{ $.objectList[1].id = 1 }",
        "{ $.eventType IS NULL }",
        "{ $.Missing IS NULL }",
        "{ $.SomeObject NOT EXISTS }",
        "{ $.ThisFlag IS FALSE }",
        "{ $.eventType IS TRUE }",
        "{ $.objectList[*].id > 2 }",
    ] {
        assert!(!matches(pattern, TRAIL), "{pattern}");
    }
}

#[test]
fn a_comparison_needs_a_value_to_compare_with() {
    for value in ["[1,2,3]", "{}", "null"] {
        let message = format!(r#"{{"users":{value}}}"#);
        assert!(!matches("{ $.users = 1 }", &message) && !matches("{ $.users != 1 }", &message), "{message}");
    }
    assert!(!matches("{ $.users != 1 }", "{}"));
    assert!(matches("{ $.users NOT EXISTS || $.users != 1 }", "{}"));
}

const COMPOUND: &str = r#"{"user":{"id":1,"email":"John.Stiles@example.com"},"users":[{"id":2,"email":"John.Doe@example.com"},
    {"id":3,"email":"Jane.Doe@example.com"}],"actions":["GET","PUT","DELETE"],"coordinates":[[0,1,2],[4,5,6],[7,8,9]]}"#;

#[test]
fn and_binds_closer_than_or_and_parentheses_closest() {
    let holds = |pattern| matches(pattern, COMPOUND);
    assert!(holds(r#"{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }"#));
    assert!(!holds(r#"{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET" }"#));
    assert!(holds(
        r#"{ $.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch && $.actions[2] = nomatch }"#
    ));
    assert!(!holds(
        r#"{ ($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch) && $.actions[2] = nomatch }"#
    ));
}

#[test]
fn numbers_are_compared_as_numbers() {
    let message = r#"{"latency":500,"small":0.001,"big":9007199254740993,"text":"500","nan":"NaN"}"#;
    for pattern in [
        "{ $.latency >= 500 }",
        "{ $.latency < 10e3 }",
        "{ $.latency = +500 }",
        "{ $.latency = 5e2 }",
        "{ $.latency > -1.5 }",
        "{ $.small = 1e-3 }",
        "{ $.small != 1e+3 }",
        "{ $.big > 9007199254740992 }",
        "{ $.big != 9007199254740992 }",
        "{ $.text = 500 }",
        "{ $.text > 499 }",
        "{ $.latency = 5* }",
        "{ $.latency = \"500\" }",
        "{ $.nan != 1 }",
    ] {
        assert!(matches(pattern, message), "{pattern}");
    }
    for pattern in ["{ $.latency > 500 }", "{ $.nan > 1 }", "{ $.nan <= 1 }", "{ $.latency = 4* }"] {
        assert!(!matches(pattern, message), "{pattern}");
    }
}

#[test]
fn what_is_no_json_matches_no_json_pattern() {
    for message in ["", "text", "{", r#"{"a":1} and more"#, "17", "\"a\""] {
        assert!(!matches("{ $.a NOT EXISTS }", message), "{message}");
    }
    assert!(matches("{ $.a NOT EXISTS }", " {\"b\":1}\n"));
    assert!(!matches("{ $.a = * }", &format!("{}1{}", r#"{"a":"#.repeat(9999), "}".repeat(9999))));
}

#[test]
fn names_and_values_that_json_escapes_are_found() {
    assert!(matches("{ $.name = value }", r#"{"n\u0061me":"v\u0061lue"}"#));
    assert!(matches(r#"{ $.path = "a/b" }"#, r#"{"path":"a\/b"}"#));
    assert!(matches(r#"{ $.quote = "\"hi\"" }"#, r#"{"quote":"\"hi\""}"#));
}

#[test]
fn json_patterns_that_are_none_are_refused() {
    assert_eq!(refused("{ $.a = 1"), "If a filter pattern starts with '{' it must end with '}'");
    for pattern in [
        "{}",
        "{ $.a }",
        "{ $.a = }",
        "{ $.a EXISTS }",
        "{ $.a IS NOT NULL }",
        "{ $.a > x }",
        "{ $.a > \"1\" }",
        "{ $.a = 1 && }",
        "{ ($.a = 1 }",
        "{ $.a = 1 } }",
        "{ a = 1 }",
        "{ $ = 1 }",
        "{ $.a = b c }",
        "{ $.a[x] = 1 }",
        "{ $.a = b@c }",
        "{ $.a == 1 }",
        "{ $.a[*].b[*] = 1 }",
        "{ $.a[*]=1 || $.b[*]=1 || $.c[*]=1 || $.d[*]=1 }",
        "{ $.a[99999999999999999999] = 1 }",
    ] {
        assert!(refused(pattern).starts_with("Invalid filter pattern: "), "{pattern}");
    }
    let deep = |n: usize| format!("{{{}$.a=1{}}}", "(".repeat(n), ")".repeat(n));
    assert!(Pattern::parse(&deep(32)).is_ok());
    assert!(refused(&deep(33)).contains("nest too deeply"));
}

#[test]
fn the_values_of_json_properties_are_extracted() {
    assert_eq!(
        extracted("{ $.user.id = 1 && $.users[0].email = * && $.gone NOT EXISTS && $.actions[*] = PUT }", COMPOUND),
        pairs(&[("$.actions[*]", "GET"), ("$.user.id", "1"), ("$.users[0].email", "John.Doe@example.com")])
    );
    assert_eq!(Pattern::parse("{ $.user.id = 2 }").unwrap().extract(COMPOUND), None);
    assert_eq!(Pattern::parse("GET").unwrap().extract(COMPOUND), Some(BTreeMap::new()));
}

const ACCESS: &str = r#"127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534"#;

#[test]
fn fields_are_named_by_position() {
    assert_eq!(
        extracted("[ip, user, username, timestamp, request =*.html*, status_code = 4*, bytes]", ACCESS),
        pairs(&[
            ("$bytes", "1534"),
            ("$ip", "127.0.0.1"),
            ("$request", "GET /index.html HTTP/1.0"),
            ("$status_code", "404"),
            ("$timestamp", "10/Oct/2000:13:25:15 -0700"),
            ("$user", "Prod"),
            ("$username", "frank"),
        ])
    );
}

#[test]
fn an_ellipsis_stands_for_fields_that_get_numbers() {
    assert_eq!(
        extracted("[..., request=*.html*, status_code=4*,]", ACCESS),
        pairs(&[
            ("$1", "127.0.0.1"),
            ("$2", "Prod"),
            ("$3", "frank"),
            ("$4", "10/Oct/2000:13:25:15 -0700"),
            ("$7", "1534"),
            ("$request", "GET /index.html HTTP/1.0"),
            ("$status_code", "404"),
        ])
    );
    for pattern in
        ["[..., status_code, bytes]", "[ip, user, ..., status_code = 404, bytes]", "[ip, user, ...]", "[…]", "[...]"]
    {
        assert!(matches(pattern, ACCESS), "{pattern}");
    }
    assert!(matches("[a, ..., b]", "one two") && !matches("[a, ..., b]", "one"));
}

#[test]
fn fields_meet_conditions() {
    for pattern in [
        "[ip, user, username, timestamp, request, status_code, bytes > 1000]",
        "[ip, user, username, timestamp, request, status_code = 404 || status_code = 410, bytes]",
        "[ip, user, username, timestamp, request, status_code = 4* && status_code != 403, bytes]",
        "[ip=%127\\.0\\.0\\.[0-9]%, user, username, timestamp, request=%GET.*html%, status_code, bytes]",
        r#"[ip, user = "Pr*", ..., bytes >= 1534]"#,
        "[ip, user, ..., (bytes = 1 || bytes = 1534) && bytes != 2]",
    ] {
        assert!(matches(pattern, ACCESS), "{pattern}");
    }
    for pattern in [
        "[ip, user, username, timestamp, request, status_code, bytes > 2000]",
        "[ip, user, username, timestamp, request = *.gif*, status_code, bytes]",
        "[ip, user]",
    ] {
        assert!(!matches(pattern, ACCESS), "{pattern}");
    }
}

#[test]
fn words_are_matched_in_order() {
    assert!(matches("[w1=ERROR, w2]", "ERROR message") && !matches("[w1=ERROR, w2]", "WARN message"));
    assert!(!matches("[w1=ERROR, w2]", "ERROR WARN message"), "a pattern without ellipsis fixes the number of fields");
    assert!(matches("[w1=ERROR || W1=WARN, w2]", "WARN message"));
    assert!(matches("[w1!=ERROR && w1!=WARNING, w2]", "INFO message"));
}

#[test]
fn brackets_and_quotation_marks_that_never_close_are_part_of_a_word() {
    assert_eq!(extracted("[a, b, c]", "[open \"word end"), pairs(&[("$a", "[open"), ("$b", "\"word"), ("$c", "end")]));
    assert_eq!(extracted("[a, b]", r#""say \"hi\"" [x]"#), pairs(&[("$a", r#"say \"hi\""#), ("$b", "x")]));
}

#[test]
fn a_message_of_nothing_but_openings_is_read_once() {
    for opening in ["[ ", "\" ", "\"[ "] {
        let message = opening.repeat(500_000);
        assert!(matches("[..., last = *]", &message));
    }
}

#[test]
fn space_delimited_patterns_that_are_none_are_refused() {
    assert_eq!(refused("[a, b"), "If a filter pattern starts with '[' it must end with ']'");
    for pattern in
        ["[]", "[ ]", "[a b]", "[a = ]", "[..., b, ...]", "[a = 1 && b = 2]", "[= 1]", "[a] x]", "[a > x]", "[a=1,]]"]
    {
        assert!(refused(pattern).starts_with("Invalid filter pattern: "), "{pattern}");
    }
}

#[test]
fn a_metrics_value_is_a_number_or_one_from_the_event() {
    let value = |metric: &str, pattern: &str, message: &str| {
        MetricValue::parse(metric).unwrap().of(&Pattern::parse(pattern).unwrap(), &Message::new(message))
    };
    assert_eq!(value("1", "ERROR", "ERROR"), Some(1.0));
    assert_eq!(value("$.latency", "{ $.latency = * }", r#"{"latency":50,"requestType":"GET"}"#), Some(50.0));
    assert_eq!(value("$.latency", "{ $.latency = * }", r#"{"latency":"slow"}"#), None);
    assert_eq!(value("$bytes", "[..., bytes]", ACCESS), Some(1534.0));
    assert_eq!(value("$6", "[..., bytes]", ACCESS), Some(404.0));
    assert_eq!(value("$8", "[..., bytes]", ACCESS), None);
    assert_eq!(value("$.latency", "ERROR", "ERROR"), None);
    for text in ["", "x", "$", "$a b", "NaN", "$.a["] {
        assert!(MetricValue::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_dimension_names_what_the_pattern_names() {
    let names =
        |pattern: &str, reference: &str| Pattern::parse(pattern).unwrap().names(&Reference::parse(reference).unwrap());
    assert!(names("{ $.eventType = * }", "$.eventType") && names("{ $.eventType = * }", "$['eventType']"));
    assert!(!names("{ $.eventType = * }", "$.other"));
    assert!(names("[ip, server]", "$server") && !names("[ip, server]", "$port") && !names("ERROR", "$ERROR"));
    assert!(
        Pattern::parse("[ip]").unwrap().supports_dimensions() && !Pattern::parse("ip").unwrap().supports_dimensions()
    );
}
