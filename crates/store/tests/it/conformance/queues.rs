//! Queues.

use std::time::Duration;

use base::Timestamp;
use store::{Guard, Key, Message, Op, QueueCount, Revision, StoreError, Tx, Txn};

use crate::bed::{Bed, Kind, put};

on_each_engine!(
    a_message_is_received_once_while_it_is_held,
    a_message_that_is_not_acknowledged_comes_again,
    an_acknowledged_message_is_gone,
    a_receiver_that_lost_its_message_cannot_acknowledge_it,
    a_released_message_comes_again_at_once,
    messages_come_in_the_order_in_which_they_became_visible,
    a_delayed_message_waits,
    counts_tell_the_visible_the_held_and_the_delayed,
    a_message_is_enqueued_with_the_record_or_not_at_all,
    acknowledging_and_writing_happen_together,
    enqueueing_an_id_again_replaces_the_message,
    a_receipt_of_a_former_life_does_not_hold,
    queues_have_no_history_and_no_revision,
    a_receiver_is_woken,
    removing_takes_a_message_whoever_holds_it,
);

const HOLD: Duration = Duration::from_secs(30);

async fn enqueue(bed: &Bed, id: &str) {
    bed.store.enqueue("q", id, id.into(), bed.now()).await.unwrap();
}

async fn receive(bed: &Bed, max: usize) -> Vec<Message> {
    bed.store.receive("q", max, HOLD).await.unwrap()
}

async fn receive_ids(bed: &Bed, max: usize) -> Vec<String> {
    receive(bed, max).await.into_iter().map(|message| message.id).collect()
}

async fn a_message_is_received_once_while_it_is_held(kind: Kind) {
    let bed = kind.bed();
    enqueue(&bed, "a").await;
    let messages = receive(&bed, 10).await;
    let [message] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!((message.queue.as_str(), message.id.as_str(), &message.body[..]), ("q", "a", &b"a"[..]));
    assert_eq!((message.received, message.enqueued_at, message.visible_at), (1, bed.now(), bed.now().plus(HOLD)));
    assert!(receive(&bed, 10).await.is_empty());
    assert!(bed.store.receive("other", 10, HOLD).await.unwrap().is_empty());
}

async fn a_message_that_is_not_acknowledged_comes_again(kind: Kind) {
    let bed = kind.bed();
    enqueue(&bed, "a").await;
    let first = receive(&bed, 1).await.remove(0);
    bed.pass(30).await;
    let second = receive(&bed, 1).await.remove(0);
    assert_eq!(second.received, 2);
    assert_ne!(first.receipt, second.receipt);
}

async fn an_acknowledged_message_is_gone(kind: Kind) {
    let bed = kind.bed();
    enqueue(&bed, "a").await;
    let message = receive(&bed, 1).await.remove(0);
    bed.store.ack(&message).await.unwrap();
    bed.pass(60).await;
    assert!(receive(&bed, 1).await.is_empty());
    assert!(matches!(bed.store.ack(&message).await, Err(StoreError::ReceiptLost { .. })));
}

async fn a_receiver_that_lost_its_message_cannot_acknowledge_it(kind: Kind) {
    let bed = kind.bed();
    enqueue(&bed, "a").await;
    let slow = receive(&bed, 1).await.remove(0);
    bed.pass(30).await;
    let fast = receive(&bed, 1).await.remove(0);
    assert!(matches!(bed.store.ack(&slow).await, Err(StoreError::ReceiptLost { .. })));
    assert!(matches!(bed.store.extend(&slow, bed.now()).await, Err(StoreError::ReceiptLost { .. })));
    bed.store.ack(&fast).await.unwrap();
}

async fn a_released_message_comes_again_at_once(kind: Kind) {
    let bed = kind.bed();
    enqueue(&bed, "a").await;
    let message = receive(&bed, 1).await.remove(0);
    bed.store.extend(&message, bed.now().plus(Duration::from_secs(100))).await.unwrap();
    bed.pass(60).await;
    assert!(receive(&bed, 1).await.is_empty());
    bed.store.extend(&message, bed.now()).await.unwrap();
    assert_eq!(receive(&bed, 1).await[0].received, 2);
}

async fn messages_come_in_the_order_in_which_they_became_visible(kind: Kind) {
    let bed = kind.bed();
    bed.store.enqueue("q", "late", Vec::new(), bed.now().plus(Duration::from_secs(2))).await.unwrap();
    bed.store.enqueue("q", "early", Vec::new(), bed.now().plus(Duration::from_secs(1))).await.unwrap();
    for id in ["c", "a", "b"] {
        enqueue(&bed, id).await;
    }
    assert_eq!(receive_ids(&bed, 2).await, ["c", "a"]);
    bed.pass(5).await;
    assert_eq!(receive_ids(&bed, 10).await, ["b", "early", "late"]);
}

async fn a_delayed_message_waits(kind: Kind) {
    let bed = kind.bed();
    bed.store.enqueue("q", "a", Vec::new(), bed.now().plus(HOLD)).await.unwrap();
    assert!(receive(&bed, 1).await.is_empty());
    bed.pass(30).await;
    assert_eq!(receive(&bed, 1).await[0].received, 1);
}

async fn counts_tell_the_visible_the_held_and_the_delayed(kind: Kind) {
    let bed = kind.bed();
    assert_eq!(bed.store.count("q").await.unwrap(), QueueCount::default());
    for id in ["a", "b", "c"] {
        enqueue(&bed, id).await;
    }
    bed.store.enqueue("q", "d", Vec::new(), bed.now().plus(HOLD * 2)).await.unwrap();
    receive(&bed, 1).await;
    let next_visible_at = Some(bed.now().plus(HOLD));
    assert_eq!(bed.store.count("q").await.unwrap(), QueueCount { visible: 2, held: 1, delayed: 1, next_visible_at });
}

async fn a_message_is_enqueued_with_the_record_or_not_at_all(kind: Kind) {
    let bed = kind.bed();
    let enqueue = || Op::Enqueue {
        queue: "q".to_owned(),
        id: "a".to_owned(),
        body: Vec::new(),
        visible_at: Timestamp::from_secs(0),
    };
    let refused = Txn {
        guards: vec![Guard::Exists(Key::new(["missing"]))],
        then: vec![put("a", ""), enqueue()],
        ..Txn::default()
    };
    assert!(!bed.store.txn(refused).await.unwrap().held);
    assert!(receive(&bed, 1).await.is_empty());
    bed.then([put("a", ""), enqueue()]).await;
    assert_eq!(receive(&bed, 1).await.len(), 1);
    assert!(bed.get("a").await.is_some());
}

async fn acknowledging_and_writing_happen_together(kind: Kind) {
    let bed = kind.bed();
    enqueue(&bed, "a").await;
    let slow = receive(&bed, 1).await.remove(0);
    bed.pass(30).await;
    let fast = receive(&bed, 1).await.remove(0);
    for (message, succeeds) in [(&slow, false), (&fast, true), (&fast, false)] {
        let mut tx = Tx::new();
        tx.op(put(&format!("result/{}", message.received), "")).ack(message);
        assert_eq!(bed.store.commit(tx).await.is_ok(), succeeds);
    }
    assert_eq!(bed.keys("result").await, ["result/2"]);
}

async fn enqueueing_an_id_again_replaces_the_message(kind: Kind) {
    let bed = kind.bed();
    enqueue(&bed, "a").await;
    let held = receive(&bed, 1).await.remove(0);
    bed.store.enqueue("q", "a", b"new".to_vec(), bed.now()).await.unwrap();
    assert!(matches!(bed.store.ack(&held).await, Err(StoreError::ReceiptLost { .. })));
    let messages = receive(&bed, 10).await;
    assert_eq!((messages.len(), &messages[0].body[..], messages[0].received), (1, &b"new"[..], 1));
}

async fn a_receipt_of_a_former_life_does_not_hold(kind: Kind) {
    let bed = kind.bed();
    enqueue(&bed, "a").await;
    let former = receive(&bed, 1).await.remove(0);
    bed.store.ack(&former).await.unwrap();
    enqueue(&bed, "a").await;
    receive(&bed, 1).await;
    assert!(matches!(bed.store.ack(&former).await, Err(StoreError::ReceiptLost { .. })));
}

async fn queues_have_no_history_and_no_revision(kind: Kind) {
    let bed = kind.bed();
    enqueue(&bed, "a").await;
    let message = receive(&bed, 1).await.remove(0);
    bed.store.ack(&message).await.unwrap();
    assert_eq!(bed.store.revision(), Revision(1));
    assert_eq!(bed.keys("").await, Vec::<String>::new());
}

async fn a_receiver_is_woken(kind: Kind) {
    let bed = kind.bed();
    let mut signal = bed.store.queue_signal("q");
    let waiting = tokio::spawn(async move {
        signal.changed().await.unwrap();
        signal
    });
    tokio::task::yield_now().await;
    bed.store.enqueue("other", "a", Vec::new(), bed.now()).await.unwrap();
    enqueue(&bed, "a").await;
    let mut signal = waiting.await.unwrap();
    let message = receive(&bed, 1).await.remove(0);
    bed.store.extend(&message, bed.now()).await.unwrap();
    signal.changed().await.unwrap();
}

async fn removing_takes_a_message_whoever_holds_it(kind: Kind) {
    let bed = kind.bed();
    enqueue(&bed, "a").await;
    enqueue(&bed, "b").await;
    receive(&bed, 1).await;
    bed.then(["a", "b"].map(|id| Op::Remove { queue: "q".to_owned(), id: id.to_owned() })).await;
    assert_eq!(bed.store.count("q").await.unwrap(), QueueCount::default());
}
