//! Queries that are refused, and runs that end because they would take too much.

use super::*;

#[test]
fn an_error_says_where_it_is() {
    let error = malformed("fields ä, b |\n filtr x = 1");
    assert_eq!(error.message, "unexpected symbol found filtr at line 2 and position 1");
    assert_eq!((error.start, error.end), (15, 20));
    let error = malformed("fields a | ");
    assert_eq!((error.message.as_str(), error.start, error.end), ("unexpected end of the query", 11, 11));
}

#[test]
fn what_is_no_query_is_refused() {
    for query in [
        "",
        "  ",
        "|",
        "fields",
        "fields a,",
        "fields a b",
        "filter",
        "filter a =",
        "filter a = b = c",
        "filter (a = 1",
        "filter a like b",
        "filter a in",
        "filter a in [1",
        "filter a =~ /(/",
        "filter a =~ /x",
        "filter \"x",
        "filter nosuch(1)",
        "filter abs()",
        "filter abs(1, 2)",
        "filter count(*) > 1",
        "stats a",
        "stats count(*) by",
        "stats count(*) by sum(x)",
        "stats sum(max(x))",
        "stats pct(a)",
        "stats pct(a, 101)",
        "stats count(* as x",
        "fields bin(5)",
        "fields bin(0m)",
        "fields bin(5 parsecs)",
        "limit 0",
        "limit 100001",
        "limit any",
        "unnest a",
        "unnest a into",
        "limit x",
        "limit -1",
        "sort",
        "parse @message 'x' as y",
        "parse @message '*' as y, z",
        "parse @message '**' as y, z",
        "parse @message '* *' as y, y",
        "parse @message /x/",
        "parse @message /(x)/ as a, b",
        "parse @message /(?<a>x)/ as b",
        "pattern @message",
        "diff",
        "SOURCE x",
        "fields `a",
        "fields ``",
        "dedup",
        "fields 1e999",
        "fields and",
    ] {
        let error = malformed(query);
        assert!(error.start <= error.end && error.end <= query.chars().count(), "{query}: {error:?}");
    }
    assert!(malformed(&"x".repeat(10_001)).message.contains("10000 characters"));
}

#[test]
fn a_query_has_only_so_many_regular_expressions() {
    let query = |n: usize| format!("filter @message like /a/{}", " or @message like /b/".repeat(n - 1));
    assert!(Query::parse(&query(32)).is_ok());
    assert!(malformed(&query(33)).message.contains("at most 32 regular expressions"));
}

#[test]
fn expressions_that_are_too_deep_are_refused() {
    let parenthesised = |n: usize| format!("filter {}a{}", "(".repeat(n), ")".repeat(n));
    assert!(Query::parse(&parenthesised(48)).is_ok());
    for query in [
        parenthesised(4000),
        format!("filter {}a", "not ".repeat(2000)),
        format!("filter {}a", "-".repeat(5000)),
        format!("filter a{}", " + a".repeat(2000)),
        format!("filter a{}", " ^ a".repeat(2000)),
        format!("filter {}a{}", "abs(".repeat(2000), ")".repeat(2000)),
        format!("stats {}a{}", "sum(".repeat(2000), ")".repeat(2000)),
    ] {
        assert!(!malformed(&query).message.is_empty());
    }
    assert!(Query::parse(&format!("filter a = 1{}", " or a = 1".repeat(1000))).is_ok());
}

#[test]
fn memory_is_bounded_and_said_so() {
    let long = "x".repeat(1000);
    let messages = vec![long.as_str(); 100];
    let options = Options { memory_bytes_max: 50_000, ..Options::new(NOW, 0, i64::MAX) };
    assert_eq!(run_with("fields @message", &messages, options), Err(ExecutionError::Memory { bytes_max: 50_000 }));
    assert_eq!(run_with("fields @message | limit 20", &messages, options).map(|results| results.rows.len()), Ok(20));
    assert_eq!(
        run_with("fields @message | sort strlen(@message) | limit 20", &messages, options)
            .map(|results| results.rows.len()),
        Ok(20)
    );
    assert_eq!(
        run_with("stats count(*) by @timestamp, @message", &messages, options),
        Err(ExecutionError::Memory { bytes_max: 50_000 })
    );
    assert!(run_with("dedup @message", &messages, options).is_ok());
}

#[test]
fn what_is_made_of_one_event_is_bounded() {
    let long = "x".repeat(400_000);
    let fields: Vec<String> = (0..50).map(|i| format!("toupper(@message) as f{i}")).collect();
    assert_eq!(try_run(&format!("fields {}", fields.join(", ")), &[&long]), Err(ExecutionError::Row));
    let nested =
        (0..20).fold("@message".to_owned(), |inner, _| format!("substr(concat(@message, {inner}), 0, 400000)"));
    assert_eq!(try_run(&format!("stats max({nested})"), &[&long]), Err(ExecutionError::Row));
    assert_eq!(
        run("fields strlen(concat(@message, @message, @message)) as n", &[&long]),
        [""],
        "too long a text is missing"
    );
    assert_eq!(run("fields strlen(replace(@message, 'x', 'yyyy')) as n", &[&long]), [""]);
    assert_eq!(run("fields strlen(coalesce(@message, 1)) as n", &[&long]), ["n=400000"]);
}

#[test]
fn only_so_many_groups_are_made() {
    let query = Query::parse("stats count(*) by @timestamp").unwrap();
    let mut execution = Execution::new(&query, Options::new(0, 0, i64::MAX));
    let mut push = |ms: i64| {
        execution.push(&Record { timestamp_ms: ms, ingestion_ms: ms, message: "", log_stream: "", log: "", ptr: "" })
    };
    assert!((0..100_000).all(|ms| push(ms).is_ok()));
    assert_eq!(push(5), Ok(()));
    assert_eq!(push(100_000), Err(ExecutionError::Groups));
}
