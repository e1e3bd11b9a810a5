//! The archives of layers, unpacked into a directory of its own: nothing beside it may change.

#![no_main]

use std::io::{self, Cursor, Read};
use std::path::PathBuf;
use std::sync::OnceLock;

use images::{Algorithm, BlobSource, Descriptor, DiffId, Digest, Image, Layer, Limits, Options, Platform, Run, Store};
use libfuzzer_sys::fuzz_target;

const BLOCK: usize = 512;
/// Where a header's checksum is, and where its magic.
const CHECKSUM: std::ops::Range<usize> = 148..156;
const MAGIC: std::ops::Range<usize> = 257..262;
const OUTSIDE: &str = "what lies outside";

/// A store, and something beside it that no layer may reach.
struct Bed {
    store: Store,
    outside: PathBuf,
}

/// One blob.
struct Blob(Vec<u8>);

impl BlobSource for Blob {
    fn open(&self, _: &Descriptor) -> io::Result<Option<Box<dyn Read + Send>>> {
        Ok(Some(Box::new(Cursor::new(self.0.clone()))))
    }
}

fn bed() -> &'static Bed {
    static BED: OnceLock<Bed> = OnceLock::new();
    BED.get_or_init(|| {
        // In memory, where nothing waits for a disk.
        let memory = PathBuf::from("/dev/shm");
        let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let directory = base.join(format!("fuzz-layers-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("the temporary directory can be written to");
        let outside = directory.join("outside");
        std::fs::write(&outside, OUTSIDE).expect("the temporary directory can be written to");
        let limits =
            Limits { archive_bytes_max: 1 << 20, entries_max: 1000, file_bytes_max: 1 << 20, ..Limits::default() };
        let store = Store::open(&directory.join("store"), Options { limits, ..Options::default() });
        Bed { store: store.expect("an empty directory becomes a store"), outside }
    })
}

/// Makes the checksums of headers right: no fuzzer guesses them.
fn with_checksums(data: &[u8]) -> Vec<u8> {
    let mut archive = data.to_vec();
    for block in archive.chunks_exact_mut(BLOCK) {
        if &block[MAGIC] == b"ustar" {
            block[CHECKSUM].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    archive
}

fuzz_target!(|data: &[u8]| {
    let Bed { store, outside } = bed();
    let archive = with_checksums(data);
    let digest = Digest::of(Algorithm::Sha256, &archive);
    let media_type = "application/vnd.oci.image.layer.v1.tar".to_owned();
    let blob = Descriptor { media_type, digest, size: archive.len() as u64, platform: None };
    let layers = vec![Layer { blob, diff_id: DiffId::from(digest) }];
    let platform = Platform::linux("amd64", None);
    let image = Image { manifest: digest, config: digest, platform, run: Run::default(), layers };
    drop(store.prepare(&image, &Blob(archive), &()));
    store.collect().expect("what was unpacked can be removed");
    let found = std::fs::read_to_string(outside).expect("what lies outside is still there");
    assert_eq!(found, OUTSIDE);
});
