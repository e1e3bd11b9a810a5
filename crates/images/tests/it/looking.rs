//! What is said of an image before it is unpacked.

use images::Error;

use crate::archive::{Archive, directory, file, symlink};
use crate::bed::{Bed, image};

#[test]
fn paths_are_found_in_whichever_layer_they_are_unless_a_higher_one_hides_them() {
    let bed = Bed::new();
    let lower = [directory("usr/"), file("./usr/one", "1"), file("usr/two", "2"), file("gone/deep/three", "3")];
    let upper = [file("usr/.wh.two", ""), file(".wh.gone", ""), symlink("bin", "usr/one")];
    let layers = [&lower[..], &upper[..]].map(|members| bed.layer(&Archive::of(members.to_vec()).end()));
    let image = image(layers.to_vec());
    let found = image.has(&bed.source, &["usr/one", "usr/two", "gone/deep/three", "bin", "nowhere"]).unwrap();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["bin", "usr/one"]);
}

#[test]
fn a_layer_that_is_another_than_was_said_is_refused() {
    let bed = Bed::new();
    let layer = bed.layer(&Archive::of([file("one", "1")]).end());
    bed.source.replace(layer.blob.digest, bed_bytes(&bed));
    let refused = image(vec![layer]).has(&bed.source, &["one"]).unwrap_err();
    assert!(matches!(refused, Error::Mismatch { .. } | Error::Layer { .. }), "{refused:?}");
}

/// The blob of another layer.
fn bed_bytes(bed: &Bed) -> Vec<u8> {
    use images::BlobSource;
    use std::io::Read;

    let other = bed.layer(&Archive::of([file("two", "2")]).end());
    let mut bytes = Vec::new();
    bed.source.open(&other.blob).unwrap().unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}
