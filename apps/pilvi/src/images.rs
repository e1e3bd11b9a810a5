//! `pilvi images`, `pilvi image rm` and `pilvi image prune`: which images are here, and letting them go.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use node::supply::{Inventory, Listed, NodeState, Origin, Pruned};
use serde::Serialize;

use crate::control_socket::{Answer, Conversation, ImageRequest};
use crate::locate::running;
use crate::pull::parse_reference;
use crate::settings::Place;
use crate::terminal::{bytes, printable, printable_json, say};

/// How many digits of a digest a person is shown, as docker does.
const DIGEST_DIGITS: usize = 12;

/// Arguments of `pilvi images`.
#[derive(Debug, Args)]
pub(crate) struct ImagesArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// Arguments of `pilvi image`.
#[derive(Debug, Args)]
pub(crate) struct ImageArgs {
    #[command(subcommand)]
    command: ImageCommand,
}

#[derive(Debug, Subcommand)]
enum ImageCommand {
    /// Let images go that were pulled
    ///
    /// What they are made of is removed by `pilvi image prune`, or by itself after a while, unless another image needs it.
    Rm {
        /// The images
        #[arg(value_name = "REFERENCE", required = true)]
        references: Vec<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Remove what no image needs
    ///
    /// Layers that are unpacked, blobs that have been needed by nothing for hours, and downloads that broke off. Images of the registry on this machine are never removed: `aws ecr` does that.
    Prune {
        /// Images that were pulled from elsewhere, too
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        place: Place,
    },
}

/// What a program reads.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    images: Vec<ShownImage>,
    /// Whether there is a node that unpacks images, and answers.
    has_node: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownImage {
    reference: String,
    manifest: String,
    platform: String,
    blob_bytes: u64,
    unpacked_bytes: Option<u64>,
    /// RFC 3339.
    since: String,
    origin: Origin,
}

/// Lists images.
///
/// # Errors
/// When Pilvi does not run or cannot tell.
pub(crate) fn run(args: &ImagesArgs) -> Result<ExitCode> {
    let images = ask(&args.place)?;
    if args.json {
        say(printable_json(&serde_json::to_string_pretty(&shown(&images))?));
    } else {
        table(&images).iter().for_each(|line| say(printable(line)));
    }
    Ok(ExitCode::SUCCESS)
}

/// Changes which images there are.
///
/// # Errors
/// When Pilvi does not run, or there is no such image.
pub(crate) fn change(args: &ImageArgs) -> Result<ExitCode> {
    match &args.command {
        ImageCommand::Rm { references, place } => remove(references, place)?,
        ImageCommand::Prune { all, place } => {
            let running = running(place)?;
            match Conversation::ask(&running.dir, ImageRequest::Prune { all: *all })?.next()? {
                Answer::Pruned(pruned) => say(told(&pruned)),
                _ => bail!("the server answered something else"),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn ask(place: &Place) -> Result<Inventory> {
    let running = running(place)?;
    let mut conversation = Conversation::ask(&running.dir, ImageRequest::List)?;
    let mut images = Vec::new();
    loop {
        match conversation.next()? {
            Answer::Image(image) => images.push(*image),
            Answer::Listed { node } => return Ok(Inventory { images, node }),
            _ => bail!("the server answered something else"),
        }
    }
}

/// Removes all that are named before it tells of those that are not there.
fn remove(references: &[String], place: &Place) -> Result<()> {
    let references = references.iter().map(|text| parse_reference(text)).collect::<Result<Vec<_>>>()?;
    let running = running(place)?;
    let mut missing = Vec::new();
    for reference in references {
        let name = reference.to_string();
        match Conversation::ask(&running.dir, ImageRequest::Remove { reference })?.next()? {
            Answer::Removed(true) => say(name),
            Answer::Removed(false) => missing.push(name),
            _ => bail!("the server answered something else"),
        }
    }
    if !missing.is_empty() {
        bail!("there is no image {}", missing.join(", "));
    }
    Ok(())
}

fn shown(images: &Inventory) -> Shown {
    let image = |image: &Listed| {
        let Listed { reference, manifest, platform, blob_bytes, unpacked_bytes, since, origin } = image;
        ShownImage {
            reference: reference.to_string(),
            manifest: manifest.to_string(),
            platform: platform.to_string(),
            blob_bytes: *blob_bytes,
            unpacked_bytes: *unpacked_bytes,
            since: since.iso8601(),
            origin: *origin,
        }
    };
    Shown { images: images.images.iter().map(image).collect(), has_node: images.node == NodeState::Answers }
}

/// The lines for a person.
fn table(images: &Inventory) -> Vec<String> {
    let mut lines = Vec::new();
    if images.images.is_empty() {
        lines.push(
            "no images yet; `pilvi pull REFERENCE` brings one here, `docker push` to the registry too".to_owned(),
        );
    } else {
        let head = ["REFERENCE", "DIGEST", "PLATFORM", "SIZE", "UNPACKED", "SINCE"].map(str::to_owned);
        let rows: Vec<_> = std::iter::once(head).chain(images.images.iter().map(row)).collect();
        lines.extend(aligned(&rows));
    }
    match &images.node {
        NodeState::Answers => {}
        NodeState::Away { reason } => lines.push(format!("the node does not tell what is unpacked: {reason}")),
        NodeState::Absent => {
            lines.push("nothing is unpacked: without root Pilvi has no node that could do it".to_owned());
        }
    }
    lines
}

fn row(image: &Listed) -> [String; 6] {
    let unpacked = image.unpacked_bytes.map_or_else(|| "no".to_owned(), bytes);
    [
        image.reference.to_string(),
        image.manifest.hex().chars().take(DIGEST_DIGITS).collect(),
        image.platform.to_string(),
        bytes(image.blob_bytes),
        unpacked,
        image.since.iso8601(),
    ]
}

/// Columns as wide as their widest cell.
pub(crate) fn aligned<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> Vec<String> {
    let widest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; COLUMNS] = std::array::from_fn(widest);
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn told(pruned: &Pruned) -> String {
    let count = |number: u64, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
    let removed = format!(
        "removed {}, {} ({}), {} ({})",
        count(pruned.images, "image", "images"),
        count(pruned.layers, "layer", "layers"),
        bytes(pruned.layer_bytes),
        count(pruned.blobs, "blob", "blobs"),
        bytes(pruned.blob_bytes)
    );
    match pruned.young_bytes {
        0 => removed,
        young => format!("{removed}; {} of blobs go by themselves when they are some hours old", bytes(young)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Timestamp;
    use images::Platform;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn listed(reference: &str, unpacked_bytes: Option<u64>) -> Listed {
        Listed {
            reference: reference.parse().unwrap(),
            manifest: DIGEST.parse().unwrap(),
            platform: Platform::linux("amd64", None),
            blob_bytes: 2_220_000,
            unpacked_bytes,
            since: Timestamp::default(),
            origin: Origin::Pulled,
        }
    }

    #[test]
    fn a_person_reads_a_table() {
        let images = Inventory {
            images: vec![listed("busybox", Some(4_500_000)), listed("far.example/a:v1", None)],
            node: NodeState::Answers,
        };
        assert_eq!(
            table(&images),
            [
                "REFERENCE                         DIGEST        PLATFORM     SIZE     UNPACKED  SINCE",
                "docker.io/library/busybox:latest  e3b0c44298fc  linux/amd64  2.22 MB  4.50 MB   1970-01-01T00:00:00Z",
                "far.example/a:v1                  e3b0c44298fc  linux/amd64  2.22 MB  no        1970-01-01T00:00:00Z",
            ]
        );
    }

    #[test]
    fn that_there_is_nothing_or_no_node_is_said() {
        let lines = table(&Inventory { images: Vec::new(), node: NodeState::Absent });
        assert!(lines[0].contains("no images yet") && lines[1].contains("without root"), "{lines:?}");
        let node = NodeState::Away { reason: "it is being started".to_owned() };
        let lines = table(&Inventory { images: vec![listed("busybox", None)], node });
        assert!(lines[2].ends_with("what is unpacked: it is being started"), "{lines:?}");
    }

    #[test]
    fn a_program_reads_what_every_image_is() {
        let images = Inventory { images: vec![listed("busybox", None)], node: NodeState::Answers };
        let json = serde_json::to_value(shown(&images)).unwrap();
        assert_eq!(json["hasNode"], true);
        assert_eq!(json["images"][0]["reference"], "docker.io/library/busybox:latest");
        assert_eq!(json["images"][0]["manifest"], DIGEST);
        assert_eq!(json["images"][0]["origin"], "pulled");
        assert_eq!(json["images"][0]["platform"], "linux/amd64");
        assert_eq!(json["images"][0]["since"], "1970-01-01T00:00:00Z");
        assert!(json["images"][0]["unpackedBytes"].is_null());
    }

    #[test]
    fn what_was_removed_is_counted() {
        let pruned = Pruned { images: 1, layers: 2, layer_bytes: 5_000, ..Pruned::default() };
        assert_eq!(told(&pruned), "removed 1 image, 2 layers (5.00 kB), 0 blobs (0 B)");
        let young = told(&Pruned { blobs: 1, blob_bytes: 7, young_bytes: 51_000_000, ..pruned });
        assert!(young.contains("1 blob (7 B); 51.0 MB of blobs go by themselves"), "{young}");
    }
}
