use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::*;

fn new_event(timestamp: i64, message: &str) -> NewEvent {
    NewEvent { timestamp: Timestamp::from_millis(timestamp), message: message.to_owned() }
}

fn filter(pattern: &str) -> Compiled {
    Compiled {
        name: "all".to_owned(),
        pattern: Pattern::parse(pattern).unwrap(),
        destination_arn: "arn:aws:lambda:us-east-1:123456789012:function:f".to_owned(),
        was_refused: AtomicBool::new(false),
    }
}

fn unpacked(event: &[u8]) -> Value {
    let event: Value = serde_json::from_slice(event).unwrap();
    let data = BASE64.decode(event["awslogs"]["data"].as_str().unwrap()).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(data.as_slice()).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn made(pattern: &str, events: &[NewEvent]) -> Vec<Value> {
    let head = Head { owner: "123456789012".to_owned(), group: "/g".to_owned(), stream: "s".to_owned() };
    let ids: Vec<_> = (0..events.len()).map(|n| EventId::from_u128(n as u128)).collect();
    filter(pattern).events(&head, &ids, events).iter().map(|event| unpacked(event)).collect()
}

#[test]
fn a_function_gets_what_the_filter_takes_packed_as_cloudwatch_logs_packs_it() {
    let events = [new_event(1, "fine"), new_event(2, "an ERROR"), new_event(3, "ERROR again")];
    let expected = json!({
        "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "/g", "logStream": "s",
        "subscriptionFilters": ["all"],
        "logEvents": [
            { "id": format!("{:056}", 1), "timestamp": 2, "message": "an ERROR" },
            { "id": format!("{:056}", 2), "timestamp": 3, "message": "ERROR again" },
        ],
    });
    assert_eq!(made("ERROR", &events), [expected]);
    assert_eq!(made("", &events)[0]["logEvents"].as_array().unwrap().len(), 3);
    assert!(made("nothing", &events).is_empty());
}

#[test]
fn the_fields_of_a_space_delimited_pattern_go_with_the_event() {
    let made = made("[ip, user, status = 4*]", &[new_event(1, "10.0.0.1 ann 404"), new_event(1, "10.0.0.1 ann 200")]);
    let events = made[0]["logEvents"].as_array().unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["extractedFields"], json!({ "ip": "10.0.0.1", "user": "ann", "status": "404" }));
}

#[test]
fn what_is_too_much_for_one_event_becomes_several() {
    let events: Vec<_> = (0..5).map(|n| new_event(n, &"x".repeat(200 * 1024))).collect();
    let made = made("", &events);
    assert_eq!(made.iter().map(|it| it["logEvents"].as_array().unwrap().len()).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(super::tests::made("", &[new_event(1, &"x".repeat(1024 * 1024))]).len(), 1);
}
