use super::client::{Client, of_bytes};
use super::*;

/// A manifest that refers to a subject and has annotations of some size.
fn referrer(subject: &str, number: usize, annotation_bytes: usize) -> String {
    let config = of_bytes(b"{}");
    json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "text/x", "layers": [],
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config.digest, "size": config.size},
        "subject": {"mediaType": OCI_MANIFEST, "digest": subject, "size": 7},
        "annotations": {"number": number.to_string(), "padding": "x".repeat(annotation_bytes)},
    })
    .to_string()
}

async fn referred(count: usize, annotation_bytes: usize) -> (Client, String) {
    let client = Client::new();
    client.api.repository("web").await;
    client.blob("web", b"{}").await;
    let subject = digest_of(b"subject");
    for number in 0..count {
        let manifest = referrer(&subject, number, annotation_bytes);
        client.manifest("web", &digest_of(manifest.as_bytes()), &manifest).await.expect(201);
    }
    (client, subject)
}

/// Follows the pages, and answers how many referrers each has.
async fn pages(client: &Client, first: &str) -> Vec<usize> {
    let (mut next, mut found) = (first.to_owned(), Vec::new());
    loop {
        let answer = client.get(&next).await;
        found.push(answer.expect(200).json()["manifests"].as_array().unwrap().len());
        match answer.header("link") {
            "" => return found,
            link => next = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned(),
        }
    }
}

#[tokio::test]
async fn many_referrers_come_page_by_page() {
    let (client, subject) = referred(120, 0).await;
    assert_eq!(pages(&client, &format!("/v2/web/referrers/{subject}")).await, [50, 50, 20]);
    assert_eq!(pages(&client, &format!("/v2/web/referrers/{subject}?artifactType=text/x")).await, [50, 50, 20]);
    assert_eq!(pages(&client, &format!("/v2/web/referrers/{subject}?artifactType=text%2Fy")).await, [0, 0, 0]);
}

#[tokio::test]
async fn a_page_is_no_larger_than_an_answer_should_be() {
    let (client, subject) = referred(7, 1_200_000).await;
    assert_eq!(pages(&client, &format!("/v2/web/referrers/{subject}")).await, [3, 3, 1]);
}

#[tokio::test]
async fn a_page_of_another_list_is_not_gone_on_with() {
    let (client, subject) = referred(51, 0).await;
    let path = format!("/v2/web/referrers/{subject}");
    let link = client.get(&path).await.header("link").to_owned();
    let query = link.split_once('?').unwrap().1.split_once('>').unwrap().0.to_owned();
    let other = digest_of(b"other");
    client.get(&format!("/v2/web/referrers/{other}?{query}")).await.refuses(400, "PAGINATION_NUMBER_INVALID");
    client.get(&format!("{path}?after=nonsense")).await.refuses(400, "PAGINATION_NUMBER_INVALID");
}

#[tokio::test]
async fn an_archived_referrer_is_not_told() {
    let (client, subject) = referred(2, 0).await;
    let archived = digest_of(referrer(&subject, 0, 0).as_bytes());
    let archive = json!({
        "repositoryName": "web", "imageId": {"imageDigest": archived}, "targetStorageClass": "ARCHIVE",
    });
    client.api.ok("UpdateImageStorageClass", archive).await;
    let left = client.get(&format!("/v2/web/referrers/{subject}")).await.json();
    assert_eq!(left["manifests"].as_array().unwrap().len(), 1);
    assert_ne!(left["manifests"][0]["digest"], archived);
}

#[tokio::test]
async fn a_subject_is_named_by_a_digest() {
    let (client, _) = referred(0, 0).await;
    client.get("/v2/web/referrers/latest").await.refuses(400, "DIGEST_INVALID");
    client.get(&format!("/v2/gone/referrers/{}", digest_of(b"x"))).await.refuses(404, "NAME_UNKNOWN");
}
