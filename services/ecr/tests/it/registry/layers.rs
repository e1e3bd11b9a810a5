use ecr::registry::LAYER_URL_LIFETIME;

use super::client::Client;
use super::*;

/// A client whose image has a layer, and the address of the layer.
async fn client() -> (Client, String) {
    let client = Client::new();
    client.api.repository("web").await;
    client.image("web", "v1", "one").await;
    let url = url(&client).await;
    (client.with(None), url.strip_prefix("http://127.0.0.1:4566").unwrap().to_owned())
}

fn input(repository: &str, bytes: &[u8]) -> Value {
    json!({"repositoryName": repository, "layerDigest": digest_of(bytes)})
}

async fn url(client: &Client) -> String {
    let answer = client.api.ok("GetDownloadUrlForLayer", input("web", b"layer")).await;
    assert_eq!(answer["layerDigest"], digest_of(b"layer"));
    answer["downloadUrl"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn whoever_has_the_address_downloads_the_layer() {
    let (client, path) = client().await;
    assert_eq!(client.get(&path).await.expect(200).body, b"layer");
    assert_eq!(client.send("GET", &path, &[("range", "bytes=1-2")], b"").await.expect(206).body, b"ay");
    assert_eq!(client.head(&path).await.expect(200).header("content-length"), "5");
}

#[tokio::test]
async fn the_address_is_good_for_an_hour() {
    let (client, path) = client().await;
    client.api.advance(LAYER_URL_LIFETIME - Duration::from_millis(1));
    client.get(&path).await.expect(200);
    client.api.advance(Duration::from_millis(1));
    client.get(&path).await.refuses(403, "DENIED");
}

#[tokio::test]
async fn an_address_that_was_not_handed_out_leads_nowhere() {
    let (client, path) = client().await;
    let changed = format!("{}{}", &path[..path.len() - 1], if path.ends_with('A') { 'B' } else { 'A' });
    let long = format!("/v2/_layers/{}", "A".repeat(5000));
    for wrong in ["/v2/_layers/", "/v2/_layers/..", "/v2/_layers/AAAA", &changed, &path[..path.len() - 4], &long] {
        client.get(wrong).await.refuses(403, "DENIED");
    }
}

#[tokio::test]
async fn the_address_ends_with_the_layer_and_its_repository() {
    let (client, path) = client().await;
    let owner = client.logged_in();
    let manifest = digest_of(owner.get("/v2/web/manifests/v1").await.text().as_bytes());
    owner.delete(&format!("/v2/web/manifests/{manifest}")).await.expect(202);
    owner.delete(&format!("/v2/web/blobs/{}", digest_of(b"layer"))).await.expect(202);
    client.get(&path).await.refuses(404, "BLOB_UNKNOWN");
    owner.api.ok("DeleteRepository", json!({"repositoryName": "web", "force": true})).await;
    client.get(&path).await.refuses(404, "BLOB_UNKNOWN");
    // One of the same name that has the same layer is not the one that the address was for.
    owner.api.repository("web").await;
    owner.image("web", "v1", "one").await;
    client.get(&path).await.refuses(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn only_layers_of_images_have_addresses() {
    let client = Client::new();
    client.api.repository("web").await;
    client.blob("web", b"lonely").await;
    let refused = client.api.refused("GetDownloadUrlForLayer", input("web", b"lonely")).await;
    assert_eq!(refused.0, "LayerInaccessibleException");
    let refused = client.api.refused("GetDownloadUrlForLayer", input("web", b"gone")).await;
    assert_eq!(refused.0, "LayersNotFoundException");
    let refused = client.api.refused("GetDownloadUrlForLayer", input("gone", b"lonely")).await;
    assert_eq!(refused, repository_not_found("gone"));
    let nobody = client.user("nobody", &json!({"Effect": "Allow", "Action": "ecr:BatchGetImage", "Resource": "*"}));
    assert_eq!(nobody.api.refused("GetDownloadUrlForLayer", input("web", b"lonely")).await.0, "AccessDeniedException");
}

#[tokio::test]
async fn an_address_is_good_for_reading_alone_and_the_registrys_paths_are_its_own() {
    let (client, path) = client().await;
    client.head(&path).await.expect(200);
    assert!(client.send("PUT", &path, &[], b"x").await.status >= 400);
    for (target, is_taken) in [("/v2", true), ("/v2/", true), ("/v2/x", true), ("/v2x/", false), ("/", false)] {
        assert_eq!(client.takes("GET", target, &[]), is_taken, "{target}");
    }
}
