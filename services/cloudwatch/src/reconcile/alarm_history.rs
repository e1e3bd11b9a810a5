//! Removes history that is older than 30 days: a day of an account and region at a time, told by a message that can be
//! received when the day's time has come.

use std::time::Duration;

use platform::{BoxFuture, Cause, Platform, Reconciler, Round, Wake};
use store::{Message, Scope, Store, StoreError, Tx};

use crate::alarm::history::{Day, Item, QUEUE, id_at, items_key};
use crate::page::{Span, names};

/// How many messages are received at once, and for how long.
const BATCH: usize = 16;
const HOLD: Duration = Duration::from_secs(60);
/// How many items one transaction removes: each takes a guard and two operations of the store's 128.
const ITEMS: usize = 50;

/// Keeps history as long as CloudWatch does.
#[derive(Debug)]
pub struct AlarmHistory {
    platform: Platform,
}

impl AlarmHistory {
    /// Over the history of a platform.
    pub fn new(platform: Platform) -> Self {
        Self { platform }
    }

    async fn pass(&self) -> Result<Round, StoreError> {
        let store = &self.platform.store;
        let mut removed = 0;
        loop {
            let messages = store.receive(QUEUE, BATCH, HOLD).await?;
            if messages.is_empty() {
                break;
            }
            for message in &messages {
                removed += remove(store, message).await?;
            }
        }
        let due = store.count(QUEUE).await?.next_visible_at;
        Ok(Round::did(removed, format!("{removed} items of history removed")).due(due))
    }
}

/// Removes what was before the end of a day, and then the message.
async fn remove(store: &Store, message: &Message) -> Result<u64, StoreError> {
    let Ok(day) = serde_json::from_slice::<Day>(&message.body) else {
        tracing::error!(id = %message.id, "a message in {QUEUE} cannot be read and is dropped");
        store.ack(message).await?;
        return Ok(0);
    };
    let scope = Scope::new(day.account, day.region);
    let (base, end) = (items_key(&scope), id_at(day.end));
    let mut removed = 0;
    loop {
        let span = Span { base: &base, from: None, to: Some(&end), after: None, is_reverse: false, limit: ITEMS };
        let old = names(store, span).await?;
        let ids: Vec<[&str; 1]> = old.names.iter().map(|name| [name.as_str()]).collect();
        let ids: Vec<&[&str]> = ids.iter().map(<[&str; 1]>::as_slice).collect();
        let mut tx = Tx::new();
        for item in store.read_many::<Item>(&scope, &ids).await?.iter().flatten() {
            tx.remove(item);
            removed += 1;
        }
        if tx.is_empty() {
            store.ack(message).await?;
            return Ok(removed);
        }
        store.commit(tx).await?;
    }
}

impl Reconciler for AlarmHistory {
    fn name(&self) -> &str {
        "cloudwatch/alarm-history"
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::Queue(QUEUE.to_owned())]
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
        Box::pin(async { self.pass().await.map_err(Cause::from) })
    }
}
