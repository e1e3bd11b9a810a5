//! Pictures in other sizes: a thumbnail of each photo that is put into a bucket, and any size on the fly over a function URL.
//!
//! - [`event`]: what the function is called with; [`uploaded`]: a bucket told of a photo; [`served`]: somebody asks for a picture.
//! - [`picture`]: decoded no larger than needed, turned upright, resized, encoded. It knows no bucket.
//! - [`bucket`]: S3, by signed requests over plain HTTP/1.1.

mod address;
mod bucket;
mod event;
mod picture;
mod served;
mod settings;
mod uploaded;

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

use crate::bucket::Buckets;
use crate::event::Event;
use crate::settings::Settings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = Settings::from_env()?;
    let handler = Arc::new(Handler { buckets: Buckets::from_env()?, settings });
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let handler = handler.clone();
        // An environment has one event at a time, so there is nobody else whom working here could hold up.
        async move { handler.handle(event.payload) }
    }))
    .await
}

/// The function.
struct Handler {
    buckets: Buckets,
    settings: Settings,
}

impl Handler {
    fn handle(&self, event: Value) -> Result<Value, Error> {
        match Event::read(event)? {
            Event::Uploaded(records) => {
                let made = records.iter().map(|record| uploaded::thumbnail(&self.buckets, &self.settings, record));
                Ok(Value::Array(made.collect::<Result<_, _>>()?))
            }
            Event::Asked(request) => Ok(served::answer(&self.buckets, &self.settings, &request)),
        }
    }
}
