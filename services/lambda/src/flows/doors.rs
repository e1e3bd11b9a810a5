//! Addresses that are no operations: those of code, and function URLs.

use http::{HeaderMap, Method, StatusCode};
use platform::Admission;
use platform::identity::{FixedKey, Identities, Keys};
use platform::ports::{PolicyDirectory, RoleDirectory, RoleView, UserDirectory};
use store::StoreError;
use wire::serve::RequestBody;
use wire::serve::raw::{RawBody, RawRequest, RawResponse, Routes};
use wire::sigv4::{Credentials, SecretAccessKey, SignableBody, Signer};

use super::*;
use crate::code_routes::CodeRoutes;
use crate::url_routes::FunctionUrls;

/// The key of the root user of [`ACCOUNT`], and of the one of [`OTHER`].
const KEYS: [(&str, &str); 2] = [("AKIAOWN", ACCOUNT), ("AKIAOTHER", OTHER)];

/// Nobody has policies, roles or users.
struct Nobody;

impl RoleDirectory for Nobody {
    fn role<'a>(&'a self, _: AccountId, _: &'a str) -> BoxFuture<'a, Result<Option<RoleView>, StoreError>> {
        Box::pin(async { Ok(None) })
    }
}

impl UserDirectory for Nobody {
    fn user<'a>(&'a self, _: AccountId, _: &'a str) -> BoxFuture<'a, Result<Option<Principal>, StoreError>> {
        Box::pin(async { Ok(None) })
    }
}

impl PolicyDirectory for Nobody {
    fn identity_policies<'a>(&'a self, _: &'a Principal) -> BoxFuture<'a, Result<Arc<IdentityPolicies>, StoreError>> {
        Box::pin(async { Ok(Arc::default()) })
    }

    fn managed_policy<'a>(
        &'a self,
        _: AccountId,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<Policy>>, StoreError>> {
        Box::pin(async { Ok(None) })
    }

    fn principal_tags<'a>(
        &'a self,
        _: &'a Principal,
    ) -> BoxFuture<'a, Result<Arc<std::collections::BTreeMap<String, String>>, StoreError>> {
        Box::pin(async { Ok(Arc::default()) })
    }
}

fn request(method: Method, url: &str, headers: &[(&str, &str)], body: &str) -> RawRequest {
    let mut request = http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    RawRequest {
        parts: request.body(()).unwrap().into_parts().0,
        body: RequestBody::of(body.to_owned().into()),
        request_id: "5e3d8b1c-0000-4000-8000-000000000000".to_owned(),
        now: Timestamp::from_secs(START),
        source_ip: Some([203, 0, 113, 7].into()),
    }
}

async fn read(answer: RawResponse) -> (StatusCode, HeaderMap, String) {
    let body = match answer.body {
        RawBody::Bytes(bytes) => bytes,
        RawBody::Content(content) => content.into_reader().read_to_end(1 << 20).await.unwrap(),
        RawBody::Empty | RawBody::File { .. } => Bytes::new(),
    };
    (answer.status, answer.headers, String::from_utf8_lossy(&body).into_owned())
}

impl House {
    fn doors(&self) -> Arc<FunctionUrls> {
        let key = |(id, account): (&str, &str)| FixedKey {
            access_key_id: id.to_owned(),
            secret: SecretAccessKey::new("secret"),
            principal: Principal::root(account.parse().unwrap()),
        };
        let keys = Arc::new(Keys::new(KEYS.map(key).into()));
        let platform = Platform { keys, ..self.lambda.platform.clone() };
        let nobody = Arc::new(Nobody);
        let admission = Admission {
            identities: Arc::new(Identities::new(platform, nobody.clone(), nobody.clone())),
            policies: nobody,
            denials: Arc::default(),
            is_secure: false,
        };
        Arc::new(FunctionUrls::new(self.lambda.clone(), admission))
    }

    /// Gives the function an address, and answers its host.
    async fn address(&self, config: Value) -> String {
        let mut request = json!({ "FunctionName": "thumbnails" });
        for (member, value) in config.as_object().unwrap() {
            request[member] = value.clone();
        }
        let told = self.ok("CreateFunctionUrlConfig", request).await;
        let url = told["FunctionUrl"].as_str().unwrap();
        url.trim_start_matches("http://").trim_end_matches('/').to_owned()
    }

    async fn open_to_all(&self) {
        let by_url = json!({
            "FunctionName": "thumbnails", "StatementId": "url", "Principal": "*",
            "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE",
        });
        self.ok("AddPermission", by_url).await;
        let by_function = json!({
            "FunctionName": "thumbnails", "StatementId": "function", "Principal": "*",
            "Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": true,
        });
        self.ok("AddPermission", by_function).await;
    }

    async fn ask(&self, request: RawRequest) -> (StatusCode, HeaderMap, String) {
        let doors = self.doors();
        assert!(doors.takes(&request.parts));
        read(doors.answer(request).await).await
    }

    async fn get(&self, host: &str, path: &str) -> (StatusCode, HeaderMap, String) {
        self.ask(request(Method::GET, path, &[("host", host)], "")).await
    }
}

#[tokio::test]
async fn code_is_handed_out_where_its_location_says_for_as_long_as_that_is_good() {
    let house = House::with_function().await;
    let told = house.ok("GetFunction", json!({ "FunctionName": "thumbnails" })).await;
    let location = told["Code"]["Location"].as_str().unwrap().to_owned();
    let path = location.strip_prefix("http://127.0.0.1:4566").unwrap();
    let routes = Arc::new(CodeRoutes::new(house.lambda.clone()));
    let ask = |method: Method, path: &str| {
        let request = request(method, path, &[("host", "127.0.0.1:4566")], "");
        assert!(routes.takes(&request.parts));
        routes.clone().answer(request)
    };
    let answer = ask(Method::GET, path).await;
    assert_eq!(answer.status, StatusCode::OK);
    let RawBody::Content(content) = answer.body else { panic!("no content") };
    let bytes = content.into_reader().read_to_end(1 << 20).await.unwrap();
    assert_eq!(&bytes[..], zip("one"));
    assert_eq!(ask(Method::PUT, path).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(ask(Method::GET, &format!("{path}x")).await.status, StatusCode::FORBIDDEN);
    house.advance(601);
    assert_eq!(ask(Method::GET, path).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_address_is_open_only_where_the_policy_lets_everybody_in() {
    let house = House::with_function().await;
    let host = house.address(json!({ "AuthType": "NONE" })).await;
    let (status, headers, body) = house.get(&host, "/").await;
    assert_eq!(
        (status, &headers["x-amzn-errortype"]),
        (StatusCode::FORBIDDEN, &"AccessDeniedException".parse().unwrap())
    );
    assert!(
        body.starts_with(r#"{"Message":"Forbidden. For troubleshooting Function URL authorization issues"#),
        "{body}"
    );
    house.open_to_all().await;
    assert_eq!(house.get(&host, "/").await.0, StatusCode::OK);
    house.ok("RemovePermission", json!({ "FunctionName": "thumbnails", "StatementId": "function" })).await;
    assert_eq!(house.get(&host, "/").await.0, StatusCode::FORBIDDEN, "both are needed");
    let nobodys = "abcdefghijklmnopqrstuvwxyz234567.lambda-url.us-east-1.localhost";
    let (status, _, body) = house.get(nobodys, "/").await;
    assert_eq!((status, body.as_str()), (StatusCode::FORBIDDEN, r#"{"Message":null}"#));
    assert_eq!(house.get(&host.replace("us-east-1", "eu-west-1"), "/").await.2, r#"{"Message":null}"#);
    house.ok("DeleteFunctionUrlConfig", json!({ "FunctionName": "thumbnails" })).await;
    assert_eq!(house.get(&host, "/").await.2, r#"{"Message":null}"#);
    assert!(house.invocations().len() == 1);
}

#[tokio::test]
async fn a_request_is_an_event_and_an_object_with_a_status_its_answer() {
    let house = House::with_function().await;
    let host = house.address(json!({ "AuthType": "NONE" })).await;
    house.open_to_all().await;
    let headers = [
        ("host", host.as_str()),
        ("content-type", "application/json"),
        ("cookie", "foo=bar; hello=hello"),
        ("header2", "h1"),
        ("header2", "h2"),
        ("user-agent", "tests/1"),
        ("x-forwarded-for", "1.1.1.1"),
        ("connection", "close"),
        ("authorization", "Bearer own"),
    ];
    let said = json!({ "statusCode": 418, "headers": { "X-Own": "yes" }, "body": "short and stout" });
    let answer = || Answered {
        version: "$LATEST".to_owned(),
        payload: said.to_string().into(),
        function_error: None,
        log_tail: None,
    };
    house.answer(Ok(answer()));
    let asked = request(Method::POST, "/hello%20you?hello=world&foo=a&foo=b%2Fc", &headers, r#"{"hello": "world"}"#);
    let (status, answered, body) = house.ask(asked).await;
    assert_eq!((status.as_u16(), body.as_str()), (418, "short and stout"));
    assert_eq!(answered["x-own"], "yes");
    let invocation = house.invocations().remove(0);
    assert_eq!(invocation.trace.as_deref(), answered["x-amzn-trace-id"].to_str().ok());
    let event: Value = serde_json::from_slice(&invocation.payload).unwrap();
    let id = host.split('.').next().unwrap();
    let domain = host.trim_end_matches(":4566");
    let expected = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/hello%20you",
        "rawQueryString": "hello=world&foo=a&foo=b%2Fc",
        "cookies": ["foo=bar", "hello=hello"],
        "headers": {
            "authorization": "Bearer own", "content-type": "application/json", "cookie": "foo=bar; hello=hello",
            "header2": "h1,h2", "host": host, "user-agent": "tests/1", "x-amzn-trace-id": invocation.trace,
            "x-forwarded-for": "203.0.113.7", "x-forwarded-port": "4566", "x-forwarded-proto": "http",
        },
        "queryStringParameters": { "foo": "a,b/c", "hello": "world" },
        "requestContext": {
            "accountId": "anonymous", "apiId": id, "domainName": domain, "domainPrefix": id,
            "http": {
                "method": "POST", "path": "/hello%20you", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7",
                "userAgent": "tests/1",
            },
            "requestId": "5e3d8b1c-0000-4000-8000-000000000000", "routeKey": "$default", "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": START * 1000,
        },
        "body": r#"{"hello": "world"}"#, "isBase64Encoded": false,
    });
    assert_eq!(event, expected);
    let form = [("host", host.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    house.ask(request(Method::POST, "/", &form, "a=b")).await;
    let event: Value = serde_json::from_slice(&house.invocations()[0].payload).unwrap();
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("YT1i"), &json!(true)));
}

#[tokio::test]
async fn what_goes_wrong_in_a_function_is_a_bad_gateway_and_a_limit_says_so() {
    let house = House::with_function().await;
    let host = house.address(json!({ "AuthType": "NONE" })).await;
    house.open_to_all().await;
    house.answer(failed("no"));
    let (status, _, body) = house.get(&host, "/").await;
    assert_eq!((status, body.as_str()), (StatusCode::BAD_GATEWAY, "Internal Server Error"));
    house.answer(Err(Refused::Throttled(crate::executor::Throttle::ConcurrentInvocationLimitExceeded)));
    let (status, _, body) = house.get(&host, "/").await;
    let told: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status.as_u16(), &told["Reason"]), (429, &json!("ConcurrentInvocationLimitExceeded")));
    let large = "x".repeat(6 * 1024 * 1024 + 1);
    let (status, ..) = house.ask(request(Method::POST, "/", &[("host", &host)], &large)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_page_is_answered_by_what_is_configured() {
    let house = House::with_function().await;
    let cors = json!({ "AllowOrigins": ["https://app.example"], "AllowMethods": ["GET"], "MaxAge": 60 });
    let host = house.address(json!({ "AuthType": "NONE", "Cors": cors })).await;
    house.open_to_all().await;
    let page = |origin: &'static str| {
        [("host", host.clone()), ("origin", origin.to_owned()), ("access-control-request-method", "GET".to_owned())]
    };
    let ask = async |method: Method, origin: &'static str| {
        let headers = page(origin);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        house.ask(request(method, "/", &headers, "")).await
    };
    let (status, headers, _) = ask(Method::OPTIONS, "https://app.example").await;
    assert_eq!(
        (status, &headers["access-control-allow-origin"]),
        (StatusCode::OK, &"https://app.example".parse().unwrap())
    );
    assert!(house.invocations().is_empty(), "without the function");
    let (_, headers, _) = ask(Method::GET, "https://app.example").await;
    assert_eq!(headers["access-control-allow-origin"], "https://app.example");
    let (_, headers, _) = ask(Method::GET, "https://evil.example").await;
    assert!(!headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_streaming_address_hands_on_what_comes() {
    let house = House::with_function().await;
    let host = house.address(json!({ "AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM" })).await;
    house.open_to_all().await;
    let (status, headers, body) = house.get(&host, "/").await;
    assert_eq!((status, &headers["content-type"]), (StatusCode::OK, &"application/octet-stream".parse().unwrap()));
    assert!(body.starts_with('{') && body.contains("\"rawPath\""), "{body}");
}

/// A request that the owner of a key has signed.
fn signed(host: &str, path: &str, key: &str, secret: &str, body: &str) -> RawRequest {
    let mut request = request(Method::POST, path, &[("host", host), ("content-type", "text/plain")], body);
    let credentials =
        Credentials { access_key_id: key.into(), secret_access_key: SecretAccessKey::new(secret), session_token: None };
    let signer =
        Signer { credentials: &credentials, region: "us-east-1", service: "lambda", at: Timestamp::from_secs(START) };
    signer.sign(&mut request.parts, SignableBody::Bytes(body.as_bytes())).unwrap();
    request
}

#[tokio::test]
async fn an_address_for_those_who_sign_lets_in_nobody_else() {
    let house = House::with_function().await;
    let host = house.address(json!({ "AuthType": "AWS_IAM" })).await;
    house.open_to_all().await;
    assert_eq!(house.get(&host, "/").await.0, StatusCode::FORBIDDEN, "without a signature");
    let (status, _, body) = house.ask(signed(&host, "/x", "AKIAOWN", "wrong", "hi")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(body.contains("signature"), "{body}");
    assert_eq!(house.ask(signed(&host, "/x", "AKIANONE", "secret", "hi")).await.0, StatusCode::FORBIDDEN);
    assert_eq!(house.ask(signed(&host, "/x", "AKIAOTHER", "secret", "hi")).await.0, StatusCode::FORBIDDEN);
    let mut other = signed(&host, "/x", "AKIAOWN", "secret", "hi");
    other.body = RequestBody::of("another body".into());
    assert_eq!(house.ask(other).await.0, StatusCode::FORBIDDEN);
    assert!(house.invocations().is_empty());
    let (status, ..) = house.ask(signed(&host, "/x", "AKIAOWN", "secret", "hi")).await;
    assert_eq!(status, StatusCode::OK);
    let event: Value = serde_json::from_slice(&house.invocations()[0].payload).unwrap();
    assert_eq!(event["requestContext"]["accountId"], ACCOUNT);
    assert_eq!(event["requestContext"]["authorizer"]["iam"]["accessKey"], "AKIAOWN");
    assert_eq!((&event["body"], &event["headers"]["authorization"]), (&json!("hi"), &Value::Null));
    let id = host.split('.').next().unwrap();
    let by_path = signed("127.0.0.1:4566", &format!("/_lambda/url/{id}/x"), "AKIAOWN", "secret", "hi");
    assert_eq!(house.ask(by_path).await.0, StatusCode::OK);
    let event: Value = serde_json::from_slice(&house.invocations()[0].payload).unwrap();
    assert_eq!((&event["rawPath"], &event["requestContext"]["domainPrefix"]), (&json!("/x"), &json!(id)));
}
