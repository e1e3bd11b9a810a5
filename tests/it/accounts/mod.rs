//! Several accounts on one server, and several regions: each has what is its own.

use serde_json::{Value, json};
use tests::raw::{Answer, Connection, Request, form};
use tests::{Account, Aws, REGION, Server};
use wire::model::{Protocol, ServiceModel};

use crate::security::now;

/// Calls by an account's root in one region.
struct Desk<'s> {
    server: &'s Server,
    account: &'s Account,
    region: &'s str,
}

impl Desk<'_> {
    #[track_caller]
    fn call(&self, model: &ServiceModel, operation: &str, protocol: Protocol, input: &str) -> Answer {
        let request = Request::of(&self.server.address().to_string(), model, operation, protocol, input);
        let request = request.signed(&self.account.root, model.signing_name, self.region, now());
        Connection::to(self.server.address()).send(&request)
    }

    #[track_caller]
    fn ecs(&self, operation: &str, input: &Value) -> Value {
        self.call(&ecs::api::MODEL, operation, Protocol::AwsJson11, &input.to_string()).success().json()
    }

    #[track_caller]
    fn iam(&self, operation: &str, input: &[(&str, &str)]) -> Answer {
        self.call(&iam::api::MODEL, operation, Protocol::AwsQuery, &form(input))
    }
}

#[test]
fn clusters_and_task_definitions_of_one_name_live_side_by_side_in_accounts_and_regions() {
    let server = Server::shared();
    let (first, second) = (server.account(), server.account());
    let regions = [REGION, "eu-north-1"];
    let container = json!([{ "name": "a", "image": "b", "memory": 6 }]);
    for account in [&first, &second] {
        for region in regions {
            let desk = Desk { server: &server, account, region };
            let made = desk.ecs("CreateCluster", &json!({ "clusterName": "shop" }));
            let arn = format!("arn:aws:ecs:{region}:{}:cluster/shop", account.id);
            assert_eq!(made["cluster"]["clusterArn"], arn);
            assert_eq!(desk.ecs("ListClusters", &json!({}))["clusterArns"], json!([arn]));
            let input = json!({ "family": "web", "containerDefinitions": container });
            let made = desk.ecs("RegisterTaskDefinition", &input);
            assert_eq!(made["taskDefinition"]["revision"], 1, "revisions are counted apart");
        }
    }
    let here = Desk { server: &server, account: &first, region: REGION };
    here.ecs("DeleteCluster", &json!({ "cluster": "shop" }));
    here.ecs("DeregisterTaskDefinition", &json!({ "taskDefinition": "web:1" }));
    assert_eq!(here.ecs("ListClusters", &json!({}))["clusterArns"], json!([]));
    for (account, region) in [(&first, regions[1]), (&second, regions[0]), (&second, regions[1])] {
        let desk = Desk { server: &server, account, region };
        assert_eq!(desk.ecs("ListClusters", &json!({}))["clusterArns"].as_array().unwrap().len(), 1);
        let found = desk.ecs("DescribeTaskDefinition", &json!({ "taskDefinition": "web" }));
        assert_eq!(found["taskDefinition"]["status"], "ACTIVE");
    }
}

#[test]
fn another_regions_and_another_accounts_things_are_not_found_by_their_arn() {
    let server = Server::shared();
    let (first, second) = (server.account(), server.account());
    let owner = Desk { server: &server, account: &first, region: "eu-north-1" };
    let arn = owner.ecs("CreateCluster", &json!({ "clusterName": "shop" }))["cluster"]["clusterArn"].take();
    for (account, region) in [(&first, REGION), (&second, "eu-north-1"), (&second, REGION)] {
        let desk = Desk { server: &server, account, region };
        let input = json!({ "clusters": [arn] }).to_string();
        let answer = desk.call(&ecs::api::MODEL, "DescribeClusters", Protocol::AwsJson11, &input);
        if answer.status == 200 {
            assert_eq!(answer.json()["clusters"], json!([]), "{}", answer.text());
        }
        let input = json!({ "cluster": arn }).to_string();
        let answer = desk.call(&ecs::api::MODEL, "DeleteCluster", Protocol::AwsJson11, &input);
        assert_eq!(answer.failure(Protocol::AwsJson11).status, 400);
    }
    assert_eq!(owner.ecs("ListClusters", &json!({}))["clusterArns"], json!([arn]));
}

#[test]
fn iam_is_one_for_all_regions_and_one_for_each_account() {
    let server = Server::shared();
    let (first, second) = (server.account(), server.account());
    let desk = |account, region| Desk { server: &server, account, region };
    let made = desk(&first, REGION).iam("CreateUser", &[("UserName", "ann")]).success();
    let other = desk(&second, REGION).iam("CreateUser", &[("UserName", "ann")]).success();
    assert_ne!(made.element("UserId"), other.element("UserId"));
    let seen = desk(&first, "eu-north-1").iam("GetUser", &[("UserName", "ann")]).success();
    assert_eq!(seen.element("UserId"), made.element("UserId"), "whatever the region of the signature");
    desk(&second, "eu-north-1").iam("DeleteUser", &[("UserName", "ann")]).success();
    desk(&first, REGION).iam("GetUser", &[("UserName", "ann")]).success();
    let gone = desk(&second, REGION).iam("GetUser", &[("UserName", "ann")]).failure(Protocol::AwsQuery);
    assert_eq!((gone.code.as_str(), gone.status), ("NoSuchEntity", 404));
}

#[test]
fn the_command_line_acts_in_the_account_of_its_key() {
    let server = Server::shared();
    let (first, second) = (server.account(), server.account());
    let (one, two) = (Aws::new(&server, &first.root), Aws::new(&server, &second.root).in_region("eu-north-1"));
    one.call(&["ecs", "create-cluster", "--cluster-name", "mine"]);
    assert_eq!(two.call(&["ecs", "list-clusters"])["clusterArns"], json!([]));
    let me = two.call(&["sts", "get-caller-identity"]);
    assert_eq!(me["Account"], second.id);
    let role = two.call(&[
        "iam",
        "create-role",
        "--role-name",
        "visitor",
        "--assume-role-policy-document",
        &crate::security::trust(&first.id),
    ]);
    let arn = role["Role"]["Arn"].as_str().unwrap().to_owned();
    let session = one.call(&["sts", "assume-role", "--role-arn", &arn, "--role-session-name", "visit"]);
    let arn = session["AssumedRoleUser"]["Arn"].as_str().unwrap();
    assert_eq!(arn, format!("arn:aws:sts::{}:assumed-role/visitor/visit", second.id), "the trusted account may enter");
}
