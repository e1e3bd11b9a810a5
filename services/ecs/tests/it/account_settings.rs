use super::*;

fn root() -> String {
    format!("arn:aws:iam::{ACCOUNT}:root")
}

#[tokio::test]
async fn a_setting_holds_for_its_principal_then_for_the_account_then_as_aws_has_it() {
    let caller = Caller::new();
    let alice = caller.user("alice");
    let effective = json!({"name": "containerInsights", "effectiveSettings": true});
    let of = |value: &str, principal: &str| json!([{"name": "containerInsights", "value": value, "principalArn": principal, "type": "user"}]);
    assert_eq!(alice.ok("ListAccountSettings", effective.clone()).await["settings"], of("disabled", &root()));
    let default = json!({"name": "containerInsights", "value": "enabled"});
    let answer = caller.ok("PutAccountSettingDefault", default).await;
    assert_eq!(json!([answer["setting"]]), of("enabled", &root()));
    assert_eq!(alice.ok("ListAccountSettings", effective.clone()).await["settings"], of("enabled", &root()));
    let own = json!({"name": "containerInsights", "value": "enhanced"});
    let alice_arn = alice.ctx.principal.arn.to_string();
    assert_eq!(json!([alice.ok("PutAccountSetting", own).await["setting"]]), of("enhanced", &alice_arn));
    assert_eq!(alice.ok("ListAccountSettings", effective.clone()).await["settings"], of("enhanced", &alice_arn));
    assert_eq!(caller.ok("ListAccountSettings", effective.clone()).await["settings"], of("enabled", &root()));
    for _ in 0..2 {
        let deleted = alice.ok("DeleteAccountSetting", json!({"name": "containerInsights"})).await;
        assert_eq!(json!([deleted["setting"]]), of("enabled", &alice_arn));
    }
    assert_eq!(alice.ok("ListAccountSettings", effective).await["settings"], of("enabled", &root()));
}

#[tokio::test]
async fn a_new_cluster_takes_container_insights_from_the_account() {
    let caller = Caller::new();
    caller.ok("PutAccountSettingDefault", json!({"name": "containerInsights", "value": "enhanced"})).await;
    let cluster = caller.ok("CreateCluster", json!({"clusterName": "web"})).await["cluster"].clone();
    assert_eq!(cluster["settings"], json!([{"name": "containerInsights", "value": "enhanced"}]));
}

#[tokio::test]
async fn without_being_asked_for_what_holds_only_what_was_set_is_listed() {
    let caller = Caller::new();
    assert_eq!(caller.ok("ListAccountSettings", json!({})).await, json!({"settings": []}));
    caller.ok("PutAccountSetting", json!({"name": "awsvpcTrunking", "value": "enabled"})).await;
    let listed = caller.ok("ListAccountSettings", json!({})).await;
    assert_eq!(listed["settings"][0]["name"], "awsvpcTrunking");
    let by_value = json!({"name": "awsvpcTrunking", "value": "disabled"});
    assert_eq!(caller.ok("ListAccountSettings", by_value).await, json!({"settings": []}));
    let nameless = caller.refused("ListAccountSettings", json!({"value": "enabled"})).await;
    assert_eq!(nameless.0, "InvalidParameterException");
}

#[tokio::test]
async fn all_settings_are_listed_once_over_the_pages() {
    let caller = Caller::new();
    let mut names = Vec::new();
    let mut input = json!({"effectiveSettings": true, "maxResults": 4});
    loop {
        let page = caller.ok("ListAccountSettings", input.clone()).await;
        names.extend(page["settings"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()));
        match page.get("nextToken") {
            Some(token) => input["nextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!(names.len(), 11);
    assert!(names.is_sorted() && names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    let first = caller.ok("ListAccountSettings", json!({"effectiveSettings": true})).await;
    assert_eq!(first["settings"].as_array().unwrap().len(), 10);
    let duty = json!({"effectiveSettings": true, "name": "guardDutyActivate"});
    assert_eq!(caller.ok("ListAccountSettings", duty).await["settings"][0]["type"], "aws_managed");
    assert_eq!(caller.refused("ListAccountSettings", json!({"maxResults": 11})).await.0, "InvalidParameterException");
}

#[tokio::test]
async fn only_the_root_user_sets_what_is_anothers() {
    let caller = Caller::new();
    let (alice, bob) = (caller.user("alice"), caller.user("bob"));
    let for_bob =
        json!({"name": "awsvpcTrunking", "value": "enabled", "principalArn": bob.ctx.principal.arn.to_string()});
    assert_eq!(alice.refused("PutAccountSetting", for_bob.clone()).await.0, "AccessDeniedException");
    caller.ok("PutAccountSetting", for_bob).await;
    assert_eq!(bob.ok("ListAccountSettings", json!({})).await["settings"][0]["value"], "enabled");
    assert_eq!(alice.ok("ListAccountSettings", json!({})).await["settings"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_set_is_refused() {
    let caller = Caller::new();
    for (name, value, message) in [
        ("taskLongArnFormat", "ENABLED", "Invalid setting 'value'"),
        ("taskLongArnFormat", "disabled", "You can no longer disable Long Arn settings"),
        ("guardDutyActivate", "on", "Invalid setting 'name'"),
    ] {
        for operation in ["PutAccountSetting", "PutAccountSettingDefault"] {
            let refused = caller.refused(operation, json!({"name": name, "value": value})).await;
            assert_eq!(refused, refusal("InvalidParameterException", message));
        }
    }
}
