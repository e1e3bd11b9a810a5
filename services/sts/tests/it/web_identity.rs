use std::sync::atomic::Ordering;

use base::{Arn, Principal, PrincipalKind};
use platform::identity::Session;
use platform::ports::OidcProviderView;
use serde_json::{Value, json};
use sts::api::{AssumeRoleWithWebIdentityRequest, AssumeRoleWithWebIdentityResponse};

use crate::bench::{Bench, ELSEWHERE, HERE, Refusal, refusal, role_arn};
use crate::issuer::Issuer;

const CLIENT: &str = "sts.amazonaws.com";

/// Whoever sends a request without a signature, where iam knows the issuer and a role called `web` trusts it.
fn anonymous(issuer: &Issuer, thumbprints: &[&str]) -> Bench {
    let arn = Arn::global("iam", HERE.parse().unwrap(), format!("oidc-provider/{}", issuer.name()));
    let name = issuer.name();
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Federated": arn.to_string()},
        "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"],
        "Condition": {
            "StringEquals": {format!("{name}:aud"): CLIENT},
            "StringLike": {format!("{name}:sub"): "repo:octo/*"},
        },
    }]});
    let bench = Bench::with_role("web", &trust.to_string());
    let provider = OidcProviderView {
        arn,
        url: issuer.url.clone(),
        client_ids: vec![CLIENT.to_owned()],
        thumbprints: thumbprints.iter().map(|print| (*print).to_owned()).collect(),
    };
    bench.providers.0.lock().unwrap().insert(issuer.url.clone(), provider);
    bench.as_caller(Principal::anonymous())
}

/// The claims of a good token, and these instead.
fn claims(bench: &Bench, others: Value) -> Value {
    let now = bench.ctx.now.as_secs();
    let mut claims = json!({"sub": "repo:octo/one", "aud": CLIENT, "iat": now, "exp": now + 600});
    for (name, value) in others.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

async fn assume(bench: &Bench, token: String) -> Result<AssumeRoleWithWebIdentityResponse, Refusal> {
    let input = AssumeRoleWithWebIdentityRequest {
        role_arn: role_arn("web"),
        role_session_name: "ci".to_owned(),
        web_identity_token: token,
        ..Default::default()
    };
    bench.ask("AssumeRoleWithWebIdentity", input).await
}

#[tokio::test]
async fn a_token_of_a_trusted_provider_opens_a_session() {
    let issuer = Issuer::plain().await;
    let bench = anonymous(&issuer, &[]);
    let answer = assume(&bench, issuer.token(claims(&bench, json!({})))).await.unwrap();
    assert_eq!(answer.subject_from_web_identity_token.as_deref(), Some("repo:octo/one"));
    assert_eq!(answer.audience.as_deref(), Some(CLIENT));
    assert_eq!(answer.provider, Some(format!("arn:aws:iam::{HERE}:oidc-provider/{}", issuer.name())));
    let bearer = bench.bearer(&answer.credentials.unwrap()).await;
    assert_eq!(bearer.principal.arn.to_string(), format!("arn:aws:sts::{HERE}:assumed-role/web/ci"));
    assert!(matches!(bearer.principal.kind, PrincipalKind::AssumedRole { .. }));
    let keys = bearer.session.unwrap().keys;
    assert_eq!(keys[&format!("{}:sub", issuer.name())], ["repo:octo/one"]);
    assert!(keys["aws:FederatedProvider"][0].ends_with(issuer.name()));
}

#[tokio::test]
async fn keys_are_fetched_once_and_unknown_ones_not_again_and_again() {
    let issuer = Issuer::plain().await;
    let bench = anonymous(&issuer, &[]);
    for _ in 0..3 {
        assume(&bench, issuer.token(claims(&bench, json!({})))).await.unwrap();
    }
    assert_eq!(issuer.asked.load(Ordering::Relaxed), 2, "the discovery document and the keys");
    for _ in 0..3 {
        let unknown = issuer.token_of_key("two", claims(&bench, json!({})));
        let refused = assume(&bench, unknown).await.unwrap_err();
        assert_eq!(refused.0, "InvalidIdentityToken");
        assert!(refused.2.starts_with("Couldn't retrieve verification key from your identity provider"));
    }
    assert_eq!(issuer.asked.load(Ordering::Relaxed), 2, "it was asked just before");
}

#[tokio::test]
async fn a_token_that_is_not_what_it_should_be_is_refused_in_awss_words() {
    let issuer = Issuer::plain().await;
    let other = Issuer::plain().await;
    let bench = anonymous(&issuer, &[]);
    let now = bench.ctx.now.as_secs();
    let with = |others: Value| issuer.token(claims(&bench, others));
    let invalid = |message: &str| refusal("InvalidIdentityToken", 400, message);
    let denied = refusal("AccessDenied", 403, "Not authorized to perform sts:AssumeRoleWithWebIdentity");
    let expired = format!("Token expired: current date/time {now} must be before the expiration date/time {}", now - 1);
    let mut forged = claims(&bench, json!({}));
    forged["iss"] = issuer.url.clone().into();
    let rows = [
        (with(json!({"exp": now - 1})), refusal("ExpiredTokenException", 400, &expired)),
        (with(json!({"iat": now + 3600})), invalid("Token is not yet valid")),
        (with(json!({"nbf": now + 3600})), invalid("Token is not yet valid")),
        (with(json!({"aud": "somebody-else"})), invalid("Incorrect token audience")),
        (with(json!({"aud": []})), invalid("Missing a required claim: aud")),
        (with(json!({"sub": null})), invalid("Missing a required claim: sub")),
        (with(json!({"exp": null})), invalid("Missing a required claim: exp")),
        (with(json!({"exp": "soon"})), invalid("Missing a required claim: exp")),
        (with(json!({"sub": "repo:other/one"})), denied.clone()),
        (other.token(forged), invalid("Invalid token signature")),
        (
            other.token(claims(&bench, json!({}))),
            invalid(&format!("No OpenIDConnect provider found in your account for {}", other.url)),
        ),
        (
            "not.a.token".to_owned(),
            invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"),
        ),
    ];
    for (token, expected) in rows {
        assert_eq!(assume(&bench, token).await.map(drop).unwrap_err(), expected);
    }
}

#[tokio::test]
async fn tags_and_source_identity_come_with_the_token() {
    let issuer = Issuer::plain().await;
    let bench = anonymous(&issuer, &[]);
    let token = issuer.token(claims(
        &bench,
        json!({
            "https://aws.amazon.com/tags": {"principal_tags": {"Team": ["ci"]}, "transitive_tag_keys": ["Team"]},
            "https://aws.amazon.com/source_identity": "octo",
        }),
    ));
    let answer = assume(&bench, token).await.unwrap();
    assert_eq!(answer.source_identity.as_deref(), Some("octo"));
    let session = bench.bearer(&answer.credentials.unwrap()).await.session.unwrap();
    assert_eq!(session.tags["Team"], "ci");
    assert_eq!(
        (session.transitive_tag_keys, session.source_identity),
        (vec!["Team".to_owned()], Some("octo".to_owned()))
    );
}

#[tokio::test]
async fn a_server_is_known_by_its_thumbprint() {
    let issuer = Issuer::encrypted().await;
    let bench = anonymous(&issuer, &[issuer.thumbprint.as_str()]);
    let token = issuer.token(claims(&bench, json!({})));
    assert!(assume(&bench, token.clone()).await.is_ok());
    let message = "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint";
    let another = "0".repeat(40);
    for thumbprints in [&[][..], &[another.as_str()]] {
        let bench = anonymous(&issuer, thumbprints);
        let refused = assume(&bench, token.clone()).await.unwrap_err();
        assert_eq!(refused, refusal("InvalidIdentityToken", 400, message));
    }
}

#[tokio::test]
async fn a_role_that_is_not_there_is_refused_as_one_that_does_not_trust() {
    let issuer = Issuer::plain().await;
    let bench = anonymous(&issuer, &[]);
    let input = AssumeRoleWithWebIdentityRequest {
        role_arn: role_arn("nobody"),
        role_session_name: "ci".to_owned(),
        web_identity_token: issuer.token(claims(&bench, json!({}))),
        ..Default::default()
    };
    let refused = bench.ask::<AssumeRoleWithWebIdentityResponse>("AssumeRoleWithWebIdentity", input).await.unwrap_err();
    assert_eq!(refused, refusal("AccessDenied", 403, "Not authorized to perform sts:AssumeRoleWithWebIdentity"));
}

#[tokio::test]
async fn whoever_signs_brings_no_conditions_of_their_own() {
    let issuer = Issuer::plain().await;
    let name = issuer.name().to_owned();
    let provider = format!("arn:aws:iam::{HERE}:oidc-provider/{name}");
    for condition in [
        json!({"ForAnyValue:StringEquals": {format!("{name}:amr"): "authenticated"}}),
        json!({"StringEquals": {"aws:PrincipalAccount": ELSEWHERE}}),
        json!({"StringEquals": {"aws:SourceIdentity": "trusted"}}),
    ] {
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Federated": provider}, "Condition": condition,
            "Action": "sts:AssumeRoleWithWebIdentity",
        }]});
        let bench = Bench::with_role("web", &trust.to_string());
        let known = OidcProviderView {
            arn: provider.parse().unwrap(),
            url: issuer.url.clone(),
            client_ids: vec![CLIENT.to_owned()],
            thumbprints: Vec::new(),
        };
        bench.providers.0.lock().unwrap().insert(issuer.url.clone(), known);
        let mut signer = bench.as_root_of(ELSEWHERE);
        signer.ctx.session = Some(Session {
            principal: signer.ctx.principal.clone(),
            issued: signer.ctx.now,
            expires: signer.ctx.now,
            session_policy: None,
            policy_arns: Vec::new(),
            tags: Default::default(),
            transitive_tag_keys: Vec::new(),
            source_identity: Some("trusted".to_owned()),
            keys: [(format!("{name}:amr"), vec!["authenticated".to_owned()])].into(),
            external_id: None,
        });
        let refused = assume(&signer, issuer.token(claims(&bench, json!({})))).await.map(drop).unwrap_err();
        assert_eq!(refused.0, "AccessDenied", "{condition}");
    }
}
