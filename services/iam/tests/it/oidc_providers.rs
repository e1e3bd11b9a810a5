use iam::api::{
    AddClientIDToOpenIDConnectProviderRequest, CreateOpenIDConnectProviderRequest, CreateOpenIDConnectProviderResponse,
    DeleteOpenIDConnectProviderRequest, GetOpenIDConnectProviderRequest, GetOpenIDConnectProviderResponse,
    ListOpenIDConnectProviderTagsRequest, ListOpenIDConnectProviderTagsResponse, ListOpenIDConnectProvidersRequest,
    ListOpenIDConnectProvidersResponse, RemoveClientIDFromOpenIDConnectProviderRequest,
    TagOpenIDConnectProviderRequest, UntagOpenIDConnectProviderRequest, UpdateOpenIDConnectProviderThumbprintRequest,
};
use platform::ports::OidcProviderDirectory as _;

use crate::bench::{ACCOUNT, Bench, Refusal, refusal, tag};

const URL: &str = "https://token.example.com/id/ABC";

fn arn() -> String {
    format!("arn:aws:iam::{ACCOUNT}:oidc-provider/token.example.com/id/ABC")
}

async fn create(bench: &Bench, url: &str) -> Result<String, Refusal> {
    let input = CreateOpenIDConnectProviderRequest {
        url: url.to_owned(),
        client_id_list: Some(vec!["sts.amazonaws.com".to_owned()]),
        thumbprint_list: Some(vec!["A".repeat(40)]),
        ..Default::default()
    };
    let answer: CreateOpenIDConnectProviderResponse = bench.ask("CreateOpenIDConnectProvider", input).await?;
    Ok(answer.open_id_connect_provider_arn.unwrap())
}

async fn get(bench: &Bench) -> Result<GetOpenIDConnectProviderResponse, Refusal> {
    let input = GetOpenIDConnectProviderRequest { open_id_connect_provider_arn: arn() };
    bench.ask("GetOpenIDConnectProvider", input).await
}

#[tokio::test]
async fn a_provider_is_made_changed_listed_and_removed() {
    let bench = Bench::new();
    assert_eq!(create(&bench, URL).await.unwrap(), arn());
    let exists = format!("Provider with url {URL} already exists.");
    assert_eq!(create(&bench, URL).await, Err(refusal("EntityAlreadyExists", 409, &exists)));
    let client = |id: &str| AddClientIDToOpenIDConnectProviderRequest {
        open_id_connect_provider_arn: arn(),
        client_id: id.to_owned(),
    };
    bench.tell("AddClientIDToOpenIDConnectProvider", client("app")).await.unwrap();
    bench.tell("AddClientIDToOpenIDConnectProvider", client("app")).await.unwrap();
    let remove = RemoveClientIDFromOpenIDConnectProviderRequest {
        open_id_connect_provider_arn: arn(),
        client_id: "sts.amazonaws.com".to_owned(),
    };
    bench.tell("RemoveClientIDFromOpenIDConnectProvider", remove).await.unwrap();
    let thumbprints = UpdateOpenIDConnectProviderThumbprintRequest {
        open_id_connect_provider_arn: arn(),
        thumbprint_list: vec!["b".repeat(40)],
    };
    bench.tell("UpdateOpenIDConnectProviderThumbprint", thumbprints).await.unwrap();
    let found = get(&bench).await.unwrap();
    assert_eq!(found.url.as_deref(), Some("token.example.com/id/ABC"));
    assert_eq!(found.client_id_list.unwrap(), ["app"]);
    assert_eq!(found.thumbprint_list.unwrap(), ["b".repeat(40)]);
    let view = bench.iam.provider(ACCOUNT.parse().unwrap(), URL).await.unwrap().unwrap();
    assert_eq!((view.arn.to_string(), view.url.as_str()), (arn(), URL));

    let listed: ListOpenIDConnectProvidersResponse =
        bench.ask("ListOpenIDConnectProviders", ListOpenIDConnectProvidersRequest::default()).await.unwrap();
    assert_eq!(listed.open_id_connect_provider_list.unwrap()[0].arn, Some(arn()));
    let delete = || DeleteOpenIDConnectProviderRequest { open_id_connect_provider_arn: arn() };
    bench.tell("DeleteOpenIDConnectProvider", delete()).await.unwrap();
    bench.tell("DeleteOpenIDConnectProvider", delete()).await.unwrap();
    let message = format!("OpenIDConnect Provider not found for arn {}", arn());
    assert_eq!(get(&bench).await.unwrap_err(), refusal("NoSuchEntity", 404, &message));
}

#[tokio::test]
async fn a_provider_has_tags() {
    let bench = Bench::new();
    create(&bench, URL).await.unwrap();
    let input = TagOpenIDConnectProviderRequest {
        open_id_connect_provider_arn: arn(),
        tags: vec![tag("a", "1"), tag("b", "2")],
    };
    bench.tell("TagOpenIDConnectProvider", input).await.unwrap();
    let input =
        UntagOpenIDConnectProviderRequest { open_id_connect_provider_arn: arn(), tag_keys: vec!["a".to_owned()] };
    bench.tell("UntagOpenIDConnectProvider", input).await.unwrap();
    let input = ListOpenIDConnectProviderTagsRequest { open_id_connect_provider_arn: arn(), ..Default::default() };
    let tags: ListOpenIDConnectProviderTagsResponse = bench.ask("ListOpenIDConnectProviderTags", input).await.unwrap();
    assert_eq!(tags.tags, [tag("b", "2")]);
}

#[tokio::test]
async fn what_is_no_provider_is_refused() {
    let bench = Bench::new();
    let invalid = refusal("ValidationError", 400, "Invalid Open ID Connect Provider URL");
    for url in ["token.example.com", "http://token.example.com", "https://token.example.com/?x"] {
        assert_eq!(create(&bench, url).await, Err(invalid.clone()), "{url}");
    }
    let input = CreateOpenIDConnectProviderRequest {
        url: URL.to_owned(),
        thumbprint_list: Some(vec!["a".repeat(40); 6]),
        ..Default::default()
    };
    let refused = bench.ask::<CreateOpenIDConnectProviderResponse>("CreateOpenIDConnectProvider", input).await;
    let message = "Thumbprint list must contain fewer than 5 entries.";
    assert_eq!(refused.unwrap_err(), refusal("InvalidInput", 400, message));
    assert!(get(&bench.as_root_of("222222222222")).await.is_err());
}
