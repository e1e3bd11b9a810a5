use super::*;
use crate::fixture::{REST_JSON, S3};

/// What a request asks for.
fn asked(
    model: &ServiceModel,
    method: &str,
    target: &str,
    header: Option<&'static str>,
) -> Result<&'static str, NoRoute> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = HeaderMap::new();
    if let Some(name) = header {
        headers.insert(name, "1".parse().unwrap());
    }
    let parameters = Parameters::parse(Some(query)).unwrap();
    route(model, &method.parse().unwrap(), path, &parameters, &headers).map(|found| model.operation_name(found))
}

fn s3(method: &str, target: &str) -> Result<&'static str, NoRoute> {
    asked(&S3, method, target, None)
}

#[test]
fn method_path_and_query_name_the_operation() {
    for (method, target, named) in [
        ("GET", "/", "ListBuckets"),
        ("GET", "/b", "ListThings"),
        ("GET", "/b/", "ListThings"),
        ("GET", "/b?prefix=x&x-id=ListThings", "ListThings"),
        ("GET", "/b?list-type=2&prefix=x", "ListThingsV2"),
        ("GET", "/b?list-type=1", "ListThings"),
        ("GET", "/b?location", "LocateThing"),
        ("GET", "/b?location=", "LocateThing"),
        ("GET", "/b/k", "GetThing"),
        ("HEAD", "/b/k", "HeadThing"),
        ("GET", "/b/k/", "GetThing"),
        ("GET", "/b//", "GetThing"),
        ("GET", "/b/../k", "GetThing"),
        ("GET", "/b/k?location", "GetThing"),
        ("GET", "/b/k?tagging", "TagThing"),
        ("PUT", "/b/k", "PutThing"),
        ("PUT", "/b/k?tagging", "PutTags"),
        ("PUT", "/b/k?x-id=PutThing", "PutThing"),
        ("PUT", "/b/k?partNumber=1&uploadId=u", "PutPart"),
        ("PUT", "/b/k?partNumber=1", "PutThing"),
        ("DELETE", "/b/k?uploadId=u", "AbortThing"),
    ] {
        assert_eq!(s3(method, target), Ok(named), "{method} {target}");
    }
    assert_eq!(asked(&S3, "PUT", "/b/k", Some("x-amz-copy-source")), Ok("CopyThing"));
}

#[test]
fn what_no_operation_has_and_what_several_have_goes_nowhere() {
    for (method, target) in
        [("PATCH", "/b/k"), ("PUT", "/b"), ("PUT", "/"), ("GET", "//k"), ("POST", "/b/k"), ("DELETE", "/b/k")]
    {
        assert_eq!(s3(method, target), Err(NoRoute::Unknown), "{method} {target}");
    }
    assert_eq!(s3("GET", "/b/k?tagging&acl"), Err(NoRoute::Conflicting(vec!["acl", "tagging"])));
    assert_eq!(s3("GET", "/b?list-type=2&location"), Err(NoRoute::Conflicting(vec!["list-type=2", "location"])));
}

#[test]
fn a_slash_at_the_end_makes_no_other_path_but_of_a_key() {
    for target in ["/2020/things/t/count", "/2020/things/t/count/"] {
        assert_eq!(asked(&REST_JSON, "POST", target, None), Ok("CountThings"), "{target}");
    }
    for target in ["/2020/things/t/invocations", "/2020/things/t/invocations/"] {
        assert_eq!(asked(&REST_JSON, "POST", target, None), Ok("Invoke"), "{target}");
    }
    for target in ["/2020/things//invocations", "/2020/things/t/u/invocations", "/2021/things/t/invocations", "/"] {
        assert_eq!(asked(&REST_JSON, "POST", target, None), Err(NoRoute::Unknown), "{target}");
    }
}

#[test]
fn the_key_is_everything_behind_the_bucket() {
    for (path, key) in [
        ("/b/k", "k"),
        ("/b//k", "/k"),
        ("/b/a/../k", "a/../k"),
        ("/b/a%2Fk/", "a%2Fk/"),
        ("/b//", "/"),
        ("/b/./", "./"),
    ] {
        assert_eq!(labels("/{Bucket}/{Key+}?tagging", path), [("Bucket", "b"), ("Key", key)], "{path}");
    }
    assert_eq!(labels("/2020/things/{Name}/count/", "/2020/things/a%2Fb/count"), [("Name", "a%2Fb")]);
}
