//! What the store knows of a bucket or an object when somebody asks for something to be done with it: whose it is, and what its
//! policy and its lists of grants allow.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base::AccountId;
use platform::{Access, Asked, Ctx, Facts};
use policy::{Effect, Policy, Purpose, ResourceElement};
use serde_json::{Value, json};
use store::{Revision, Versioned};

use crate::acl::{Acl, Grantee, Subject};
use crate::bucket::{self, Bucket, setting};
use crate::object::{self, Version};
use crate::policy_setting::{BucketPolicy, statement};
use crate::{Error, S3, names};

/// How many compiled policies are kept.
const KEPT_MAX: usize = 1000;

/// The condition key by which a request names a version.
pub(crate) const VERSION_ID: &str = "s3:VersionId";
/// How the condition keys of an object's tags begin, in lower case.
const EXISTING_TAG: &str = "s3:existingobjecttag";
/// What the owner of an object decides, where that is not the bucket's. All else is the bucket owner's.
const OF_OBJECTS_OWNER: [&str; 8] = [
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:GetObjectAttributes",
    "s3:GetObjectVersionAttributes",
    "s3:GetObjectAcl",
    "s3:GetObjectVersionAcl",
    "s3:PutObjectAcl",
    "s3:PutObjectVersionAcl",
];
/// What the root of a bucket's account may always do, so that no policy shuts everybody out. (API reference, PutBucketPolicy:
/// "the root user of the AWS account that owns a bucket can always use this operation, even if the policy explicitly denies".)
const ALWAYS_OF_ROOT: [&str; 3] = ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"];
/// The versions of the policy language; variables have a meaning in the first alone.
const LANGUAGE: &str = "2012-10-17";
const OLD_LANGUAGE: &str = "2008-10-17";
/// Actions on a bucket that is not there yet.
const CREATING: &str = "s3:CreateBucket";

/// Compiled policies of buckets, by their ids and the revisions that they are of.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<HashMap<String, (Revision, Arc<Decisive>)>>);

/// What of a bucket decides.
#[derive(Debug)]
struct Decisive {
    rules: Rules,
    compiled: Arc<Policy>,
    is_public: bool,
}

/// A policy's statements, and those that lists of grants are made into.
#[derive(Debug, Clone)]
struct Rules {
    /// The version of the language: the policy's own. What grants say means the same in each of them.
    version: &'static str,
    /// None of a policy that cannot be read any more.
    statements: Option<Vec<Value>>,
}

/// Whose something is, and who may do what with it.
///
/// # Errors
/// [`Error::NoSuchBucket`]: AWS, too, tells everybody which names are taken.
pub(crate) async fn facts(s3: &S3, ctx: &Ctx, asked: Asked<'_>, resource: &str) -> Result<Facts, Error> {
    let Some((name, key)) = names::of_arn(resource) else { return Ok(Facts::default()) };
    if asked.action == CREATING {
        return Ok(Facts::default());
    }
    let bucket = bucket::find(s3, name).await?;
    let mut facts = of_bucket(ctx, &bucket);
    let is_owners_root = ctx.principal.is_root() && ctx.account() == bucket.owner;
    if is_owners_root && ALWAYS_OF_ROOT.contains(&asked.action) {
        return Ok(facts);
    }
    let decisive = decisive(s3, &bucket).await?;
    if is_kept_in(ctx, &bucket, &decisive) {
        return Ok(facts);
    }
    facts.policy = Some(decisive.compiled.clone());
    let Some(key) = key else {
        facts.tags.clone_from(&bucket.tags);
        return Ok(facts);
    };
    if depends_on_object(ctx, &bucket, &decisive)
        && let Some(version) = version(s3, &bucket, key, asked).await?
    {
        add_object(&mut facts, &bucket, &decisive, asked.action, &version);
    }
    Ok(facts)
}

/// Whether an object's tags or grants may decide.
fn depends_on_object(ctx: &Ctx, bucket: &Bucket, decisive: &Decisive) -> bool {
    bucket.has_acls() || decisive.compiled.mentions(EXISTING_TAG) || ctx.policies_mention(EXISTING_TAG)
}

/// Lets the caller through to this very version: what the gate has looked at may have been written over since, by one with
/// other tags, grants or another owner. `access` is what the gate has asked for it, and nothing else.
///
/// # Errors
/// AccessDenied.
pub(crate) async fn admit(
    s3: &S3,
    ctx: &Ctx,
    bucket: &Versioned<Bucket>,
    version: &Version,
    access: &Access,
) -> Result<(), Error> {
    let decisive = decisive(s3, bucket).await?;
    if !depends_on_object(ctx, bucket, &decisive) {
        return Ok(());
    }
    for (action, alone) in access.actions() {
        let mut facts = of_bucket(ctx, bucket);
        if !is_kept_in(ctx, bucket, &decisive) {
            facts.policy = Some(decisive.compiled.clone());
            add_object(&mut facts, bucket, &decisive, action, version);
        }
        ctx.authorize_with(&alone, &facts).map_err(Error::Body)?;
    }
    Ok(())
}

/// What a bucket's record tells, whatever is asked.
fn of_bucket(ctx: &Ctx, bucket: &Bucket) -> Facts {
    let mut facts = Facts { owner: Some(bucket.owner), ..Facts::default() };
    if ctx.region != bucket.region {
        // It is served where the bucket is, whatever region its sender has signed for.
        facts.keys.insert("aws:RequestedRegion".to_owned(), bucket.region.to_string());
    }
    facts
}

/// Whether what a bucket's policy and grants allow is kept from the caller: it is public, and the public is restricted.
fn is_kept_in(ctx: &Ctx, bucket: &Bucket, decisive: &Decisive) -> bool {
    decisive.is_public && bucket.public_access().restrict_public_buckets && ctx.account() != bucket.owner
}

/// The version that a request is about: the one that it names, or the latest.
async fn version(s3: &S3, bucket: &Bucket, key: &str, asked: Asked<'_>) -> Result<Option<Version>, Error> {
    let store = &s3.platform.store;
    let Some(id) = asked.key(VERSION_ID) else {
        return Ok(object::current(store, bucket, key).await?.map(|current| current.value.latest));
    };
    // Of what can be no version's id the operation itself says so.
    let Ok(id) = object::parse(id) else { return Ok(None) };
    Ok(object::by_id(store, bucket, key, &id).await?.map(|found| found.version().clone()))
}

/// What an object adds: its tags as condition keys, and its own list of grants. One that is not the bucket's owner's is let
/// be read by its own owner alone; the bucket's owner can deny that, and delete it. (User guide: "How Amazon S3 authorizes a
/// request for an object operation".)
fn add_object(facts: &mut Facts, bucket: &Bucket, decisive: &Decisive, action: &'static str, version: &Version) {
    let Some(object) = version.object() else { return };
    let keys = object.tags.iter().map(|(key, value)| (format!("s3:ExistingObjectTag/{key}"), value.clone()));
    facts.keys.extend(keys);
    if !bucket.has_acls() || !OF_OBJECTS_OWNER.contains(&action) {
        return;
    }
    let is_foreign = version.owner != bucket.owner;
    if !is_foreign && object.acl.is_none() {
        return;
    }
    let acl = object.acl.clone().unwrap_or_else(|| Acl::private(version.owner));
    let mut rules = decisive.rules.clone();
    if let Some(statements) = &mut rules.statements {
        statements.retain(|statement| !is_foreign || statement["Effect"] == "Deny");
        statements.extend(granted(&acl, Subject::Object, bucket));
    }
    facts.policy = Some(rules.compiled());
    facts.owner = Some(version.owner);
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
    let mut rules = Rules::of(policy.as_ref());
    if let (Some(acl), Some(statements)) = (bucket.acl.as_ref().filter(|_| bucket.has_acls()), &mut rules.statements) {
        statements.extend(granted(acl, Subject::Bucket, bucket));
    }
    let made = Arc::new(Decisive {
        compiled: match &policy {
            Some(policy) if bucket.acl.is_none() => policy.compiled(),
            _ => rules.compiled(),
        },
        is_public: policy.as_ref().is_some_and(BucketPolicy::is_public),
        rules,
    });
    let mut kept = s3.kept.0.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= KEPT_MAX {
        kept.clear();
    }
    kept.insert(bucket.uid.clone(), (bucket.modified, made.clone()));
    Ok(made)
}

impl Rules {
    /// A policy's; none without one.
    fn of(policy: Option<&BucketPolicy>) -> Self {
        let Some(policy) = policy else { return Self { version: LANGUAGE, statements: Some(Vec::new()) } };
        let document = serde_json::from_str::<Value>(&policy.text).unwrap_or_default();
        // What says nothing of its language is of the old one, in which variables are texts.
        let version = if document["Version"] == LANGUAGE { LANGUAGE } else { OLD_LANGUAGE };
        let statements = match &document["Statement"] {
            Value::Array(statements) => Some(statements.clone()),
            Value::Object(statement) => Some(vec![Value::Object(statement.clone())]),
            _ => None,
        };
        Self { version, statements }
    }

    /// They, ready to decide.
    fn compiled(&self) -> Arc<Policy> {
        const NAME: &str = "bucket policy and grants";
        let Some(statements) = &self.statements else { return Arc::new(Policy::denying_all(NAME)) };
        if statements.is_empty() {
            return Arc::new(Policy::nothing(NAME));
        }
        let text = json!({ "Version": self.version, "Statement": statements }).to_string();
        Arc::new(match policy::parse(&text, Purpose::Resource(ResourceElement::Required)) {
            Ok(document) => Policy::new(NAME, document),
            Err(_) => Policy::denying_all(NAME),
        })
    }
}

/// What a list of grants allows, as statements. Grants to the public are left out where the bucket ignores them. Those of an
/// object are for a policy that bears on it alone, and name no resource: keys can have what means something in patterns.
fn granted(acl: &Acl, subject: Subject, bucket: &Bucket) -> Vec<Value> {
    let arn = bucket.arn();
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
            let resource = match (subject, *action) {
                (Subject::Object, _) => "*".to_owned(),
                (Subject::Bucket, "s3:PutObject") => format!("{arn}/*"),
                (Subject::Bucket, _) => arn.clone(),
            };
            let mut made = statement(Effect::Allow, principal.clone(), &[action], &resource);
            if signed_only {
                made["Condition"] = json!({ "StringNotEquals": { "aws:PrincipalType": "Anonymous" } });
            }
            statements.push(made);
        }
    }
    statements
}

/// Whom no policy lets list a bucket is not told that a key is missing there. (API reference, GetObject: "If you don't have the
/// s3:ListBucket permission, Amazon S3 returns … 403".)
pub(crate) async fn hidden(s3: &S3, ctx: &Ctx, bucket: &Bucket, error: Error) -> Error {
    if !matches!(error, Error::NoSuchKey { .. }) {
        return error;
    }
    const LIST: &str = "s3:ListBucket";
    let arn = bucket.arn();
    let facts = match facts(s3, ctx, Asked::to(LIST), &arn).await {
        Ok(facts) => facts,
        Err(error) => return error,
    };
    match ctx.authorize_with(&Access::to(LIST).on(arn), &facts) {
        Ok(()) => error,
        Err(denied) => Error::Body(denied),
    }
}

/// Whose what the caller writes is: nobody's becomes the bucket's owner's.
pub(crate) fn writer(ctx: &Ctx, bucket: &Bucket) -> AccountId {
    if ctx.account() == AccountId::NOBODY { bucket.owner } else { ctx.account() }
}
