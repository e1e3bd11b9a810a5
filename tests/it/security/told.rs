//! What clients send comes back in errors and reaches the log. It must not become more than text there.

use serde_json::json;
use tests::raw::{Connection, Request, form};
use tests::{Options, REGION, Server};
use wire::model::Protocol;

use super::target::{Scene, now};

/// Ends a line, begins another, and steers a terminal.
const HOSTILE: &str = "x\r\n2026-01-01T00:00:00Z ERROR forged line\u{1b}[2J\u{7}\u{9b}31m<&]]>\"'\u{0}\u{1}";

#[test]
fn nothing_that_a_client_sends_begins_a_line_of_the_log_or_steers_a_terminal() {
    for format in ["text", "json"] {
        let arguments = ["--log-format", format, "--log", "debug"].map(str::to_owned).to_vec();
        let mut server = Server::start(Options { arguments, ..Options::default() });
        let root = server.account().root;
        let host = server.address().to_string();
        let mut connection = Connection::to(server.address());
        let (ecs, iam) = (&ecs::api::MODEL, &iam::api::MODEL);
        let mut send = |request: Request, service: &str| {
            let answer = connection.send(&request.signed(&root, service, REGION, now()));
            assert!((400..500).contains(&answer.status), "{}", answer.text());
        };
        for operation in ["CreateCluster", "DeleteCluster", "DescribeTaskDefinition", "RegisterTaskDefinition"] {
            let name = if operation == "CreateCluster" { "clusterName" } else { "cluster" };
            let input =
                json!({ name: HOSTILE, "taskDefinition": HOSTILE, "family": HOSTILE, "containerDefinitions": [] });
            send(Request::of(&host, ecs, operation, Protocol::AwsJson11, &input.to_string()), "ecs");
        }
        for operation in ["CreateUser", "GetUser", HOSTILE] {
            let input = form(&[("UserName", HOSTILE), ("Path", HOSTILE)]);
            let mut request = Request::of(&host, iam, "", Protocol::AwsQuery, &input);
            let head = form(&[("Action", operation), ("Version", iam.api_version)]);
            request.body = format!("{head}&{input}").into_bytes();
            send(request, "iam");
        }
        let (logs, cloudwatch) = (&logs::api::MODEL, &cloudwatch::api::MODEL);
        for operation in ["CreateLogGroup", "DeleteLogGroup", "GetQueryResults", "StartQuery", "PutMetricFilter"] {
            let input = json!({
                "logGroupName": HOSTILE, "queryId": HOSTILE, "queryString": HOSTILE, "startTime": 0, "endTime": 1,
                "filterName": HOSTILE, "filterPattern": HOSTILE, "metricTransformations": [],
            });
            send(Request::of(&host, logs, operation, Protocol::AwsJson11, &input.to_string()), "logs");
        }
        for operation in ["PutCompositeAlarm", "SetAlarmState", "PutMetricData", "ListTagsForResource"] {
            let input = json!({
                "AlarmName": HOSTILE, "AlarmRule": HOSTILE, "StateValue": HOSTILE, "StateReason": HOSTILE,
                "Namespace": HOSTILE, "ResourceARN": HOSTILE,
                "MetricData": [{ "MetricName": HOSTILE, "Value": 1.0, "Unit": HOSTILE }],
            });
            for protocol in [Protocol::AwsJson10, Protocol::RpcV2Cbor] {
                send(Request::of(&host, cloudwatch, operation, protocol, &input.to_string()), "monitoring");
            }
        }
        let mut request = Request::get(&host, "/");
        request.set("user-agent", "x\u{9}forged line");
        request.set("x-amz-target", "AmazonEC2ContainerServiceV20141113.forged line");
        send(request, "ecs");
        assert!(server.stop().success());
        let log = server.log();
        assert!(log.contains("forged line"), "something of it is told:\n{log}");
        for line in log.lines() {
            assert!(!line.starts_with("2026-01-01T00:00:00Z"), "a client has written this line: {line}");
            let is_control = |c: char| c.is_control() && c != '\t';
            assert!(!line.contains(is_control), "a control character is in the log: {line:?}");
        }
    }
}

#[test]
fn an_error_that_quotes_a_client_is_still_well_formed() {
    let mut scene = Scene::new();
    let root = scene.account.root.clone();
    let texts =
        [HOSTILE, "</Message></Error><Error><Code>Forged</Code>", "<![CDATA[", "&#0;", "\u{fffe}\u{ffff}", "\u{202e}"];
    for text in texts {
        for operation in ["CreateUser", "GetRole"] {
            let member = if operation == "CreateUser" { "UserName" } else { "RoleName" };
            let input = form(&[(member, text)]);
            let request = Request::of(&scene.host, &iam::api::MODEL, operation, Protocol::AwsQuery, &input);
            let answer = scene.connection.send(&request.signed(&root, "iam", REGION, now()));
            let failure = answer.failure(Protocol::AwsQuery);
            assert_eq!(failure.code, "ValidationError", "{failure:?}");
            assert_is_xml(&answer.text());
        }
        let input = json!({ "cluster": text }).to_string();
        let request = Request::of(&scene.host, &ecs::api::MODEL, "DeleteCluster", Protocol::AwsJson11, &input);
        let answer = scene.connection.send(&request.signed(&root, "ecs", REGION, now()));
        assert_eq!(answer.failure(Protocol::AwsJson11).status, 400);
        assert!(answer.json().is_object());
    }
}

/// Characters that XML 1.0 has not make a document that no client reads, as does a reference to one.
#[track_caller]
fn assert_is_xml(text: &str) {
    let is_char =
        |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(text.chars().all(is_char), "{text:?}");
    for reference in text.split("&#").skip(1) {
        let number = reference.split(';').next().unwrap_or_default();
        let number = match number.strip_prefix('x') {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        let named = number.ok().and_then(char::from_u32);
        assert!(named.is_some_and(is_char), "{text:?}");
    }
    let mut reader = quick_xml::Reader::from_str(text);
    let mut codes = 0;
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error}: {text:?}")) {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(element) if element.name().as_ref() == b"Code" => codes += 1,
            _ => {}
        }
    }
    assert_eq!(codes, 1, "{text:?}");
}
