//! What the store knows of a bucket or an object when somebody asks for something to be done with it: whose it is, and what its
//! policy and its lists of grants allow.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use base::AccountId;
use platform::{Access, Ctx, Facts};
use policy::{Effect, Policy, Purpose, ResourceElement};
use serde_json::{Value, json};
use store::{Revision, Versioned};

use crate::acl::{Acl, Grantee, Subject};
use crate::bucket::{self, Bucket, setting};
use crate::object::{Version, current};
use crate::policy_setting::{BucketPolicy, statement};
use crate::{Error, S3, names};

/// How many compiled policies are kept.
const KEPT_MAX: usize = 1000;

/// Actions on a bucket that is not there yet.
const CREATING: &str = "s3:CreateBucket";

/// Compiled policies of buckets, by their ids and the revisions that they are of.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<HashMap<String, (Revision, Arc<Decisive>)>>);

/// What of a bucket decides.
#[derive(Debug)]
struct Decisive {
    /// Its policy's statements, and those that its list of grants is made into.
    statements: Vec<Value>,
    compiled: Arc<Policy>,
    is_public: bool,
}

/// Whose something is, and who may do what with it.
///
/// # Errors
/// [`Error::NoSuchBucket`]: AWS, too, tells everybody which names are taken.
pub(crate) async fn facts(s3: &S3, ctx: &Ctx, action: &'static str, resource: &str) -> Result<Facts, Error> {
    let Some((name, key)) = names::of_arn(resource) else { return Ok(Facts::default()) };
    if action == CREATING {
        return Ok(Facts::default());
    }
    let bucket = bucket::find(s3, name).await?;
    let decisive = decisive(s3, &bucket).await?;
    if decisive.is_public && bucket.public_access().restrict_public_buckets && ctx.account() != bucket.owner {
        return Ok(Facts { owner: Some(bucket.owner), ..Facts::default() });
    }
    let mut facts = Facts { owner: Some(bucket.owner), policy: Some(decisive.compiled.clone()), ..Facts::default() };
    if bucket.tags.is_empty() || key.is_some() {
        let depends_on_object = bucket.has_acls() || decisive.compiled.mentions("s3:existingobjecttag");
        if let Some(key) = key.filter(|_| depends_on_object)
            && let Some(found) = current(&s3.platform.store, &bucket, key).await?
        {
            add_object(&mut facts, &bucket, &decisive, resource, &found.value.latest);
        }
    } else {
        facts.tags = bucket.tags.clone().into_iter().collect();
    }
    Ok(facts)
}

/// What an object adds: its tags as condition keys, and its own list of grants.
fn add_object(facts: &mut Facts, bucket: &Bucket, decisive: &Decisive, arn: &str, version: &Version) {
    let Some(object) = version.object() else { return };
    let keys: BTreeMap<String, String> =
        object.tags.iter().map(|(key, value)| (format!("s3:ExistingObjectTag/{key}"), value.clone())).collect();
    facts.keys = keys.into_iter().collect();
    if let Some(acl) = object.acl.as_ref().filter(|_| bucket.has_acls()) {
        let mut statements = decisive.statements.clone();
        statements.extend(granted(acl, Subject::Object, arn, bucket));
        facts.policy = Some(compiled(&statements));
    }
}

async fn decisive(s3: &S3, bucket: &Versioned<Bucket>) -> Result<Arc<Decisive>, Error> {
    let kept = |kept: &Kept| {
        let kept = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&bucket.uid).filter(|(revision, _)| *revision == bucket.modified).map(|(_, found)| found.clone())
    };
    if let Some(found) = kept(&s3.kept) {
        return Ok(found);
    }
    let policy = setting::<BucketPolicy>(&s3.platform.store, bucket).await?;
    let mut statements = policy.as_ref().map(statements_of).unwrap_or_default();
    if let Some(acl) = bucket.acl.as_ref().filter(|_| bucket.has_acls()) {
        statements.extend(granted(acl, Subject::Bucket, &bucket.arn(), bucket));
    }
    let made = Arc::new(Decisive {
        compiled: match &policy {
            Some(policy) if bucket.acl.is_none() => policy.compiled(),
            _ => compiled(&statements),
        },
        is_public: policy.as_ref().is_some_and(BucketPolicy::is_public),
        statements,
    });
    let mut kept = s3.kept.0.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= KEPT_MAX {
        kept.clear();
    }
    kept.insert(bucket.uid.clone(), (bucket.modified, made.clone()));
    Ok(made)
}

fn statements_of(policy: &BucketPolicy) -> Vec<Value> {
    match serde_json::from_str::<Value>(&policy.text) {
        Ok(Value::Object(mut document)) => match document.remove("Statement") {
            Some(Value::Array(statements)) => statements,
            Some(statement) => vec![statement],
            None => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// What a list of grants allows, as statements. Grants to the public are left out where the bucket ignores them.
fn granted(acl: &Acl, subject: Subject, arn: &str, bucket: &Bucket) -> Vec<Value> {
    let ignores_public = bucket.public_access().ignore_public_acls;
    let counts = |grantee: Grantee| !(ignores_public && grantee.is_public());
    let mut statements = Vec::new();
    for grant in acl.0.iter().filter(|grant| counts(grant.grantee)) {
        let principal = match grant.grantee {
            Grantee::Account(account) => json!({ "AWS": format!("arn:aws:iam::{account}:root") }),
            Grantee::AllUsers | Grantee::AuthenticatedUsers => json!("*"),
            Grantee::LogDelivery => continue,
        };
        let signed_only = grant.grantee == Grantee::AuthenticatedUsers;
        for action in grant.permission.actions(subject) {
            let is_write = *action == "s3:PutObject";
            let resource = if is_write { format!("{arn}/*") } else { arn.to_owned() };
            let mut made = statement(Effect::Allow, principal.clone(), &[action], &resource);
            if signed_only {
                made["Condition"] = json!({ "StringNotEquals": { "aws:PrincipalType": "Anonymous" } });
            }
            statements.push(made);
        }
    }
    statements
}

fn compiled(statements: &[Value]) -> Arc<Policy> {
    const NAME: &str = "bucket policy and grants";
    if statements.is_empty() {
        return Arc::new(Policy::nothing(NAME));
    }
    let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    Arc::new(match policy::parse(&text, Purpose::Resource(ResourceElement::Required)) {
        Ok(document) => Policy::new(NAME, document),
        Err(_) => Policy::nothing(NAME),
    })
}

/// Whom no policy lets list a bucket is not told that a key is missing there. (API reference, GetObject: "If you don't have the
/// s3:ListBucket permission, Amazon S3 returns … 403".)
pub(crate) async fn hidden(s3: &S3, ctx: &Ctx, bucket: &Bucket, error: Error) -> Error {
    if !matches!(error, Error::NoSuchKey { .. }) {
        return error;
    }
    let arn = bucket.arn();
    match facts(s3, ctx, "s3:ListBucket", &arn).await {
        Ok(facts) if ctx.authorize_with(&Access::to("s3:ListBucket").on(arn), &facts).is_ok() => error,
        Ok(_) => Error::AccessDenied("Access Denied".to_owned()),
        Err(error) => error,
    }
}

/// Whose what the caller writes is: nobody's becomes the bucket's owner's.
pub(crate) fn writer(ctx: &Ctx, bucket: &Bucket) -> AccountId {
    if ctx.account() == AccountId::NOBODY { bucket.owner } else { ctx.account() }
}
