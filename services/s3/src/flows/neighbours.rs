//! Other services: those that read objects for their callers, and those that are told of events.

use platform::ports::{ObjectName, ObjectReader};

use super::*;

fn of_account(digit: char) -> Ctx {
    let account = digit.to_string().repeat(12).parse().unwrap();
    let now = base::Timestamp::from_secs(1_767_225_600);
    // The reader speaks for S3, whatever the service speaks that asks.
    let protocol = wire::model::Protocol::RestJson1;
    Ctx { protocol, ..Ctx::new(Principal::root(account), base::Region::default(), now, "request") }
}

async fn read(house: &House, ctx: &Ctx, key: &str, version: Option<&str>) -> Result<Vec<u8>, wire::Error> {
    let found = house.s3.read(ctx, ObjectName { bucket: "photos", key, version }).await?;
    let bytes = found.content.into_reader().read_to_end(1 << 20).await.unwrap().to_vec();
    assert_eq!(found.size, bytes.len() as u64);
    Ok(bytes)
}

async fn refused(house: &House, ctx: &Ctx, key: &str) -> (String, u16) {
    let error = read(house, ctx, key, None).await.unwrap_err();
    (error.code.into_owned(), error.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_read_for_those_who_may_read_it_themselves() {
    let house = House::new().await;
    house.set_versioning(BucketVersioningStatus::Enabled).await;
    let first = house.put("code.zip", b"one").await.version_id.unwrap();
    house.put("code.zip", b"two").await;
    house.put("open/code.zip", b"three").await;
    assert_eq!(read(&house, &house.ctx, "code.zip", None).await.unwrap(), b"two");
    assert_eq!(read(&house, &house.ctx, "code.zip", Some(&first)).await.unwrap(), b"one");
    assert_eq!(refused(&house, &house.ctx, "none.zip").await, ("NoSuchKey".to_owned(), 404));
    let stranger = of_account('9');
    assert_eq!(refused(&house, &stranger, "code.zip").await, ("AccessDenied".to_owned(), 403));
    permissions::set_policy_of(&house, "Allow", r#"{"AWS": "999999999999"}"#, "open/*").await.unwrap();
    assert_eq!(read(&house, &stranger, "open/code.zip", None).await.unwrap(), b"three");
    assert_eq!(refused(&house, &stranger, "code.zip").await, ("AccessDenied".to_owned(), 403));
    let elsewhere = Ctx { region: "eu-north-1".parse().unwrap(), ..house.ctx.clone() };
    assert_eq!(refused(&house, &elsewhere, "code.zip").await, ("PermanentRedirect".to_owned(), 301));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_in_another_region_is_none() {
    let house = House::new().await;
    let function = LambdaFunctionConfiguration {
        lambda_function_arn: "arn:aws:lambda:eu-north-1:000000000000:function:f".to_owned(),
        events: vec!["s3:ObjectCreated:*".parse().unwrap()],
        ..Default::default()
    };
    let input = PutBucketNotificationConfigurationRequest {
        bucket: "photos".to_owned(),
        notification_configuration: NotificationConfiguration {
            lambda_function_configurations: Some(vec![function]),
            ..Default::default()
        },
        ..Default::default()
    };
    let put = ops::put_bucket_notification_configuration::put_bucket_notification_configuration;
    let error = put(&house.s3, &house.ctx, input).await.unwrap_err();
    assert_eq!(error.kind(), ("InvalidArgument", 400));
    assert!(error.to_string().contains("destination service region is not valid"), "{error}");
}
