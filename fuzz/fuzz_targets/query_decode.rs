//! Forms of awsQuery, read by the shapes of IAM and STS: read or refused, and any value can be answered as XML.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::model::Protocol;
use wire::query::Form;

fuzz_target!(|data: (u16, &[u8])| {
    let (choice, body) = data;
    let Ok(form) = Form::parse(body) else { return };
    for model in [&iam::api::MODEL, &sts::api::MODEL] {
        let operation = usize::from(choice) % model.operations.len();
        let _ = Protocol::AwsQuery.decode(model, operation, body);
        let Some(output) = model.output(operation) else { continue };
        if let Ok(value) = form.decode(output) {
            Protocol::AwsQuery.encode(model, operation, &value, "request");
        }
    }
});
