//! An account with one of everything.

use serde_json::{Value as Json, json};
use tests::image::{Blob, Image};
use tests::{Account, Registry, program};

use super::names::{Names, POLICY, PROVIDER, VICTIM, statement, trust};
use super::target::{Scene, now};

/// What is written into everything that the victim has, and into no request of the attacker's.
const PRIVATE: &str = "nobody-else-reads-this";
/// The same where only letters and digits fit.
const PRIVATE_WORD: &str = "nobodyelsereadsthis";
/// The same where only a number fits.
const PRIVATE_NUMBER: &str = "424242.25";

/// Whether a text holds something of what the victim has.
pub(super) fn is_private(text: &str) -> bool {
    [PRIVATE, PRIVATE_WORD, PRIVATE_NUMBER].iter().any(|mark| text.contains(mark))
}

/// A condition that holds for what the victim has.
pub(super) fn guess_of_tag() -> Json {
    json!({ "StringEquals": { format!("aws:ResourceTag/{PRIVATE}"): PRIVATE } })
}

/// Gives the account one of everything, each with [`PRIVATE`] in it. The names of it all.
pub(super) fn furnish(scene: &mut Scene, account: &Account) -> Names {
    containers(scene, account);
    let access_key_id = identities(scene, account);
    metrics(scene, account);
    let names = images(scene, account, Names { access_key_id, ..Names::of(&account.id) });
    events(scene, account, names)
}

fn containers(scene: &mut Scene, account: &Account) {
    let tags = json!([{ "key": PRIVATE, "value": PRIVATE }]);
    let containers = json!([{ "name": "app", "image": PRIVATE, "memory": 64 }]);
    let role = format!("arn:aws:iam::{}:role/{PRIVATE}", account.id);
    for (operation, input) in [
        ("CreateCluster", json!({ "clusterName": VICTIM, "tags": tags })),
        (
            "RegisterTaskDefinition",
            json!({ "family": VICTIM, "containerDefinitions": containers, "tags": tags, "taskRoleArn": role }),
        ),
        ("PutAccountSetting", json!({ "name": "containerInsights", "value": "enabled" })),
    ] {
        scene.json(&account.root, &ecs::api::MODEL, operation, &input).success();
    }
}

/// The names, with those of what is in the repository called [`VICTIM`].
fn images(scene: &mut Scene, account: &Account, names: Names) -> Names {
    let tags = json!([{ "Key": PRIVATE, "Value": PRIVATE }]);
    let rule = json!({
        "rulePriority": 1, "description": PRIVATE, "action": { "type": "expire" },
        "selection": { "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 100 },
    });
    let allowed = |resource: Option<String>| {
        let mut allowed = json!({
            "Sid": PRIVATE_WORD, "Effect": "Allow", "Action": "ecr:ReplicateImage",
            "Principal": { "AWS": format!("arn:aws:iam::{}:root", account.id) },
        });
        if let Some(resource) = resource {
            allowed["Resource"] = resource.into();
        }
        statement(allowed)
    };
    let everything = format!("arn:aws:ecr:{}:{}:repository/*", tests::REGION, account.id);
    let lifecycle = json!({ "repositoryName": VICTIM, "lifecyclePolicyText": json!({ "rules": [rule] }).to_string() });
    let policy = json!({ "repositoryName": VICTIM, "policyText": allowed(None) });
    let mut send =
        |operation: &str, input: Json| scene.json(&account.root, &ecr::api::MODEL, operation, &input).success().json();
    send("CreateRepository", json!({ "repositoryName": VICTIM, "tags": tags }));
    send("SetRepositoryPolicy", policy);
    send("PutRegistryPolicy", json!({ "policyText": allowed(Some(everything)) }));
    send("PutLifecyclePolicy", lifecycle.clone());
    let mut image = Image::small(PRIVATE);
    let mut manifest = image.manifest.document();
    manifest["annotations"] = json!({ PRIVATE: PRIVATE });
    image.manifest = Blob::json(&image.manifest.media_type, &manifest);
    Registry::of(&scene.server, &account.root).push(VICTIM, PRIVATE, &image);
    let mut send =
        |operation: &str, input: Json| scene.json(&account.root, &ecr::api::MODEL, operation, &input).success().json();
    send("StartLifecyclePolicyPreview", lifecycle);
    let names = Names { layer: image.layers[0].digest(), image: image.digest(), ..names };
    send("BatchGetImage", json!({ "repositoryName": VICTIM, "imageIds": [{ "imageDigest": names.image }] }));
    let at_rest = program::until(program::LIMIT, || {
        let preview = send("GetLifecyclePolicyPreview", json!({ "repositoryName": VICTIM }));
        let described = send("DescribeImages", json!({ "repositoryName": VICTIM }));
        let is_pulled = described["imageDetails"][0].get("lastRecordedPullTime").is_some();
        (preview["status"] == "COMPLETE" && is_pulled).then_some(())
    });
    assert!(at_rest.is_some(), "a preview was not made, or a pull not recorded");
    names
}

/// The id of the access key of the user called [`VICTIM`].
fn identities(scene: &mut Scene, account: &Account) -> String {
    let policy = POLICY.replace("\"Effect\"", &format!("\"Sid\":\"{PRIVATE_WORD}\",\"Effect\""));
    let trust = trust(&account.id);
    let tag = [("Tags.member.1.Key", PRIVATE), ("Tags.member.1.Value", PRIVATE)];
    let path = format!("/{PRIVATE}/");
    let arn = format!("arn:aws:iam::{}:policy/{VICTIM}", account.id);
    let mut iam = |operation: &str, parameters: &[(&str, &str)]| {
        scene.form(&account.root, &iam::api::MODEL, operation, parameters).success()
    };
    iam("CreateUser", &[&[("UserName", VICTIM), ("Path", &path)], tag.as_slice()].concat());
    let role = [("RoleName", VICTIM), ("Description", PRIVATE), ("AssumeRolePolicyDocument", &trust)];
    iam("CreateRole", &[role.as_slice(), &tag].concat());
    iam("CreateGroup", &[("GroupName", VICTIM), ("Path", &path)]);
    iam("AddUserToGroup", &[("GroupName", VICTIM), ("UserName", VICTIM)]);
    iam("CreatePolicy", &[&[("PolicyName", VICTIM), ("PolicyDocument", &policy)], tag.as_slice()].concat());
    iam("CreatePolicyVersion", &[("PolicyArn", &arn), ("PolicyDocument", &policy)]);
    iam("CreateInstanceProfile", &[&[("InstanceProfileName", VICTIM), ("Path", &path)], tag.as_slice()].concat());
    iam("AddRoleToInstanceProfile", &[("InstanceProfileName", VICTIM), ("RoleName", VICTIM)]);
    let url = format!("https://{PROVIDER}");
    let provider = [("Url", url.as_str()), ("ClientIDList.member.1", PRIVATE)];
    iam("CreateOpenIDConnectProvider", &[provider.as_slice(), &tag].concat());
    for (kind, name) in [("User", "UserName"), ("Role", "RoleName"), ("Group", "GroupName")] {
        iam(&format!("Attach{kind}Policy"), &[(name, VICTIM), ("PolicyArn", &arn)]);
        iam(&format!("Put{kind}Policy"), &[(name, VICTIM), ("PolicyName", VICTIM), ("PolicyDocument", &policy)]);
    }
    for (kind, name) in [("User", "UserName"), ("Role", "RoleName")] {
        iam(&format!("Put{kind}PermissionsBoundary"), &[(name, VICTIM), ("PermissionsBoundary", &arn)]);
    }
    iam("CreateAccessKey", &[("UserName", VICTIM)]).element("AccessKeyId").unwrap()
}

fn metrics(scene: &mut Scene, account: &Account) {
    let mut send =
        |operation: &str, input: Json| scene.json(&account.root, &cloudwatch::api::MODEL, operation, &input).success();
    let number: f64 = PRIVATE_NUMBER.parse().unwrap();
    let private = json!({ "MetricName": VICTIM, "Dimensions": [{ "Name": PRIVATE, "Value": PRIVATE }], "Value": 1.0 });
    let told = json!({ "MetricName": VICTIM, "Value": number, "Timestamp": now().as_secs() - 300 });
    send("PutMetricData", json!({ "Namespace": VICTIM, "MetricData": [private, told] }));
    let tags = json!([{ "Key": PRIVATE, "Value": PRIVATE }]);
    // On a metric that never has data, so that its state stays.
    send(
        "PutMetricAlarm",
        json!({
            "AlarmName": VICTIM, "AlarmDescription": PRIVATE, "Tags": tags, "Namespace": VICTIM, "MetricName": "silent",
            "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0,
            "ComparisonOperator": "GreaterThanThreshold",
        }),
    );
    let rule = format!("ALARM(\"{VICTIM}\")");
    let composite = json!({ "AlarmName": PRIVATE, "AlarmRule": rule, "AlarmDescription": PRIVATE, "Tags": tags });
    send("PutCompositeAlarm", composite);
    let at_rest = program::until(program::LIMIT, || {
        let input = json!({ "AlarmTypes": ["CompositeAlarm"] });
        let alarms = send("DescribeAlarms", input).json();
        (alarms["CompositeAlarms"][0]["StateValue"] == "OK").then_some(())
    });
    assert!(at_rest.is_some(), "an alarm was not evaluated");
}

/// The names, with those that CloudWatch Logs has made up.
fn events(scene: &mut Scene, account: &Account, names: Names) -> Names {
    let mut send =
        |operation: &str, input: Json| scene.json(&account.root, &logs::api::MODEL, operation, &input).success();
    let stream = json!({ "logGroupName": VICTIM, "logStreamName": VICTIM });
    let text = format!("filter @message like /{PRIVATE}/");
    let allowed = statement(json!({
        "Sid": PRIVATE_WORD, "Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*",
        "Principal": { "AWS": format!("arn:aws:iam::{}:root", account.id) },
    }));
    let metric = json!([{ "metricName": PRIVATE, "metricNamespace": PRIVATE, "metricValue": "1" }]);
    send("CreateLogGroup", json!({ "logGroupName": VICTIM, "tags": { PRIVATE: PRIVATE } }));
    send("CreateLogStream", stream.clone());
    send("PutRetentionPolicy", json!({ "logGroupName": VICTIM, "retentionInDays": 14 }));
    send(
        "PutMetricFilter",
        json!({
            "logGroupName": VICTIM, "filterName": VICTIM, "filterPattern": "nothing", "metricTransformations": metric,
        }),
    );
    send("PutResourcePolicy", json!({ "policyName": VICTIM, "policyDocument": allowed }));
    let event = json!({ PRIVATE: PRIVATE, PRIVATE_WORD: PRIVATE }).to_string();
    let mut batch = stream;
    batch["logEvents"] = json!([{ "timestamp": now().as_millis(), "message": event }]);
    send("PutLogEvents", batch);
    let kept = send("PutQueryDefinition", json!({ "name": VICTIM, "queryString": text, "logGroupNames": [VICTIM] }));
    let [start, end] = names.window;
    let query = json!({ "logGroupName": VICTIM, "startTime": start, "endTime": end, "queryString": text });
    let query_id = send("StartQuery", query).json()["queryId"].as_str().unwrap().to_owned();
    let results = program::until(program::LIMIT, || {
        let results = send("GetQueryResults", json!({ "queryId": query_id })).json();
        (results["status"] == "Complete").then_some(results)
    });
    let results = results.expect("the query ends");
    let pointer = results["results"][0].as_array().into_iter().flatten().find(|field| field["field"] == "@ptr");
    Names {
        record_pointer: pointer.unwrap_or_else(|| panic!("no pointer: {results}"))["value"]
            .as_str()
            .unwrap()
            .to_owned(),
        query_definition_id: kept.json()["queryDefinitionId"].as_str().unwrap().to_owned(),
        query_id,
        ..names
    }
}
