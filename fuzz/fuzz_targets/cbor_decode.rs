//! Bodies of RPC v2 CBOR, read by the shapes of ECS and without any: read or refused, and what was read is written the same
//! each time.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::cbor::{decode, decode_json, encode, encode_json};
use wire::json::Limits;
use wire::model::Protocol;

fuzz_target!(|data: (u16, &[u8])| {
    let (choice, body) = data;
    let model = &ecs::api::MODEL;
    let operation = usize::from(choice) % model.operations.len();
    let _ = Protocol::RpcV2Cbor.decode(model, operation, body);
    for shape in model.input(operation).into_iter().chain(model.output(operation)) {
        if let Ok(value) = decode(shape, body, &Limits::REQUEST) {
            let once = encode(shape, &value);
            let again = decode(shape, &once, &Limits::STORED).expect("what was written can be read");
            assert_eq!(encode(shape, &again), once);
        }
    }
    if let Ok(document) = decode_json(body, &Limits::REQUEST) {
        let again = decode_json(&encode_json(&document), &Limits::STORED).expect("what was written can be read");
        assert_eq!(again, document);
    }
});
