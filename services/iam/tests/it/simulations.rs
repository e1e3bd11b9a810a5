use iam::api::{
    ContextEntry, CreateRoleRequest, CreateRoleResponse, EvaluationResult, GetContextKeysForCustomPolicyRequest,
    GetContextKeysForPolicyResponse, GetContextKeysForPrincipalPolicyRequest, InlinePolicyIdentifierType,
    PolicyEvaluationDecisionType as Word, PolicyIdentifier, SimulateCustomPolicyRequest, SimulatePolicyResponse,
    SimulatePrincipalPolicyRequest,
};

use crate::bench::{ACCOUNT, Bench, POLICY, TRUST, policy_arn, refusal};

const DENY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:Get*","Resource":"arn:aws:s3:::secret/*"}]}"#;

fn policies(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn custom(inputs: &[&str], actions: &[&str], resources: &[&str]) -> SimulateCustomPolicyRequest {
    SimulateCustomPolicyRequest {
        policy_input_list: policies(inputs),
        action_names: policies(actions),
        resource_arns: (!resources.is_empty()).then(|| policies(resources)),
        ..Default::default()
    }
}

async fn simulate(bench: &Bench, input: SimulateCustomPolicyRequest) -> Vec<EvaluationResult> {
    let answer: SimulatePolicyResponse = bench.ask("SimulateCustomPolicy", input).await.unwrap();
    answer.evaluation_results.unwrap()
}

fn words(results: &[EvaluationResult]) -> Vec<Word> {
    results.iter().map(|result| result.eval_decision).collect()
}

#[tokio::test]
async fn each_action_is_told_with_the_statements_that_decide() {
    let bench = Bench::new();
    let results = simulate(&bench, custom(&[POLICY, DENY], &["s3:GetObject", "s3:PutObject"], &[])).await;
    assert_eq!(words(&results), [Word::Allowed, Word::ImplicitDeny]);
    let matched = &results[0].matched_statements.as_ref().unwrap()[0];
    assert_eq!(matched.source_policy_id.as_deref(), Some("PolicyInputList.1"));
    assert_eq!(matched.source_policy_type.map(|word| word.as_str()), Some("IAM Policy"));
    let (start, end) = (matched.start_position.clone().unwrap(), matched.end_position.clone().unwrap());
    assert_eq!((start.line, start.column, end.line), (Some(1), Some(38), Some(1)));
    assert_eq!(results[0].eval_resource_name.as_deref(), Some("*"));
    assert_eq!(
        (results[0].resource_specific_results.is_none(), results[1].matched_statements.as_deref()),
        (true, Some(&[][..]))
    );
}

#[tokio::test]
async fn of_several_resources_each_is_told_and_the_worst_counts() {
    let bench = Bench::new();
    let resources = ["arn:aws:s3:::open/a", "arn:aws:s3:::secret/a"];
    let results = simulate(&bench, custom(&[POLICY, DENY], &["s3:GetObject"], &resources)).await;
    assert_eq!(words(&results), [Word::ExplicitDeny]);
    let specific = results[0].resource_specific_results.as_ref().unwrap();
    let told: Vec<_> =
        specific.iter().map(|result| (result.eval_resource_name.as_str(), result.eval_resource_decision)).collect();
    assert_eq!(told, [(resources[0], Word::Allowed), (resources[1], Word::ExplicitDeny)]);
    let denying = &specific[1].matched_statements.as_ref().unwrap()[0];
    assert_eq!(denying.source_policy_id.as_deref(), Some("PolicyInputList.2"));
}

#[tokio::test]
async fn boundaries_conditions_and_resource_policies_take_part() {
    let bench = Bench::new();
    let bounded = SimulateCustomPolicyRequest {
        permissions_boundary_policy_input_list: Some(policies(&[DENY])),
        ..custom(&[POLICY], &["s3:GetObject"], &[])
    };
    let results = simulate(&bench, bounded).await;
    assert_eq!(words(&results), [Word::ImplicitDeny]);
    let detail = results[0].permissions_boundary_decision_detail.clone().unwrap();
    assert_eq!(detail.allowed_by_permissions_boundary, Some(false));

    let conditional = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*",
        "Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}}]}"#;
    let input = custom(&[conditional], &["s3:GetObject"], &[]);
    let results = simulate(&bench, input.clone()).await;
    assert_eq!(words(&results), [Word::ImplicitDeny]);
    assert_eq!(results[0].missing_context_values.as_deref(), Some(&["aws:RequestedRegion".to_owned()][..]));
    let entry = ContextEntry {
        context_key_name: Some("aws:RequestedRegion".to_owned()),
        context_key_values: Some(vec!["eu-west-1".to_owned()]),
        ..Default::default()
    };
    let results = simulate(&bench, SimulateCustomPolicyRequest { context_entries: Some(vec![entry]), ..input }).await;
    assert_eq!(words(&results), [Word::Allowed]);

    let open = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:user/alice"}},"Action":"s3:PutObject","Resource":"*"}}]}}"#
    );
    let input = SimulateCustomPolicyRequest {
        resource_policy: Some(open),
        caller_arn: Some(format!("arn:aws:iam::{ACCOUNT}:user/alice")),
        ..custom(&[POLICY], &["s3:PutObject"], &["arn:aws:s3:::b/k"])
    };
    let results = simulate(&bench, input).await;
    assert_eq!(words(&results), [Word::Allowed]);
    let matched = &results[0].matched_statements.as_ref().unwrap()[0];
    assert_eq!(matched.source_policy_type.map(|word| word.as_str()), Some("Resource Policy"));
}

#[tokio::test]
async fn a_principals_own_policies_are_simulated_with_and_without_some() {
    let bench = Bench::new();
    bench.create_user("alice").await.unwrap();
    bench.put_user_policy("alice", "deny", DENY).await.unwrap();
    bench.create_policy("reader").await.unwrap();
    bench.attach_to_user("alice", &policy_arn("reader")).await.unwrap();
    let source = format!("arn:aws:iam::{ACCOUNT}:user/alice");
    let input = |excluded: Option<PolicyIdentifier>| SimulatePrincipalPolicyRequest {
        policy_source_arn: source.clone(),
        action_names: policies(&["s3:GetObject"]),
        resource_arns: Some(policies(&["arn:aws:s3:::secret/a"])),
        policy_exclusion_list: excluded.map(|excluded| vec![excluded]),
        ..Default::default()
    };
    let answer: SimulatePolicyResponse = bench.ask("SimulatePrincipalPolicy", input(None)).await.unwrap();
    let result = &answer.evaluation_results.unwrap()[0];
    assert_eq!(result.eval_decision, Word::ExplicitDeny);
    let id = result.matched_statements.as_ref().unwrap()[0].source_policy_id.clone();
    assert_eq!(id.as_deref(), Some("user_alice_deny"));
    let inline = InlinePolicyIdentifierType {
        attachment_name: "alice".to_owned(),
        attachment_type: "user".parse().unwrap(),
        policy_name: "deny".to_owned(),
    };
    let excluded = PolicyIdentifier { inline_policy_identifier: Some(inline), ..Default::default() };
    let answer: SimulatePolicyResponse = bench.ask("SimulatePrincipalPolicy", input(Some(excluded))).await.unwrap();
    let result = &answer.evaluation_results.unwrap()[0];
    assert_eq!(result.eval_decision, Word::Allowed);
    let id = result.matched_statements.as_ref().unwrap()[0].source_policy_id.clone();
    assert_eq!(id.as_deref(), Some("reader"));
}

#[tokio::test]
async fn what_cannot_be_simulated_is_told() {
    let bench = Bench::new();
    let rows = [
        (custom(&["{"], &["s3:GetObject"], &[]), None),
        (custom(&[POLICY], &["GetObject"], &[]), Some("Invalid input: action GetObject")),
        (
            custom(&[POLICY], &["s3:GetObject"; 1000], &["*"; 11]),
            Some("At most 10000 pairs of action and resource are simulated."),
        ),
        (
            custom(&[&POLICY.replace("GetObject", &"x".repeat(100_000))], &["s3:GetObject"; 1000], &["*"; 10]),
            Some("The policies are too large for so many actions and resources."),
        ),
    ];
    for (input, message) in rows {
        let refused = bench.ask::<SimulatePolicyResponse>("SimulateCustomPolicy", input).await.unwrap_err();
        assert_eq!((refused.0.as_str(), refused.1), ("InvalidInput", 400));
        assert!(message.is_none_or(|message| refused.2 == message), "{}", refused.2);
    }
    let nobody = SimulatePrincipalPolicyRequest {
        policy_source_arn: format!("arn:aws:iam::{ACCOUNT}:user/nobody"),
        action_names: policies(&["s3:GetObject"]),
        ..Default::default()
    };
    let refused = bench.ask::<SimulatePolicyResponse>("SimulatePrincipalPolicy", nobody).await.unwrap_err();
    assert_eq!(refused, refusal("NoSuchEntity", 404, "The user with name nobody cannot be found."));
}

#[tokio::test]
async fn results_come_in_pages() {
    let bench = Bench::new();
    let input = SimulateCustomPolicyRequest {
        max_items: Some(2),
        ..custom(&[POLICY], &["s3:GetObject", "s3:PutObject", "s3:ListBucket"], &[])
    };
    let first: SimulatePolicyResponse = bench.ask("SimulateCustomPolicy", input.clone()).await.unwrap();
    assert_eq!((first.is_truncated, first.evaluation_results.unwrap().len()), (Some(true), 2));
    let input = SimulateCustomPolicyRequest { marker: first.marker, ..input };
    let rest = simulate(&bench, input).await;
    assert_eq!(rest.iter().map(|result| result.eval_action_name.as_str()).collect::<Vec<_>>(), ["s3:ListBucket"]);
}

#[tokio::test]
async fn condition_keys_are_listed() {
    let bench = Bench::new();
    bench.create_user("alice").await.unwrap();
    let own = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::home/${aws:username}"}]}"#;
    bench.put_user_policy("alice", "own", own).await.unwrap();
    let input = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}]}"#;
    let request = GetContextKeysForPrincipalPolicyRequest {
        policy_source_arn: format!("arn:aws:iam::{ACCOUNT}:user/alice"),
        policy_input_list: Some(policies(&[input])),
    };
    let answer: GetContextKeysForPolicyResponse = bench.ask("GetContextKeysForPrincipalPolicy", request).await.unwrap();
    assert_eq!(answer.context_key_names.unwrap(), ["aws:SecureTransport", "aws:username"]);
    let request = GetContextKeysForCustomPolicyRequest { policy_input_list: policies(&[input]) };
    let answer: GetContextKeysForPolicyResponse = bench.ask("GetContextKeysForCustomPolicy", request).await.unwrap();
    assert_eq!(answer.context_key_names.unwrap(), ["aws:SecureTransport"]);
}

#[tokio::test]
async fn of_another_accounts_roles_nothing_is_told() {
    let bench = Bench::new();
    let other = bench.as_root_of("222222222222");
    let role = CreateRoleRequest {
        role_name: "worker".to_owned(),
        path: Some("/hidden/".to_owned()),
        assume_role_policy_document: TRUST.to_owned(),
        ..Default::default()
    };
    other.ask::<CreateRoleResponse>("CreateRole", role).await.unwrap();
    let asked = |name: &str| SimulatePrincipalPolicyRequest {
        policy_source_arn: format!("arn:aws:iam::222222222222:role/{name}"),
        action_names: policies(&["s3:GetObject"]),
        ..Default::default()
    };
    let session = bench.as_session();
    for name in ["worker", "nobody"] {
        let refused = session.tell("SimulatePrincipalPolicy", asked(name)).await.unwrap_err();
        assert!(refused.2.contains(&format!("on resource: arn:aws:iam::222222222222:role/{name} ")), "{}", refused.2);
    }
}
