//! What the figures say: tables, ratios by name, promises.

use std::collections::BTreeMap;

use super::moves::{self, Shape, Way};
use super::rates::{self, What};
use super::{Plan, Results, Who};
use crate::oci::registry::CONNECTIONS;
use crate::report::{Promise, Report, faint, heading, promise_rows, rounded, say, table, time};

/// SPECIFICATION.md, "a registry's processor time".
const CPU_SHARE_MAX: f64 = 0.3;
/// Of a large push most is what both pay for alike: the kernel's copies, and writing. Of a large pull all is.
const LARGE_PUSH_CPU_SHARE_MAX: f64 = 0.7;
const LARGE_PULL_CPU_SHARE_MAX: f64 = 0.7;
/// SPECIFICATION.md, "manifests read".
const MANIFESTS_MIN: f64 = 10.0;
/// For one caller alone most is the way there and back, which is the same for both.
const MANIFESTS_ALONE_MIN: f64 = 5.0;

/// How it was measured, for whoever reads the file.
pub(super) fn method(plan: Plan) -> Vec<String> {
    let mut method: Vec<String> = [
        "Layers of bytes that cannot be compressed and have no meaning, none like another in any round, so that nothing is \
         unpacked and nothing is there already. One image of 5 large layers; images of 100 layers of 64 KiB.",
        "A push is, for each blob, a look whether it is there, an upload begun, one PATCH with all of it and its end; then \
         the manifest. A pull is the manifest and each blob, counted and dropped; the first round's are pulled once more, \
         and hashed.",
        "The client is a program of this benchmark, the same for both, over loopback and plain HTTP. docker-registry has \
         Debian's own configuration but without a log of requests and without passwords: it lets everyone in. Pilvi \
         verifies a token with each request, looks the caller's rights up, and records each pull.",
        "Processor time: of all processes of the server (user and system), as the kernel counts it. Peak memory: VmHWM of \
         all its processes, added up. Dirty pages are written to the disk before each measurement begins.",
    ]
    .map(str::to_owned)
    .into();
    method.push(format!(
        "{} rounds, the two in turn; large layers of {} MB over {CONNECTIONS} connections; {} images of small layers one after \
         the other; each kind of small request for {} s by 1 and by 32 callers. Figures are medians over the rounds, ratios \
         of the rounds' own.",
        plan.rounds,
        plan.large_bytes / 1_000_000,
        plan.small_images,
        plan.time.as_secs_f64()
    ));
    method
}

/// Ratios by name, for the baseline: all of them are better when they are larger.
pub(super) fn ratios(results: &Results) -> BTreeMap<String, f64> {
    let mut ratios = BTreeMap::new();
    for moved in &results.moves {
        let name = format!("{}/{}", way(moved.way), shape(moved.shape));
        ratios.insert(format!("{name}/cpu"), 1.0 / moved.cpu_share);
        ratios.insert(format!("{name}/speed"), moved.speed);
    }
    for rate in &results.rates {
        let name = format!("{}/{}", rate.what.name().replace(' ', "-"), rate.callers);
        ratios.insert(format!("{name}/per_second"), rate.ratio);
        ratios.insert(format!("{name}/cpu"), rate.cpu_ratio);
    }
    ratios
}

/// The promises that this benchmark keeps an eye on.
pub(super) fn promises(results: &Results) -> Vec<Promise> {
    let shares = results.moves.iter().flat_map(|moved| {
        let what = format!("{}, {}: processor time beside docker-registry", way(moved.way), layers(moved));
        let share = |limit| Promise::share(what.clone(), limit, moved.cpu_share);
        match (moved.shape, moved.way) {
            (Shape::Large, Way::Push) => vec![share(LARGE_PUSH_CPU_SHARE_MAX), share(CPU_SHARE_MAX).aimed()],
            (Shape::Large, Way::Pull) => vec![share(LARGE_PULL_CPU_SHARE_MAX), share(CPU_SHARE_MAX).aimed()],
            _ => vec![share(CPU_SHARE_MAX)],
        }
    });
    let manifests = results.rates.iter().filter(|rate| rate.what == What::ManifestByTag).flat_map(|rate| {
        let what = format!("manifests read by {}, /s beside docker-registry", callers(rate.callers));
        let ratio = |limit| Promise::ratio(what.clone(), limit, rate.ratio);
        match rate.callers {
            1 => vec![ratio(MANIFESTS_ALONE_MIN), ratio(MANIFESTS_MIN).aimed()],
            _ => vec![ratio(MANIFESTS_MIN)],
        }
    });
    shares.chain(manifests).collect()
}

/// The tables.
pub(super) fn results(report: &Report<Results>) {
    let results = report.results();
    heading("an image in and out");
    print!("{}", table(&move_rows(results), 3));
    heading("small answers");
    print!("{}", table(&rate_rows(results), 3));
    heading("memory");
    for (when, peaks) in [("images in and out", &results.peak_mib_of_moves), ("everything", &results.peak_mib)] {
        let [pilvi, other] = [peaks.pilvi, peaks.docker_registry].map(rounded);
        say(&format!("peak RSS after {when}: Pilvi {pilvi} MiB, docker-registry {other} MiB"));
    }
    heading("promises");
    print!("{}", table(&promise_rows(report.promises()), 4));
}

fn move_rows(results: &Results) -> Vec<[String; 8]> {
    let mut rows = vec![["", "layers", "", "time", "MB/s", "CPU", "CPU share", "speed"].map(faint)];
    for moved in &results.moves {
        let mut head = [way(moved.way).to_owned(), layers(moved)];
        for who in Who::ALL {
            let [way, layers] = std::mem::take(&mut head);
            let cost = moved.of.of(who);
            let (share, speed) = match who {
                Who::Pilvi => (rounded(moved.cpu_share), format!("{} ×", rounded(moved.speed))),
                Who::DockerRegistry => Default::default(),
            };
            let (seconds, cpu) = (time(cost.seconds * 1e6), time(cost.cpu_s * 1e6));
            let rate = rounded(cost.megabytes_per_second);
            rows.push([way, layers, who.name().to_owned(), seconds, rate, cpu, share, speed]);
        }
    }
    rows
}

fn rate_rows(results: &Results) -> Vec<[String; 9]> {
    let mut rows = vec![["", "callers", "", "p50", "p99", "answers/s", "CPU", "ratio", "CPU ratio"].map(faint)];
    for rates::Figures { what, callers, of, ratio, cpu_ratio } in &results.rates {
        let mut head = [what.name().to_owned(), callers.to_string()];
        for who in Who::ALL {
            let [what, callers] = std::mem::take(&mut head);
            let rate = of.of(who);
            let (ratio, cpu_ratio) = match who {
                Who::Pilvi => (format!("{} ×", rounded(*ratio)), format!("{} ×", rounded(*cpu_ratio))),
                Who::DockerRegistry => Default::default(),
            };
            let (p50, p99, cpu) = (time(rate.latency.p50_us), time(rate.latency.p99_us), time(rate.cpu_us));
            let name = who.name().to_owned();
            rows.push([what, callers, name, p50, p99, rounded(rate.per_second), cpu, ratio, cpu_ratio]);
        }
    }
    rows
}

fn layers(moved: &moves::Figures) -> String {
    match moved.shape {
        Shape::Large => format!("{} × {} MB", moved.layers, moved.layer_bytes / 1_000_000),
        Shape::Small => format!("{} × {} KiB", moved.layers, moved.layer_bytes / 1024),
    }
}

const fn way(way: Way) -> &'static str {
    match way {
        Way::Push => "push",
        Way::Pull => "pull",
    }
}

const fn shape(shape: Shape) -> &'static str {
    match shape {
        Shape::Large => "large",
        Shape::Small => "small",
    }
}

fn callers(count: usize) -> String {
    if count == 1 { "1 caller".to_owned() } else { format!("{count} callers") }
}
