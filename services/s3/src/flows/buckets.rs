//! Buckets and their lists.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_accounts_buckets_of_all_regions_are_listed_and_nobody_elses() {
    let house = House::new().await;
    let there = |account: base::AccountId, region: &str| Ctx {
        region: region.parse().unwrap(),
        principal: Principal::root(account),
        ..house.ctx.clone()
    };
    let other: base::AccountId = "999999999999".parse().unwrap();
    let before: base::AccountId = "000000000001".parse().unwrap();
    let made = [
        ("a-far", there(base::AccountId::DEFAULT, "ap-south-1")),
        ("z-near", there(base::AccountId::DEFAULT, "us-west-2")),
        ("theirs", there(other, "us-west-2")),
        ("also-theirs", there(before, "eu-west-1")),
    ];
    for (bucket, ctx) in &made {
        let input = CreateBucketRequest {
            bucket: (*bucket).to_owned(),
            create_bucket_configuration: Some(CreateBucketConfiguration {
                location_constraint: Some(ctx.region.as_str().parse().unwrap()),
                ..Default::default()
            }),
            ..Default::default()
        };
        ops::create_bucket::create_bucket(&house.s3, ctx, input).await.unwrap();
    }
    let listed = ops::list_buckets::list_buckets(&house.s3, &house.ctx, ListBucketsRequest::default()).await.unwrap();
    let names: Vec<_> = listed.buckets.unwrap().into_iter().map(|bucket| bucket.name.unwrap()).collect();
    assert_eq!(names, ["a-far", "photos", "z-near"]);
}
