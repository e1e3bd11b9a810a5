//! What is attacked in every operation of S3: who asks, whether the request is the signed one, whether they may.

use std::time::Duration;

use base::Timestamp;
use tests::raw::{Answer, Request};
use tests::{Account, REGION};
use wire::model::Protocol;
use wire::sigv4::{Credentials, SecretAccessKey, SignableBody};

use super::bound::{furnish, request, served};
use super::yard::{CONTENT_SHA256, PRIVATE, outcome, signed, signed_as};
use crate::security::authorization::{give, make_role, policy, session_of};
use crate::security::names::Names;
use crate::security::target::{Scene, Target, now, whole};

const SIXTEEN_MINUTES: Duration = Duration::from_secs(16 * 60);
const WRONG_SIGNATURE: (u16, &str) = (403, "SignatureDoesNotMatch");
const DENIED: (u16, &str) = (403, "AccessDenied");
/// Each of whose keys is asked for by itself; told in its answer.
const PIECEMEAL: &str = "DeleteObjects";

/// Operations of old, which others answer at the same address.
const SUPERSEDED: [&str; 5] = [
    "GetBucketLifecycle",
    "GetBucketNotification",
    // At hosts of its own.
    "ListDirectoryBuckets",
    "PutBucketLifecycle",
    "PutBucketNotification",
];

/// A bucket with one of everything, and who reads what of it.
struct Field {
    scene: Scene,
    names: Names,
}

impl Field {
    fn new() -> Self {
        let mut scene = Scene::new();
        let names = furnish(&mut scene);
        Self { scene, names }
    }

    fn request(&self, target: &Target) -> Request {
        request(target, &self.scene.host, &self.names)
    }

    #[track_caller]
    fn call(&mut self, target: &Target, by: Option<&Credentials>) -> Answer {
        let request = self.request(target);
        let request = match by {
            Some(by) => signed(request, by),
            None => request,
        };
        self.scene.connection.send(&request)
    }

    /// What each operation that only reads tells the owner.
    #[track_caller]
    fn snapshot(&mut self) -> Vec<(&'static str, u16, String)> {
        let root = self.scene.account.root.clone();
        let reads: Vec<Target> = served().into_iter().filter(Target::is_read).collect();
        let told = |answer: &Answer| {
            let id = answer.header("x-amz-request-id").unwrap_or_default();
            let host_id = answer.header("x-amz-id-2").unwrap_or_default();
            answer.text().replace(id, "*").replace(host_id, "*")
        };
        reads
            .iter()
            .map(|target| (target.name, self.call(target, Some(&root))))
            .map(|(name, it)| (name, it.status, told(&it)))
            .collect()
    }

    /// Sends each operation's request as `spoil` leaves it, which must be refused so, and have no effect.
    #[track_caller]
    fn every_operation_refuses(
        &mut self,
        refusals: &[(u16, &str)],
        mut spoil: impl FnMut(&Target, Request, &Account) -> Vec<u8>,
    ) {
        let (account, before) = (self.scene.account.clone(), self.snapshot());
        let mut wrong = Vec::new();
        for target in served() {
            let bytes = spoil(&target, self.request(&target), &account);
            let answer = self.scene.connection.send_bytes(&bytes);
            let (status, code) = outcome(&answer);
            // HEAD is answered without a word.
            let is_due = |due: &(u16, &str)| due.0 == status && (due.1 == code || answer.body.is_empty());
            if !refusals.iter().any(is_due) || answer.text().contains(PRIVATE) {
                wrong.push(format!("{}: {status} {}", target.name, answer.text()));
            }
        }
        assert!(wrong.is_empty(), "not refused as {refusals:?}:\n{}", wrong.join("\n"));
        assert_eq!(before, self.snapshot(), "a refused request had an effect");
    }
}

#[test]
fn the_same_requests_rightly_signed_by_the_owner_are_let_in() {
    let mut field = Field::new();
    let seen = field.snapshot().iter().filter(|(_, _, text)| text.contains(PRIVATE)).count();
    assert!(seen >= 5, "the owner itself sees what it has: {:#?}", field.snapshot());
    let root = field.scene.account.root.clone();
    let gates = ["AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId"];
    for target in served() {
        let answer = field.call(&target, Some(&root));
        let (status, code) = outcome(&answer);
        let text = answer.text();
        let is_served = status < 500 || code == "NotImplemented" && !text.contains("does not serve s3:");
        assert!(!gates.contains(&&*code) && is_served, "{}: {status} {text}", target.name);
    }
}

#[test]
fn no_operation_answers_an_unknown_key() {
    Field::new().every_operation_refuses(&[(403, "InvalidAccessKeyId")], |_, request, account| {
        let stranger = Credentials { access_key_id: "AKIASTRANGER00000000".to_owned(), ..account.root.clone() };
        whole(&signed(request, &stranger))
    });
}

#[test]
fn no_operation_answers_a_known_key_with_another_secret_or_a_signature_that_differs_in_a_bit() {
    Field::new().every_operation_refuses(&[WRONG_SIGNATURE], |_, request, account| {
        let secret_access_key = SecretAccessKey::new(account.user.secret_access_key.expose());
        whole(&signed(request, &Credentials { secret_access_key, ..account.root.clone() }))
    });
    Field::new().every_operation_refuses(&[WRONG_SIGNATURE], |_, request, account| {
        let mut request = signed(request, &account.root);
        let header = request.header("authorization").unwrap().to_owned();
        let (head, last) = header.split_at(header.len() - 1);
        let flipped = u8::from_str_radix(last, 16).unwrap() ^ 1;
        request.set("authorization", &format!("{head}{flipped:x}"));
        whole(&request)
    });
}

#[test]
fn no_operation_answers_a_request_of_another_time() {
    Field::new().every_operation_refuses(&[(403, "RequestTimeTooSkewed")], |_, request, account| {
        let then = Timestamp::from_millis(now().as_millis() - SIXTEEN_MINUTES.as_millis() as i64);
        whole(&signed_as(with_hash(request), &account.root, SignableBody::Unsigned, REGION, then))
    });
    Field::new().every_operation_refuses(&[(403, "RequestTimeTooSkewed")], |_, request, account| {
        let then = now().plus(SIXTEEN_MINUTES);
        whole(&signed_as(with_hash(request), &account.root, SignableBody::Unsigned, REGION, then))
    });
    Field::new().every_operation_refuses(&[DENIED], |_, request, account| {
        let mut request = signed(request, &account.root);
        request.remove("x-amz-date");
        whole(&request)
    });
}

fn with_hash(mut request: Request) -> Request {
    request.remove(CONTENT_SHA256);
    request
}

#[test]
fn no_operation_answers_a_request_that_was_changed_after_it_was_signed() {
    type Change = fn(&mut Request);
    let changes: [(&str, Change); 7] = [
        ("host", |request| request.set("host", "pilvi.example")),
        ("path", |request| request.target = request.target.replacen('/', "/x", 1)),
        ("query", |request| {
            let separator = if request.target.contains('?') { '&' } else { '?' };
            request.target = format!("{}{separator}x-id=Other", request.target);
        }),
        ("method", |request| request.method = if request.method == "PUT" { "DELETE" } else { "PUT" }.to_owned()),
        ("region", |request| {
            let header = request.header("authorization").unwrap().replace(REGION, "eu-north-1");
            request.set("authorization", &header);
        }),
        ("hash", |request| request.set(CONTENT_SHA256, "UNSIGNED-PAYLOAD")),
        ("streaming", |request| request.set(CONTENT_SHA256, "STREAMING-UNSIGNED-PAYLOAD-TRAILER")),
    ];
    let mut field = Field::new();
    for (what, change) in changes {
        field.every_operation_refuses(&[WRONG_SIGNATURE], |_, request, account| {
            let mut request = signed(request, &account.root);
            let before = (request.target.clone(), request.method.clone(), request.headers.clone());
            change(&mut request);
            assert!(before != (request.target.clone(), request.method.clone(), request.headers.clone()), "{what}");
            whole(&request)
        });
    }
}

#[test]
fn no_operation_heeds_a_header_of_amazons_that_was_not_signed() {
    let mut field = Field::new();
    let headers = [
        ("x-amz-acl", "public-read"),
        ("x-amz-copy-source", "yard/secret"),
        ("x-amz-grant-read", "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\""),
        ("x-amz-tagging", "a=b"),
        ("x-amz-meta-a", "b"),
        ("x-amz-website-redirect-location", "/x"),
        ("x-amz-bypass-governance-retention", "true"),
    ];
    for (name, value) in headers {
        field.every_operation_refuses(&[DENIED, WRONG_SIGNATURE], |_, request, account| {
            let mut request = signed(request, &account.root);
            match request.header(name) {
                Some(_) => request.headers.push((name.to_owned(), value.to_owned())),
                None => request.set(name, value),
            }
            whole(&request)
        });
    }
}

#[test]
fn no_operation_answers_a_body_that_is_not_the_signed_one_or_ends_early() {
    let mut field = Field::new();
    // Whoever reads no body need not look at it: only those with one are asked.
    let has_body = |target: &Target| {
        let shape = target.model.input(target.index);
        shape.is_some_and(|it| it.members().any(|member| member.location() == wire::schema::Location::Payload))
    };
    let before = field.snapshot();
    let account = field.scene.account.clone();
    for target in served().into_iter().filter(has_body) {
        let mut longer = signed(field.request(&target), &account.root);
        longer.body.push(b' ');
        let answer = field.scene.connection.send(&longer);
        assert_eq!(outcome(&answer), (400, "XAmzContentSHA256Mismatch".to_owned()), "{}", target.name);
        let mut swapped = signed(field.request(&target), &account.root);
        if let Some(last) = swapped.body.last_mut() {
            *last ^= 1;
            let answer = field.scene.connection.send(&swapped);
            assert_eq!(outcome(&answer), (400, "XAmzContentSHA256Mismatch".to_owned()), "{}", target.name);
        }
        let request = signed(field.request(&target), &account.root);
        let mut cut = request.head(&[("content-length", &(request.body.len() + 1).to_string())]);
        cut.extend_from_slice(&request.body);
        let answer = field.scene.connection.send_all(&cut);
        assert_eq!(outcome(&answer), (400, "IncompleteBody".to_owned()), "{}", target.name);
    }
    assert_eq!(before, field.snapshot(), "a refused request had an effect");
}

/// What a caller without rights is told.
#[track_caller]
fn everything_is_denied(field: &mut Field, by: Option<&Credentials>) {
    let before = field.snapshot();
    let mut wrong = Vec::new();
    for target in served() {
        let answer = field.call(&target, by);
        let text = answer.text();
        let (status, code) = outcome(&answer);
        let is_denied = match target.name {
            PIECEMEAL if status == 200 => text.contains("<Code>AccessDenied</Code>") && !text.contains("<Deleted>"),
            _ => status == 403 && (code == "AccessDenied" || answer.body.is_empty()),
        };
        if !is_denied || text.contains(PRIVATE) {
            wrong.push(format!("{}: {status} {text}", target.name));
        }
    }
    assert!(wrong.is_empty(), "not denied:\n{}", wrong.join("\n"));
    assert_eq!(before, field.snapshot(), "a denied request had an effect");
}

#[test]
fn every_operation_is_denied_to_anybody() {
    everything_is_denied(&mut Field::new(), None);
}

#[test]
fn every_operation_is_denied_to_a_user_and_a_role_without_rights() {
    let mut field = Field::new();
    let account = field.scene.account.clone();
    everything_is_denied(&mut field, Some(&account.user));
    everything_is_denied(&mut field, Some(&account.role));
}

#[test]
fn no_operation_lets_another_accounts_root_see_or_change_anything() {
    let mut field = Field::new();
    let attacker = field.scene.server.account().root;
    let before = field.snapshot();
    let mut wrong = Vec::new();
    for target in served() {
        let answer = field.call(&target, Some(&attacker));
        let text = answer.text();
        let (status, code) = outcome(&answer);
        let is_right = match target.name {
            "ListBuckets" => status == 200 && !text.contains(&field.names.bucket()),
            // Which names are taken everybody is told, and whose they are nobody.
            "CreateBucket" => code == "BucketAlreadyExists",
            PIECEMEAL => text.contains("<Code>AccessDenied</Code>") && !text.contains("<Deleted>"),
            _ => status == 403 && (code == "AccessDenied" || answer.body.is_empty()),
        };
        if !is_right || text.contains(PRIVATE) || text.contains(&field.scene.account.id) && !text.contains("victim-") {
            wrong.push(format!("{}: {status} {text}", target.name));
        }
    }
    assert!(wrong.is_empty(), "not denied:\n{}", wrong.join("\n"));
    assert_eq!(before, field.snapshot(), "another account has changed something");
}

#[test]
fn a_role_with_one_action_may_do_what_needs_just_that() {
    let mut field = Field::new();
    make_role(&mut field.scene, "worker");
    let session = session_of(&mut field.scene, "worker", None);
    let mut wrong = Vec::new();
    for target in served() {
        let answer = field.call(&target, Some(&session));
        let Some(action) = demanded(&answer) else { continue };
        // What was asked for first is allowed, and only that: something else may be asked for then, or nothing.
        give(&mut field.scene, "worker", &policy("Allow", &action));
        let answer = field.call(&target, Some(&session));
        if demanded(&answer).is_some_and(|again| again == action) {
            wrong.push(format!("{} with {action}: {}", target.name, answer.text()));
        }
        give(&mut field.scene, "worker", &policy("Deny", &action));
        let answer = field.call(&target, Some(&session));
        if answer.status == 200 && target.name != PIECEMEAL {
            wrong.push(format!("{} denied {action}: {}", target.name, answer.text()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The action that a denial names.
fn demanded(answer: &Answer) -> Option<String> {
    let text = answer.text();
    let (_, rest) = text.split_once("not authorized to perform: ")?;
    Some(rest.split([' ', '<']).next().unwrap_or_default().to_owned())
}

#[test]
fn a_session_policy_and_a_boundary_narrow_every_operation() {
    let mut field = Field::new();
    make_role(&mut field.scene, "worker");
    give(&mut field.scene, "worker", &policy("Allow", "*"));
    let narrow = session_of(&mut field.scene, "worker", Some(&policy("Allow", "ecs:ListClusters")));
    everything_is_denied(&mut field, Some(&narrow));
}

#[test]
fn every_unserved_operation_says_by_name_that_it_is_not_served() {
    let field = &mut Field::new();
    let root = field.scene.account.root.clone();
    let mut wrong = Vec::new();
    for target in Target::of(&s3::api::MODEL).filter(|target| !target.is_served() && !SUPERSEDED.contains(&target.name))
    {
        let http = target.model.http(target.index).unwrap();
        let mut request = Request::get(&field.scene.host, "/");
        request.target = http.uri.replace("{Bucket}", &field.names.bucket()).replace("{Key+}", "k");
        request.method = http.method.to_owned();
        for need in http.needs.split_whitespace() {
            match need.strip_prefix('?') {
                Some(parameter) => {
                    request.target.push(if request.target.contains('?') { '&' } else { '?' });
                    request.target.push_str(&format!("{parameter}=1"));
                }
                None => request.set(need, "1"),
            }
        }
        let answer = field.scene.connection.send(&signed(request, &root));
        let failure = answer.failure(Protocol::RestXml);
        let named = failure.message.contains(target.name);
        if (failure.status, failure.code.as_str()) != (501, "NotImplemented") || !named {
            wrong.push(format!("{} {} {}: {failure:?}", target.name, http.method, http.uri));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
