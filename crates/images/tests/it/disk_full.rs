//! What a full disk does.

use std::process::Command;

use images::{Error, Layer, Options, Reference, Store};
use tempfile::TempDir;

use crate::archive::{Archive, file};
use crate::bed::{Bed, image, names};

#[test]
fn a_full_disk_is_told_leaves_nothing_half_and_is_over_when_there_is_room() {
    let mount_point = TempDir::new().unwrap();
    let options = "size=4m,nr_inodes=400";
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(mount_point.path()).output();
    match mounted {
        Ok(output) if output.status.success() => {}
        other => return eprintln!("skipped: no small file system can be mounted here: {other:?}"),
    }
    let outcome = std::panic::catch_unwind(|| fill(mount_point.path()));
    Command::new("umount").arg("--lazy").arg(mount_point.path()).status().unwrap();
    outcome.unwrap();
}

fn fill(mount_point: &std::path::Path) {
    let bed = Bed::new();
    let store = Store::open(&mount_point.join("store"), Options::default()).unwrap();
    let prepare = |layer: &Layer| store.prepare(&image(vec![layer.clone()]), &bed.source, &());
    let noise: Vec<u8> = (0..1_500_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let small = bed.layer(&Archive::of([file("a", "x")]).end());
    let too_many_bytes = bed.layer(&Archive::of([file("before", "x"), file("noise", &noise)]).end());
    let too_many_files = bed.layer(&Archive::of((0..500).map(|n| file(format!("f{n}"), ""))).end());
    let kept = prepare(&small).unwrap();
    for layer in [&too_many_bytes, &too_many_files] {
        let refused = prepare(layer);
        assert!(matches!(refused, Err(Error::Full)), "{refused:?}");
        assert_eq!(names(&mount_point.join("store/staging")), [""; 0]);
    }
    // Several layers at a time, of which none can be finished.
    let both = store.prepare(&image(vec![too_many_bytes, too_many_files]), &bed.source, &());
    assert!(matches!(both, Err(Error::Full)), "{both:?}");
    let most = bed.layer(&Archive::of([file("most", &noise[..3_900_000])]).end());
    let filled = prepare(&most).unwrap();
    std::fs::write(mount_point.join("rest"), vec![1; 1_000_000]).unwrap_err();
    let reference: Reference = "app".parse().unwrap();
    let refused = store.record(&reference, &image(vec![small.clone()]), &kept);
    assert!(matches!(refused, Err(Error::Full)), "{refused:?}");
    assert!(store.image(&reference).is_none());
    drop(filled);
    std::fs::remove_file(mount_point.join("rest")).unwrap();
    store.collect().unwrap();
    assert_eq!(names(&mount_point.join("store/staging")), [""; 0]);
    store.record(&reference, &image(vec![small]), &kept).unwrap();
    assert_eq!(store.usage().layers, 1);
}
