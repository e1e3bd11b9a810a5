//! What the figures say: tables, ratios by name, promises.

use std::collections::BTreeMap;

use super::measure::{Case, Pulls, Results};
use super::session::Who;
use crate::report::{Promise, Report, faint, heading, promise_rows, rounded, say, table, time};
use crate::stats::figure;

/// SPECIFICATION.md, "an image's way to a root": what Pilvi may take of anybody's time.
const SHARE_MAX: f64 = 0.5;
/// What it aims at, which it reaches where it has the processors for itself.
const AIMS: [(Who, f64); 3] = [(Who::Containerd, 0.30), (Who::Podman, 0.22), (Who::SkopeoUmoci, 0.15)];
const CPU_S_MAX: f64 = 4.5;
const LOCAL_MS_MAX: f64 = 50.0;
const MOUNT_MS_MAX: f64 = 3.0;
/// Of the time for all layers, when only one of thirty megabytes is new.
const SECOND_SHARE_MAX: f64 = 0.1;
/// Of compressed layers and unpacked files: the file system rounds each file up.
const DISK_RATIO_MAX: f64 = 1.1;

/// How it was measured, for whoever reads the file.
pub(super) fn method(rounds: usize) -> Vec<String> {
    let mut method: Vec<String> = [
        "One image of six layers with 20,000 generated files, which compress about as real ones do; compressed by gzip at \
         level 6 and by zstd at level 3. All pull it from the same docker-registry over loopback and plain HTTP.",
        "Time: from the start of the command to its end, when the root's files are there, not mounted and not waited for to \
         be on the disk, by nobody. Dirty pages are written before each pull. Each store is empty, on a new ext4 of its \
         own on a loop device.",
        "Processor time: of the command and all it starts, and of its server (Pilvi's server and node, containerd), as the \
         kernel counts it. The registry that is pulled from is not counted.",
        "Pilvi: `pilvi pull`. containerd: `ctr images pull`, overlayfs, without its Kubernetes part. podman: `podman pull`, \
         overlay. skopeo and umoci: `skopeo copy` into an OCI layout, then `umoci unpack`; Debian's umoci does not know zstd.",
        "In the first round each root is mounted and its files and bytes are counted: they are the image's.",
        "Own registry: the image is pushed to Pilvi's; its node unpacks in the background; when `pilvi images` lists it, \
         `pilvi pull` is timed.",
    ]
    .map(str::to_owned)
    .into();
    method.push(format!(
        "{rounds} rounds in which all take turns; figures are medians, shares those of the rounds' own."
    ));
    method
}

/// Ratios by name, for the baseline: all of them are better when they are larger.
pub(super) fn ratios(results: &Results) -> BTreeMap<String, f64> {
    let mut ratios = BTreeMap::new();
    for pulls in results.pulls.iter().filter(|pulls| pulls.who != Who::Pilvi) {
        let name = format!("{}/{}", pulls.case.name(), pulls.who.name()).replace(", ", "-").replace(' ', "-");
        let shares = [("time", pulls.pilvi_time_share), ("cpu", pulls.pilvi_cpu_share)];
        ratios.extend(shares.into_iter().filter_map(|(of, share)| Some((format!("{name}/{of}"), 1.0 / share?))));
    }
    ratios
}

/// The promises that this benchmark keeps an eye on.
pub(super) fn promises(results: &Results) -> Vec<Promise> {
    let find = |case, who| results.pulls.iter().find(|pulls| (pulls.case, pulls.who) == (case, who));
    let mut promises = Vec::new();
    for (who, aim) in AIMS {
        let what = format!("into an empty store, gzip: time beside {}", who.name());
        let Some(share) = find(Case::Gzip, who).and_then(|pulls| pulls.pilvi_time_share) else { continue };
        promises.extend([Promise::share(what.clone(), SHARE_MAX, share), Promise::share(what, aim, share).aimed()]);
    }
    if let (Some(first), Some(second)) = (find(Case::Gzip, Who::Pilvi), find(Case::Second, Who::Pilvi)) {
        promises.push(Promise::at_most("into an empty store, gzip: processor time", CPU_S_MAX, first.cost.cpu_s, "s"));
        let share = second.cost.seconds / first.cost.seconds;
        promises.push(Promise::share("5 of 6 layers there: time beside all six", SECOND_SHARE_MAX, share).aimed());
    }
    if let Some(local) = &results.local {
        let pulled = local.prepared_pull.p50_us / 1e3;
        promises.push(Promise::at_most("from the own registry, prepared, p50", LOCAL_MS_MAX, pulled, "ms"));
        promises.push(Promise::at_most("root mounted, p50", MOUNT_MS_MAX, local.mount.p50_us / 1e3, "ms"));
    }
    if let Some(disk) = results.disk.iter().find(|disk| disk.who == Who::Pilvi) {
        let what = "disk beside layers and files";
        promises.push(Promise::share(what, DISK_RATIO_MAX, disk.ratio).aimed());
    }
    promises
}

/// The tables.
pub(super) fn results(report: &Report<Results>) {
    let results = report.results();
    let image = &results.image;
    heading("to a ready root");
    let megabytes = |bytes: u64| rounded(figure(bytes) / 1e6);
    say(&format!(
        "{} layers, {} MB gzip, {} MB zstd, {} MB in {} files",
        image.layers,
        megabytes(image.gzip_bytes),
        megabytes(image.zstd_bytes),
        megabytes(image.unpacked_bytes),
        image.content.files
    ));
    print!("{}", table(&pull_rows(&results.pulls), 2));
    if let Some(local) = &results.local {
        heading("from the own registry");
        say(&format!("pushed in {}, prepared {} later", time(local.push_s * 1e6), time(local.prepared_s * 1e6)));
        say(&format!("pulled in {} (p50)", time(local.prepared_pull.p50_us)));
        let second = time(local.second_s * 1e6);
        say(&format!("an image with one new layer: pushed, prepared and pulled in {second}"));
        say(&format!("root mounted in {} (p50)", time(local.mount.p50_us)));
    }
    heading("disk");
    for disk in &results.disk {
        let (who, bytes, ratio) = (disk.who.name(), megabytes(disk.bytes), rounded(disk.ratio));
        say(&format!("{who:<14} {bytes} MB, {ratio} × layers and files"));
    }
    heading("promises");
    print!("{}", table(&promise_rows(report.promises()), 4));
}

fn pull_rows(pulls: &[Pulls]) -> Vec<[String; 6]> {
    let mut rows = vec![["", "", "time", "CPU", "Pilvi's share of time", "of CPU"].map(faint)];
    let mut shown = None;
    for of in pulls {
        let case = if shown == Some(of.case) { String::new() } else { of.case.name().to_owned() };
        shown = Some(of.case);
        let share = |share: Option<f64>| match (of.who, share) {
            (Who::Pilvi, _) | (_, None) => String::new(),
            (_, Some(share)) => rounded(share),
        };
        let (seconds, cpu) = (time(of.cost.seconds * 1e6), time(of.cost.cpu_s * 1e6));
        let shares = (share(of.pilvi_time_share), share(of.pilvi_cpu_share));
        rows.push([case, of.who.name().to_owned(), seconds, cpu, shares.0, shares.1]);
    }
    rows
}
