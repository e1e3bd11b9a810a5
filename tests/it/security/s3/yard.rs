//! A bucket to be attacked, and the requests that do it.

use base::Timestamp;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use tests::raw::{Answer, Request};
use tests::{Account, REGION};
use wire::model::Protocol;
use wire::sigv4::{Credentials, SignableBody, Signer};

use crate::security::authorization::{give, make_role, session_of};
use crate::security::target::{Scene, now};

/// What others must not see.
pub(super) const PRIVATE: &str = "nobody-else-reads-this";
/// The key under which it is.
pub(super) const SECRET: &str = "secret/diary";
/// What a request's head says of its body.
pub(super) const CONTENT_SHA256: &str = "x-amz-content-sha256";
/// The region of the bucket.
pub(super) const HERE: &str = REGION;

/// An account with a bucket.
pub(super) struct Yard {
    pub(super) scene: Scene,
    pub(super) bucket: String,
}

impl Yard {
    /// With [`PRIVATE`] at [`SECRET`].
    pub(super) fn new() -> Self {
        Self::of(Scene::new())
    }

    /// The same on a server that is there.
    pub(super) fn of(scene: Scene) -> Self {
        let mut yard = Self { bucket: format!("yard-{}", scene.account.id), scene };
        let bucket = format!("/{}", yard.bucket);
        yard.own("PUT", &bucket, &[], b"");
        yard.put(SECRET, PRIVATE.as_bytes());
        yard
    }

    pub(super) fn root(&self) -> Credentials {
        self.scene.account.root.clone()
    }

    /// Another account of the same server.
    pub(super) fn stranger(&self) -> Account {
        self.scene.server.account()
    }

    /// The address of a key, or with a query one of its facets; of the bucket itself if it is empty.
    pub(super) fn at(&self, key: &str) -> String {
        format!("/{}/{key}", self.bucket)
    }

    /// A request that nobody has signed.
    pub(super) fn request(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Request {
        let mut request = Request::get(&self.scene.host, target);
        request.method = method.to_owned();
        for (name, value) in headers {
            request.set(name, value);
        }
        request.body = body.to_vec();
        request
    }

    /// Sends a request as somebody, or as nobody.
    #[track_caller]
    pub(super) fn call(
        &mut self,
        by: Option<&Credentials>,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let request = self.request(method, target, headers, body);
        let request = match by {
            Some(by) => signed(request, by),
            None => request,
        };
        self.scene.connection.send(&request)
    }

    /// Does something as the bucket's owner, which must succeed.
    #[track_caller]
    pub(super) fn own(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let root = self.root();
        let answer = self.call(Some(&root), method, target, headers, body);
        assert!((200..300).contains(&answer.status), "{method} {target}: {} {}", answer.status, answer.text());
        answer
    }

    /// Puts an object there as the owner.
    #[track_caller]
    pub(super) fn put(&mut self, key: &str, content: &[u8]) -> Answer {
        let target = self.at(key);
        self.own("PUT", &target, &[], content)
    }

    /// What the owner reads; nothing where there is nothing.
    #[track_caller]
    pub(super) fn content(&mut self, key: &str) -> Option<Vec<u8>> {
        let (root, target) = (self.root(), self.at(key));
        let answer = self.call(Some(&root), "GET", &target, &[], b"");
        assert!([200, 404].contains(&answer.status), "{} {}", answer.status, answer.text());
        (answer.status == 200).then_some(answer.body)
    }

    /// Gives the bucket a policy of these statements; `BUCKET` in them is its ARN.
    #[track_caller]
    pub(super) fn policy(&mut self, statements: &[Json]) {
        let text = self.policy_text(statements);
        let target = self.at("?policy");
        self.own("PUT", &target, &[], text.as_bytes());
    }

    /// The same as text.
    pub(super) fn policy_text(&self, statements: &[Json]) -> String {
        let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        text.replace("BUCKET", &format!("arn:aws:s3:::{}", self.bucket))
    }

    /// Lets policies and lists of grants be public.
    #[track_caller]
    pub(super) fn unblock(&mut self) {
        let target = self.at("?publicAccessBlock");
        self.own("DELETE", &target, &[], b"");
    }

    /// Has lists of grants count.
    #[track_caller]
    pub(super) fn with_acls(&mut self, ownership: &str) {
        let target = self.at("?ownershipControls");
        let document = format!(
            "<OwnershipControls><Rule><ObjectOwnership>{ownership}</ObjectOwnership></Rule></OwnershipControls>"
        );
        self.own("PUT", &target, &[], document.as_bytes());
    }

    #[track_caller]
    pub(super) fn with_versions(&mut self) {
        let target = self.at("?versioning");
        self.own("PUT", &target, &[], b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>");
    }

    /// Begins an upload in parts as somebody; its id.
    #[track_caller]
    pub(super) fn begin_upload(&mut self, by: &Credentials, key: &str) -> String {
        let target = self.at(&format!("{key}?uploads"));
        let answer = self.call(Some(by), "POST", &target, &[], b"").success();
        answer.element("UploadId").expect("an upload has an id")
    }

    /// A session of a role of the owner's account that may do what these statements say; `BUCKET` in them is the bucket.
    #[track_caller]
    pub(super) fn worker(&mut self, name: &str, statements: &[Json]) -> Credentials {
        make_role(&mut self.scene, name);
        self.let_worker(name, statements);
        session_of(&mut self.scene, name, None)
    }

    #[track_caller]
    pub(super) fn let_worker(&mut self, name: &str, statements: &[Json]) {
        let text = self.policy_text(statements);
        give(&mut self.scene, name, &text);
    }
}

/// A statement that allows these actions.
pub(super) fn allow(actions: &[&str], resources: &[&str]) -> Json {
    json!({ "Effect": "Allow", "Action": actions, "Resource": resources })
}

/// The same for everybody, in a bucket's policy.
pub(super) fn allow_all(actions: &[&str], resources: &[&str]) -> Json {
    json!({ "Effect": "Allow", "Principal": "*", "Action": actions, "Resource": resources })
}

/// Signs a request for S3 as clients do: with the hash of its body in its head.
pub(super) fn signed(request: Request, by: &Credentials) -> Request {
    let hash = Sha256::digest(&request.body).into();
    signed_as(request, by, SignableBody::Sha256(hash), REGION, now())
}

/// Signs a request for S3 with what is to be said of its body.
pub(super) fn signed_as(
    mut request: Request,
    by: &Credentials,
    body: SignableBody<'_>,
    region: &str,
    at: Timestamp,
) -> Request {
    let mut parts = parts(&request);
    Signer { credentials: by, region, service: "s3", at }.sign(&mut parts, body).expect("the request can be signed");
    for name in ["x-amz-date", "x-amz-security-token", CONTENT_SHA256, "authorization"] {
        if let Some(value) = parts.headers.get(name) {
            request.set(name, value.to_str().expect("a signature is ASCII"));
        }
    }
    request
}

/// The head of a request as it is signed.
pub(super) fn parts(request: &Request) -> http::request::Parts {
    let mut builder = http::Request::builder().method(request.method.as_str()).uri(request.target.as_str());
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    builder.body(()).expect("the request can be written").into_parts().0
}

/// Status and code of an error; no code where there is no body.
pub(super) fn outcome(answer: &Answer) -> (u16, String) {
    let has_body = !answer.body.is_empty() && answer.status >= 300;
    (answer.status, if has_body { answer.failure(Protocol::RestXml).code } else { String::new() })
}

/// Asserts a refusal, which must tell nothing private.
#[track_caller]
pub(super) fn is_refused(answer: &Answer, status: u16, code: &str, how: &str) {
    assert!(!answer.text().contains(PRIVATE), "{how}: it tells {}", answer.text());
    let told = outcome(answer);
    assert!(told.0 == status && (told.1 == code || told.1.is_empty()), "{how}: {told:?} {}", answer.text());
}

/// That somebody may not.
#[track_caller]
pub(super) fn is_denied(answer: &Answer, how: &str) {
    is_refused(answer, 403, "AccessDenied", how);
}
