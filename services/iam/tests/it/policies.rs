use iam::api::{
    CreatePolicyRequest, CreatePolicyResponse, CreatePolicyVersionRequest, CreatePolicyVersionResponse,
    DeletePolicyRequest, DeletePolicyVersionRequest, GetPolicyVersionRequest, GetPolicyVersionResponse,
    ListPolicyVersionsRequest, ListPolicyVersionsResponse, SetDefaultPolicyVersionRequest, TagPolicyRequest,
};

use crate::bench::{ACCOUNT, Bench, POLICY, Refusal, policy_arn, refusal, tag};

const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

async fn add_version(bench: &Bench, arn: &str, default: bool) -> Result<String, Refusal> {
    let input = CreatePolicyVersionRequest {
        policy_arn: arn.to_owned(),
        policy_document: POLICY.replace("s3:GetObject", "s3:PutObject"),
        set_as_default: Some(default),
    };
    let answer: CreatePolicyVersionResponse = bench.ask("CreatePolicyVersion", input).await?;
    let version = answer.policy_version.unwrap();
    assert_eq!((version.document, version.is_default_version), (None, Some(default)));
    Ok(version.version_id.unwrap())
}

async fn versions(bench: &Bench, arn: &str) -> Result<Vec<(String, bool)>, Refusal> {
    let input = ListPolicyVersionsRequest { policy_arn: arn.to_owned(), ..Default::default() };
    let answer: ListPolicyVersionsResponse = bench.ask("ListPolicyVersions", input).await?;
    let pair = |it: iam::api::PolicyVersion| (it.version_id.unwrap(), it.is_default_version.unwrap());
    Ok(answer.versions.unwrap().into_iter().map(pair).collect())
}

async fn document(bench: &Bench, arn: &str, version: &str) -> Result<String, Refusal> {
    let input = GetPolicyVersionRequest { policy_arn: arn.to_owned(), version_id: version.to_owned() };
    let answer: GetPolicyVersionResponse = bench.ask("GetPolicyVersion", input).await?;
    Ok(answer.policy_version.unwrap().document.unwrap())
}

async fn delete_version(bench: &Bench, arn: &str, version: &str) -> Result<(), Refusal> {
    let input = DeletePolicyVersionRequest { policy_arn: arn.to_owned(), version_id: version.to_owned() };
    bench.tell("DeletePolicyVersion", input).await
}

async fn set_default(bench: &Bench, arn: &str, version: &str) -> Result<(), Refusal> {
    let input = SetDefaultPolicyVersionRequest { policy_arn: arn.to_owned(), version_id: version.to_owned() };
    bench.tell("SetDefaultPolicyVersion", input).await
}

async fn delete(bench: &Bench, arn: &str) -> Result<(), Refusal> {
    bench.tell("DeletePolicy", DeletePolicyRequest { policy_arn: arn.to_owned() }).await
}

fn not_found(arn: &str) -> Refusal {
    refusal("NoSuchEntity", 404, &format!("Policy {arn} was not found."))
}

fn no_version(arn: &str, version: &str) -> Refusal {
    let message = format!("Policy {arn} version {version} does not exist or is not attachable.");
    refusal("NoSuchEntity", 404, &message)
}

#[tokio::test]
async fn a_policy_is_made_answered_and_removed() {
    let bench = Bench::new();
    let input = CreatePolicyRequest {
        policy_name: "reader".to_owned(),
        policy_document: POLICY.to_owned(),
        description: Some("reads".to_owned()),
        path: Some("/team/".to_owned()),
        tags: Some(vec![tag("a", "1")]),
    };
    let made = bench.ask::<CreatePolicyResponse>("CreatePolicy", input).await.unwrap().policy.unwrap();
    let arn = format!("arn:aws:iam::{ACCOUNT}:policy/team/reader");
    assert_eq!(made.arn.as_ref(), Some(&arn));
    assert_eq!((made.description.as_ref(), made.attachment_count, made.is_attachable), (None, Some(0), Some(true)));
    assert_eq!((made.default_version_id.as_deref(), made.permissions_boundary_usage_count), (Some("v1"), Some(0)));
    assert!(made.policy_id.as_ref().unwrap().starts_with("ANPA"));

    let answered = bench.get_policy(&arn).await.unwrap();
    assert_eq!((answered.description.as_deref(), answered.tags), (Some("reads"), Some(vec![tag("a", "1")])));
    let untagged = bench.create_policy("plain").await.unwrap();
    assert_eq!(untagged.tags, None);
    assert_eq!(bench.get_policy(&policy_arn("plain")).await.unwrap().tags, Some(Vec::new()));

    delete(&bench, &arn).await.unwrap();
    assert_eq!(bench.get_policy(&arn).await, Err(not_found(&arn)));
    assert_eq!(delete(&bench, &arn).await, Err(not_found(&arn)));
}

#[tokio::test]
async fn a_policy_is_meant_by_its_whole_arn() {
    let bench = Bench::new();
    bench.create_policy("reader").await.unwrap();
    for other in ["team/reader", "Reader"] {
        assert_eq!(bench.get_policy(&policy_arn(other)).await, Err(not_found(&policy_arn(other))));
        assert_eq!(delete(&bench, &policy_arn(other)).await, Err(not_found(&policy_arn(other))));
    }
    let invalid = refusal("ValidationError", 400, "ARN this-is-no-arn-at-all is not valid.");
    assert_eq!(bench.get_policy("this-is-no-arn-at-all").await, Err(invalid.clone()));
    assert_eq!(delete(&bench, "this-is-no-arn-at-all").await, Err(invalid));
}

#[tokio::test]
async fn a_policy_name_is_taken_under_every_path() {
    let bench = Bench::new();
    bench.create_policy("reader").await.unwrap();
    let exists =
        refusal("EntityAlreadyExists", 409, "A policy called Reader already exists. Duplicate names are not allowed.");
    let input = CreatePolicyRequest {
        policy_name: "Reader".to_owned(),
        policy_document: POLICY.to_owned(),
        path: Some("/other/".to_owned()),
        ..Default::default()
    };
    assert_eq!(bench.ask::<CreatePolicyResponse>("CreatePolicy", input).await.unwrap_err(), exists);
}

#[tokio::test]
async fn a_document_is_checked_and_its_size_counted_without_white_space() {
    let bench = Bench::new();
    let create = async |document: String| {
        let input =
            CreatePolicyRequest { policy_name: "p".to_owned(), policy_document: document, ..Default::default() };
        bench.ask::<CreatePolicyResponse>("CreatePolicy", input).await.map(drop)
    };
    let syntax = refusal("MalformedPolicyDocument", 400, "Syntax errors in policy.");
    assert_eq!(create("{".to_owned()).await, Err(syntax));
    let long = POLICY.replace("GetObject", &"x".repeat(6144));
    let too_long = refusal("LimitExceeded", 409, "Cannot exceed quota for PolicySize: 6144");
    assert_eq!(create(long).await, Err(too_long));
    let airy = POLICY.replace(',', &format!(",{}", "\n".repeat(7000)));
    assert_eq!(create(airy).await, Ok(()));
}

#[tokio::test]
async fn versions_are_counted_on_and_the_latest_comes_first() {
    let bench = Bench::new();
    bench.create_policy("reader").await.unwrap();
    let arn = policy_arn("reader");
    assert_eq!(add_version(&bench, &arn, true).await.unwrap(), "v2");
    assert_eq!(add_version(&bench, &arn, false).await.unwrap(), "v3");
    let listed = |rows: &[(&str, bool)]| rows.iter().map(|(id, it)| ((*id).to_owned(), *it)).collect::<Vec<_>>();
    assert_eq!(versions(&bench, &arn).await.unwrap(), listed(&[("v3", false), ("v2", true), ("v1", false)]));
    assert_eq!(bench.get_policy(&arn).await.unwrap().default_version_id.as_deref(), Some("v2"));
    assert!(document(&bench, &arn, "v1").await.unwrap().contains("s3%3AGetObject"));
    assert!(document(&bench, &arn, "v2").await.unwrap().contains("s3%3APutObject"));

    delete_version(&bench, &arn, "v1").await.unwrap();
    set_default(&bench, &arn, "v3").await.unwrap();
    assert_eq!(versions(&bench, &arn).await.unwrap(), listed(&[("v3", true), ("v2", false)]));
    let conflict = refusal("DeleteConflict", 409, "Cannot delete the default version of a policy.");
    assert_eq!(delete_version(&bench, &arn, "v3").await, Err(conflict));
    for missing in ["v1", "v9"] {
        assert_eq!(delete_version(&bench, &arn, missing).await, Err(no_version(&arn, missing)));
        assert_eq!(set_default(&bench, &arn, missing).await, Err(no_version(&arn, missing)));
        assert_eq!(document(&bench, &arn, missing).await, Err(no_version(&arn, missing)));
    }
    let none = policy_arn("none");
    assert_eq!(document(&bench, &none, "v1").await, Err(no_version(&none, "v1")));
    assert_eq!(set_default(&bench, &none, "v1").await, Err(no_version(&none, "v1")));
    assert_eq!(versions(&bench, &none).await, Err(not_found(&none)));
}

#[tokio::test]
async fn a_policy_has_five_versions_at_most_and_numbers_are_not_given_twice() {
    let bench = Bench::new();
    bench.create_policy("reader").await.unwrap();
    let arn = policy_arn("reader");
    for _ in 0..4 {
        add_version(&bench, &arn, false).await.unwrap();
    }
    let full = "A managed policy can have up to 5 versions. Before you create a new version, you must delete an \
                existing version.";
    assert_eq!(add_version(&bench, &arn, false).await, Err(refusal("LimitExceeded", 409, full)));
    let several = "This policy has more than one version. Before you delete a policy, you must delete the policy's \
                   versions. The default version is deleted with the policy.";
    assert_eq!(delete(&bench, &arn).await, Err(refusal("DeleteConflict", 409, several)));
    delete_version(&bench, &arn, "v5").await.unwrap();
    assert_eq!(add_version(&bench, &arn, false).await.unwrap(), "v6");
}

#[tokio::test]
async fn awss_policies_can_be_read_and_not_changed() {
    let bench = Bench::new();
    let policy = bench.get_policy(ADMINISTRATOR).await.unwrap();
    assert_eq!((policy.policy_name.as_deref(), policy.path.as_deref()), (Some("AdministratorAccess"), Some("/")));
    assert_eq!(versions(&bench, ADMINISTRATOR).await.unwrap(), [("v1".to_owned(), true)]);
    assert!(document(&bench, ADMINISTRATOR, "v1").await.unwrap().contains("%22Action%22%3A%22%2A%22"));
    assert_eq!(document(&bench, ADMINISTRATOR, "v2").await, Err(no_version(ADMINISTRATOR, "v2")));

    assert_eq!(delete(&bench, ADMINISTRATOR).await.unwrap_err().0, "AccessDenied");
    assert_eq!(add_version(&bench, ADMINISTRATOR, true).await.unwrap_err().0, "AccessDenied");
    let input = TagPolicyRequest { policy_arn: ADMINISTRATOR.to_owned(), tags: vec![tag("a", "1")] };
    assert_eq!(bench.tell("TagPolicy", input).await.unwrap_err().0, "AccessDenied");
    let unknown = "arn:aws:iam::aws:policy/NoSuchAccess";
    assert_eq!(bench.get_policy(unknown).await, Err(not_found(unknown)));
}

#[tokio::test]
async fn another_accounts_policy_is_out_of_reach() {
    let bench = Bench::new();
    bench.create_policy("reader").await.unwrap();
    let other = bench.as_root_of("222222222222");
    let arn = policy_arn("reader");
    for refused in [
        other.get_policy(&arn).await.map(drop),
        delete(&other, &arn).await,
        add_version(&other, &arn, true).await.map(drop),
        versions(&other, &arn).await.map(drop),
    ] {
        assert_eq!(refused.unwrap_err().0, "AccessDenied");
    }
    other.create_user("alice").await.unwrap();
    let message = format!("Policy {arn} does not exist or is not attachable.");
    assert_eq!(other.attach_to_user("alice", &arn).await, Err(refusal("NoSuchEntity", 404, &message)));
}
