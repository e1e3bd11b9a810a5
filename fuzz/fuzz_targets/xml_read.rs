//! Documents of XML, event by event and as bodies of S3: read or refused, and whatever is read can be written.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wire::model::Protocol;
use wire::rest::{Body, Parameters, Request};
use wire::xml::reader::Reader;

fuzz_target!(|data: (u16, &[u8])| {
    let (choice, document) = data;
    if let Ok(mut reader) = Reader::new(document) {
        // Each event takes something of the document, so there cannot be more of them than bytes.
        let mut events = 0;
        while let Ok(Some(_)) = reader.read() {
            events += 1;
            assert!(events <= 2 * document.len());
        }
    }
    let model = &s3::api::MODEL;
    let operation = usize::from(choice) % model.operations.len();
    let request = Request {
        method: http::Method::PUT,
        path: "/bucket/key".to_owned(),
        parameters: Parameters::default(),
        headers: http::HeaderMap::new(),
        body: Body::Whole(Bytes::copy_from_slice(document)),
    };
    let _ = wire::rest::decode(Protocol::RestXml, model, operation, &request);
});
