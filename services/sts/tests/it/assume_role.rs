use std::time::Duration;

use base::PrincipalKind;
use sts::api::{AssumeRoleRequest, PolicyDescriptorType, ProvidedContext, Tag};

use crate::bench::{Bench, ELSEWHERE, HERE, not_authorized, not_trusted, refusal, rights, role, role_arn, user};

const ROOT: &str = "arn:aws:iam::111111111111:root";
const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

fn tag(key: &str, value: &str) -> Tag {
    Tag { key: key.to_owned(), value: value.to_owned() }
}

#[tokio::test]
async fn a_session_acts_as_the_role() {
    let bench = Bench::new();
    let answer = bench.assume(role("team/short")).await.unwrap();
    let user = answer.assumed_role_user.unwrap();
    assert_eq!(user.arn, "arn:aws:sts::111111111111:assumed-role/short/ci");
    assert_eq!(user.assumed_role_id, "AROATEAMSHORT:ci");
    assert_eq!((answer.packed_policy_size, answer.source_identity), (None, None));
    let credentials = answer.credentials.unwrap();
    assert_eq!(credentials.expiration, bench.ctx.now.plus(Duration::from_secs(3600)));

    let bearer = bench.bearer(&credentials).await;
    assert_eq!(bearer.principal.arn.to_string(), user.arn);
    let PrincipalKind::AssumedRole { role_arn: assumed, role_id, session_name } = bearer.principal.kind else {
        panic!("a session of a role is expected");
    };
    assert_eq!(
        (assumed.to_string(), role_id.as_str(), session_name.as_str()),
        (role_arn("team/short"), "AROATEAMSHORT", "ci")
    );
}

#[tokio::test]
async fn a_role_that_is_not_there_is_refused_as_one_that_trusts_nobody() {
    let bench = Bench::new();
    for name in ["none", "service", "short", "Open", "other/open"] {
        let refused = bench.assume(role(name)).await.unwrap_err();
        assert_eq!(refused, not_trusted(ROOT, "sts:AssumeRole", &role_arn(name)), "{name}");
    }
    let input = AssumeRoleRequest { role_arn: "arn:aws:iam::111111111111:user/alice".to_owned(), ..role("open") };
    let invalid = refusal("ValidationError", 400, "arn:aws:iam::111111111111:user/alice is invalid");
    assert_eq!(bench.assume(input).await.unwrap_err(), invalid);
}

#[tokio::test]
async fn another_account_is_let_in_where_it_or_everybody_is_named() {
    let bench = Bench::new();
    let stranger = bench.as_root_of(ELSEWHERE);
    let caller = format!("arn:aws:iam::{ELSEWHERE}:root");
    for name in ["open", "external"] {
        let refused = stranger.assume(role(name)).await.unwrap_err();
        assert_eq!(refused, not_trusted(&caller, "sts:AssumeRole", &role_arn(name)), "{name}");
    }
    let credentials = stranger.assume(role("shared")).await.unwrap().credentials.unwrap();
    assert_eq!(bench.bearer(&credentials).await.principal.account.as_str(), HERE);
    assert_eq!(bench.assume(role("shared")).await.unwrap_err().0, "AccessDenied");
    assert!(bench.assume(role("everyone")).await.is_ok());
    assert!(stranger.assume(role("everyone")).await.is_ok());
}

#[tokio::test]
async fn a_user_needs_a_policy_of_its_own_where_the_account_is_trusted() {
    let bench = Bench::new();
    let mut user = bench.as_caller(user("alice"));
    let caller = user.ctx.principal.arn.to_string();
    let reason = "because no identity-based policy allows the sts:AssumeRole action";
    let refused = not_authorized(&caller, "sts:AssumeRole", &role_arn("open"), reason);
    assert_eq!(user.assume(role("open")).await.unwrap_err(), refused);
    let allowing = |resource: &str| {
        rights(&format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"{resource}"}}]}}"#
        ))
    };
    user.ctx.rights = allowing("arn:aws:iam::*:role/other");
    assert_eq!(user.assume(role("open")).await.unwrap_err(), refused);
    user.ctx.rights = allowing("arn:aws:iam::*:role/open");
    assert!(user.assume(role("open")).await.is_ok());
}

#[tokio::test]
async fn an_external_id_opens_the_role_that_asks_for_it() {
    let bench = Bench::new();
    for (given, opens) in [(None, false), (Some("guess"), false), (Some("secret"), true)] {
        let input = AssumeRoleRequest { external_id: given.map(str::to_owned), ..role("external") };
        assert_eq!(bench.assume(input).await.is_ok(), opens, "{given:?}");
    }
}

#[tokio::test]
async fn a_session_is_no_longer_than_the_role_allows() {
    let bench = Bench::new();
    let lasting = |name: &str, seconds| AssumeRoleRequest { duration_seconds: Some(seconds), ..role(name) };
    let credentials = bench.assume(lasting("open", 43_200)).await.unwrap().credentials.unwrap();
    assert_eq!(credentials.expiration, bench.ctx.now.plus(Duration::from_secs(43_200)));
    let credentials = bench.assume(lasting("team/short", 900)).await.unwrap().credentials.unwrap();
    assert_eq!(credentials.expiration, bench.ctx.now.plus(Duration::from_secs(900)));
    let message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
    let refused = bench.assume(lasting("team/short", 3601)).await.unwrap_err();
    assert_eq!(refused, refusal("ValidationError", 400, message));
}

#[tokio::test]
async fn a_session_that_a_role_opens_lasts_an_hour_at_most() {
    let bench = Bench::new();
    let first = bench.assume(role("team/short")).await.unwrap().credentials.unwrap();
    let session = bench.as_bearer(&first).await;
    let message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.";
    let input = AssumeRoleRequest { duration_seconds: Some(3601), ..role("open") };
    assert_eq!(session.assume(input).await.unwrap_err(), refusal("ValidationError", 400, message));
    let second = session.assume(role("open")).await.unwrap().credentials.unwrap();
    let bearer = bench.bearer(&second).await;
    assert_eq!(bearer.principal.arn.to_string(), "arn:aws:sts::111111111111:assumed-role/open/ci");
}

#[tokio::test]
async fn policies_tags_and_identities_are_carried() {
    let bench = Bench::new();
    let managed = format!("arn:aws:iam::{HERE}:policy/reader");
    let input = AssumeRoleRequest {
        policy: Some(POLICY.to_owned()),
        policy_arns: Some(vec![PolicyDescriptorType { arn: Some(managed.clone()) }]),
        tags: Some(vec![tag("Team", "ci"), tag("Stage", "")]),
        transitive_tag_keys: Some(vec!["team".to_owned()]),
        source_identity: Some("alice".to_owned()),
        external_id: Some("given".to_owned()),
        ..role("open")
    };
    let answer = bench.assume(input).await.unwrap();
    assert_eq!(answer.source_identity.as_deref(), Some("alice"));
    assert!(answer.packed_policy_size.is_some_and(|percent| (1..=100).contains(&percent)));
    let session = bench.bearer(&answer.credentials.unwrap()).await.session.unwrap();
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(json(&session.session_policy.unwrap()), json(POLICY));
    assert_eq!(session.policy_arns, [managed]);
    assert_eq!(session.tags.get("Team").map(String::as_str), Some("ci"));
    assert_eq!(session.transitive_tag_keys, ["team"]);
    assert_eq!((session.source_identity.as_deref(), session.external_id.as_deref()), (Some("alice"), Some("given")));
}

#[tokio::test]
async fn a_policy_that_is_mostly_white_space_makes_no_token_too_long_to_be_sent() {
    let bench = Bench::new();
    let spacious = POLICY.replace(',', &format!(",{}", " \n\t".repeat(100_000)));
    let input = AssumeRoleRequest { policy: Some(spacious), ..role("open") };
    let credentials = bench.assume(input).await.unwrap().credentials.unwrap();
    assert!(credentials.session_token.len() <= wire::sigv4::SESSION_TOKEN_LENGTH_MAX);
    let within_a_text = POLICY.replace("\"*\"", &format!("\"arn:aws:s3:::a{}b\"", " ".repeat(10_000)));
    let input = AssumeRoleRequest { policy: Some(within_a_text), ..role("open") };
    assert_eq!(bench.assume(input).await.unwrap_err().0, "PackedPolicyTooLarge");
}

#[tokio::test]
async fn tags_and_source_identity_need_actions_of_their_own() {
    let bench = Bench::new();
    let input = AssumeRoleRequest { tags: Some(vec![tag("a", "1")]), ..role("team/short") };
    let refused = not_trusted(ROOT, "sts:TagSession", &role_arn("team/short"));
    assert_eq!(bench.assume(input).await.unwrap_err(), refused);
    let input = AssumeRoleRequest { source_identity: Some("alice".to_owned()), ..role("team/short") };
    let refused = not_trusted(ROOT, "sts:SetSourceIdentity", &role_arn("team/short"));
    assert_eq!(bench.assume(input).await.unwrap_err(), refused);
}

#[tokio::test]
async fn a_source_identity_goes_on_along_a_chain_and_cannot_be_changed() {
    let bench = Bench::new();
    let input = AssumeRoleRequest { source_identity: Some("alice".to_owned()), ..role("open") };
    let first = bench.assume(input).await.unwrap().credentials.unwrap();
    let session = bench.as_bearer(&first).await;
    let next = session.assume(role("open")).await.unwrap();
    assert_eq!(next.source_identity.as_deref(), Some("alice"));
    let caller = "arn:aws:sts::111111111111:assumed-role/open/ci";
    let input = AssumeRoleRequest { source_identity: Some("mallory".to_owned()), ..role("open") };
    let message =
        format!("User: {caller} is not authorized to perform: sts:SetSourceIdentity on resource: {}", role_arn("open"));
    let refused = refusal("AccessDenied", 403, &message);
    assert_eq!(session.assume(input).await.unwrap_err(), refused);
    let refused = not_trusted(caller, "sts:SetSourceIdentity", &role_arn("team/short"));
    assert_eq!(session.assume(role("team/short")).await.unwrap_err(), refused, "its trust policy must allow it too");
}

#[tokio::test]
async fn transitive_tags_go_on_along_a_chain_and_cannot_be_given_anew() {
    let bench = Bench::new();
    let input = AssumeRoleRequest {
        tags: Some(vec![tag("Team", "ci"), tag("Stage", "one")]),
        transitive_tag_keys: Some(vec!["team".to_owned()]),
        ..role("open")
    };
    let first = bench.assume(input).await.unwrap().credentials.unwrap();
    let session = bench.as_bearer(&first).await;
    let next = session.assume(role("open")).await.unwrap().credentials.unwrap();
    let carried = bench.bearer(&next).await.session.unwrap();
    assert_eq!(carried.tags.into_iter().collect::<Vec<_>>(), [("Team".to_owned(), "ci".to_owned())]);
    assert_eq!(carried.transitive_tag_keys, ["Team"]);
    let input = AssumeRoleRequest { tags: Some(vec![tag("TEAM", "other")]), ..role("open") };
    assert!(session.assume(input).await.unwrap_err().2.starts_with("Duplicate tag keys"));
}

#[tokio::test]
async fn what_a_session_cannot_carry_is_refused() {
    let bench = Bench::new();
    let rows = [
        (
            AssumeRoleRequest { policy: Some("{".to_owned()), ..role("open") },
            refusal("MalformedPolicyDocument", 400, "This policy contains invalid Json"),
        ),
        (
            AssumeRoleRequest { policy: Some("{}".to_owned()), ..role("open") },
            refusal("MalformedPolicyDocument", 400, "Syntax errors in policy."),
        ),
        (
            AssumeRoleRequest { policy: Some(POLICY.replace("GetObject", &"x".repeat(2048))), ..role("open") },
            refusal(
                "PackedPolicyTooLarge",
                400,
                "Packed policy consumes 105% of allotted space, please use smaller policy.",
            ),
        ),
        (
            AssumeRoleRequest { tags: Some(vec![tag("a", "1"), tag("A", "2")]), ..role("open") },
            refusal(
                "InvalidParameterValue",
                400,
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ),
        ),
        (
            AssumeRoleRequest { transitive_tag_keys: Some(vec!["a".to_owned()]), ..role("open") },
            refusal(
                "InvalidParameterValue",
                400,
                "The specified transitive tag key must be included in the requested tags.",
            ),
        ),
        (
            AssumeRoleRequest { token_code: Some("123456".to_owned()), ..role("open") },
            refusal("AccessDenied", 403, "MultiFactorAuthentication failed with invalid MFA one time pass code."),
        ),
        (
            AssumeRoleRequest { provided_contexts: Some(vec![ProvidedContext::default()]), ..role("open") },
            refusal("InvalidParameterValue", 400, "Pilvi does not serve ProvidedContexts."),
        ),
    ];
    for (input, expected) in rows {
        assert_eq!(bench.assume(input).await.unwrap_err(), expected);
    }
    let padded = AssumeRoleRequest { minimum_session_token_size: Some(4096), ..role("open") };
    assert_eq!(bench.assume(padded).await.unwrap_err().0, "InvalidParameterValue");
    let fitting = AssumeRoleRequest { minimum_session_token_size: Some(64), ..role("open") };
    let answer = bench.assume(fitting).await.unwrap();
    let size = i32::try_from(answer.credentials.unwrap().session_token.len()).unwrap();
    assert_eq!(answer.session_token_size, Some(size));
}
