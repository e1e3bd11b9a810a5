use base::{Clock, SeededRng, SystemClock};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use store::StoreOptions;

use super::*;
use crate::gate::authority::HOST_VALID;

const HOUR: Duration = Duration::from_secs(3600);

struct Bed {
    roster: Roster,
    authority: Authority,
    rng: SeededRng,
    now: Timestamp,
}

impl Bed {
    fn new() -> Self {
        let now = SystemClock.now();
        let roster = Roster { store: Store::in_memory(StoreOptions::default()) };
        Self { roster, authority: Authority::make(now).unwrap(), rng: SeededRng::new(1), now }
    }

    async fn token(&self, ttl: Duration) -> Token {
        let token = Token::make(&self.rng, self.authority.fingerprint().unwrap());
        self.roster.add_token(&token, ttl, self.now).await.unwrap();
        token
    }

    async fn join(&self, token: &Token, name: &str, key: &[u8], now: Timestamp) -> Result<HostCertificate, GateError> {
        let applicant = Applicant {
            token: &token.id,
            secret: &token.secret,
            name: &host(name),
            public_key_text: &hex::encode(key),
            public_key: key,
        };
        self.roster.join(&applicant, &self.authority, now).await
    }
}

fn host(name: &str) -> NodeId {
    NodeId::try_from(name.to_owned()).unwrap()
}

fn key() -> Vec<u8> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap().public_key_raw().to_vec()
}

#[tokio::test]
async fn a_token_lets_one_host_in() {
    let bed = Bed::new();
    let token = bed.token(HOUR).await;
    let made = bed.join(&token, "a", &key(), bed.now).await.unwrap();
    assert_eq!(bed.roster.who(made.fingerprint, bed.now).await.unwrap().0, host("a"));
    for (name, key) in [("b", key()), ("a", key())] {
        assert!(matches!(bed.join(&token, name, &key, bed.now).await, Err(GateError::Token)), "{name}");
    }
    assert_eq!(bed.roster.all().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_host_that_did_not_hear_the_answer_may_ask_again() {
    let bed = Bed::new();
    let (token, key) = (bed.token(HOUR).await, key());
    let first = bed.join(&token, "a", &key, bed.now).await.unwrap();
    let second = bed.join(&token, "a", &key, bed.now).await.unwrap();
    assert_eq!(bed.roster.who(second.fingerprint, bed.now).await.unwrap().0, host("a"));
    assert!(matches!(bed.roster.who(first.fingerprint, bed.now).await, Err(GateError::Unknown)));
    assert!(matches!(bed.join(&token, "b", &key, bed.now).await, Err(GateError::Token)), "under another name");
    bed.roster.remove(&host("a")).await.unwrap();
    assert!(matches!(bed.join(&token, "a", &key, bed.now).await, Err(GateError::Token)), "after it was removed");
}

#[tokio::test]
async fn of_many_with_one_token_one_gets_in() {
    let bed = std::sync::Arc::new(Bed::new());
    let token = bed.token(HOUR).await;
    let mut joining = tokio::task::JoinSet::new();
    for number in 0..8 {
        let (bed, token) = (bed.clone(), token.clone());
        joining.spawn(async move { bed.join(&token, &format!("host-{number}"), &key(), bed.now).await.is_ok() });
    }
    let joined = joining.join_all().await;
    assert_eq!(joined.into_iter().filter(|it| *it).count(), 1);
    assert_eq!(bed.roster.all().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_token_that_has_run_out_lets_nobody_in_and_is_forgotten() {
    let bed = Bed::new();
    let token = bed.token(HOUR).await;
    assert!(matches!(bed.join(&token, "a", &key(), bed.now.plus(HOUR)).await, Err(GateError::Token)));
    let next = Token::make(&bed.rng, token.authority);
    bed.roster.add_token(&next, HOUR, bed.now.plus(HOUR)).await.unwrap();
    let left = bed.roster.store.list::<JoinToken>(&Scope::system(), ListOptions::default()).await.unwrap();
    assert_eq!(left.items.iter().map(Versioned::name).collect::<Vec<_>>(), [next.id]);
}

#[tokio::test]
async fn who_does_not_know_the_secret_learns_nothing() {
    let bed = Bed::new();
    let token = bed.token(HOUR).await;
    bed.join(&bed.token(HOUR).await, "a", &key(), bed.now).await.unwrap();
    let forged = Token { id: token.id.clone(), ..Token::make(&bed.rng, token.authority) };
    let unknown = Token::make(&bed.rng, token.authority);
    let odd = Token { id: "../joined-host/a".to_owned(), ..token.clone() };
    for token in [forged, unknown, odd] {
        // Not even that the name is taken.
        assert!(matches!(bed.join(&token, "a", &key(), bed.now).await, Err(GateError::Token)));
    }
    assert!(bed.join(&token, "b", &key(), bed.now).await.is_ok(), "the token itself is not used up by that");
}

#[tokio::test]
async fn another_hosts_name_is_not_given_away_and_the_token_stays_good() {
    let bed = Bed::new();
    bed.join(&bed.token(HOUR).await, "a", &key(), bed.now).await.unwrap();
    let token = bed.token(HOUR).await;
    assert!(matches!(bed.join(&token, "a", &key(), bed.now).await, Err(GateError::NameTaken)));
    assert!(bed.join(&token, "b", &key(), bed.now).await.is_ok());
}

#[tokio::test]
async fn a_renewal_leaves_the_old_certificate_good_until_the_next() {
    let bed = Bed::new();
    let first = bed.join(&bed.token(HOUR).await, "a", &key(), bed.now).await.unwrap().fingerprint;
    let (a, key) = (host("a"), key());
    let renew = |present| bed.roster.renew(&a, present, &key, &bed.authority, bed.now);
    let unheard = renew(first).await.unwrap().fingerprint;
    let second = renew(first).await.unwrap().fingerprint;
    let who = |it| bed.roster.who(it, bed.now);
    assert!(who(first).await.is_ok() && who(second).await.is_ok() && who(unheard).await.is_err());
    let third = renew(second).await.unwrap().fingerprint;
    assert!(who(first).await.is_err() && who(second).await.is_ok() && who(third).await.is_ok());
    // After its end it is still known whose it was: a clock may be wrong.
    assert!(matches!(bed.roster.who(third, bed.now.plus(HOST_VALID)).await, Err(GateError::Expired)));
}

#[tokio::test]
async fn a_host_that_was_removed_is_known_no_more_and_its_name_is_free() {
    let bed = Bed::new();
    let made = bed.join(&bed.token(HOUR).await, "a", &key(), bed.now).await.unwrap();
    assert!(bed.roster.remove(&host("a")).await.unwrap());
    assert!(!bed.roster.remove(&host("a")).await.unwrap());
    assert!(matches!(bed.roster.who(made.fingerprint, bed.now).await, Err(GateError::Unknown)));
    let renewed = bed.roster.renew(&host("a"), made.fingerprint, &key(), &bed.authority, bed.now).await;
    assert!(renewed.is_err(), "a renewal brings nobody back");
    let next = bed.join(&bed.token(HOUR).await, "a", &key(), bed.now).await.unwrap();
    let renewed = bed.roster.renew(&host("a"), made.fingerprint, &key(), &bed.authority, bed.now).await;
    assert!(matches!(renewed, Err(GateError::Unknown)), "nor does it take the name's next host's place");
    assert!(bed.roster.who(next.fingerprint, bed.now).await.is_ok());
}
