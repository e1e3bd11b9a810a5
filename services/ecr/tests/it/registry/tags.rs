use super::client::Client;
use super::*;

async fn client() -> Client {
    let client = Client::new();
    client.api.repository("web").await;
    let manifest = client.image("web", "v1", "one").await;
    for tag in ["v2", "v3", "latest", "v10"] {
        client.manifest("web", tag, &manifest).await.expect(201);
    }
    client
}

#[tokio::test]
async fn pages_lead_to_each_other() {
    let client = client().await;
    let mut next = "/v2/web/tags/list?n=2".to_owned();
    let (mut tags, mut pages) = (Vec::new(), 0);
    loop {
        let answer = client.get(&next).await;
        tags.extend(answer.expect(200).json()["tags"].as_array().unwrap().clone());
        pages += 1;
        match answer.header("link") {
            "" => break,
            link => next = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned(),
        }
    }
    assert_eq!((json!(tags), pages), (json!(["latest", "v1", "v10", "v2", "v3"]), 3));
}

#[tokio::test]
async fn what_was_listed_last_need_not_be_there() {
    let client = client().await;
    let answer = client.get("/v2/web/tags/list?last=m").await;
    assert_eq!(answer.expect(200).json()["tags"], json!(["v1", "v10", "v2", "v3"]));
    assert_eq!(client.get("/v2/web/tags/list?last=w").await.expect(200).json()["tags"], json!([]));
    client.get("/v2/web/tags/list?last=a%2Fb").await.refuses(400, "TAG_INVALID");
}

#[tokio::test]
async fn a_page_has_as_many_tags_as_are_asked_for_and_some_thousand_at_most() {
    let client = client().await;
    let answer = client.get("/v2/web/tags/list?n=0").await;
    assert_eq!((answer.expect(200).json()["tags"].clone(), answer.header("link")), (json!([]), ""));
    for all in ["5", "1000", "99999999999999999999999"] {
        let answer = client.get(&format!("/v2/web/tags/list?n={all}")).await;
        assert_eq!((answer.json()["tags"].as_array().unwrap().len(), answer.header("link")), (5, ""));
    }
    for wrong in ["-1", "x", "1.5", "+1"] {
        client.get(&format!("/v2/web/tags/list?n={wrong}")).await.refuses(400, "PAGINATION_NUMBER_INVALID");
    }
}

#[tokio::test]
async fn a_repository_that_is_not_there_has_no_list() {
    client().await.get("/v2/gone/tags/list").await.refuses(404, "NAME_UNKNOWN");
}
