use base::{Arn, Principal, PrincipalKind};
use platform::Platform;
use platform::identity::{FixedKey, Keys};
use std::sync::Arc;
use store::{Scope, Tx};
use sts::api::{
    GetAccessKeyInfoRequest, GetAccessKeyInfoResponse, GetCallerIdentityRequest, GetCallerIdentityResponse,
};

use crate::bench::{Bench, ELSEWHERE, HERE, Refusal, role};

async fn identity(bench: &Bench) -> (String, String, String) {
    let answer: GetCallerIdentityResponse =
        bench.ask("GetCallerIdentity", GetCallerIdentityRequest::default()).await.unwrap();
    (answer.account.unwrap(), answer.arn.unwrap(), answer.user_id.unwrap())
}

async fn account_of(bench: &Bench, id: &str) -> Result<String, Refusal> {
    let input = GetAccessKeyInfoRequest { access_key_id: id.to_owned() };
    bench.ask::<GetAccessKeyInfoResponse>("GetAccessKeyInfo", input).await.map(|answer| answer.account.unwrap())
}

fn alice() -> Principal {
    let account = HERE.parse().unwrap();
    Principal {
        account,
        arn: Arn::global("iam", account, "user/team/alice"),
        user_id: "AIDAALICE".to_owned(),
        kind: PrincipalKind::User { name: "alice".to_owned() },
    }
}

#[tokio::test]
async fn every_kind_of_caller_learns_who_it_is() {
    let bench = Bench::new();
    let owned = |texts: (&str, &str, &str)| (texts.0.to_owned(), texts.1.to_owned(), texts.2.to_owned());
    assert_eq!(identity(&bench).await, owned((HERE, "arn:aws:iam::111111111111:root", HERE)));
    let user = bench.as_caller(alice());
    assert_eq!(identity(&user).await, owned((HERE, "arn:aws:iam::111111111111:user/team/alice", "AIDAALICE")));
    let credentials = bench.assume(role("team/short")).await.unwrap().credentials.unwrap();
    let session = bench.as_bearer(&credentials).await;
    let expected = (HERE, "arn:aws:sts::111111111111:assumed-role/short/ci", "AROATEAMSHORT:ci");
    assert_eq!(identity(&session).await, owned(expected));
}

#[tokio::test]
async fn the_account_of_a_key_is_told() {
    let mut bench = Bench::new();
    let fixed = FixedKey {
        access_key_id: "AKIAFIXEDFIXEDFIXED1".to_owned(),
        secret: String::from("secret").into(),
        principal: Principal::root(ELSEWHERE.parse().unwrap()),
    };
    bench.sts.platform = Platform { keys: Arc::new(Keys::new(vec![fixed])), ..bench.sts.platform };
    assert_eq!(account_of(&bench, "AKIAFIXEDFIXEDFIXED1").await, Ok(ELSEWHERE.to_owned()));

    let key = platform::identity::new_access_key(&bench.sts.platform, alice(), bench.ctx.now);
    let mut tx = Tx::new();
    tx.insert(&Scope::system(), &[&key.record.id], &key.record);
    bench.sts.platform.store.commit(tx).await.unwrap();
    assert_eq!(account_of(&bench, &key.record.id).await, Ok(HERE.to_owned()));

    let credentials = bench.assume(role("open")).await.unwrap().credentials.unwrap();
    let session = bench.as_bearer(&credentials).await;
    assert_eq!(account_of(&session, &credentials.access_key_id).await, Ok(HERE.to_owned()));
    let (code, status, message) = account_of(&bench, "AKIAUNKNOWNUNKNOWN12").await.unwrap_err();
    assert_eq!((code.as_str(), status), ("ValidationError", 400));
    assert_eq!(message, "The access key ID AKIAUNKNOWNUNKNOWN12 does not exist.");
}
