use serde_json::json;

use super::*;

const SERVED: &str = "source = 'x'\ntype = 'Things'\noperations = ['Watch']";

/// A model of one operation that answers `id` and then events.
fn model() -> serde_json::Value {
    json!({
        "metadata": {
            "apiVersion": "2020-01-01",
            "awsQueryCompatible": {},
            "endpointPrefix": "things",
            "jsonVersion": "1.0",
            "protocol": "smithy-rpc-v2-cbor",
            "protocols": ["smithy-rpc-v2-cbor", "json", "query"],
        },
        "operations": {
            "Watch": {
                "input": {"shape": "WatchInput"},
                "output": {"shape": "WatchOutput"},
                "errors": [{"shape": "LimitFault"}, {"shape": "ThingNotFound"}],
            },
        },
        "shapes": {
            "LimitFault": {
                "type": "structure", "exception": true, "members": {"message": {"shape": "Text"}},
                "error": {"code": "LimitExceeded", "httpStatusCode": 400, "senderFault": true},
            },
            "ThingNotFound": {
                "type": "structure", "exception": true, "members": {"Message": {"shape": "Text"}},
                "error": {"httpStatusCode": 404},
            },
            "Gone": {"type": "structure", "exception": true, "members": {"message": {"shape": "Text"}}},
            "Said": {"type": "structure", "event": true, "members": {"text": {"shape": "Text"}}},
            "Text": {"type": "string"},
            "WatchInput": {"type": "structure", "members": {}},
            "WatchOutput": {
                "type": "structure", "members": {"id": {"shape": "Text"}, "stream": {"shape": "WatchStream"}},
            },
            "WatchStream": {
                "type": "structure", "eventstream": true,
                "members": {"Gone": {"shape": "Gone"}, "said": {"shape": "Said"}},
            },
        },
    })
}

/// What is generated of a model.
fn rendered(name: &str, model: &serde_json::Value) -> Result<String> {
    rendered_as(name, model, SERVED)
}

/// What is generated of a model that is served so.
fn rendered_as(name: &str, model: &serde_json::Value, served: &str) -> Result<String> {
    let root = std::env::temp_dir().join(format!("pilvi-codegen-{}-{name}", std::process::id()));
    std::fs::create_dir_all(root.join("models"))?;
    std::fs::write(root.join("models/things.json"), model.to_string())?;
    let loaded = model::Model::load(&root, "things", &toml::from_str(served)?);
    std::fs::remove_dir_all(&root)?;
    api::render(&loaded?)
}

#[test]
fn events_follow_the_rest_of_an_output() {
    let code = rendered("events", &model()).unwrap();
    for part in [
        "WatchOutput {\n    id: Option<String>,\n}",
        "events! { WatchStream {\n    Gone(Gone) = 0,\n    Said(Said) = 1,\n} }",
        "let (initial, events) = crate::ops::watch::watch(self, ctx, input).await?;",
        "Ok(Reply::Stream { initial: wire::write(initial), events: events.into() })",
        "flag::EXCEPTION",
        ".events(",
        "Kind::Union",
    ] {
        assert!(code.contains(part), "{part} is not in\n{code}");
    }
}

#[test]
fn an_output_of_events_alone_is_their_stream() {
    let mut model = model();
    model["shapes"]["WatchOutput"]["members"] = json!({"stream": {"shape": "WatchStream"}});
    let code = rendered("alone", &model).unwrap();
    assert!(code.contains("Ok(Reply::events(crate::ops::watch::watch(self, ctx, input).await?))"), "{code}");
}

#[test]
fn an_error_keeps_both_its_names_where_clients_look_for_both() {
    let code = rendered("errors", &model()).unwrap();
    assert!(code.contains(
        "is_query_compatible: true, admits_anonymous: false, protocols: &[wire::model::Protocol::RpcV2Cbor, wire::model::Protocol::AwsJson10, wire::model::Protocol::AwsQuery]"
    ));
    assert!(code.contains(r#"ErrorKind::new("LimitFault", 400).in_query("LimitExceeded");"#), "{code}");
    assert!(code.contains(r#"ErrorKind::new("ThingNotFound", 404).message_in("Message");"#), "{code}");
    let mut query = model();
    query["metadata"] = json!({"protocol": "query", "protocols": ["query"]});
    let code = rendered("query", &query).unwrap();
    assert!(code.contains(r#"ErrorKind::new("LimitExceeded", 400);"#), "{code}");
    let mut json = model();
    json["metadata"] = json!({"protocol": "json", "protocols": ["json"], "jsonVersion": "1.1"});
    let code = rendered("json", &json).unwrap();
    assert!(code.contains(r#"ErrorKind::new("LimitFault", 400);"#), "{code}");
    assert!(code.contains(r#"ErrorKind::new("ThingNotFound", 400);"#), "{code}");
}

#[test]
fn an_enumeration_of_no_words_is_any_text() {
    let mut model = model();
    model["shapes"]["Text"]["enum"] = json!(["a", "b"]);
    assert!(rendered("words", &model).unwrap().contains("Text {\n    A = \"a\",\n    B = \"b\",\n}"));
    let open = rendered_as("open", &model, &format!("{SERVED}\nwords = {{ Text = [] }}")).unwrap();
    assert!(open.contains("id: Option<String>,") && !open.contains("enumeration! {"), "{open}");
}

#[test]
fn an_operation_may_be_allowed_longer_requests_if_it_is_served() {
    let code = rendered_as("long", &model(), &format!("{SERVED}\nbody_bytes_max = {{ Watch = 28_000_000 }}")).unwrap();
    assert!(code.contains(".served().body_bytes_max(28000000).input("), "{code}");
    assert!(!rendered("short", &model()).unwrap().contains("body_bytes_max"));
    let error = rendered_as("none", &model(), &format!("{SERVED}\nbody_bytes_max = {{ Other = 1 }}")).unwrap_err();
    assert!(error.to_string().contains("limits Other, which it does not serve"), "{error:#}");
}

#[test]
fn what_no_codec_can_carry_is_refused() {
    let mut input = model();
    input["operations"]["Watch"]["input"]["shape"] = json!("WatchOutput");
    assert!(rendered("input", &input).unwrap_err().root_cause().to_string().contains("as input has no codec"));
    let mut payload = model();
    payload["shapes"]["Said"]["members"]["text"]["eventpayload"] = json!(true);
    let mut bytes = payload.clone();
    bytes["shapes"]["Text"]["type"] = json!("blob");
    let code = rendered("bytes", &bytes).unwrap();
    assert!(code.contains(".at(Location::Payload)"), "{code}");
    let error = rendered("payload", &payload).unwrap_err();
    assert!(error.root_cause().to_string().contains("event said has no codec"), "{error:#}");
}
