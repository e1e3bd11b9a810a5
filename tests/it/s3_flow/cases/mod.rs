//! Cases that any S3 has to pass, by subject: each a script of `tests/python/s3_cases`, each in accounts of its own.
//!
//! The subjects are those of the public compatibility suites; the cases are ours. What is served, by the same subjects,
//! stands in `docs/s3-served.md`.

mod notifications;

use serde_json::{Value, json};
use tests::{Account, Script, Server, Shared};
use wire::sigv4::Credentials;

/// Runs a subject. It has at least so many cases: a script that runs none of them fails here.
#[track_caller]
fn passes(subject: &str, cases_min: usize) {
    let server = Server::shared();
    run(&server, subject, cases_min);
}

/// The same in a server that is given; what the script told.
#[track_caller]
fn run(server: &Shared, subject: &str, cases_min: usize) -> Value {
    let (account, other) = (server.account(), server.account());
    let script = Script::python(&format!("s3_cases/{subject}.py"), server, &account.root);
    let told = script.argument(given(&account, &other).to_string()).run();
    let failed: Vec<String> = told["failed"]
        .as_object()
        .expect("the script tells what failed")
        .iter()
        .map(|(case, why)| format!("{case}: {}", why.as_str().unwrap_or_default()))
        .collect();
    assert!(failed.is_empty(), "{} cases of {subject} fail:\n{}", failed.len(), failed.join("\n"));
    let passed = told["passed"].as_array().map_or(0, Vec::len);
    assert!(passed >= cases_min, "{passed} cases of {subject} passed, where there are {cases_min} at least");
    told
}

/// Who calls, beside the account's root, who is in the environment.
fn given(account: &Account, other: &Account) -> Value {
    let key = |key: &Credentials| json!({ "id": key.access_key_id, "secret": key.secret_access_key.expose() });
    let mut stranger = key(&other.root);
    stranger["account"] = json!(other.id);
    json!({ "account": account.id, "user": key(&account.user), "other": stranger })
}

#[test]
fn buckets_are_named_made_found_and_deleted() {
    passes("buckets", 44);
}

#[test]
fn objects_are_listed() {
    passes("listing", 37);
}

#[test]
fn objects_are_written_and_read() {
    passes("objects", 34);
}

#[test]
fn parts_of_objects_are_read() {
    passes("ranges", 19);
}

#[test]
fn preconditions_hold() {
    passes("conditions", 17);
}

#[test]
fn objects_are_copied() {
    passes("copies", 21);
}

#[test]
fn several_objects_are_deleted_at_once() {
    passes("deletions", 15);
}

#[test]
fn objects_are_uploaded_in_parts() {
    passes("multipart", 36);
}

#[test]
fn versions_are_kept() {
    passes("versioning", 29);
}

#[test]
fn objects_have_tags() {
    passes("tags", 16);
}

#[test]
fn lists_of_grants_count_where_they_are_enabled() {
    passes("grants", 32);
}

#[test]
fn bucket_policies_decide() {
    passes("policies", 30);
}

#[test]
fn pages_of_other_origins_are_answered() {
    passes("cors", 13);
}

#[test]
fn lifecycle_rules_are_kept_and_told() {
    passes("lifecycle", 19);
}

#[test]
fn websites_are_answered() {
    passes("website", 19);
}

#[test]
fn browsers_forms_are_uploads() {
    passes("forms", 28);
}

#[test]
fn checksums_are_verified_kept_and_returned() {
    passes("checksums", 22);
}

#[test]
fn encryption_is_told_truthfully() {
    passes("encryption", 7);
}

#[test]
fn presigned_addresses_do_what_they_were_signed_for() {
    passes("presigned", 13);
}
