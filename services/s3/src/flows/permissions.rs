//! Who may do what: policies, grants, owners.

use super::*;

fn of_account(digit: char) -> Ctx {
    let account = digit.to_string().repeat(12).parse().unwrap();
    let now = base::Timestamp::from_secs(1_767_225_600);
    let protocol = wire::model::Protocol::RestXml;
    Ctx { protocol, ..Ctx::new(Principal::root(account), base::Region::default(), now, "request") }
}

fn anybody() -> Ctx {
    Ctx { principal: Principal::anonymous(), ..of_account('1') }
}

async fn admits(house: &House, ctx: &Ctx, action: &'static str, key: &str) -> bool {
    let arn = crate::names::object_arn("photos", key);
    ctx.admit(&house.s3, &platform::Access::to(action).on(arn)).await.is_ok()
}

async fn set_policy(house: &House, principal: &str) -> Result<(), Error> {
    set_policy_of(house, "Allow", principal, "open/*").await
}

pub(super) async fn set_policy_of(house: &House, effect: &str, principal: &str, keys: &str) -> Result<(), Error> {
    let policy = format!(
        r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "{effect}", "Principal": {principal},
            "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/{keys}"}}]}}"#
    );
    let input = PutBucketPolicyRequest { bucket: "photos".to_owned(), policy, ..Default::default() };
    ops::put_bucket_policy::put_bucket_policy(&house.s3, &house.ctx, input).await
}

async fn set_ownership(house: &House, object_ownership: ObjectOwnership) {
    let input = PutBucketOwnershipControlsRequest {
        bucket: "photos".to_owned(),
        ownership_controls: OwnershipControls { rules: vec![OwnershipControlsRule { object_ownership }] },
        ..Default::default()
    };
    ops::put_bucket_ownership_controls::put_bucket_ownership_controls(&house.s3, &house.ctx, input).await.unwrap();
}

pub(super) async fn objects_are_their_writers(house: &House) {
    set_ownership(house, ObjectOwnership::ObjectWriter).await;
}

pub(super) async fn unblock(house: &House) {
    let input = DeletePublicAccessBlockRequest { bucket: "photos".to_owned(), expected_bucket_owner: None };
    ops::delete_public_access_block::delete_public_access_block(&house.s3, &house.ctx, input).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn others_come_in_by_a_policy_alone_and_the_public_only_where_it_is_not_kept_out() {
    let house = House::new().await;
    let stranger = of_account('2');
    assert!(admits(&house, &house.ctx, "s3:GetObject", "open/a").await);
    assert!(!admits(&house, &stranger, "s3:GetObject", "open/a").await);
    set_policy(&house, r#"{"AWS": "arn:aws:iam::222222222222:root"}"#).await.unwrap();
    assert!(admits(&house, &stranger, "s3:GetObject", "open/a").await);
    assert!(!admits(&house, &stranger, "s3:GetObject", "closed/a").await);
    assert!(!admits(&house, &stranger, "s3:PutObject", "open/a").await);
    assert!(!admits(&house, &anybody(), "s3:GetObject", "open/a").await);
    assert_eq!(code(set_policy(&house, r#""*""#).await), ("AccessDenied", 403));
    unblock(&house).await;
    set_policy(&house, r#""*""#).await.unwrap();
    assert!(admits(&house, &anybody(), "s3:GetObject", "open/a").await);
    assert!(!admits(&house, &anybody(), "s3:GetObject", "closed/a").await);
    let block = PublicAccessBlockConfiguration { restrict_public_buckets: Some(true), ..Default::default() };
    let input = PutPublicAccessBlockRequest {
        bucket: "photos".to_owned(),
        public_access_block_configuration: block,
        ..Default::default()
    };
    ops::put_public_access_block::put_public_access_block(&house.s3, &house.ctx, input).await.unwrap();
    assert!(!admits(&house, &anybody(), "s3:GetObject", "open/a").await);
    assert!(admits(&house, &house.ctx, "s3:GetObject", "open/a").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn acls_count_once_they_are_switched_on_and_the_public_is_let_in() {
    let house = House::new().await;
    let public = || PutObjectRequest { acl: Some(ObjectCannedACL::PublicRead), ..put_request("a") };
    assert_eq!(code(house.put_as(public(), b"x").await), ("AccessControlListNotSupported", 400));
    objects_are_their_writers(&house).await;
    assert_eq!(code(house.put_as(public(), b"x").await), ("AccessDenied", 403));
    unblock(&house).await;
    house.put_as(public(), b"x").await.unwrap();
    house.put("b", b"x").await;
    assert!(admits(&house, &anybody(), "s3:GetObject", "a").await);
    assert!(!admits(&house, &anybody(), "s3:GetObject", "b").await);
    assert!(!admits(&house, &anybody(), "s3:DeleteObject", "a").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_list_is_not_told_what_is_missing() {
    let house = House::new().await;
    set_policy(&house, r#"{"AWS": "arn:aws:iam::222222222222:root"}"#).await.unwrap();
    let missing = ops::get_object::get_object(&house.s3, &of_account('2'), get_request("open/missing")).await;
    assert_eq!(wire::Error::from(missing.unwrap_err()).status, 403);
    assert_eq!(code(house.get("open/missing").await), ("NoSuchKey", 404));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_at_anothers_objects_by_copies_parts_or_deletions_of_many() {
    let house = House::new().await;
    house.put("secret", b"x").await;
    let stranger = of_account('2');
    let own = CreateBucketRequest { bucket: "strangers".to_owned(), ..Default::default() };
    ops::create_bucket::create_bucket(&house.s3, &stranger, own).await.unwrap();
    let taken = CreateBucketRequest { bucket: "photos".to_owned(), ..Default::default() };
    let taken = ops::create_bucket::create_bucket(&house.s3, &stranger, taken).await;
    assert_eq!(code(taken), ("BucketAlreadyExists", 409));
    for source in ["photos/secret", "/photos/secret", "photos/%73ecret", "photos/secret?versionId=null"] {
        let copy = CopyObjectRequest {
            bucket: "strangers".to_owned(),
            key: "k".to_owned(),
            copy_source: source.to_owned(),
            ..Default::default()
        };
        let refused = stranger.admit(&house.s3, &ops::copy_object::access(&stranger, &copy)).await.unwrap_err();
        assert!(refused.code.starts_with("AccessDenied"), "{source}: {refused}");
        let part = UploadPartCopyRequest {
            bucket: "strangers".to_owned(),
            key: "k".to_owned(),
            copy_source: source.to_owned(),
            ..Default::default()
        };
        assert!(stranger.admit(&house.s3, &ops::upload_part_copy::access(&stranger, &part)).await.is_err(), "{source}");
    }
    let input = DeleteObjectsRequest {
        bucket: "photos".to_owned(),
        delete: Delete {
            objects: vec![ObjectIdentifier { key: "secret".to_owned(), ..Default::default() }],
            quiet: None,
        },
        ..Default::default()
    };
    let output = ops::delete_objects::delete_objects(&house.s3, &stranger, input).await.unwrap();
    assert!(output.deleted.is_none() && output.errors.unwrap()[0].code.as_ref().unwrap().starts_with("AccessDenied"));
    assert_eq!(house.get("secret").await.unwrap(), b"x");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_another_account_is_read_by_whom_its_owner_lets_and_deleted_by_the_buckets() {
    let house = House::new().await;
    objects_are_their_writers(&house).await;
    let writer = of_account('2');
    let put = |key: &str, acl| {
        let body = Some(wire::Content::bytes(b"x".to_vec()));
        ops::put_object::put_object(&house.s3, &writer, PutObjectRequest { acl, body, ..put_request(key) })
    };
    put("theirs", None).await.unwrap();
    put("shared", Some(ObjectCannedACL::BucketOwnerRead)).await.unwrap();
    assert!(admits(&house, &writer, "s3:GetObject", "theirs").await);
    assert!(admits(&house, &writer, "s3:PutObjectAcl", "theirs").await);
    for action in ["s3:GetObject", "s3:GetObjectAcl", "s3:PutObjectAcl"] {
        assert!(!admits(&house, &house.ctx, action, "theirs").await, "{action}");
    }
    assert!(admits(&house, &house.ctx, "s3:GetObject", "shared").await);
    assert!(!admits(&house, &house.ctx, "s3:GetObjectAcl", "shared").await);
    assert!(admits(&house, &house.ctx, "s3:DeleteObject", "theirs").await);
    assert!(!admits(&house, &writer, "s3:DeleteObject", "theirs").await);
    assert!(!admits(&house, &of_account('3'), "s3:GetObject", "shared").await);
    // What the bucket's policy allows is not of what others own; what it denies is.
    set_policy_of(&house, "Allow", r#"{"AWS": "arn:aws:iam::333333333333:root"}"#, "*").await.unwrap();
    assert!(!admits(&house, &of_account('3'), "s3:GetObject", "theirs").await);
    set_policy_of(&house, "Deny", r#""*""#, "*").await.unwrap();
    assert!(!admits(&house, &writer, "s3:GetObject", "theirs").await);
    // Without ACLs all objects are the bucket owner's.
    set_ownership(&house, ObjectOwnership::BucketOwnerEnforced).await;
    set_policy_of(&house, "Allow", r#"{"AWS": "arn:aws:iam::333333333333:root"}"#, "*").await.unwrap();
    assert!(admits(&house, &house.ctx, "s3:GetObject", "theirs").await);
    assert!(!admits(&house, &writer, "s3:GetObject", "theirs").await);
    assert!(admits(&house, &of_account('3'), "s3:GetObject", "theirs").await);
    let listed = house.versions().await.versions.unwrap();
    let owner = crate::acl::canonical_id(house.ctx.account());
    assert!(listed.iter().all(|version| version.owner.as_ref().unwrap().id.as_ref() == Some(&owner)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_grants_of_a_version_count_for_requests_that_name_it() {
    let house = House::new().await;
    objects_are_their_writers(&house).await;
    unblock(&house).await;
    house.set_versioning(BucketVersioningStatus::Enabled).await;
    let secret = house.put("a", b"secret").await.version_id.unwrap();
    let public = PutObjectRequest { acl: Some(ObjectCannedACL::PublicRead), ..put_request("a") };
    let public = house.put_as(public, b"public").await.unwrap().version_id.unwrap();
    let of_version = |id: &str| crate::read::access("photos", "a", Some(id));
    assert!(admits(&house, &anybody(), "s3:GetObject", "a").await);
    assert!(anybody().admit(&house.s3, &of_version(&public)).await.is_ok());
    for other in [secret.as_str(), "null", "no-id"] {
        let denied = anybody().admit(&house.s3, &of_version(other)).await.unwrap_err();
        assert_eq!((denied.status, denied.message.as_str()), (403, "Access Denied"), "{other}");
    }
    house.put("a", b"newer").await;
    assert!(!admits(&house, &anybody(), "s3:GetObject", "a").await);
    assert!(anybody().admit(&house.s3, &of_version(&public)).await.is_ok());
    let source = crate::copy::Source::read(&format!("photos/a?versionId={secret}")).unwrap();
    assert!(anybody().admit(&house.s3, &source.access()).await.is_err());
}

/// Somebody of the bucket's account with a policy.
fn user(house: &House, statements: &str) -> Ctx {
    let account = house.ctx.account();
    let principal = Principal {
        account,
        arn: base::Arn::global("iam", account, "user/ann"),
        user_id: "AIDAANN".to_owned(),
        kind: base::PrincipalKind::User { name: "ann".to_owned() },
    };
    let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#);
    let parsed = policy::parse(&text, policy::Purpose::Inline).unwrap();
    let attached = vec![Arc::new(policy::Policy::new("own", parsed))];
    let rights = platform::Rights::of_policies(policy::IdentityPolicies { attached, boundary: None });
    let now = house.ctx.now;
    let ctx = Ctx::new(principal, base::Region::default(), now, "request");
    Ctx { rights, protocol: wire::model::Protocol::RestXml, ..ctx }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tags_that_an_object_has_count_for_its_callers_own_policies() {
    let house = House::new().await;
    let tagged = PutObjectRequest { tagging: Some("level=secret".to_owned()), ..put_request("tagged") };
    house.put_as(tagged, b"x").await.unwrap();
    house.put("plain", b"x").await;
    let condition = r#""Condition": {"StringEquals": {"s3:ExistingObjectTag/level": "secret"}}"#;
    let ann = user(
        &house,
        &format!(
            r#"{{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}},
               {{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*", {condition}}}"#
        ),
    );
    assert!(admits(&house, &ann, "s3:GetObject", "plain").await);
    assert!(!admits(&house, &ann, "s3:GetObject", "tagged").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_go_along_with_a_copy_only_for_who_may_read_and_set_them() {
    let house = House::new().await;
    let tagged = PutObjectRequest { tagging: Some("level=secret".to_owned()), ..put_request("tagged") };
    house.put_as(tagged, b"x").await.unwrap();
    let ann = user(&house, r#"{"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "*"}"#);
    let copy = CopyObjectRequest {
        bucket: "photos".to_owned(),
        key: "copy".to_owned(),
        copy_source: "photos/tagged".to_owned(),
        ..Default::default()
    };
    let denied = ops::copy_object::copy_object(&house.s3, &ann, copy.clone()).await.unwrap_err();
    assert!(denied.to_string().contains("s3:GetObjectTagging on resource: \"arn:aws:s3:::photos/tagged\""), "{denied}");
    let without = CopyObjectRequest { tagging_directive: Some(TaggingDirective::Replace), ..copy };
    ops::copy_object::copy_object(&house.s3, &ann, without).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_of_grants_sees_them_wherever_they_are_set() {
    let house = House::new().await;
    let grants = ["full-control", "read", "write", "read-acp", "write-acp"];
    for key in grants.map(|grant| format!("s3:x-amz-grant-{grant}")).into_iter().chain(["s3:x-amz-acl".to_owned()]) {
        let ann = user(
            &house,
            &format!(
                r#"{{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}},
                   {{"Effect": "Deny", "Action": "s3:*", "Resource": "*",
                     "Condition": {{"StringLike": {{"{key}": "*"}}}}}}"#
            ),
        );
        let bucket = "photos".to_owned();
        let header = |name: &str| key.ends_with(name).then(|| "id=x".to_owned());
        let mut on_bucket = PutBucketAclRequest { bucket: bucket.clone(), ..Default::default() };
        let mut on_object = PutObjectAclRequest { bucket: bucket.clone(), key: "a".to_owned(), ..Default::default() };
        let mut on_new = CreateBucketRequest { bucket, ..Default::default() };
        assert!(ann.admit(&house.s3, &ops::put_bucket_acl::access(&ann, &on_bucket)).await.is_ok());
        assert!(ann.admit(&house.s3, &ops::put_object_acl::access(&ann, &on_object)).await.is_ok());
        assert!(ann.admit(&house.s3, &ops::create_bucket::access(&ann, &on_new)).await.is_ok());
        macro_rules! say {
            ($($input:ident),*) => {$(
                $input.grant_full_control = header("-full-control");
                $input.grant_read = header("-read");
                $input.grant_write = header("-write");
                $input.grant_read_acp = header("-read-acp");
                $input.grant_write_acp = header("-write-acp");
            )*};
        }
        say!(on_bucket, on_object, on_new);
        if key == "s3:x-amz-acl" {
            on_bucket.acl = Some(BucketCannedACL::PublicRead);
            on_object.acl = Some(ObjectCannedACL::PublicRead);
            on_new.acl = Some(BucketCannedACL::PublicRead);
        }
        assert!(ann.admit(&house.s3, &ops::put_bucket_acl::access(&ann, &on_bucket)).await.is_err(), "{key}");
        assert!(ann.admit(&house.s3, &ops::put_object_acl::access(&ann, &on_object)).await.is_err(), "{key}");
        assert!(ann.admit(&house.s3, &ops::create_bucket::access(&ann, &on_new)).await.is_err(), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_gets_grants_owners_and_tags_only_from_who_may_set_them() {
    let house = House::new().await;
    let tag = Tag { key: "team".to_owned(), value: "blue".to_owned() };
    let tagged = CreateBucketConfiguration { tags: Some(vec![tag]), ..Default::default() };
    let asked = CreateBucketRequest { bucket: "albums".to_owned(), ..Default::default() };
    let wanted = [
        ("s3:PutBucketAcl", CreateBucketRequest { grant_read: Some("id=x".to_owned()), ..asked.clone() }),
        ("s3:PutBucketAcl", CreateBucketRequest { acl: Some(BucketCannedACL::AuthenticatedRead), ..asked.clone() }),
        (
            "s3:PutBucketOwnershipControls",
            CreateBucketRequest { object_ownership: Some(ObjectOwnership::ObjectWriter), ..asked.clone() },
        ),
        ("s3:TagResource", CreateBucketRequest { create_bucket_configuration: Some(tagged), ..asked.clone() }),
    ];
    let ann = user(&house, r#"{"Effect": "Allow", "Action": "s3:CreateBucket", "Resource": "*"}"#);
    for (action, input) in wanted {
        let denied = ops::create_bucket::create_bucket(&house.s3, &ann, input).await.unwrap_err();
        assert!(denied.to_string().contains(&format!("{action} on resource: \"arn:aws:s3:::albums\"")), "{denied}");
    }
    let private = CreateBucketRequest { acl: Some(BucketCannedACL::Private), ..asked };
    ops::create_bucket::create_bucket(&house.s3, &ann, private).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_can_insist_on_conditions_of_what_makes_objects_and_uploads_are_begun_without() {
    let house = House::new().await;
    let policy = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::photos/*", "Condition": {
            "Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}}]}"#;
    let input = PutBucketPolicyRequest { bucket: "photos".to_owned(), policy: policy.to_owned(), ..Default::default() };
    ops::put_bucket_policy::put_bucket_policy(&house.s3, &house.ctx, input).await.unwrap();
    let (bucket, key, copy_source) = ("photos".to_owned(), "a".to_owned(), "photos/b".to_owned());
    let copy = CopyObjectRequest {
        bucket: bucket.clone(),
        key: key.clone(),
        copy_source: copy_source.clone(),
        ..Default::default()
    };
    let complete = CompleteMultipartUploadRequest { bucket: bucket.clone(), key: key.clone(), ..Default::default() };
    let accesses = |if_none_match: Option<String>| {
        let put = PutObjectRequest { if_none_match: if_none_match.clone(), ..put_request("a") };
        let copy = CopyObjectRequest { if_none_match: if_none_match.clone(), ..copy.clone() };
        let complete = CompleteMultipartUploadRequest { if_none_match, ..complete.clone() };
        [
            ops::put_object::access(&house.ctx, &put),
            ops::copy_object::access(&house.ctx, &copy),
            ops::complete_multipart_upload::access(&house.ctx, &complete),
        ]
    };
    for access in accesses(None) {
        assert!(house.ctx.admit(&house.s3, &access).await.is_err(), "{access:?}");
    }
    let begin = CreateMultipartUploadRequest { bucket: bucket.clone(), key: key.clone(), ..Default::default() };
    let part = UploadPartRequest { bucket: bucket.clone(), key: key.clone(), ..Default::default() };
    let copied = UploadPartCopyRequest { bucket, key, copy_source, ..Default::default() };
    let prepared = [
        ops::create_multipart_upload::access(&house.ctx, &begin),
        ops::upload_part::access(&house.ctx, &part),
        ops::upload_part_copy::access(&house.ctx, &copied),
    ];
    for access in accesses(Some("*".to_owned())).into_iter().chain(prepared) {
        assert!(house.ctx.admit(&house.s3, &access).await.is_ok(), "{access:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_admitted_to_what_is_not_there_any_more_gets_nothing_of_what_is() {
    let house = House::new().await;
    objects_are_their_writers(&house).await;
    unblock(&house).await;
    // The gate let its caller through to a public object; this one has been written over it since.
    house.put("a", b"private").await;
    let refused = |outcome: Error| wire::Error::from(outcome);
    let nobody = anybody();
    let read = ops::get_object::get_object(&house.s3, &nobody, get_request("a")).await.unwrap_err();
    assert_eq!((refused(read).code.as_ref(), house.get("a").await.unwrap()), ("AccessDenied", b"private".to_vec()));
    let (bucket, key) = ("photos".to_owned(), "a".to_owned());
    let stranger = of_account('2');
    let own = CreateBucketRequest { bucket: "strangers".to_owned(), ..Default::default() };
    ops::create_bucket::create_bucket(&house.s3, &stranger, own).await.unwrap();
    let copy = CopyObjectRequest {
        bucket: "strangers".to_owned(),
        key: key.clone(),
        copy_source: "photos/a".to_owned(),
        ..Default::default()
    };
    let copied = ops::copy_object::copy_object(&house.s3, &stranger, copy).await.unwrap_err();
    assert_eq!(refused(copied).code, "AccessDenied");
    let acl = PutObjectAclRequest {
        bucket: bucket.clone(),
        key: key.clone(),
        acl: Some(ObjectCannedACL::PublicRead),
        ..Default::default()
    };
    let opened = ops::put_object_acl::put_object_acl(&house.s3, &stranger, acl).await.unwrap_err();
    assert_eq!(refused(opened).code, "AccessDenied");
    let shown = GetObjectAclRequest { bucket, key, ..Default::default() };
    let shown = ops::get_object_acl::get_object_acl(&house.s3, &stranger, shown).await.unwrap_err();
    assert_eq!(refused(shown).code, "AccessDenied");
    assert!(!admits(&house, &nobody, "s3:GetObject", "a").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_that_came_meanwhile_are_as_little_changed_as_read() {
    let house = House::new().await;
    let tagged = PutObjectRequest { tagging: Some("level=secret".to_owned()), ..put_request("a") };
    house.put_as(tagged, b"x").await.unwrap();
    let condition = r#""Condition": {"StringEquals": {"s3:ExistingObjectTag/level": "secret"}}"#;
    let ann = user(
        &house,
        &format!(
            r#"{{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}},
               {{"Effect": "Deny", "Action": "s3:*ObjectTagging", "Resource": "*", {condition}}}"#
        ),
    );
    let (bucket, key) = ("photos".to_owned(), "a".to_owned());
    let input = GetObjectTaggingRequest { bucket: bucket.clone(), key: key.clone(), ..Default::default() };
    assert!(ops::get_object_tagging::get_object_tagging(&house.s3, &ann, input).await.is_err());
    let input = DeleteObjectTaggingRequest { bucket: bucket.clone(), key: key.clone(), ..Default::default() };
    assert!(ops::delete_object_tagging::delete_object_tagging(&house.s3, &ann, input).await.is_err());
    let input = PutObjectTaggingRequest { bucket, key, ..Default::default() };
    assert!(ops::put_object_tagging::put_object_tagging(&house.s3, &ann, input).await.is_err());
    assert_eq!(house.get_as(get_request("a")).await.unwrap().0.tag_count, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_give_a_policy_no_other_language_than_its_own() {
    let house = House::new().await;
    // Of the old language, in which a variable is a text like any other.
    let policy = r#"{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::photos/${aws:username}/*"}}"#;
    let input = PutBucketPolicyRequest { bucket: "photos".to_owned(), policy: policy.to_owned(), ..Default::default() };
    ops::put_bucket_policy::put_bucket_policy(&house.s3, &house.ctx, input).await.unwrap();
    let ann = user(&house, r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}"#);
    let decided = async || {
        (
            admits(&house, &ann, "s3:GetObject", "ann/a").await,
            admits(&house, &ann, "s3:GetObject", "${aws:username}/a").await,
        )
    };
    assert_eq!(decided().await, (true, false));
    objects_are_their_writers(&house).await;
    let grants = Some(format!("id={}", crate::acl::canonical_id(of_account('2').account())));
    let input = PutBucketAclRequest { bucket: "photos".to_owned(), grant_read: grants.clone(), ..Default::default() };
    ops::put_bucket_acl::put_bucket_acl(&house.s3, &house.ctx, input).await.unwrap();
    assert_eq!(decided().await, (true, false), "with grants of the bucket");
    for key in ["ann/a", "${aws:username}/a"] {
        house.put_as(PutObjectRequest { grant_read: grants.clone(), ..put_request(key) }, b"x").await.unwrap();
    }
    assert_eq!(decided().await, (true, false), "and of objects");
    assert!(admits(&house, &of_account('2'), "s3:GetObject", "ann/a").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_was_begun_public_is_not_completed_once_the_public_is_kept_out() {
    let house = House::new().await;
    objects_are_their_writers(&house).await;
    unblock(&house).await;
    let input = CreateMultipartUploadRequest {
        bucket: "photos".to_owned(),
        key: "a".to_owned(),
        acl: Some(ObjectCannedACL::PublicRead),
        ..Default::default()
    };
    let begun = ops::create_multipart_upload::create_multipart_upload(&house.s3, &house.ctx, input).await.unwrap();
    let upload = begun.upload_id.unwrap();
    let part = house.part("a", &upload, 1, b"x").await;
    let block = |block_public_acls| PutPublicAccessBlockRequest {
        bucket: "photos".to_owned(),
        public_access_block_configuration: PublicAccessBlockConfiguration { block_public_acls, ..Default::default() },
        ..Default::default()
    };
    let set = async |blocks| {
        let input = block(Some(blocks));
        ops::put_public_access_block::put_public_access_block(&house.s3, &house.ctx, input).await.unwrap();
    };
    set(true).await;
    assert_eq!(code(house.complete("a", &upload, vec![part.clone()]).await), ("AccessDenied", 403));
    assert_eq!(code(house.get("a").await), ("NoSuchKey", 404));
    set(false).await;
    house.complete("a", &upload, vec![part]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn encryption_may_be_asked_for_as_aws_always_does_it_and_nothing_is_said_to_be_encrypted() {
    let house = House::new().await;
    let asked = |kind| PutObjectRequest { server_side_encryption: Some(kind), ..put_request("a") };
    let put = house.put_as(asked(ServerSideEncryption::Aes256), b"x").await.unwrap();
    assert_eq!(put.server_side_encryption, None);
    assert_eq!(house.get_as(get_request("a")).await.unwrap().0.server_side_encryption, None);
    assert_eq!(code(house.put_as(asked(ServerSideEncryption::AwsKms), b"x").await), ("NotImplemented", 501));
    let own_key = PutObjectRequest { sse_customer_algorithm: Some("AES256".to_owned()), ..put_request("a") };
    assert_eq!(code(house.put_as(own_key, b"x").await), ("NotImplemented", 501));
    let xxhash = PutObjectRequest { checksum_xxhash64: Some("AAAAAAAAAAA=".to_owned()), ..put_request("a") };
    assert_eq!(code(house.put_as(xxhash, b"x").await), ("NotImplemented", 501));
}
