//! What the server says about itself, below `/_pilvi/`: no AWS service has such a path.
//!
//! They are unsigned, as monitors expect them, and tell nothing of what is stored.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base::{Clock, SystemClock, Timestamp};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use platform::Reconcilers;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::reconcilers::{self, Listed, ReconcilerMetrics};

/// Everything of the server's own is below this.
pub(crate) const PREFIX: &str = "/_pilvi/";

/// Answers for the server itself.
#[derive(Debug)]
pub(crate) struct OwnRoutes {
    ready: AtomicBool,
    started: Timestamp,
    registry: Registry,
    reconcilers: Reconcilers,
}

impl OwnRoutes {
    /// Answers that begin as "not ready". The registry holds what the parts of the server measure; the figures of the
    /// process and of its reconcilers are added here.
    pub(crate) fn new(started: Timestamp, mut registry: Registry, reconcilers: Reconcilers) -> Self {
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("pilvi_build", "The running program", build);
        registry.register_collector(Box::new(Process { started }));
        registry.register_collector(Box::new(ReconcilerMetrics(reconcilers.clone())));
        Self { ready: AtomicBool::new(false), started, registry, reconcilers }
    }

    /// Whether requests are served: set once everything is built, taken back when the server drains.
    pub(crate) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// The answer to a request below `/_pilvi/`; `None` for every other path.
    pub(crate) fn answer(&self, method: &Method, path: &str) -> Option<Response<Full<Bytes>>> {
        let route = path.strip_prefix(PREFIX)?;
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "GET is expected\n".to_owned());
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Some(response);
        }
        Some(match route {
            "health" => self.health(),
            "ready" if self.ready.load(Ordering::Acquire) => text(StatusCode::OK, "ready\n".to_owned()),
            "ready" => text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n".to_owned()),
            "metrics" => self.metrics(),
            reconcilers::ROUTE => self.reconcilers(),
            _ => text(StatusCode::NOT_FOUND, "health, ready, metrics and reconcilers are here\n".to_owned()),
        })
    }

    fn health(&self) -> Response<Full<Bytes>> {
        let ready = self.ready.load(Ordering::Acquire);
        let body = serde_json::json!({
            "status": if ready { "ok" } else { "draining" },
            "version": env!("CARGO_PKG_VERSION"),
            "uptimeSeconds": SystemClock.now().since(self.started).as_secs(),
        });
        response(StatusCode::OK, "application/json", format!("{body}\n"))
    }

    fn reconcilers(&self) -> Response<Full<Bytes>> {
        match serde_json::to_string(&Listed::of(&self.reconcilers)) {
            Ok(body) => response(StatusCode::OK, "application/json", format!("{body}\n")),
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the list cannot be written\n".to_owned()),
        }
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        let mut body = String::new();
        match prometheus_client::encoding::text::encode(&mut body, &self.registry) {
            Ok(()) => response(StatusCode::OK, OPEN_METRICS, body),
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n".to_owned()),
        }
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    response(status, "text/plain; charset=utf-8", body)
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The process's figures, read from `/proc` when they are asked for, under the names that Prometheus's own clients use.
#[derive(Debug)]
struct Process {
    started: Timestamp,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut gauge = |name: &str, help: &str, unit: Option<&Unit>, value: f64| {
            let metric = ConstGauge::new(value);
            metric.encode(encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?)
        };
        let started = self.started.as_millis() as f64 / 1e3;
        gauge("process_start_time", "When the server began", Some(&Unit::Seconds), started)?;
        if let Some(bytes) = resident_bytes() {
            gauge("process_resident_memory", "Memory in use", Some(&Unit::Bytes), bytes as f64)?;
        }
        if let Some(open) = open_descriptors() {
            gauge("process_open_fds", "Open descriptors", None, open as f64)?;
        }
        let seconds = cpu_time().as_secs_f64();
        let descriptor = ("process_cpu", "Processor time used", Some(&Unit::Seconds));
        let metric = ConstCounter::new(seconds);
        metric.encode(encoder.encode_descriptor(descriptor.0, descriptor.1, descriptor.2, MetricType::Counter)?)
    }
}

fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * u64::try_from(rustix::param::page_size()).ok()?)
}

fn open_descriptors() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count())
}

fn cpu_time() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(used.tv_sec.unsigned_abs(), u32::try_from(used.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> OwnRoutes {
        let reconcilers = Reconcilers::new(&platform::Platform::in_memory());
        OwnRoutes::new(SystemClock.now(), Registry::default(), reconcilers)
    }

    async fn body(own: &OwnRoutes, path: &str) -> String {
        use http_body_util::BodyExt;
        let response = own.answer(&Method::GET, path).unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    fn get(own: &OwnRoutes, path: &str) -> StatusCode {
        own.answer(&Method::GET, path).unwrap().status()
    }

    #[test]
    fn readiness_follows_the_server() {
        let own = own();
        assert_eq!(get(&own, "/_pilvi/ready"), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(get(&own, "/_pilvi/health"), StatusCode::OK);
        own.set_ready(true);
        assert_eq!(get(&own, "/_pilvi/ready"), StatusCode::OK);
    }

    #[test]
    fn other_paths_are_left_to_the_services() {
        let own = own();
        assert!(own.answer(&Method::GET, "/").is_none());
        assert!(own.answer(&Method::GET, "/_pilvi").is_none());
        assert_eq!(get(&own, "/_pilvi/secrets"), StatusCode::NOT_FOUND);
        let posted = own.answer(&Method::POST, "/_pilvi/ready").unwrap();
        assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[tokio::test]
    async fn metrics_tell_version_memory_and_processor_time() {
        let body = body(&own(), "/_pilvi/metrics").await;
        let version = format!("pilvi_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
        for expected in
            [&version, "process_resident_memory_bytes ", "process_cpu_seconds_total ", "process_open_fds ", "# EOF"]
        {
            assert!(body.contains(expected), "{body}");
        }
    }
    #[tokio::test]
    async fn reconcilers_are_told_by_name_and_nothing_of_what_they_touched() {
        let own = OwnRoutes::new(SystemClock.now(), Registry::default(), reconcilers::tests::two().await);
        for path in ["/_pilvi/reconcilers", "/_pilvi/metrics"] {
            let body = body(&own, path).await;
            assert!(body.contains("test/fails") && !body.contains(reconcilers::tests::PRIVATE), "{body}");
        }
    }
}
