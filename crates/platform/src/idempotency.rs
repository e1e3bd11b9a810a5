//! Client tokens: a request that is sent again is answered again, and done once.
//!
//! A client that does not know whether its request arrived sends it again with the same token. The record of a token is
//! written in the transaction of the request's effect, so there is no instant at which one is there without the other:
//!
//! - no record: the request is done, and its answer (or what the answer can be made of) is kept;
//! - a record of the same request: its answer is answered;
//! - a record of another request: [`TokenError::Mismatch`], which each service has its own error for
//!   (`IdempotentParameterMismatch`, `ConflictException`, …).
//!
//! Of two such requests at the same time one commits; the other meets a conflict, or finds the resource there, and gets the
//! first one's answer. A token is good for one operation of one account in one region, until its window has passed.

use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, Clock, Region, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use store::{Message, Record, Scope, Store, StoreError, Tx, Versioned};

use crate::reconciler::{Cause, Reconciler, Round, Wake};
use crate::{BoxFuture, Platform};

/// The longest token, in bytes. The operations' models have their own, shorter bounds.
pub const TOKEN_BYTES_MAX: usize = 256;
/// The largest answer that is kept, in bytes. What is larger is kept by reference.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The queue of the tokens whose window passes, and the name of who removes them.
const EXPIRIES: &str = "client-tokens";
/// How many tokens are removed at once.
const BATCH: usize = 50;
/// How long a message about one is held.
const HOLD: Duration = Duration::from_secs(30);

/// Keeps client tokens. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ClientTokens {
    store: Store,
    clock: Arc<dyn Clock>,
}

/// A request that carries a token.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    scope: Scope,
    operation: &'static str,
    token: String,
    hash: String,
    window: Duration,
}

/// The right to do a request, for whoever commits first.
#[derive(Debug)]
pub struct Claim {
    request: TokenRequest,
    now: Timestamp,
    /// A record whose window has passed and that has not been removed yet.
    stale: Option<Versioned<ClientToken>>,
}

/// What is to be done with a request.
#[derive(Debug)]
pub enum Claimed<A> {
    /// It is new: do it, and record the answer in the same transaction.
    New(Box<Claim>),
    /// It has been done: this was the answer.
    Done(A),
}

/// Why a request with a token is refused.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The token was used for another request.
    #[error("the client token was used with other parameters")]
    Mismatch,
    /// The token is empty or too long.
    #[error("a client token has 1 to {TOKEN_BYTES_MAX} bytes")]
    Malformed,
    /// The answer is too large to be kept.
    #[error("an answer of {size} bytes cannot be kept with a client token; {ANSWER_BYTES_MAX} is the most")]
    AnswerTooLarge {
        /// Its size.
        size: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A token that was used: at `<scope>/client-token/token/<operation>/<the token's hash>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientToken {
    request: String,
    answer: Value,
    expires: Timestamp,
}

impl Record for ClientToken {
    const SERVICE: &'static str = "client-token";
    const KIND: &'static str = "token";
}

/// Which token's window passes: the body of a message that becomes visible then.
#[derive(Debug, Serialize, Deserialize)]
struct Expiry {
    account: Option<AccountId>,
    region: Option<Region>,
    id: [String; 2],
}

impl TokenRequest {
    /// A request as its model has it; the token among its members does not matter. `window` is how long the token is
    /// remembered.
    pub fn of<T: wire::stored::Stored>(
        scope: &Scope,
        operation: &'static str,
        token: &str,
        input: &T,
        window: Duration,
    ) -> Result<Self, TokenError> {
        let key = || scope.key().join(["client-token", operation]);
        let unwritable = |error: serde_json::Error| StoreError::Record { key: key(), reason: error.to_string() };
        let value = input.serialize(serde_json::value::Serializer).map_err(unwritable)?;
        Self::of_value(scope, operation, token, &value, window)
    }

    /// A request as a document. Members that are null are as if they were absent, and the order of members does not matter;
    /// the order of lists does.
    pub fn of_value(
        scope: &Scope,
        operation: &'static str,
        token: &str,
        request: &Value,
        window: Duration,
    ) -> Result<Self, TokenError> {
        if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        let mut hash = Sha256::new();
        hash_into(&mut hash, request);
        Ok(Self {
            scope: scope.clone(),
            operation,
            // Hashed, so that a key's length does not depend on what a client sends.
            token: hex::encode(Sha256::digest(token.as_bytes())),
            hash: hex::encode(hash.finalize()),
            window,
        })
    }

    fn id(&self) -> [&str; 2] {
        [self.operation, &self.token]
    }
}

/// Hashes a document so that two of the same meaning, and no others, have one hash: each value begins with its kind, each
/// text and list with its length, and members are sorted.
fn hash_into(hash: &mut Sha256, value: &Value) {
    let mut text = |kind: u8, text: &str| {
        hash.update([kind]);
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    match value {
        Value::Null => text(b'0', ""),
        Value::Bool(value) => text(b'b', if *value { "true" } else { "false" }),
        Value::Number(value) => text(b'n', &value.to_string()),
        Value::String(value) => text(b's', value),
        Value::Array(items) => {
            hash.update([b'l']);
            hash.update((items.len() as u64).to_le_bytes());
            items.iter().for_each(|item| hash_into(hash, item));
        }
        Value::Object(members) => {
            let mut present: Vec<_> = members.iter().filter(|(_, value)| !value.is_null()).collect();
            present.sort_by_key(|(name, _)| *name);
            hash.update([b'm']);
            hash.update((present.len() as u64).to_le_bytes());
            for (name, value) in present {
                hash_into(hash, &Value::String(name.clone()));
                hash_into(hash, value);
            }
        }
    }
}

impl Claim {
    /// Keeps the answer, in the transaction that makes it true.
    ///
    /// # Errors
    /// [`TokenError::AnswerTooLarge`].
    pub fn record<A: Serialize>(&self, tx: &mut Tx, answer: &A) -> Result<(), TokenError> {
        let request = &self.request;
        let unwritable = |error: serde_json::Error| StoreError::Record {
            key: request.scope.key().join(request.id()),
            reason: error.to_string(),
        };
        let answer = serde_json::to_value(answer).map_err(unwritable)?;
        let size = answer.to_string().len();
        if size > ANSWER_BYTES_MAX {
            return Err(TokenError::AnswerTooLarge { size });
        }
        let expires = self.now.plus(request.window);
        let token = ClientToken { request: request.hash.clone(), answer, expires };
        match &self.stale {
            Some(stale) => tx.replace(stale, &token),
            None => tx.insert(&request.scope, &request.id(), &token),
        };
        let expiry = Expiry {
            account: request.scope.account(),
            region: request.scope.region().cloned(),
            id: request.id().map(str::to_owned),
        };
        let message = format!("{}/{}/{}", request.scope.key(), request.operation, request.token);
        tx.enqueue(EXPIRIES, message, serde_json::to_vec(&expiry).map_err(unwritable)?, expires);
        Ok(())
    }
}

impl ClientTokens {
    /// The tokens in the platform's store.
    pub fn new(platform: &Platform) -> Self {
        Self { store: platform.store.clone(), clock: platform.clock.clone() }
    }

    /// Says whether a request is new or was done.
    ///
    /// # Errors
    /// [`TokenError::Mismatch`] if its token was used for another one.
    pub async fn claim<A: DeserializeOwned>(&self, request: &TokenRequest) -> Result<Claimed<A>, TokenError> {
        let now = self.clock.now();
        let found = self.store.read::<ClientToken>(&request.scope, &request.id()).await?;
        match found {
            Some(token) if token.expires > now => {
                if token.request != request.hash {
                    return Err(TokenError::Mismatch);
                }
                let unreadable =
                    |error: serde_json::Error| StoreError::Record { key: token.key.clone(), reason: error.to_string() };
                Ok(Claimed::Done(serde_json::from_value(token.answer.clone()).map_err(unreadable)?))
            }
            stale => Ok(Claimed::New(Box::new(Claim { request: request.clone(), now, stale }))),
        }
    }

    /// Does a request once. `act` gets the claim, builds its transaction, puts the answer into it by [`Claim::record`],
    /// commits, and answers it.
    ///
    /// If `act` fails and the request has been done by a twin meanwhile, the answer is the twin's: whatever `act` ran into
    /// (a conflict, a name that is taken) may have been the twin's doing.
    ///
    /// # Errors
    /// What `act` answers, and [`TokenError`].
    pub async fn once<A, E, F>(&self, request: &TokenRequest, act: impl FnOnce(Claim) -> F) -> Result<A, E>
    where
        A: DeserializeOwned,
        E: From<TokenError>,
        F: Future<Output = Result<A, E>>,
    {
        let claim = match self.claim(request).await? {
            Claimed::Done(answer) => return Ok(answer),
            Claimed::New(claim) => claim,
        };
        match act(*claim).await {
            Ok(answer) => Ok(answer),
            Err(error) => match self.claim(request).await {
                Ok(Claimed::Done(answer)) => Ok(answer),
                Err(mismatch @ TokenError::Mismatch) => Err(mismatch.into()),
                Ok(Claimed::New(_)) | Err(_) => Err(error),
            },
        }
    }

    /// Removes the tokens whose window has passed; answers how many that were.
    async fn forget(&self) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        loop {
            let due = self.store.receive(EXPIRIES, BATCH, HOLD).await?;
            if due.is_empty() {
                return Ok(forgotten);
            }
            for message in &due {
                match self.forget_one(message).await {
                    Ok(()) => forgotten += 1,
                    // It was used again just now: a new message says when that window passes.
                    Err(StoreError::Conflict { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    async fn forget_one(&self, message: &Message) -> Result<(), StoreError> {
        let mut tx = Tx::new();
        tx.ack(message);
        match serde_json::from_slice::<Expiry>(&message.body) {
            Ok(Expiry { account, region, id }) => {
                let scope = match (account, region) {
                    (Some(account), Some(region)) => Scope::new(account, region),
                    _ => Scope::system(),
                };
                let found = self.store.read::<ClientToken>(&scope, &id.each_ref().map(String::as_str)).await?;
                if let Some(token) = found.filter(|token| token.expires <= self.clock.now()) {
                    tx.remove(&token);
                }
            }
            Err(error) => tracing::error!(id = message.id, %error, "an expiry of a client token cannot be read"),
        }
        self.store.commit(tx).await.map(drop)
    }
}

/// Removes the tokens whose window has passed, of all services. One is started in a process.
impl Reconciler for ClientTokens {
    fn name(&self) -> &str {
        EXPIRIES
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::Queue(EXPIRIES.to_owned())]
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
        Box::pin(async {
            let forgotten = self.forget().await?;
            let next = self.store.count(EXPIRIES).await?.next_visible_at;
            Ok(Round::did(forgotten, format!("forgot {forgotten} client tokens")).due(next))
        })
    }
}

#[cfg(test)]
mod tests;
