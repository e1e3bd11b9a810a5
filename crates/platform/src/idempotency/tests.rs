use base::{ManualClock, SeededRng};
use proptest::prelude::{Just, Strategy, prop, prop_assert_eq, prop_oneof, proptest};
use serde_json::json;
use store::{ListOptions, StoreOptions};

use super::*;
use crate::reconciler::Runner;

const WINDOW: Duration = Duration::from_secs(3600);

fn platform() -> (Platform, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::starting_at(Timestamp::from_secs(1_767_225_600)));
    let store = Store::in_memory(StoreOptions { clock: clock.clone(), ..StoreOptions::default() });
    (Platform { store, clock: clock.clone(), ..Platform::in_memory() }, clock)
}

fn scope() -> Scope {
    Scope::new(AccountId::DEFAULT, Region::default())
}

/// What the requests make.
#[derive(Debug, Serialize, Deserialize)]
struct Thing {
    size: u64,
}

impl Record for Thing {
    const SERVICE: &'static str = "test";
    const KIND: &'static str = "thing";
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("it exists")]
    Exists,
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn request(token: &str, size: u64) -> TokenRequest {
    TokenRequest::of_value(&scope(), "CreateThing", token, &json!({"size": size}), WINDOW).unwrap()
}

/// Makes a thing of a drawn name, or of the given one; answers its name.
async fn create(platform: &Platform, name: Option<&str>, token: &str, size: u64) -> Result<String, Error> {
    let name = name.map_or_else(|| base::ids::hex32(&*platform.rng), str::to_owned);
    let act = |claim: Claim| async move {
        // Lets the others read, too, before anybody writes.
        tokio::task::yield_now().await;
        if platform.store.read::<Thing>(&scope(), &[&name]).await?.is_some() {
            return Err(Error::Exists);
        }
        tokio::task::yield_now().await;
        let mut tx = Tx::new();
        tx.insert(&scope(), &[&name], &Thing { size });
        claim.record(&mut tx, &name)?;
        platform.store.commit(tx).await?;
        Ok(name)
    };
    ClientTokens::new(platform).once(&request(token, size), act).await
}

async fn things(platform: &Platform) -> usize {
    platform.store.list::<Thing>(&scope(), ListOptions::default()).await.unwrap().items.len()
}

#[tokio::test]
async fn a_request_that_is_sent_again_is_answered_again_and_done_once() {
    let (platform, _) = platform();
    let first = create(&platform, None, "t", 1).await.unwrap();
    assert_eq!(create(&platform, None, "t", 1).await.unwrap(), first);
    assert_ne!(create(&platform, None, "other", 1).await.unwrap(), first);
    assert_eq!(things(&platform).await, 2);
}

#[tokio::test]
async fn a_token_with_another_request_is_refused() {
    let (platform, _) = platform();
    create(&platform, None, "t", 1).await.unwrap();
    let error = create(&platform, None, "t", 2).await.unwrap_err();
    assert!(matches!(error, Error::Token(TokenError::Mismatch)), "{error}");
    assert_eq!(things(&platform).await, 1);
}

#[tokio::test]
async fn a_token_is_good_for_its_operation_and_account_alone() {
    let (platform, _) = platform();
    create(&platform, None, "t", 1).await.unwrap();
    let tokens = ClientTokens::new(&platform);
    let elsewhere = Scope::new("222222222222".parse().unwrap(), Region::default());
    for (scope, operation) in [(scope(), "DeleteThing"), (elsewhere, "CreateThing")] {
        let other = TokenRequest::of_value(&scope, operation, "t", &json!({"size": 2}), WINDOW).unwrap();
        assert!(matches!(tokens.claim::<String>(&other).await.unwrap(), Claimed::New(_)));
    }
}

#[tokio::test]
async fn a_failed_request_leaves_its_token_free() {
    let (platform, _) = platform();
    create(&platform, Some("a"), "t", 1).await.unwrap();
    assert!(matches!(create(&platform, Some("a"), "u", 1).await, Err(Error::Exists)));
    assert_eq!(create(&platform, Some("b"), "u", 2).await.unwrap(), "b");
}

#[tokio::test]
async fn of_twins_one_wins_and_the_others_get_its_answer() {
    let platform = Arc::new(platform().0);
    for name in [None, Some("taken")] {
        let twins: Vec<_> = (0..16)
            .map(|_| {
                let platform = platform.clone();
                tokio::spawn(async move { create(&platform, name, &format!("{name:?}"), 1).await })
            })
            .collect();
        let mut answers = Vec::new();
        for twin in twins {
            answers.push(twin.await.unwrap().unwrap());
        }
        answers.dedup();
        assert_eq!(answers.len(), 1);
    }
    assert_eq!(things(&platform).await, 2);
}

#[tokio::test]
async fn of_twins_that_differ_one_wins_and_the_other_is_refused() {
    let platform = Arc::new(platform().0);
    let twins: Vec<_> = (0..8_u64)
        .map(|size| {
            let platform = platform.clone();
            tokio::spawn(async move { create(&platform, Some("same"), "t", size).await })
        })
        .collect();
    let mut refused = 0;
    for twin in twins {
        match twin.await.unwrap() {
            Ok(name) => assert_eq!(name, "same"),
            Err(error) => {
                assert!(matches!(error, Error::Token(TokenError::Mismatch)), "{error}");
                refused += 1;
            }
        }
    }
    assert_eq!((refused, things(&platform).await), (7, 1));
}

#[tokio::test]
async fn a_token_is_forgotten_when_its_window_has_passed() {
    let (platform, clock) = platform();
    let tokens = ClientTokens::new(&platform);
    let mut runner = Runner::new(&platform, Arc::new(tokens.clone()));
    let first = create(&platform, None, "t", 1).await.unwrap();
    create(&platform, None, "u", 1).await.unwrap();
    clock.advance(WINDOW);
    // Whether or not it has been removed yet.
    let second = create(&platform, None, "t", 2).await.unwrap();
    assert_ne!(first, second);
    runner.settle().await;
    assert_eq!(create(&platform, None, "t", 2).await.unwrap(), second);
    let kept = platform.store.list::<ClientToken>(&scope(), ListOptions::default()).await.unwrap();
    assert_eq!(kept.items.len(), 1);
    clock.advance(WINDOW);
    runner.settle().await;
    let kept = platform.store.list::<ClientToken>(&scope(), ListOptions::default()).await.unwrap();
    assert_eq!((kept.items.len(), platform.store.count(EXPIRIES).await.unwrap().delayed), (0, 0));
}

#[tokio::test]
async fn tokens_and_answers_are_bounded() {
    for token in [String::new(), "t".repeat(TOKEN_BYTES_MAX + 1)] {
        let refused = TokenRequest::of_value(&scope(), "CreateThing", &token, &json!({}), WINDOW);
        assert!(matches!(refused, Err(TokenError::Malformed)));
    }
    let (platform, _) = platform();
    let tokens = ClientTokens::new(&platform);
    let longest = request(&"/".repeat(TOKEN_BYTES_MAX), 1);
    let Claimed::New(claim) = tokens.claim::<String>(&longest).await.unwrap() else { panic!("it is new") };
    let mut tx = Tx::new();
    assert!(matches!(claim.record(&mut tx, &"a".repeat(ANSWER_BYTES_MAX)), Err(TokenError::AnswerTooLarge { .. })));
    claim.record(&mut tx, &"a".repeat(ANSWER_BYTES_MAX - 2)).unwrap();
    platform.store.commit(tx).await.unwrap();
    assert!(matches!(tokens.claim::<String>(&longest).await.unwrap(), Claimed::Done(_)));
}

#[tokio::test]
async fn from_any_seed_each_token_does_its_request_once_in_a_window() {
    for seed in 0..100 {
        let (platform, clock) = platform();
        let (platform, rng) = (Arc::new(platform), SeededRng::new(seed));
        let mut runner = Runner::new(&platform, Arc::new(ClientTokens::new(&platform)));
        let mut expected = 0;
        for window in 0..3 {
            let mut used = std::collections::BTreeSet::new();
            let mut requests = Vec::new();
            for _ in 0..20 {
                match base::Rng::next_u64(&rng) % 4 {
                    0 => drop(runner.step().await),
                    _ => {
                        let token = base::Rng::next_u64(&rng) % 6;
                        used.insert(token);
                        let platform = platform.clone();
                        requests.push(tokio::spawn(async move {
                            create(&platform, None, &token.to_string(), window).await.unwrap()
                        }));
                    }
                }
            }
            for request in requests {
                request.await.unwrap();
            }
            expected += used.len();
            assert_eq!(things(&platform).await, expected, "seed {seed}");
            clock.advance(WINDOW);
        }
    }
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        Just(json!(true)),
        (0..3_u8).prop_map(|number| json!(number)),
        "[a-b0-1]{0,2}".prop_map(Value::String),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::btree_map("[a-b]{0,2}", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The meaning of a document: without null members, sorted.
fn meaning(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(meaning).collect(),
        Value::Object(members) => {
            let sorted: std::collections::BTreeMap<_, _> = members.iter().filter(|(_, it)| !it.is_null()).collect();
            Value::Object(sorted.into_iter().map(|(name, it)| (name.clone(), meaning(it))).collect())
        }
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn two_requests_have_one_hash_if_and_only_if_they_mean_the_same(one in document(), other in document()) {
        let hash = |value: &Value| TokenRequest::of_value(&scope(), "X", "t", value, WINDOW).unwrap().hash;
        prop_assert_eq!(hash(&one), hash(&meaning(&one)));
        prop_assert_eq!(hash(&one) == hash(&other), meaning(&one) == meaning(&other));
    }
}
