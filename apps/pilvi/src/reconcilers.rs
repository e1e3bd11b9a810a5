//! What the server tells of its reconcilers without being asked who asks: names, counts, times and outcomes. What they did
//! and why they failed names what is stored; it is in the log only.

use std::fmt;

use base::Timestamp;
use platform::reconciler::{self, RoundOutcome};
use platform::{ReconcilerStatus, Reconcilers};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use serde::{Deserialize, Serialize};

/// The route below `/_pilvi/`.
pub(crate) const ROUTE: &str = "reconcilers";

/// What the route answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Listed {
    /// In the order in which they were started.
    pub(crate) reconcilers: Vec<Summary>,
}

/// One reconciler. Times are RFC 3339.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    /// Its name, which the program gives it.
    pub(crate) name: String,
    /// Rounds that have ended since the server started.
    pub(crate) rounds: u64,
    /// How many of them failed.
    pub(crate) failures: u64,
    /// How many failed since the last one that did not.
    pub(crate) failures_in_row: u32,
    /// Since when a round has been going on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) running_since: Option<String>,
    /// The last round that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<LastRound>,
    /// When the next round begins, if nothing wakes it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next_due: Option<String>,
}

/// A round that ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LastRound {
    /// How.
    pub(crate) outcome: Outcome,
    /// When.
    pub(crate) finished: String,
    /// How long it took.
    pub(crate) seconds: f64,
}

/// How a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outcome {
    /// Everything was as it should be.
    Idle,
    /// It changed something.
    Changed,
    /// It failed.
    Failed,
}

impl Listed {
    /// What is to be told now.
    pub(crate) fn of(reconcilers: &Reconcilers) -> Self {
        Self { reconcilers: reconcilers.list().iter().map(Summary::of).collect() }
    }
}

impl Summary {
    fn of(status: &ReconcilerStatus) -> Self {
        let time = |time: &Option<Timestamp>| time.map(|time| time.iso8601());
        Self {
            name: status.name.clone(),
            rounds: status.rounds,
            failures: status.failures,
            failures_in_row: status.failures_in_row,
            running_since: time(&status.running_since),
            last: status.last.as_ref().map(LastRound::of),
            next_due: time(&status.next_due),
        }
    }
}

impl LastRound {
    fn of(round: &reconciler::LastRound) -> Self {
        let outcome = match round.outcome {
            RoundOutcome::Done { changes: 0, .. } => Outcome::Idle,
            RoundOutcome::Done { .. } => Outcome::Changed,
            RoundOutcome::Failed { .. } => Outcome::Failed,
        };
        let seconds = round.finished.since(round.started).as_secs_f64();
        Self { outcome, finished: round.finished.iso8601(), seconds }
    }
}

/// The same for Prometheus.
#[derive(Debug)]
pub(crate) struct ReconcilerMetrics(pub(crate) Reconcilers);

impl Collector for ReconcilerMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let all = Listed::of(&self.0).reconcilers;
        let label = |one: &Summary| [("reconciler", one.name.clone())];
        for (name, help, count) in [
            ("pilvi_reconciler_rounds", "Rounds that ended", (|one| one.rounds) as fn(&Summary) -> u64),
            ("pilvi_reconciler_failures", "Rounds that failed", |one| one.failures),
        ] {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for one in &all {
                ConstCounter::new(count(one)).encode(family.encode_family(&label(one))?)?;
            }
        }
        let help = "Whether the last round failed";
        let mut family = encoder.encode_descriptor("pilvi_reconciler_failing", help, None, MetricType::Gauge)?;
        for one in &all {
            ConstGauge::new(u64::from(one.failures_in_row > 0)).encode(family.encode_family(&label(one))?)?;
        }
        let (name, help) = ("pilvi_reconciler_last_round", "How long the last round took");
        let mut family = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Gauge)?;
        for (one, last) in all.iter().filter_map(|one| Some((one, one.last.as_ref()?))) {
            ConstGauge::new(last.seconds).encode(family.encode_family(&label(one))?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use platform::{BoxFuture, Cause, Platform, Reconciler, Round, Wake};
    use prometheus_client::registry::Registry;

    use super::*;

    /// One that fails with a text that nobody may read here, or changes something.
    struct Telling {
        name: &'static str,
        fails: bool,
    }

    pub(crate) const PRIVATE: &str = "my-secret-log-group";

    impl Reconciler for Telling {
        fn name(&self) -> &str {
            self.name
        }

        fn wakes(&self) -> Vec<Wake> {
            Vec::new()
        }

        fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
            let fails = self.fails;
            Box::pin(async move { if fails { Err(PRIVATE.into()) } else { Ok(Round::did(1, PRIVATE)) } })
        }
    }

    /// Two reconcilers that have had a round: `test/fails` and `test/works`.
    pub(crate) async fn two() -> Reconcilers {
        let reconcilers = Reconcilers::new(&Platform::in_memory());
        for (name, fails) in [("test/fails", true), ("test/works", false)] {
            reconcilers.start(Arc::new(Telling { name, fails }));
        }
        while reconcilers.list().iter().any(|status| status.rounds == 0) {
            tokio::task::yield_now().await;
        }
        reconcilers
    }

    #[tokio::test]
    async fn outcomes_are_told_and_their_texts_are_not() {
        let reconcilers = two().await;
        let listed = Listed::of(&reconcilers);
        let outcomes: Vec<_> = listed.reconcilers.iter().map(|one| one.last.as_ref().unwrap().outcome).collect();
        assert_eq!(outcomes, [Outcome::Failed, Outcome::Changed]);
        let json = serde_json::to_string(&listed).unwrap();
        assert!(!json.contains(PRIVATE), "{json}");
        assert_eq!(serde_json::from_str::<Listed>(&json).unwrap(), listed);

        let mut registry = Registry::default();
        registry.register_collector(Box::new(ReconcilerMetrics(reconcilers)));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for expected in [
            "pilvi_reconciler_rounds_total{reconciler=\"test/works\"} 1",
            "pilvi_reconciler_failures_total{reconciler=\"test/works\"} 0",
            "pilvi_reconciler_failing{reconciler=\"test/fails\"} 1",
            "pilvi_reconciler_failing{reconciler=\"test/works\"} 0",
            "pilvi_reconciler_last_round_seconds{reconciler=\"test/works\"} ",
        ] {
            assert!(text.contains(expected), "{expected} is not in {text}");
        }
        assert!(!text.contains(PRIVATE), "{text}");
    }
}
