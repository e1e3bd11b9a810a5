//! Versions of one key that many change at once.

use super::*;

const ROUNDS: usize = 20;
const VERSIONS: usize = 8;

async fn versions_of(house: &House) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..VERSIONS {
        ids.push(house.put("k", format!("version {n}").as_bytes()).await.version_id.unwrap());
    }
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_version_that_is_deleted_together_with_others_of_its_key_is_gone() {
    let house = House::new().await;
    house.set_versioning(BucketVersioningStatus::Enabled).await;
    for _ in 0..ROUNDS {
        let ids = versions_of(&house).await;
        let object = |id| ObjectIdentifier { key: "k".to_owned(), version_id: Some(id), ..Default::default() };
        let input = DeleteObjectsRequest {
            bucket: "photos".to_owned(),
            delete: Delete { objects: ids.into_iter().map(object).collect(), quiet: None },
            ..Default::default()
        };
        let output = ops::delete_objects::delete_objects(&house.s3, &house.ctx, input).await.unwrap();
        assert_eq!(output.deleted.unwrap().len(), VERSIONS);
        let left = house.versions().await;
        assert!(left.versions.is_none(), "deleted, and there all the same: {left:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_version_is_found_while_it_becomes_the_latest() {
    let house = Arc::new(House::new().await);
    house.set_versioning(BucketVersioningStatus::Enabled).await;
    for _ in 0..ROUNDS {
        let ids = versions_of(&house).await;
        let (first, others) = ids.split_first().unwrap();
        let request = GetObjectRequest { version_id: Some(first.clone()), ..get_request("k") };
        let deleter = tokio::spawn({
            let (house, others) = (house.clone(), others.to_vec());
            async move {
                for id in others.iter().rev() {
                    house.delete("k", Some(id)).await;
                }
            }
        });
        while !deleter.is_finished() {
            assert_eq!(house.get_as(request.clone()).await.unwrap().1, b"version 0");
        }
        deleter.await.unwrap();
        house.delete("k", Some(first)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_list_of_versions_is_one_of_an_instant() {
    let house = Arc::new(House::new().await);
    house.set_versioning(BucketVersioningStatus::Enabled).await;
    house.put("k", b"version 0").await;
    let writer = tokio::spawn({
        let house = house.clone();
        async move {
            let mut ids = Vec::new();
            for n in 0..ROUNDS * VERSIONS {
                ids.push(house.put("k", format!("version {n}").as_bytes()).await.version_id.unwrap());
            }
            ids
        }
    });
    let mut lists = Vec::new();
    while !writer.is_finished() {
        lists.push(house.versions().await.versions.unwrap());
    }
    let written = writer.await.unwrap();
    for list in lists {
        let latest: Vec<bool> = list.iter().map(|version| version.is_latest.unwrap()).collect();
        assert_eq!(latest.iter().filter(|is_latest| **is_latest).count(), 1);
        assert!(latest[0]);
        // The first version was there before the others.
        let ids: Vec<String> = list.into_iter().rev().skip(1).map(|version| version.version_id.unwrap()).collect();
        assert_eq!(ids, written[..ids.len()], "each that had been written, once");
    }
}
