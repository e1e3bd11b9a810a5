//! Filters, functions and periods.

use super::*;

#[test]
fn filters_compare_and_combine() {
    let messages =
        [r#"{"f1":10,"f3":1,"statusCode":200}"#, r#"{"f1":1,"f3":26,"statusCode":"404"}"#, r#"{"f1":1,"f3":1}"#];
    let count = |query: &str| run(query, &messages).len();
    assert_eq!(count("filter (f1=10 or f3>25)"), 2);
    assert_eq!(count("filter f1 = 1 and f3 = 26"), 1);
    assert_eq!(count("filter statusCode like /2\\d\\d/"), 1);
    assert_eq!(count("filter statusCode = 404"), 1);
    assert_eq!(count("filter statusCode >= 200 and statusCode < 300"), 1);
    assert_eq!(count("filter statusCode in [200, \"404\"]"), 2);
    assert_eq!(count("filter statusCode not in [200]"), 1);
    assert_eq!(count("filter not ispresent(statusCode)"), 1);
    assert_eq!(count("filter f1 = 1 or f1 = 10 and f3 = 99"), 2);
    assert_eq!(count("filter not (f1 = 1 and f3 = 1)"), 2);
    assert_eq!(count("FILTER f1 = 10 OR f3 = 26 | LIMIT 1"), 1);
}

#[test]
fn a_missing_field_passes_neither_a_comparison_nor_its_opposite() {
    for query in
        ["x = 1", "x != 1", "x like /a/", "x not like /a/", "x in [1]", "x not in [1]", "not (x = 1)", "x", "x + 1 > 0"]
    {
        assert_eq!(run(&format!("filter {query}"), &["{}"]).len(), 0, "{query}");
    }
    for query in ["x = 1 or true", "isempty(x)", "isblank(x)", "not ispresent(x)", "coalesce(x, 2) = 2"] {
        assert_eq!(run(&format!("filter {query}"), &["{}"]).len(), 1, "{query}");
    }
}

#[test]
fn like_takes_texts_and_regular_expressions() {
    let messages = [r#"{"f1":"an Exception"}"#, r#"{"f1":"exception"}"#];
    for (query, count) in [
        ("filter f1 like /Exception/", 1),
        ("filter f1 =~ /Exception/", 1),
        ("filter f1 like \"Exception\"", 1),
        ("filter f1 like 'Exception'", 1),
        ("filter f1 like /(?i)Exception/", 2),
        ("filter f1 =~ /^(?i)Exception$/", 1),
        ("filter f1 not like /Exception/", 1),
        ("filter f1 like /a\\/b/", 0),
    ] {
        assert_eq!(run(query, &messages).len(), count, "{query}");
    }
}

#[test]
fn booleans_are_words_and_numbers() {
    let messages = [r#"{"ok":true}"#, r#"{"ok":false}"#];
    for query in ["ok = 1", "ok = true", "ok = \"true\"", "ok", "ok != 0", "not (ok = false)"] {
        assert_eq!(run(&format!("filter {query} | fields ok"), &messages), ["ok=1"], "{query}");
    }
}

#[test]
fn arithmetic_is_exact_where_it_can_be() {
    for (expression, result) in [
        ("2 ^ 3", "8"),
        ("10 % 3", "1"),
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("7 / 2", "3.5"),
        ("6 / 2", "3"),
        ("2 ^ 3 ^ 2", "512"),
        ("-2 ^ 2", "4"),
        ("5 - -3", "8"),
        ("1 / 0", ""),
        ("1 % 0", ""),
        ("9223372036854775807 + 1", "9223372036854776000"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("\"4\" + 1", "5"),
        ("\"x\" + 1", ""),
        ("1e3", "1000"),
        ("2 ^ 0.5", "1.4142135623730951"),
        ("9007199254740993 > 9007199254740992.0", "1"),
    ] {
        assert_eq!(value(expression, "{}"), result, "{expression}");
    }
}

#[test]
fn functions_do_as_the_guide_says() {
    for (expression, result) in [
        ("abs(-3)", "3"),
        ("abs(3-4.5)", "1.5"),
        ("ceil(1.2)", "2"),
        ("floor(-1.2)", "-2"),
        ("greatest(1, 5, 3)", "5"),
        ("least(4, 2.5)", "2.5"),
        ("log(1)", "0"),
        ("log(0)", ""),
        ("sqrt(16)", "4"),
        ("sqrt(-1)", ""),
        ("trim(\"xyZfooxyZ\", \"xyZ\")", "foo"),
        ("ltrim(\"xyZxyfooxyZ\", \"xyZ\")", "fooxyZ"),
        ("rtrim(\"xyZfooxyxyZ\", \"xyZ\")", "xyZfoo"),
        ("concat(\"[\", trim(\"  a \"), \"]\")", "[a]"),
        ("strlen(\"äöü\")", "3"),
        ("toupper(\"aé\")", "AÉ"),
        ("tolower(\"AB\")", "ab"),
        ("substr(\"xyZfooxyZ\", 3)", "fooxyZ"),
        ("substr(\"xyZfooxyZ\", 3, 3)", "foo"),
        ("substr(\"abc\", 9)", ""),
        ("substr(\"abc\", -1, 2)", "ab"),
        ("replace(\"foo\", \"o\", \"0\")", "f00"),
        ("replace(\"foo\", \"\", \"0\")", "foo"),
        ("strcontains(\"foo\", \"o\")", "1"),
        ("strcontains(\"foo\", \"x\")", "0"),
        ("isempty(\"\")", "1"),
        ("isempty(\" \")", "0"),
        ("isblank(\" \")", "1"),
        ("isPresent(a)", "1"),
        ("coalesce(x, a, 3)", "1"),
        ("isValidIp(\"10.0.0.1\")", "1"),
        ("isValidIp(\"10.0.0.256\")", "0"),
        ("isValidIpv4(\"::1\")", "0"),
        ("isValidIpv6(\"::1\")", "1"),
        ("isIpv4InSubnet(\"10.1.2.3\", \"10.0.0.0/8\")", "1"),
        ("isIpInSubnet(\"11.1.2.3\", \"10.0.0.0/8\")", "0"),
        ("isIpv6InSubnet(\"2001:db8::1\", \"2001:db8::/32\")", "1"),
        ("isIpv4InSubnet(\"::1\", \"::/0\")", "0"),
        ("isIpInSubnet(\"1.2.3.4\", \"0.0.0.0/0\")", "1"),
        ("isIpInSubnet(\"1.2.3.4\", \"nonsense\")", "0"),
        ("toMillis(@timestamp)", "1700000000000"),
        ("now()", "1700003600"),
        ("fromMillis(1700000000001)", "2023-11-14 22:13:20.001"),
        ("fromMillis(9223372036854775807)", "9223372036854775807"),
        ("jsonStringify(o)", r#"{"k":[1]}"#),
        ("strlen(x)", ""),
        ("a = 1", "1"),
        ("a like /2/", "0"),
    ] {
        assert_eq!(value(expression, r#"{"a":1,"o":{"k":[1]}}"#), result, "{expression}");
    }
}

#[test]
fn instants_are_rounded_to_periods() {
    for (expression, result) in [
        ("bin(5m)", "2023-11-14 22:10:00.000"),
        ("bin(30s)", "2023-11-14 22:13:00.000"),
        ("bin(1h)", "2023-11-14 22:00:00.000"),
        ("bin(1d)", "2023-11-14 00:00:00.000"),
        ("bin(1w)", "2023-11-13 00:00:00.000"),
        ("bin(1mo)", "2023-11-01 00:00:00.000"),
        ("bin(1q)", "2023-10-01 00:00:00.000"),
        ("bin(1 year)", "2023-01-01 00:00:00.000"),
        ("bin(250ms)", "2023-11-14 22:13:20.000"),
        ("bin(300s)", "2023-11-14 22:13:00.000"),
        ("datefloor(@timestamp, 1h)", "2023-11-14 22:00:00.000"),
        ("dateceil(@timestamp, 1h)", "2023-11-14 23:00:00.000"),
        ("dateceil(@timestamp, 1mo)", "2023-12-01 00:00:00.000"),
        ("dateceil(fromMillis(0), 1d)", "1970-01-01 00:00:00.000"),
        ("datefloor(fromMillis(-1), 1d)", "1969-12-31 00:00:00.000"),
    ] {
        assert_eq!(value(expression, ""), result, "{expression}");
    }
    assert_eq!(
        run("filter toMillis(@timestamp) >= (now() * 1000 - 3599000) | fields @message", &["a", "b"]),
        ["@message=b"]
    );
}
