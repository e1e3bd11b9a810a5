use super::*;

const EMPTY_JSON: &str = "application/vnd.oci.empty.v1+json";
const TYPE_A: &str = "application/vnd.nhl.peanut.butter.bagel";
const TYPE_B: &str = "application/vnd.nba.strawberry.jam.croissant";
const KEY: &str = "org.opencontainers.conformance.test";

mod listing_tags {
    use super::*;

    async fn setup() -> client::Client {
        let client = client().await;
        let manifest = client.image(NAME, "test3", "one").await;
        for tag in ["test2", "test0", "test1"] {
            client.manifest(NAME, tag, &manifest).await.expect(201);
        }
        client
    }

    fn tags(answer: &client::Answer) -> Value {
        answer.expect(200).json()["tags"].clone()
    }

    #[tokio::test]
    async fn get_request_to_list_tags_should_yield_200_response() {
        let answer = setup().await.get(&tags_path()).await;
        assert_eq!(answer.json(), json!({"name": NAME, "tags": ["test0", "test1", "test2", "test3"]}));
    }

    #[tokio::test]
    async fn get_number_of_tags_should_be_limitable_by_n_query_parameter() {
        let answer = setup().await.get(&format!("{}?n=2", tags_path())).await;
        assert_eq!(tags(&answer), json!(["test0", "test1"]));
    }

    #[tokio::test]
    async fn get_start_of_tag_is_set_by_last_query_parameter() {
        let answer = setup().await.get(&format!("{}?n=2&last=test1", tags_path())).await;
        assert_eq!(tags(&answer), json!(["test2", "test3"]));
    }
}

mod listing_references {
    use super::*;

    /// A subject with five referrers, and one that is not there with a single one.
    struct Setup {
        client: client::Client,
        subject: String,
        missing: String,
        /// The digest of the referrer of what is missing.
        lonely: String,
    }

    fn referrer(subject: &str, config: &str, artifact_type: Option<&str>, blob: &[u8]) -> String {
        let describe = |media_type: &str, bytes: &[u8]| json!({"mediaType": media_type, "digest": digest_of(bytes), "size": bytes.len()});
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": describe(config, b"{}"), "layers": [describe("application/octet-stream", blob)],
            "subject": {"mediaType": OCI_MANIFEST, "digest": subject, "size": 100},
            "annotations": {KEY: format!("{config} {artifact_type:?}")},
        });
        if let Some(artifact_type) = artifact_type {
            manifest["artifactType"] = json!(artifact_type);
        }
        manifest.to_string()
    }

    async fn setup() -> Setup {
        let client = client().await;
        for blob in [b"{}".as_slice(), b"a", b"b"] {
            client.blob(NAME, blob).await;
        }
        let image = json!({"content": "subject"}).to_string();
        let image = manifest_of(&client::of_bytes(image.as_bytes()), &[&client::of_bytes(b"layer")]);
        let (subject, missing) = (digest_of(image.as_bytes()), dummy_digest());
        let index = json!({
            "schemaVersion": 2, "mediaType": OCI_INDEX, "artifactType": "application/vnd.food.stand", "manifests": [],
            "subject": {"mediaType": OCI_MANIFEST, "digest": subject, "size": 100}, "annotations": {KEY: "index"},
        });
        let push = async |manifest: &str, subject: &str| {
            let answer = client.manifest(NAME, &digest_of(manifest.as_bytes()), manifest).await;
            assert_eq!(answer.expect(201).header("oci-subject"), subject);
        };
        push(&referrer(&subject, TYPE_A, None, b"a"), &subject).await;
        push(&referrer(&subject, EMPTY_JSON, Some(TYPE_A), b"a"), &subject).await;
        push(&index.to_string(), &subject).await;
        // Some referrers come before their subject, some after it.
        client.image(NAME, "tagtest0", "subject").await;
        push(&referrer(&subject, TYPE_B, None, b"b"), &subject).await;
        push(&referrer(&subject, EMPTY_JSON, Some(TYPE_B), b"b"), &subject).await;
        let lonely = referrer(&missing, EMPTY_JSON, Some(TYPE_B), b"b");
        push(&lonely, &missing).await;
        Setup { client, subject, missing, lonely: digest_of(lonely.as_bytes()) }
    }

    fn manifests(answer: &client::Answer) -> Vec<Value> {
        assert_eq!(answer.expect(200).header("content-type"), OCI_INDEX);
        let index = answer.json();
        assert_eq!((&index["schemaVersion"], &index["mediaType"]), (&json!(2), &json!(OCI_INDEX)));
        index["manifests"].as_array().unwrap().clone()
    }

    #[tokio::test]
    async fn get_request_to_nonexistent_blob_should_result_in_empty_200_response() {
        let client = client().await;
        assert!(manifests(&client.get(&referrers_path(&dummy_digest())).await).is_empty());
    }

    #[tokio::test]
    async fn get_request_to_existing_blob_should_yield_200() {
        let Setup { client, subject, .. } = setup().await;
        let found = manifests(&client.get(&referrers_path(&subject)).await);
        assert_eq!(found.len(), 5);
        for one in &found {
            assert!(one["annotations"][KEY].is_string(), "{one}");
            assert!(one["size"].as_u64().unwrap() > 0 && one["digest"].is_string() && one["mediaType"].is_string());
        }
        let types: Vec<&str> = found.iter().map(|one| one["artifactType"].as_str().unwrap()).collect();
        for (artifact_type, count) in [(TYPE_A, 2), (TYPE_B, 2), ("application/vnd.food.stand", 1)] {
            assert_eq!(types.iter().filter(|found| **found == artifact_type).count(), count, "{artifact_type}");
        }
    }

    #[tokio::test]
    async fn get_request_to_existing_blob_with_filter_should_yield_200() {
        let Setup { client, subject, .. } = setup().await;
        let answer = client.get(&format!("{}?artifactType={TYPE_A}", referrers_path(&subject))).await;
        assert_eq!(answer.header("oci-filters-applied"), "artifactType");
        let found = manifests(&answer);
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|one| one["artifactType"] == TYPE_A));
    }

    #[tokio::test]
    async fn get_request_to_missing_manifest_should_yield_200() {
        let Setup { client, missing, lonely, .. } = setup().await;
        let found = manifests(&client.get(&referrers_path(&missing)).await);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["digest"], lonely);
    }
}
