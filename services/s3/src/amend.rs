//! Reading and changing what belongs to an object beside its bytes: its tags, its list of grants.

use base::AccountId;
use platform::{Access, Attempts, Ctx};
use store::{Tx, Versioned};

use crate::bucket::{self, Bucket};
use crate::event::{By, Cause, Change};
use crate::facts::VERSION_ID;
use crate::object::{Object, Order, Selected, Version, What, select};
use crate::{Error, S3, facts, names};

/// Which object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) owner: Option<&'a str>,
    pub(crate) key: &'a str,
    pub(crate) version_id: Option<&'a str>,
    /// What the caller has to be allowed.
    pub(crate) access: &'a Access,
    /// What the change is.
    pub(crate) by: By,
}

/// An object that was found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Its bucket.
    pub(crate) bucket: Versioned<Bucket>,
    /// It.
    pub(crate) version: Version,
}

impl Found {
    /// The object.
    ///
    /// # Errors
    /// Never: what is selected is one.
    pub(crate) fn object(&self) -> Result<&Object, Error> {
        self.version.object().ok_or_else(|| Error::Internal("a delete marker was selected".to_owned()))
    }

    /// The version's id as it is answered.
    pub(crate) fn answered_id(&self) -> Option<String> {
        self.bucket.answered_id(&self.version.id)
    }
}

/// Who may: the first action is that on what is latest, the second that on a version.
pub(crate) fn access(actions: [&'static str; 2], bucket: &str, key: &str, version_id: Option<&str>) -> Access {
    let arn = names::object_arn(bucket, key);
    match version_id {
        Some(id) => Access::to(actions[1]).on(arn).key(VERSION_ID, id),
        None => Access::to(actions[0]).on(arn),
    }
}

/// Finds an object, to which the caller is admitted by `access`.
///
/// # Errors
/// That it is not there, or not for the caller.
pub(crate) async fn read(
    s3: &S3,
    ctx: &Ctx,
    access: &Access,
    bucket: &str,
    owner: Option<&str>,
    key: &str,
    version_id: Option<&str>,
) -> Result<Found, Error> {
    let bucket = bucket::expected(s3, bucket, owner).await?;
    let version = match select(&s3.platform.store, &bucket, key, version_id, "GET").await {
        Ok(selected) => selected.version().clone(),
        Err(error) => return Err(facts::hidden(s3, ctx, &bucket, error).await),
    };
    facts::admit(s3, ctx, &bucket, &version, access).await?;
    Ok(Found { bucket, version })
}

/// Changes an object, and answers its version's id. `change` is given the bucket and the object's owner; it is called again if
/// somebody else was faster.
///
/// # Errors
/// That it is not there, or not for the caller, and what `change` answers.
pub(crate) async fn amend(
    s3: &S3,
    ctx: &Ctx,
    target: Target<'_>,
    mut change: impl FnMut(&Bucket, AccountId, &mut Object) -> Result<(), Error>,
) -> Result<Option<String>, Error> {
    let mut attempts = Attempts::new();
    loop {
        let outcome = try_amend(s3, ctx, target, &mut change).await;
        if !attempts.again(&outcome) {
            return outcome;
        }
    }
}

async fn try_amend(
    s3: &S3,
    ctx: &Ctx,
    target: Target<'_>,
    change: &mut impl FnMut(&Bucket, AccountId, &mut Object) -> Result<(), Error>,
) -> Result<Option<String>, Error> {
    let bucket = bucket::expected(s3, target.bucket, target.owner).await?;
    let store = &s3.platform.store;
    let selected = match select(store, &bucket, target.key, target.version_id, "PUT").await {
        Ok(selected) => selected,
        Err(error) => return Err(facts::hidden(s3, ctx, &bucket, error).await),
    };
    let before = selected.version();
    facts::admit(s3, ctx, &bucket, before, target.access).await?;
    let mut version = before.clone();
    if let What::Object(object) = &mut version.what {
        change(&bucket, bucket.owner_of(before), object)?;
    }
    let id = bucket.answered_id(&version.id);
    if target.by == By::PutAcl && version == *before {
        // (User guide, "Supported event types": without a change there is no event.)
        return Ok(id);
    }
    let mut tx = Tx::new();
    let order = Order::next(ctx.now, store.revision().0, Some(version.order));
    let happened = Change::changed(&version, order);
    match &selected {
        Selected::Latest(current) => {
            let mut changed = current.value.clone();
            changed.latest = version;
            tx.replace(current, &changed);
        }
        Selected::Older(older) => {
            let mut changed = older.value.clone();
            changed.past = version;
            tx.replace(older, &changed);
        }
    }
    s3.note(&mut tx, &bucket, target.key, &Cause::of(ctx, target.by), happened).await?;
    store.commit(tx).await?;
    Ok(id)
}
