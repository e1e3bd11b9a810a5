//! Roles for tokens of identity providers: only for a token that the provider has made, for this audience and subject and
//! this time; and a token makes the server ask nobody but the provider that the account has named.

use ring::hmac;
use serde_json::{Value as Json, json};
use tests::Account;
use tests::raw::{Answer, Request, form};
use wire::model::Protocol;

use super::issuer::{DISCOVERY, Issuer, Key, coded, document, unsigned};
use super::names::statement;
use super::sessions::temporary;
use super::target::{Scene, now};

const AUDIENCE: &str = "app";
const SUBJECT: &str = "worker";

/// A server on which an account trusts a provider's tokens for [`SUBJECT`].
struct Trust {
    scene: Scene,
    issuer: Issuer,
    key: Key,
}

impl Trust {
    fn new() -> Self {
        let key = Key::new("first");
        let issuer = Issuer::honest(&key);
        let mut scene = Scene::new();
        let account = scene.account.clone();
        trust(&mut scene, &account, &issuer.url());
        Self { scene, issuer, key }
    }

    fn claims(&self) -> Json {
        claims(&self.issuer.url())
    }

    /// The claims with one of them changed, or with null taken away.
    fn claims_with(&self, name: &str, value: Json) -> Json {
        let mut claims = self.claims();
        claims[name] = value;
        if claims[name].is_null() {
            claims.as_object_mut().unwrap().remove(name);
        }
        claims
    }

    fn role(&self) -> String {
        role(&self.scene.account)
    }

    fn ask(&mut self, token: &str) -> Answer {
        let role = self.role();
        ask(&mut self.scene, &role, token)
    }

    #[track_caller]
    fn refuses(&mut self, token: &str, code: &str, why: &str) {
        let answer = self.ask(token);
        assert_eq!(is_refused(&answer), code, "{why}: {}", answer.text());
    }
}

fn claims(issuer: &str) -> Json {
    let now = now().as_secs();
    json!({ "iss": issuer, "aud": AUDIENCE, "sub": SUBJECT, "iat": now - 5, "exp": now + 600 })
}

fn role(account: &Account) -> String {
    format!("arn:aws:iam::{}:role/federated", account.id)
}

/// Makes a provider in an account, and a role for its tokens.
#[track_caller]
fn trust(scene: &mut Scene, account: &Account, url: &str) {
    let name = url.split_once("://").unwrap().1;
    let input = [("Url", url), ("ClientIDList.member.1", AUDIENCE)];
    scene.form(&account.root, &iam::api::MODEL, "CreateOpenIDConnectProvider", &input).success();
    let document = statement(json!({
        "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": { "Federated": format!("arn:aws:iam::{}:oidc-provider/{name}", account.id) },
        "Condition": { "StringEquals": { format!("{name}:aud"): AUDIENCE, format!("{name}:sub"): SUBJECT } },
    }));
    let input = [("RoleName", "federated"), ("AssumeRolePolicyDocument", &*document)];
    let answer = scene.form(&account.root, &iam::api::MODEL, "CreateRole", &input);
    assert!(answer.status == 200 || answer.text().contains("EntityAlreadyExists"), "{}", answer.text());
}

fn ask(scene: &mut Scene, role: &str, token: &str) -> Answer {
    let input = form(&[("RoleArn", role), ("RoleSessionName", "shift"), ("WebIdentityToken", token)]);
    let request = Request::of(&scene.host, &sts::api::MODEL, "AssumeRoleWithWebIdentity", Protocol::AwsQuery, &input);
    scene.connection.send(&request)
}

/// The code of a refusal, which holds nothing that opens anything.
#[track_caller]
fn is_refused(answer: &Answer) -> String {
    let text = answer.text();
    assert!(!text.contains("Credentials") && !text.contains("SessionToken"), "{text}");
    answer.failure(Protocol::AwsQuery).code
}

#[test]
fn a_token_of_the_provider_opens_the_role_and_no_more() {
    let mut trust = Trust::new();
    let token = trust.key.token(&trust.claims());
    let session = temporary(&trust.ask(&token).success());
    let whoami = trust.scene.form(&session, &sts::api::MODEL, "GetCallerIdentity", &[]).success();
    let arn = format!("arn:aws:sts::{}:assumed-role/federated/shift", trust.scene.account.id);
    assert_eq!(whoami.element("Arn"), Some(arn));
    let denied = trust.scene.form(&session, &iam::api::MODEL, "ListUsers", &[]).failure(Protocol::AwsQuery);
    assert_eq!(denied.code, "AccessDenied", "the role has no policy");
}

#[test]
fn a_token_that_the_provider_has_not_made_opens_nothing() {
    let mut trust = Trust::new();
    let claims = trust.claims();
    let good = trust.key.token(&claims);
    trust.ask(&good).success();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (signed, signature) = (signed.to_owned(), signature.to_owned());
    let header = trust.key.header();

    let other = Key::new("first");
    let more = trust.claims_with("groups", json!(["admin"]));
    let (_, payload) = unsigned(&header, &more).split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let head = good.split('.').next().unwrap().to_owned();
    let mut flipped = signature.clone().into_bytes();
    flipped[10] = if flipped[10] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    let forged = [
        (other.token(&claims), "of another key with the same id"),
        (format!("{signed}.{flipped}"), "with a flipped bit"),
        (format!("{head}.{payload}.{signature}"), "with other claims under the signature"),
        (format!("{signed}."), "without a signature"),
        (format!("{signed}.{}", coded(&[0; 64])), "with a signature of noughts"),
        (format!("{signed}.{}", coded(&[0xff; 64])), "with a signature beyond the order of the curve"),
        (format!("{signed}.{signature}AAAA"), "with a longer signature"),
        (format!("{signed}.{signature}.{signature}"), "with two signatures"),
        (format!("{good} "), "with a blank behind it"),
        (String::from("e30.e30."), "that says nothing"),
        (other.sign(&json!({ "alg": "ES256", "kid": "first", "jwk": other.public() }), &claims), "that brings its key"),
    ];
    for (token, why) in forged {
        trust.refuses(&token, "InvalidIdentityToken", why);
    }
}

#[test]
fn a_token_does_not_choose_how_it_is_verified() {
    let mut trust = Trust::new();
    let claims = trust.claims();
    let good = trust.key.token(&claims);
    trust.ask(&good).success();
    let signature = good.rsplit_once('.').unwrap().1.to_owned();
    for name in ["none", "None", "NONE", "nOnE", ""] {
        let signed = unsigned(&json!({ "alg": name, "kid": "first" }), &claims);
        trust.refuses(&format!("{signed}."), "InvalidIdentityToken", name);
        trust.refuses(&format!("{signed}.{signature}"), "InvalidIdentityToken", name);
    }
    // The classic: a public key, which everybody has, taken for a shared secret.
    let jwk = trust.key.public();
    let secrets =
        [trust.key.point().to_vec(), jwk.to_string().into_bytes(), json!({ "keys": [jwk] }).to_string().into_bytes()];
    for (name, algorithm) in [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
    {
        let signed = unsigned(&json!({ "alg": name, "kid": "first" }), &claims);
        for secret in &secrets {
            let tag = hmac::sign(&hmac::Key::new(algorithm, secret), signed.as_bytes());
            let token = format!("{signed}.{}", coded(tag.as_ref()));
            trust.refuses(&token, "InvalidIdentityToken", name);
        }
    }
    for header in [
        json!({ "alg": "RS256", "kid": "first" }),
        json!({ "alg": "ES384", "kid": "first" }),
        json!({ "alg": "ES256", "kid": "second" }),
        json!({ "alg": "ES256", "kid": "first", "crit": ["exp"] }),
        json!({ "alg": ["ES256"], "kid": "first" }),
        json!({ "kid": "first" }),
    ] {
        let token = trust.key.sign(&header, &claims);
        trust.refuses(&token, "InvalidIdentityToken", &header.to_string());
    }
}

#[test]
fn a_token_is_good_for_its_time_audience_and_subject_alone() {
    let mut trust = Trust::new();
    let now = now().as_secs();
    for (name, value, code) in [
        ("exp", json!(now - 1), "ExpiredTokenException"),
        ("exp", json!(0), "ExpiredTokenException"),
        ("exp", json!("never"), "InvalidIdentityToken"),
        ("exp", Json::Null, "InvalidIdentityToken"),
        ("exp", json!(1e300), "InvalidIdentityToken"),
        ("iat", Json::Null, "InvalidIdentityToken"),
        ("iat", json!(now + 1000), "InvalidIdentityToken"),
        ("nbf", json!(now + 1000), "InvalidIdentityToken"),
        ("aud", json!("another"), "InvalidIdentityToken"),
        ("aud", json!(["another", "third"]), "InvalidIdentityToken"),
        ("aud", json!({ "app": "app" }), "InvalidIdentityToken"),
        ("aud", json!(""), "InvalidIdentityToken"),
        ("aud", Json::Null, "InvalidIdentityToken"),
        ("sub", Json::Null, "InvalidIdentityToken"),
        ("sub", json!("somebody"), "AccessDenied"),
        ("sub", json!("Worker"), "AccessDenied"),
        ("sub", json!("worker "), "AccessDenied"),
        ("iss", Json::Null, "InvalidIdentityToken"),
        ("iss", json!("http://127.0.0.1:1"), "InvalidIdentityToken"),
    ] {
        let token = trust.key.token(&trust.claims_with(name, value.clone()));
        trust.refuses(&token, code, &format!("{name} is {value}"));
    }
}

#[test]
fn a_token_opens_no_role_of_an_account_that_does_not_know_its_provider() {
    let mut trust = Trust::new();
    let token = trust.key.token(&trust.claims());
    let elsewhere = trust.scene.server.account();
    let answer = ask(&mut trust.scene, &role(&elsewhere), &token);
    assert_eq!(is_refused(&answer), "InvalidIdentityToken");
    // That somebody names a provider of their own makes it nobody else's.
    let mine = Key::new("first");
    let issuer = Issuer::honest(&mine);
    self::trust(&mut trust.scene, &elsewhere, &issuer.url());
    let token = mine.token(&claims(&issuer.url()));
    ask(&mut trust.scene, &role(&elsewhere), &token).success();
    trust.refuses(&token, "InvalidIdentityToken", "a provider of another account");
    let other = format!("{}x", trust.role());
    let token = trust.key.token(&trust.claims());
    let answer = ask(&mut trust.scene, &other, &token);
    assert_eq!(is_refused(&answer), "AccessDenied", "whether there is such a role is not told");
}

#[test]
fn a_token_makes_the_server_ask_nobody_but_the_accounts_provider() {
    let mut trust = Trust::new();
    let key = Key::new("second");
    let stranger = Issuer::honest(&key);
    let (url, ours) = (stranger.url(), trust.issuer.url());
    let tokens = [
        key.token(&claims(&url)),
        key.token(&trust.claims_with("iss", format!("{ours}@{}", url.trim_start_matches("http://")).into())),
        key.token(&trust.claims_with("iss", json!([url, ours]))),
        key.sign(
            &json!({ "alg": "ES256", "kid": "second", "jku": format!("{url}/keys"), "x5u": url }),
            &trust.claims(),
        ),
    ];
    for token in tokens {
        trust.refuses(&token, "InvalidIdentityToken", &token);
    }
    assert_eq!(stranger.asked(), 0, "a stranger has made the server call");
    // Unknown keys do not make the provider busy either.
    let asked = trust.issuer.asked();
    for number in 0..50 {
        let token = key.sign(&json!({ "alg": "ES256", "kid": format!("{number}") }), &trust.claims());
        trust.refuses(&token, "InvalidIdentityToken", "an unknown key");
    }
    assert!(trust.issuer.asked() <= asked + 2, "each token was a call: {} {asked}", trust.issuer.asked());
}

#[test]
fn an_issuer_leads_the_server_nowhere_else() {
    let key = Key::new("first");
    let hidden = Issuer::honest(&key);
    let target = hidden.url();
    let found = format!("HTTP/1.1 302 Found\r\nlocation: {target}{DISCOVERY}\r\ncontent-length: 0\r\n\r\n");
    let moved = format!("HTTP/1.1 308 Permanent Redirect\r\nlocation: {target}/keys\r\ncontent-length: 0\r\n\r\n");
    let keys_at = |uri: String| move |issuer: &str, _: &str| document(&json!({ "issuer": issuer, "jwks_uri": uri }));
    let port = hidden.port();
    let issuers = [
        Issuer::saying(move |_, _| found.clone().into_bytes()),
        Issuer::saying(move |issuer, path| match path {
            DISCOVERY => document(&json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys") })),
            _ => moved.clone().into_bytes(),
        }),
        // It says that it is somebody else.
        Issuer::saying(move |_, _| document(&json!({ "issuer": target, "jwks_uri": format!("{target}/keys") }))),
        Issuer::saying(keys_at("file:///etc/passwd".to_owned())),
        Issuer::saying(keys_at("http://169.254.169.254/latest/meta-data/".to_owned())),
        Issuer::saying(keys_at(format!("http://user@127.0.0.1:{port}/keys"))),
        Issuer::saying(keys_at(format!("http://127.0.0.1.example:{port}/keys"))),
        Issuer::saying(|_, _| b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{".to_vec()),
        Issuer::saying(|_, _| {
            let endless = b"HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n".to_vec();
            [endless, vec![b' '; 2_000_000]].concat()
        }),
        Issuer::saying(|_, _| document(&json!({ "issuer": ["x"] }))),
        Issuer::saying(|_, _| b"\0\0\0".to_vec()),
    ];
    let mut scene = Scene::new();
    for issuer in issuers {
        let account = scene.server.account();
        trust(&mut scene, &account, &issuer.url());
        let answer = ask(&mut scene, &role(&account), &key.token(&claims(&issuer.url())));
        assert_eq!(is_refused(&answer), "InvalidIdentityToken");
        let text = answer.text();
        assert!(!text.contains("root:") && !text.contains("127.0.0.1"), "what was found is told: {text}");
        assert!(issuer.asked() > 0, "the provider itself was not asked");
    }
    assert_eq!(hidden.asked(), 0, "the server was led elsewhere");
}

#[test]
fn a_provider_that_is_not_by_its_name_this_machine_is_not_looked_for_here() {
    let key = Key::new("first");
    let hidden = Issuer::honest(&key);
    let port = hidden.port();
    let mut scene = Scene::new();
    let account = scene.account.clone();
    let mut providers = 0;
    let named = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let numbers = ["[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "2130706433", "0x7f000001", "0177.0.0.1", "127.1"];
    for host in numbers.into_iter().chain([named.trim()]) {
        let url = format!("https://{host}:{port}");
        let input = [("Url", &*url), ("ClientIDList.member.1", AUDIENCE)];
        let made = scene.form(&account.root, &iam::api::MODEL, "CreateOpenIDConnectProvider", &input);
        if made.status != 200 {
            continue;
        }
        providers += 1;
        trust_in_role(&mut scene, &account, host, port);
        let answer = ask(&mut scene, &role(&account), &key.token(&claims(&url)));
        assert_eq!(is_refused(&answer), "InvalidIdentityToken", "{url}");
    }
    assert_eq!(hidden.asked(), 0, "the server has connected to its own machine");
    assert!(providers >= 5, "only {providers} of them were tried");
    // Not encrypted is this machine alone, by its own name.
    for url in ["http://10.0.0.1", "http://intranet", "http://127.0.0.1.example.com", "http://[::ffff:127.0.0.1]"] {
        let input = [("Url", url), ("ClientIDList.member.1", AUDIENCE)];
        let made = scene.form(&account.root, &iam::api::MODEL, "CreateOpenIDConnectProvider", &input);
        assert_eq!(made.failure(Protocol::AwsQuery).status, 400, "{url}");
    }
}

/// Lets a role be assumed by the tokens of the provider at this host; makes the role if it is not there.
fn trust_in_role(scene: &mut Scene, account: &Account, host: &str, port: u16) {
    let document = statement(json!({
        "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": { "Federated": format!("arn:aws:iam::{}:oidc-provider/{host}:{port}", account.id) },
    }));
    let create = [("RoleName", "federated"), ("AssumeRolePolicyDocument", &*document)];
    scene.form(&account.root, &iam::api::MODEL, "CreateRole", &create);
    let update = [("RoleName", "federated"), ("PolicyDocument", &*document)];
    scene.form(&account.root, &iam::api::MODEL, "UpdateAssumeRolePolicy", &update).success();
}

#[test]
fn a_session_policy_narrows_what_a_token_opens() {
    let mut trust = Trust::new();
    let document = statement(json!({ "Effect": "Allow", "Action": "iam:*", "Resource": "*" }));
    let inline = [("RoleName", "federated"), ("PolicyName", "all"), ("PolicyDocument", &*document)];
    let root = trust.scene.account.root.clone();
    trust.scene.form(&root, &iam::api::MODEL, "PutRolePolicy", &inline).success();
    let (role, token) = (trust.role(), trust.key.token(&trust.claims()));
    let narrow = statement(json!({ "Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*" }));
    let input =
        form(&[("RoleArn", &role), ("RoleSessionName", "shift"), ("WebIdentityToken", &token), ("Policy", &narrow)]);
    let request =
        Request::of(&trust.scene.host, &sts::api::MODEL, "AssumeRoleWithWebIdentity", Protocol::AwsQuery, &input);
    let session = temporary(&trust.scene.connection.send(&request).success());
    trust.scene.form(&session, &iam::api::MODEL, "ListRoles", &[]).success();
    let denied = trust.scene.form(&session, &iam::api::MODEL, "ListUsers", &[]).failure(Protocol::AwsQuery);
    assert!(denied.message.contains("no session policy allows"), "{denied:?}");
}

#[test]
fn an_issuer_writes_no_line_of_the_log() {
    const FORGED: &str = "x\r\n2026-01-01T00:00:00Z ERROR forged by an issuer\u{1b}[2J\u{9b}31m\u{202e}";
    let key = Key::new("first");
    let issuers = [
        Issuer::saying(|_, _| document(&json!({ "issuer": FORGED, "jwks_uri": "http://127.0.0.1" }))),
        Issuer::saying(|issuer, _| {
            document(&json!({ "issuer": issuer, "jwks_uri": format!("http://127.0.0.1/{FORGED}") }))
        }),
        Issuer::saying(|issuer, _| document(&json!({ "issuer": issuer, "jwks_uri": format!("ftp://{FORGED}") }))),
    ];
    let mut scene = Scene::new();
    for issuer in issuers {
        let account = scene.server.account();
        trust(&mut scene, &account, &issuer.url());
        is_refused(&ask(&mut scene, &role(&account), &key.token(&claims(&issuer.url()))));
    }
    let log = scene.server.log();
    assert!(log.contains("forged by an issuer"), "something of it is told:\n{log}");
    for line in log.lines() {
        assert!(!line.starts_with("2026-01-01T00:00:00Z"), "an issuer has written this line: {line}");
        let steers = |c: char| (c.is_control() && c != '\t') || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!line.contains(steers), "a control character is in the log: {line:?}");
    }
}

#[test]
fn a_token_is_neither_logged_nor_told_again() {
    let mut trust = Trust::new();
    let good = trust.key.token(&trust.claims());
    let bad = Key::new("first").token(&trust.claims());
    trust.ask(&good).success();
    let answer = trust.ask(&bad);
    let log = trust.scene.server.log();
    for token in [good, bad] {
        let signature = token.rsplit_once('.').unwrap().1;
        assert!(!log.contains(signature) && !answer.text().contains(signature), "a token is shown");
    }
}
