//! What goes on without a request, and what clients do between its look and its deed.

use std::time::Duration;

use store::Versioned;

use super::background::{days, set_lifecycle};
use super::*;
use crate::bucket::{self, Bucket};
use crate::condition::WriteCondition;
use crate::event::Cause;
use crate::lifecycle::Lifecycle;
use crate::object::commit::Write;
use crate::object::{Current, current, newest_older};
use crate::reconcile::lifecycle::Rules;

/// A house whose rules let everything expire, in time: lone markers, older versions or objects.
async fn expiring(marker: bool, older: bool) -> House {
    let house = House::new().await;
    let expiration = match marker {
        true => LifecycleExpiration { expired_object_delete_marker: Some(true), ..Default::default() },
        false => LifecycleExpiration { days: Some(1), ..Default::default() },
    };
    let of_older = NoncurrentVersionExpiration { noncurrent_days: Some(1), newer_noncurrent_versions: None };
    let rule = LifecycleRule {
        status: ExpirationStatus::Enabled,
        filter: Some(LifecycleRuleFilter::default()),
        expiration: Some(expiration),
        noncurrent_version_expiration: older.then_some(of_older),
        ..Default::default()
    };
    set_lifecycle(&house, rule).await;
    house
}

impl House {
    async fn bucket(&self) -> Versioned<Bucket> {
        bucket::find(&self.s3, "photos").await.unwrap()
    }

    async fn latest(&self, key: &str) -> Versioned<Current> {
        let bucket = self.bucket().await;
        current(&self.s3.platform.store, &bucket, key).await.unwrap().unwrap()
    }

    /// Does with a key what its bucket's rules say in a week, as it was looked at.
    async fn expire(&self, key: &str, seen: &Versioned<Current>) -> u64 {
        let (bucket, rules) = (self.bucket().await, self.rules().await);
        let rules = Rules { s3: &self.s3, bucket: &bucket, rules: &rules, now: days(self, 7) };
        rules.expire(key, seen).await.unwrap()
    }

    async fn rules(&self) -> Lifecycle {
        self.s3.platform.store.list_everywhere::<Lifecycle>(None, 1).await.unwrap().items.remove(0).value
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_takes_the_place_of_a_lone_marker_does_not_expire_as_that() {
    let house = expiring(true, false).await;
    house.set_versioning(BucketVersioningStatus::Suspended).await;
    house.delete("k", None).await;
    let seen = house.latest("k").await;
    assert!(seen.latest.object().is_none() && seen.latest.id.is_null());
    house.put("k", b"new").await;
    assert_eq!((house.expire("k", &seen).await, house.get("k").await.unwrap()), (0, b"new".to_vec()));
    house.delete("k", None).await;
    assert_eq!(house.expire("k", &house.latest("k").await).await, 1, "a marker that nobody touched goes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_null_version_that_is_written_again_does_not_expire_as_the_older_one_that_it_was() {
    let house = expiring(false, true).await;
    house.put("k", b"old").await;
    house.set_versioning(BucketVersioningStatus::Enabled).await;
    let second = house.put("k", b"second").await.version_id;
    house.set_versioning(BucketVersioningStatus::Suspended).await;
    let (bucket, rules) = (house.bucket().await, house.rules().await);
    let rules = Rules { s3: &house.s3, bucket: &bucket, rules: &rules, now: days(&house, 7) };
    let older = || async { newest_older(&house.s3.platform.store, &bucket, "k").await.unwrap().unwrap() };
    let seen = older().await;
    assert!(seen.past.id.is_null());
    house.put("k", b"new").await;
    assert_eq!((rules.expire_older("k", &seen, 0).await.unwrap(), house.get("k").await.unwrap()), (0, b"new".to_vec()));
    // One that has become the latest since what was has been deleted.
    let seen = older().await;
    assert_eq!(Some(seen.past.id.to_string()), second);
    house.delete("k", Some("null")).await;
    assert_eq!(rules.expire_older("k", &seen, 0).await.unwrap(), 0);
    assert_eq!(house.get("k").await.unwrap(), b"second");
    house.put("k", b"third").await;
    assert_eq!(rules.expire_older("k", &older().await, 0).await.unwrap(), 1, "one that nobody touched goes");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_written_again_with_the_same_bytes_does_not_expire_as_what_it_was() {
    let house = expiring(false, false).await;
    house.put("k", b"same").await;
    let seen = house.latest("k").await;
    house.put("k", b"same").await;
    assert_eq!((house.expire("k", &seen).await, house.get("k").await.unwrap()), (0, b"same".to_vec()));
    let seen = house.latest("k").await;
    let tag = PutObjectTaggingRequest {
        bucket: "photos".to_owned(),
        key: "k".to_owned(),
        tagging: Tagging { tag_set: vec![Tag { key: "keep".to_owned(), value: "yes".to_owned() }] },
        ..Default::default()
    };
    ops::put_object_tagging::put_object_tagging(&house.s3, &house.ctx, tag).await.unwrap();
    assert_eq!((house.expire("k", &seen).await, house.get("k").await.unwrap()), (0, b"same".to_vec()));
    assert_eq!(house.expire("k", &house.latest("k").await).await, 1, "one that nobody touched goes");
    assert_eq!(code(house.get("k").await), ("NoSuchKey", 404));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_deletes_with_a_bucket_from_before_its_versioning_loses_nothing() {
    let house = House::new().await;
    house.put("k", b"kept").await;
    let before = house.bucket().await;
    house.set_versioning(BucketVersioningStatus::Enabled).await;
    let cause = Cause::lifecycle(house.ctx.now, "cause".to_owned());
    let write = Write { bucket: &before, key: "k", condition: WriteCondition::None, cause: &cause };
    assert!(write.delete(&house.s3, before.owner).await.unwrap().unwrap().is_marker);
    let named = GetObjectRequest { version_id: Some("null".to_owned()), ..get_request("k") };
    assert_eq!(house.get_as(named).await.unwrap().1, b"kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_always_is_where_the_sweep_does_not_look_stays() {
    let house = House::new().await;
    house.set_versioning(BucketVersioningStatus::Enabled).await;
    let first = house.put("k", &[1; 20_000]).await.version_id.unwrap();
    let second = house.put("k", &[2; 20_000]).await.version_id.unwrap();
    let (candidates, end) = sweep::candidates(&house.s3, 0..256, Duration::ZERO, 1000).await.unwrap();
    assert_eq!((candidates.len(), end), (2, 256));
    let mut known = sweep::Known::begin(&house.s3, 0..256, 1000).await.unwrap();
    known.parts().await.unwrap();
    known.latest().await.unwrap();
    // The first version becomes the latest, which have been read, and an older one again, once those have been.
    house.delete("k", Some(&second)).await;
    known.older().await.unwrap();
    known.beside().await.unwrap();
    house.put("k", &[3; 20_000]).await;
    known.unused().await.unwrap();
    let known = known.finish().unwrap().unwrap();
    assert_eq!(sweep::remove(&house.s3, candidates, known).await.unwrap(), 0);
    let named = GetObjectRequest { version_id: Some(first), ..get_request("k") };
    assert_eq!(house.get_as(named).await.unwrap().1, [1; 20_000]);
}
