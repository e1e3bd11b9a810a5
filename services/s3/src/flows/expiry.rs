//! How lifecycle rules of several buckets are executed beside each other, and while they change.

use platform::MayConflict;
use serde::{Deserialize, Serialize};
use store::{Record, Tx, Versioned};

use super::background::{days, set_lifecycle};
use super::*;
use crate::bucket;
use crate::lifecycle::Lifecycle;
use crate::object::current;
use crate::reconcile::lifecycle::{Rules, Turns};

fn after_a_day() -> LifecycleRule {
    LifecycleRule {
        status: ExpirationStatus::Enabled,
        filter: Some(LifecycleRuleFilter::default()),
        expiration: Some(LifecycleExpiration { days: Some(1), ..Default::default() }),
        ..Default::default()
    }
}

impl House {
    /// Another bucket whose objects expire after a day, and so many of them.
    async fn expiring_bucket(&self, name: &str, objects: usize) {
        if name != "photos" {
            self.create(name).await.unwrap();
        }
        self.fill(name, objects).await;
    }

    /// Rules for a bucket, and so many objects.
    async fn fill(&self, name: &str, objects: usize) {
        let input = PutBucketLifecycleConfigurationRequest {
            bucket: name.to_owned(),
            lifecycle_configuration: Some(BucketLifecycleConfiguration { rules: vec![after_a_day()] }),
            ..Default::default()
        };
        ops::put_bucket_lifecycle_configuration::put_bucket_lifecycle_configuration(&self.s3, &self.ctx, input)
            .await
            .unwrap();
        for number in 0..objects {
            let request = PutObjectRequest { bucket: name.to_owned(), key: format!("k{number}"), ..Default::default() };
            self.put_as(request, b"x").await.unwrap();
        }
    }

    async fn object_count(&self, bucket: &str) -> usize {
        let (mut count, mut token) = (0, None);
        loop {
            let input =
                ListObjectsV2Request { bucket: bucket.to_owned(), continuation_token: token, ..Default::default() };
            let page = ops::list_objects_v2::list_objects_v2(&self.s3, &self.ctx, input).await.unwrap();
            count += page.contents.map_or(0, |contents| contents.len());
            token = page.next_continuation_token;
            if token.is_none() {
                return count;
            }
        }
    }

    async fn rules_of(&self, name: &str) -> Versioned<Lifecycle> {
        let bucket = bucket::find(&self.s3, name).await.unwrap();
        self.s3.platform.store.read::<Lifecycle>(&bucket.scope, &[&bucket.uid]).await.unwrap().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_with_many_objects_holds_up_no_other_and_each_goes_on_where_it_was() {
    let house = House::new().await;
    house.expiring_bucket("photos", 1100).await;
    house.expiring_bucket("other", 3).await;
    let (turns, now) = (Turns::default(), days(&house, 7));
    let mut expired = Vec::new();
    loop {
        // One turn at a time.
        let done = turns.take(&house.s3, now, 1).await.unwrap();
        if done.is_all {
            break;
        }
        expired.push(done.changes);
        let left = (house.object_count("photos").await, house.object_count("other").await);
        assert!(left.0 == 0 || left.0 == 100 || left == (1100, 0), "{left:?}");
    }
    assert!([[1000, 3, 100], [3, 1000, 100]].iter().any(|order| *order == *expired), "{expired:?}");
    assert_eq!((house.object_count("photos").await, house.object_count("other").await), (0, 0));
    assert!(turns.take(&house.s3, now, 1).await.unwrap().changes == 0, "the next time begins anew");
}

/// Rules as nobody can read them.
#[derive(Debug, Serialize, Deserialize)]
struct Unreadable {
    rules: u32,
}

impl Record for Unreadable {
    const SERVICE: &'static str = Lifecycle::SERVICE;
    const KIND: &'static str = Lifecycle::KIND;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_whose_rules_cannot_be_read_holds_up_no_other() {
    let house = House::new().await;
    let names = ["photos", "second", "third"];
    for name in names {
        house.expiring_bucket(name, 1).await;
    }
    // Whichever comes first, it is each one's turn to be it.
    for broken in names {
        let rules = house.rules_of(broken).await;
        let mut tx = Tx::new();
        tx.remove(&rules);
        house.s3.platform.store.commit(tx).await.unwrap();
        let mut tx = Tx::new();
        tx.insert(&rules.scope, &[rules.name()], &Unreadable { rules: 1 });
        house.s3.platform.store.commit(tx).await.unwrap();
        let turns = Turns::default();
        let done = turns.take(&house.s3, days(&house, 7), usize::MAX).await.unwrap();
        assert!(done.is_all && done.to_string().contains("could not be executed"), "{done}");
        for other in names.into_iter().filter(|name| *name != broken) {
            assert_eq!(house.object_count(other).await, 0, "{other}");
        }
        assert_eq!(house.object_count(broken).await, 1);
        let unreadable = house.s3.platform.store.read::<Unreadable>(&rules.scope, &[rules.name()]).await;
        let mut tx = Tx::new();
        tx.remove(&unreadable.unwrap().unwrap());
        house.s3.platform.store.commit(tx).await.unwrap();
        for name in names {
            house.fill(name, 1).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_have_been_removed_or_that_came_before_versioning_do_nothing_any_more() {
    let house = House::new().await;
    set_lifecycle(&house, after_a_day()).await;
    house.put("k", b"kept").await;
    let bucket = bucket::find(&house.s3, "photos").await.unwrap();
    let rules = house.rules_of("photos").await;
    let rules = Rules { s3: &house.s3, bucket: &bucket, rules: &rules, now: days(&house, 7) };
    let seen = current(&house.s3.platform.store, &bucket, "k").await.unwrap().unwrap();
    let removed = DeleteBucketLifecycleRequest { bucket: "photos".to_owned(), ..Default::default() };
    ops::delete_bucket_lifecycle::delete_bucket_lifecycle(&house.s3, &house.ctx, removed).await.unwrap();
    assert!(rules.expire("k", &seen).await.unwrap_err().is_conflict());
    assert_eq!(house.get("k").await.unwrap(), b"kept");
    // With rules again and versioning since, what expires is kept as an older version.
    set_lifecycle(&house, after_a_day()).await;
    house.set_versioning(BucketVersioningStatus::Enabled).await;
    let done = Turns::default().take(&house.s3, days(&house, 7), usize::MAX).await.unwrap();
    assert_eq!((done.changes, code(house.get("k").await)), (1, ("NoSuchKey", 404)));
    assert_eq!(house.versions().await.versions.unwrap().len(), 1);
}
