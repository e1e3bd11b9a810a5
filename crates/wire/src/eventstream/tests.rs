use std::sync::Arc;

use tokio::sync::Notify;

use super::*;

#[derive(Debug, PartialEq)]
struct Tick(i64);

impl Event for Tick {
    fn into_event(self) -> (usize, Value) {
        (0, Value::Integer(self.0))
    }
}

/// Tells when it is dropped.
struct Told(Arc<Notify>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tokio::test]
async fn events_come_in_their_order_and_end_with_their_producer() {
    let mut stream = EventStream::produce(|events| async move {
        for n in 0..20 {
            events.send(Tick(n)).await.unwrap();
        }
    });
    for n in 0..20 {
        assert_eq!(stream.next().await, Ok(Some(Tick(n))));
    }
    assert_eq!(stream.next().await, Ok(None));
    assert_eq!(stream.next().await, Ok(None));
}

#[tokio::test]
async fn a_producer_waits_for_its_client() {
    let sent = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = sent.clone();
    let mut stream = EventStream::produce(|events| async move {
        while events.send(Tick(0)).await.is_ok() {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(sent.load(std::sync::atomic::Ordering::SeqCst), EVENTS_WAITING_MAX);
    assert_eq!(stream.next().await, Ok(Some(Tick(0))));
}

#[tokio::test]
async fn a_producer_is_dropped_with_its_stream() {
    let dropped = Arc::new(Notify::new());
    let told = Told(dropped.clone());
    let stream = EventStream::<Tick>::produce(|events| async move {
        let _told = told;
        std::future::pending::<()>().await;
        drop(events);
    });
    drop(stream);
    dropped.notified().await;
}

#[tokio::test]
async fn a_closed_stream_gives_what_waits_and_tells_its_producer() {
    let (ready, told) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (is_ready, was_told) = (ready.clone(), told.clone());
    let mut stream = EventStream::produce(|events| async move {
        events.send(Tick(1)).await.unwrap();
        is_ready.notify_one();
        events.closed().await;
        assert_eq!(events.send(Tick(2)).await, Err(Closed));
        was_told.notify_one();
        std::future::pending::<()>().await;
    });
    ready.notified().await;
    stream.close();
    assert_eq!(stream.next().await, Ok(Some(Tick(1))));
    assert_eq!(stream.next().await, Ok(None), "although the producer goes on");
    told.notified().await;
}

#[tokio::test]
async fn a_producer_that_panics_is_told_from_one_that_ends() {
    let mut stream = EventStream::produce(|events| async move {
        events.send(Tick(1)).await.unwrap();
        panic!("as it was told to");
    });
    assert_eq!(stream.next().await, Ok(Some(Tick(1))));
    assert_eq!(stream.next().await, Err(ProducerPanicked));
    assert_eq!(stream.next().await, Ok(None));
}
