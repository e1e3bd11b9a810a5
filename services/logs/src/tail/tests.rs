use std::sync::Arc;

use base::{AccountId, Principal, Region};
use platform::ports::{MetricSample, MetricSink};
use platform::{BoxFuture, Ctx, Platform};
use segments::{NewEvent, Segments};
use store::StoreError;
use wire::EventStream;

use super::*;
use crate::Logs;
use crate::api::{CreateLogGroupRequest, CreateLogStreamRequest, DeleteLogGroupRequest, StartLiveTailRequest};
use crate::names::GroupName;
use crate::ops::create_log_group::create_log_group;
use crate::ops::create_log_stream::create_log_stream;
use crate::ops::delete_log_group::delete_log_group;
use crate::ops::start_live_tail::start_live_tail;

struct NoMetrics;

impl MetricSink for NoMetrics {
    fn put<'a>(
        &'a self,
        _: AccountId,
        _: &'a Region,
        _: &'a str,
        _: Vec<MetricSample>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}

struct Bed {
    logs: Logs,
    ctx: Ctx,
    _directory: tempfile::TempDir,
}

impl Bed {
    /// A group called `g` with the streams `a` and `b`.
    async fn new() -> Self {
        let platform = Platform::in_memory();
        let directory = tempfile::tempdir().unwrap();
        let segments = Segments::open(directory.path(), segments::Options::default()).unwrap();
        let ctx = Ctx::new(Principal::root(AccountId::DEFAULT), Region::default(), platform.clock.now(), "r");
        let bed = Self { logs: Logs::new(platform, segments, Arc::new(NoMetrics)), ctx, _directory: directory };
        let group = CreateLogGroupRequest { log_group_name: "g".to_owned(), ..CreateLogGroupRequest::default() };
        create_log_group(&bed.logs, &bed.ctx, group).await.unwrap();
        for name in ["a", "b"] {
            let stream = CreateLogStreamRequest { log_group_name: "g".to_owned(), log_stream_name: name.to_owned() };
            create_log_stream(&bed.logs, &bed.ctx, stream).await.unwrap();
        }
        bed
    }

    async fn put(&self, stream: &str, messages: &[&str]) {
        let name = GroupName::own(&self.ctx, "g");
        let open = self.logs.open(&name, stream).await.unwrap();
        let now = self.ctx.now;
        let event = |message: &&str| NewEvent { timestamp: now, message: (*message).to_owned() };
        self.logs.write(open, now, messages.iter().map(event).collect()).await.unwrap();
    }

    async fn tail(&self, wanted: StartLiveTailRequest) -> EventStream<Told> {
        let request = StartLiveTailRequest { log_group_identifiers: vec!["g".to_owned()], ..wanted };
        start_live_tail(&self.logs, &self.ctx, request).await.unwrap()
    }
}

/// The messages of updates until there are so many, and whether any was left out.
async fn messages(tail: &mut EventStream<Told>, count: usize) -> (Vec<String>, bool) {
    let (mut found, mut is_sampled) = (Vec::new(), false);
    while found.len() < count {
        let Told::SessionUpdate(update) = tail.next().await.unwrap().unwrap() else { panic!("no update") };
        found.extend(update.session_results.unwrap().into_iter().map(|event| event.message.unwrap()));
        is_sampled |= update.session_metadata.unwrap().sampled.unwrap();
    }
    (found, is_sampled)
}

#[tokio::test]
async fn a_session_begins_and_tells_of_what_comes() {
    let bed = Bed::new().await;
    bed.put("a", &["before"]).await;
    let pattern = Some("ERROR".to_owned());
    let mut tail = bed.tail(StartLiveTailRequest { log_event_filter_pattern: pattern, ..<_>::default() }).await;
    let Told::SessionStart(start) = tail.next().await.unwrap().unwrap() else { panic!("no start") };
    assert_eq!(start.log_group_identifiers, Some(vec!["arn:aws:logs:us-east-1:000000000000:log-group:g".to_owned()]));
    assert_eq!((start.request_id.as_deref(), start.log_event_filter_pattern.as_deref()), (Some("r"), Some("ERROR")));
    bed.put("a", &["ERROR one", "fine"]).await;
    bed.put("b", &["ERROR two"]).await;
    assert_eq!(messages(&mut tail, 2).await, (vec!["ERROR one".to_owned(), "ERROR two".to_owned()], false));
}

#[tokio::test]
async fn streams_are_chosen_by_name_or_by_beginning() {
    let bed = Bed::new().await;
    let named = StartLiveTailRequest { log_stream_names: Some(vec!["b".to_owned()]), ..<_>::default() };
    let prefixed = StartLiveTailRequest { log_stream_name_prefixes: Some(vec!["b".to_owned()]), ..<_>::default() };
    for wanted in [named, prefixed] {
        let mut tail = bed.tail(wanted).await;
        tail.next().await.unwrap();
        bed.put("a", &["of a"]).await;
        bed.put("b", &["of b"]).await;
        assert_eq!(messages(&mut tail, 1).await.0, ["of b"]);
    }
}

#[tokio::test]
async fn of_more_events_than_an_update_has_it_is_told_that_some_were_left_out() {
    let bed = Bed::new().await;
    let mut tail = bed.tail(StartLiveTailRequest::default()).await;
    tail.next().await.unwrap();
    bed.put("a", &vec!["x"; UPDATE_EVENTS_MAX + 1]).await;
    let (found, is_sampled) = messages(&mut tail, UPDATE_EVENTS_MAX).await;
    assert_eq!((found.len(), is_sampled), (UPDATE_EVENTS_MAX, true));
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_after_three_hours_and_makes_room() {
    let bed = Bed::new().await;
    let mut tails = Vec::new();
    for _ in 0..SESSIONS_MAX {
        tails.push(bed.tail(StartLiveTailRequest::default()).await);
    }
    let request = StartLiveTailRequest { log_group_identifiers: vec!["g".to_owned()], ..<_>::default() };
    let refused = start_live_tail(&bed.logs, &bed.ctx, request.clone()).await;
    assert!(matches!(refused, Err(Error::SessionsMax(15))));
    let mut tail = tails.pop().unwrap();
    tails.clear();
    let begin = Instant::now();
    loop {
        match tail.next().await.unwrap() {
            Some(Told::SessionTimeoutException(_)) => break,
            Some(_) => {}
            None => panic!("no exception"),
        }
    }
    assert!(begin.elapsed() >= SESSION_MAX);
    assert!(tail.next().await.unwrap().is_none());
    drop(tail);
    start_live_tail(&bed.logs, &bed.ctx, request).await.unwrap();
}

#[tokio::test]
async fn a_session_ends_with_its_group() {
    let bed = Bed::new().await;
    let mut tail = bed.tail(StartLiveTailRequest::default()).await;
    tail.next().await.unwrap();
    let request = DeleteLogGroupRequest { log_group_name: "g".to_owned() };
    delete_log_group(&bed.logs, &bed.ctx, request).await.unwrap();
    crate::reconcile::deletion::reconciler(&bed.logs).round().await.unwrap();
    loop {
        match tail.next().await.unwrap() {
            Some(Told::SessionStreamingException(_)) => break,
            Some(_) => {}
            None => panic!("no exception"),
        }
    }
}
