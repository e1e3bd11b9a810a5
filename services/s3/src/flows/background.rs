//! What operations cause that goes on without them: events, expiration.

use std::sync::Mutex;

use blobs::files::{FileId, HeldFiles};
use platform::BoxFuture;
use platform::outbox::{DeliveryError, Event};
use serde_json::{Value, json};

use super::*;
use crate::notification::{Delivery, Refusal};

#[tokio::test(flavor = "multi_thread")]
async fn events_go_with_their_change_to_whoever_wants_them() {
    let house = House::new().await;
    let configure = |notification_configuration| {
        let input = PutBucketNotificationConfigurationRequest {
            bucket: "photos".to_owned(),
            notification_configuration,
            skip_destination_validation: Some(true),
            ..Default::default()
        };
        ops::put_bucket_notification_configuration::put_bucket_notification_configuration(&house.s3, &house.ctx, input)
    };
    let queue = QueueConfiguration {
        queue_arn: "arn:aws:sqs:us-east-1:000000000000:q".to_owned(),
        events: vec!["s3:ObjectCreated:*".parse().unwrap()],
        ..Default::default()
    };
    let said = NotificationConfiguration { queue_configurations: Some(vec![queue.clone()]), ..Default::default() };
    configure(said.clone()).await.unwrap();
    house.put("a", b"1").await;
    house.delete("a", None).await;
    house.put("b", b"2").await;
    assert_eq!(house.s3.outbox.depth().await.unwrap().events, 2);
    let twice = NotificationConfiguration { queue_configurations: Some(vec![queue.clone(), queue]), ..said };
    assert_eq!(code(configure(twice).await), ("InvalidArgument", 400));
    configure(NotificationConfiguration::default()).await.unwrap();
    house.put("c", b"3").await;
    assert_eq!(house.s3.outbox.depth().await.unwrap().events, 2);
}

pub(super) async fn set_lifecycle(house: &House, rule: LifecycleRule) {
    let input = PutBucketLifecycleConfigurationRequest {
        bucket: "photos".to_owned(),
        lifecycle_configuration: Some(BucketLifecycleConfiguration { rules: vec![rule] }),
        ..Default::default()
    };
    ops::put_bucket_lifecycle_configuration::put_bucket_lifecycle_configuration(&house.s3, &house.ctx, input)
        .await
        .unwrap();
}

pub(super) fn days(house: &House, days: u64) -> base::Timestamp {
    house.ctx.now.plus(std::time::Duration::from_secs(days * 24 * 3600))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lifecycle_rules_say_happens_to_objects_markers_versions_and_uploads() {
    let house = House::new().await;
    let rule = LifecycleRule {
        status: ExpirationStatus::Enabled,
        filter: Some(LifecycleRuleFilter { prefix: Some("tmp/".to_owned()), ..Default::default() }),
        expiration: Some(LifecycleExpiration { days: Some(2), ..Default::default() }),
        noncurrent_version_expiration: Some(NoncurrentVersionExpiration {
            noncurrent_days: Some(1),
            newer_noncurrent_versions: None,
        }),
        abort_incomplete_multipart_upload: Some(AbortIncompleteMultipartUpload { days_after_initiation: Some(1) }),
        ..Default::default()
    };
    set_lifecycle(&house, rule).await;
    let put = house.put("tmp/a", &[1; 10_000]).await;
    assert!(put.e_tag.is_some());
    house.put("kept", b"x").await;
    let upload = house.begin("tmp/big").await;
    house.part("tmp/big", &upload, 1, b"x").await;
    let execute = |now| crate::reconcile::lifecycle::execute_all(&house.s3, now);
    assert_eq!(execute(days(&house, 1)).await.unwrap(), 0);
    assert_eq!(execute(days(&house, 2)).await.unwrap(), 1, "the upload goes after a day and the midnight that follows");
    house.set_versioning(BucketVersioningStatus::Enabled).await;
    assert_eq!(execute(days(&house, 3)).await.unwrap(), 1);
    assert_eq!(code(house.get("tmp/a").await), ("NoSuchKey", 404));
    let listed = house.versions().await;
    assert_eq!((listed.versions.unwrap().len(), listed.delete_markers.unwrap().len()), (2, 1));
    assert_eq!(
        execute(days(&house, 6)).await.unwrap(),
        2,
        "the old version, and the marker that nothing is left under"
    );
    assert_eq!(house.versions().await.versions.unwrap().len(), 1);
    house.settle().await;
    assert_eq!((house.files(), house.get("kept").await.unwrap()), (0, b"x".to_vec()));
}

/// Keeps what it is told.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<Value>>);

impl Destinations for Told {
    fn validate<'a>(
        &'a self,
        _: &'a crate::notification::Target,
        _: &'a crate::bucket::Bucket,
        test: Option<Value>,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        self.0.lock().unwrap().extend(test);
        Box::pin(std::future::ready(Ok(())))
    }

    fn deliver<'a>(&'a self, event: &'a Event<Delivery>) -> BoxFuture<'a, Result<(), DeliveryError>> {
        self.0.lock().unwrap().push(event.payload.message.clone());
        Box::pin(std::future::ready(Ok(())))
    }
}

impl House {
    /// What has been told, once nothing is on its way.
    async fn told(&self, told: &Told) -> Vec<Value> {
        let dispatcher = crate::notification::dispatcher(&self.s3);
        while self.s3.outbox.depth().await.unwrap().events > 0 {
            dispatcher.round().await.unwrap();
        }
        std::mem::take(&mut *told.0.lock().unwrap())
    }

    async fn notify(&self, notification_configuration: NotificationConfiguration) -> Result<(), Error> {
        let input = PutBucketNotificationConfigurationRequest {
            bucket: "photos".to_owned(),
            notification_configuration,
            ..Default::default()
        };
        ops::put_bucket_notification_configuration::put_bucket_notification_configuration(&self.s3, &self.ctx, input)
            .await
    }

    async fn tag(&self, key: &str) {
        let input = PutObjectTaggingRequest {
            bucket: "photos".to_owned(),
            key: key.to_owned(),
            tagging: Tagging { tag_set: vec![Tag { key: "k".to_owned(), value: "v".to_owned() }] },
            ..Default::default()
        };
        ops::put_object_tagging::put_object_tagging(&self.s3, &self.ctx, input).await.unwrap();
        let input =
            DeleteObjectTaggingRequest { bucket: "photos".to_owned(), key: key.to_owned(), ..Default::default() };
        ops::delete_object_tagging::delete_object_tagging(&self.s3, &self.ctx, input).await.unwrap();
    }

    async fn set_acl(&self, key: &str, acl: ObjectCannedACL) {
        let input = PutObjectAclRequest {
            bucket: "photos".to_owned(),
            key: key.to_owned(),
            acl: Some(acl),
            ..Default::default()
        };
        ops::put_object_acl::put_object_acl(&self.s3, &self.ctx, input).await.unwrap();
    }
}

fn queue_of(events: &[&str]) -> NotificationConfiguration {
    let queue = QueueConfiguration {
        id: Some("all".to_owned()),
        queue_arn: "arn:aws:sqs:us-east-1:000000000000:q".to_owned(),
        events: events.iter().map(|event| event.parse().unwrap()).collect(),
        ..Default::default()
    };
    NotificationConfiguration { queue_configurations: Some(vec![queue]), ..Default::default() }
}

const ALL: [&str; 5] =
    ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*", "s3:ObjectAcl:Put", "s3:LifecycleExpiration:*"];

/// The names of events, the versions that they are of, and whether they tell size and tag.
fn heads(messages: &[Value]) -> Vec<(String, Option<String>, bool)> {
    let head = |message: &Value| {
        let record = &message["Records"][0];
        let object = &record["s3"]["object"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        assert_eq!(record["s3"]["configurationId"], "all");
        assert_eq!(object.get("size").is_some(), object.get("eTag").is_some(), "{message}");
        (text(&record["eventName"]).unwrap(), text(&object["versionId"]), object.get("size").is_some())
    };
    messages.iter().map(head).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_change_is_told_by_its_own_name() {
    let told = Arc::new(Told::default());
    let house = House::telling(told.clone()).await;
    super::permissions::objects_are_their_writers(&house).await;
    super::permissions::unblock(&house).await;
    house.notify(queue_of(&ALL)).await.unwrap();
    let test = house.told(&told).await;
    assert_eq!((test.len(), &test[0]["Event"], &test[0]["Bucket"]), (1, &json!("s3:TestEvent"), &json!("photos")));
    house.put("a", b"1").await;
    let form = Ctx { is_form: true, ..house.ctx.clone() };
    let body = Some(wire::Content::bytes(b"22".to_vec()));
    ops::put_object::put_object(&house.s3, &form, PutObjectRequest { body, ..put_request("a") }).await.unwrap();
    let copy = CopyObjectRequest {
        bucket: "photos".to_owned(),
        key: "a".to_owned(),
        copy_source: "photos/a".to_owned(),
        metadata_directive: Some(MetadataDirective::Replace),
        ..Default::default()
    };
    ops::copy_object::copy_object(&house.s3, &house.ctx, copy).await.unwrap();
    let upload = house.begin("a").await;
    let part = house.part("a", &upload, 1, b"333").await;
    house.complete("a", &upload, vec![part]).await.unwrap();
    house.tag("a").await;
    house.set_acl("a", ObjectCannedACL::AuthenticatedRead).await;
    // What it has already is no change.
    house.set_acl("a", ObjectCannedACL::AuthenticatedRead).await;
    house.delete("a", None).await;
    // What is not there is deleted without an event.
    house.delete("a", None).await;
    let messages = house.told(&told).await;
    let expected = [
        ("ObjectCreated:Put", true),
        ("ObjectCreated:Post", true),
        ("ObjectCreated:Copy", true),
        ("ObjectCreated:CompleteMultipartUpload", true),
        ("ObjectTagging:Put", true),
        ("ObjectTagging:Delete", true),
        ("ObjectAcl:Put", true),
        ("ObjectRemoved:Delete", false),
    ];
    assert_eq!(heads(&messages), expected.map(|(name, has_size)| (name.to_owned(), None, has_size)));
    let sequencers: Vec<_> =
        messages.iter().map(|it| it["Records"][0]["s3"]["object"]["sequencer"].as_str().unwrap().to_owned()).collect();
    assert!(sequencers.is_sorted_by(|one, two| one < two && one.len() == two.len()), "{sequencers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_versions_name_them_and_expiration_is_told_as_such() {
    let told = Arc::new(Told::default());
    let house = House::telling(told.clone()).await;
    house.set_versioning(BucketVersioningStatus::Enabled).await;
    house.notify(queue_of(&ALL)).await.unwrap();
    house.told(&told).await;
    let first = house.put("a", b"1").await.version_id;
    let marker = house.delete("a", None).await.version_id;
    house.delete("a", first.as_deref()).await;
    house.delete("a", marker.as_deref()).await;
    let expected = [
        ("ObjectCreated:Put", &first, true),
        ("ObjectRemoved:DeleteMarkerCreated", &marker, false),
        ("ObjectRemoved:Delete", &first, false),
        ("ObjectRemoved:Delete", &marker, false),
    ];
    let expected = expected.map(|(name, version, has_size)| (name.to_owned(), version.clone(), has_size));
    assert_eq!(heads(&house.told(&told).await), expected);
    set_lifecycle(
        &house,
        LifecycleRule {
            status: ExpirationStatus::Enabled,
            filter: Some(LifecycleRuleFilter::default()),
            expiration: Some(LifecycleExpiration { days: Some(1), ..Default::default() }),
            noncurrent_version_expiration: Some(NoncurrentVersionExpiration {
                noncurrent_days: Some(1),
                newer_noncurrent_versions: None,
            }),
            ..Default::default()
        },
    )
    .await;
    let put = house.put("a", b"1").await;
    assert!(put.expiration.unwrap().contains("rule-id="));
    house.told(&told).await;
    crate::reconcile::lifecycle::execute_all(&house.s3, days(&house, 3)).await.unwrap();
    crate::reconcile::lifecycle::execute_all(&house.s3, days(&house, 6)).await.unwrap();
    let messages = house.told(&told).await;
    let names: Vec<_> = heads(&messages).into_iter().map(|(name, ..)| name).collect();
    let expired =
        ["LifecycleExpiration:DeleteMarkerCreated", "LifecycleExpiration:Delete", "LifecycleExpiration:Delete"];
    assert_eq!(names, expired);
    assert_eq!(messages[0]["Records"][0]["userIdentity"]["principalId"], "s3.amazonaws.com");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_bus_is_told_everything_with_its_reason() {
    let told = Arc::new(Told::default());
    let house = House::telling(told.clone()).await;
    let all = Some(EventBridgeConfiguration::default());
    house.notify(NotificationConfiguration { event_bridge_configuration: all, ..Default::default() }).await.unwrap();
    house.put("a b", b"1").await;
    house.tag("a b").await;
    house.delete("a b", None).await;
    let messages = house.told(&told).await;
    let heads: Vec<_> = messages.iter().map(|it| (it["detail-type"].clone(), it["detail"]["reason"].clone())).collect();
    let expected = [
        ("Object Created", json!("PutObject")),
        ("Object Tags Added", Value::Null),
        ("Object Tags Deleted", Value::Null),
        ("Object Deleted", json!("DeleteObject")),
    ];
    assert_eq!(heads, expected.map(|(kind, reason)| (json!(kind), reason)));
    assert!(messages.iter().all(|it| it["detail"]["object"]["key"] == "a b" && it["source"] == "aws.s3"));
    assert_eq!(messages[3]["detail"]["deletion-type"], "Permanently Deleted");
}

/// Leaves so many records of one file each that nobody needs, and answers the files.
async fn leave_unused(house: &House, count: usize) -> Vec<FileId> {
    let write = || {
        let mut file = house.s3.content.files().writer(1).unwrap();
        file.append(b"x").unwrap();
        file.finish().unwrap()
    };
    let files: Vec<FileId> = (0..count).map(|_| write()).collect();
    for some in files.chunks(100) {
        let mut tx = store::Tx::new();
        some.iter().for_each(|file| unused::Unused::leave(&house.s3, &mut tx, vec![*file], house.ctx.now));
        house.s3.platform.store.commit(tx).await.unwrap();
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_read_at_length_hold_up_the_removal_of_no_others_and_nobody_spins_meanwhile() {
    let house = House::new().await;
    let read = leave_unused(&house, 1000).await;
    let pins: Vec<_> = read.iter().map(|file| house.s3.content.files().pin(file)).collect();
    let reconciler = unused::reconciler(&house.s3);
    let before = house.s3.platform.store.revision();
    let round = reconciler.round().await.unwrap();
    assert_eq!((round.changes, round.due), (0, Some(house.ctx.now.plus(std::time::Duration::from_secs(5)))));
    assert_eq!(house.s3.platform.store.revision(), before, "nothing was committed");
    leave_unused(&house, 200).await;
    let rounds = [reconciler.round().await.unwrap(), reconciler.round().await.unwrap()];
    assert_eq!(rounds.iter().map(|round| round.changes).sum::<u64>(), 200);
    assert_eq!(rounds[0].due, Some(house.ctx.now));
    assert_eq!((house.files(), rounds[1].due), (1000, round.due));
    drop(pins);
    assert_eq!(reconciler.round().await.unwrap().changes, 1000);
    assert_eq!((house.files(), reconciler.round().await.unwrap().due), (0, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_backup_is_made_the_removal_of_files_waits() {
    let house = House::new().await;
    let held = HeldFiles::at(house._directory.path()).unwrap();
    leave_unused(&house, 1200).await;
    let reconciler = unused::reconciler(&house.s3);
    let before = house.s3.platform.store.revision();
    for _ in 0..2 {
        let round = reconciler.round().await.unwrap();
        assert_eq!((round.changes, round.due), (0, Some(house.ctx.now.plus(std::time::Duration::from_secs(5)))));
    }
    assert_eq!((house.files(), house.s3.platform.store.revision()), (1200, before));
    let mut orphan = house.s3.content.files().writer(1).unwrap();
    orphan.append(b"x").unwrap();
    orphan.finish().unwrap();
    let sweep = || sweep::sweep(&house.s3, std::time::Duration::ZERO, 10_000);
    assert_eq!((sweep().await.unwrap(), house.files()), (0, 1201), "what is not removed is not counted");
    drop(held);
    assert_eq!((sweep().await.unwrap(), house.files()), (1, 1200));
    let changes = [reconciler.round().await.unwrap().changes, reconciler.round().await.unwrap().changes];
    assert_eq!((house.files(), changes), (0, [1000, 200]));
}
