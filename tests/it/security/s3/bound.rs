//! Requests of every operation of S3, made from its model, and a bucket with one of everything.

use tests::raw::Request;
use wire::schema::{Kind, Location, MemberRef, flag};
use wire::value::Value;
use wire::xml::Writer;

use super::yard::PRIVATE;
use crate::security::input;
use crate::security::names::{Names, VICTIM};
use crate::security::target::{Scene, Target};

/// Every operation that is served.
pub(super) fn served() -> Vec<Target> {
    Target::of(&s3::api::MODEL).filter(Target::is_served).collect()
}

/// The request of an operation about what `names` names. Not signed.
pub(super) fn request(target: &Target, host: &str, names: &Names) -> Request {
    let http = target.model.http(target.index).expect("an operation of S3 has a method and a path");
    let mut uri = http.uri.to_owned();
    let mut request = Request::get(host, "/");
    request.method = http.method.to_owned();
    let mut queries = Vec::new();
    if let Some(shape) = target.model.input(target.index) {
        let Value::Structure(fields) = input::value(target, shape, names) else { panic!("an input is a structure") };
        for (member, field) in shape.members().zip(fields) {
            if member.location() == Location::Payload && member.has(flag::STREAMING) {
                request.body = b"marker".to_vec();
            }
            let Some(field) = field else { continue };
            let name = member.wire_name();
            match member.location() {
                Location::Label => {
                    for label in [format!("{{{name}}}"), format!("{{{name}+}}")] {
                        uri = uri.replace(&label, &text(&field));
                    }
                }
                Location::Query => queries.push(format!("{name}={}", text(&field))),
                Location::Header => request.set(&name.to_ascii_lowercase(), &text(&field)),
                Location::Payload => request.body = payload(member, &field),
                Location::Headers | Location::Body | Location::Status => {}
            }
        }
    }
    for query in queries {
        uri.push(if uri.contains('?') { '&' } else { '?' });
        uri.push_str(&query);
    }
    request.target = uri;
    request
}

fn payload(member: MemberRef, field: &Value) -> Vec<u8> {
    if let (Kind::String, Value::String(text)) = (member.shape().kind(), field) {
        return text.clone().into_bytes();
    }
    let mut writer = Writer::default();
    writer.structure(member.wire_name(), s3::api::MODEL.xml_namespace, member.shape(), field);
    writer.finish().into_bytes()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Timestamp(time) => time.http_date(),
        Value::List(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        other => panic!("{other:?} stands neither in a path nor in a query nor in a header"),
    }
}

/// The victim's bucket, with [`PRIVATE`] in all that it can have.
pub(super) fn furnish(scene: &mut Scene) -> Names {
    let (root, names) = (scene.account.root.clone(), scene.names());
    let bucket = format!("/{}", names.bucket());
    let mut put = |method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        let mut request = Request::get(&scene.host, &format!("{bucket}{path}"));
        request.method = method.to_owned();
        for (name, value) in headers {
            request.set(name, value);
        }
        request.body = body.as_bytes().to_vec();
        let answer = scene.connection.send(&super::yard::signed(request, &root));
        assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.text());
        answer
    };
    let tags = format!("<Tagging><TagSet><Tag><Key>k</Key><Value>{PRIVATE}</Value></Tag></TagSet></Tagging>");
    let cors = format!(
        "<CORSConfiguration><CORSRule><ID>{PRIVATE}</ID><AllowedOrigin>https://a.example</AllowedOrigin>\
         <AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>"
    );
    let lifecycle = format!(
        "<LifecycleConfiguration><Rule><ID>{PRIVATE}</ID><Filter><Prefix>old/</Prefix></Filter><Status>Enabled</Status>\
         <Expiration><Days>999</Days></Expiration></Rule></LifecycleConfiguration>"
    );
    let website = format!(
        "<WebsiteConfiguration><IndexDocument><Suffix>{PRIVATE}</Suffix></IndexDocument></WebsiteConfiguration>"
    );
    let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": [{
        "Sid": "nobodyElseReadsThis", "Effect": "Allow", "Action": "s3:GetObject",
        "Principal": { "AWS": format!("arn:aws:iam::{}:root", names.account) },
        "Resource": format!("arn:aws:s3:::{}/*", names.bucket()),
    }] });
    put("PUT", "", &[], "");
    put("PUT", "?tagging", &[], &tags);
    put("PUT", "?cors", &[], &cors);
    put("PUT", "?lifecycle", &[], &lifecycle);
    put("PUT", "?website", &[], &website);
    put("PUT", "?policy", &[], &policy.to_string());
    put("PUT", &format!("/{VICTIM}"), &[("x-amz-meta-mark", PRIVATE), ("x-amz-tagging", "k=v")], PRIVATE);
    let begun = put("POST", &format!("/{VICTIM}?uploads"), &[], "");
    let upload_id = begun.element("UploadId").expect("an upload has an id");
    put("PUT", &format!("/{VICTIM}?partNumber=1&uploadId={upload_id}"), &[], PRIVATE);
    Names { upload_id, ..names }
}
