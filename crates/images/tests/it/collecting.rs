//! What is kept, and what goes.

use std::sync::atomic::{AtomicBool, Ordering};

use images::{Collected, Error, Layer, Options, Reference};

use crate::archive::{Archive, file};
use crate::bed::{Bed, image};

fn layers(bed: &Bed, count: usize) -> Vec<Layer> {
    (0..count).map(|n| bed.layer(&Archive::of([file(format!("f{n}"), "12345")]).end())).collect()
}

#[test]
fn what_nobody_needs_is_removed_and_counted() {
    let bed = Bed::new();
    let layers = layers(&bed, 4);
    let reference: Reference = "app".parse().unwrap();
    let recorded = bed.prepare(layers[..2].to_vec()).unwrap();
    bed.store.record(&reference, &image(layers[..2].to_vec()), &recorded).unwrap();
    drop(recorded);
    let leased = bed.prepare(vec![layers[1].clone(), layers[2].clone()]).unwrap();
    bed.store.lease("task/1", &leased).unwrap();
    drop(leased);
    drop(bed.prepare(vec![layers[3].clone()]).unwrap());
    let usage = bed.store.usage();
    assert_eq!((usage.images, usage.leases, usage.layers), (1, 1, 4));
    assert_eq!((usage.entries, usage.bytes, usage.unneeded_bytes), (4, 20, 5));
    assert_eq!(bed.store.collect().unwrap(), Collected { layers: 1, bytes: 5 });
    assert_eq!(bed.store.collect().unwrap(), Collected::default());
    assert!(bed.store.hold(&[layers[0].diff_id, layers[1].diff_id, layers[2].diff_id]).is_ok());
    bed.store.forget(&reference).unwrap();
    assert_eq!(bed.store.collect().unwrap().layers, 1, "the lease needs one of the two");
    assert!(bed.store.release("task/1").unwrap());
    assert!(!bed.store.release("task/1").unwrap());
    assert_eq!(bed.store.collect().unwrap().layers, 2);
    bed.check_untouched();
    assert_eq!(bed.store.usage().bytes, 0);
}

#[test]
fn whoever_holds_an_image_keeps_it() {
    let bed = Bed::new();
    let layers = layers(&bed, 2);
    let first = bed.prepare(layers.clone()).unwrap();
    let second = bed.store.hold(&[layers[0].diff_id]).unwrap();
    drop(first);
    assert_eq!(bed.store.collect().unwrap().layers, 1);
    assert!(matches!(bed.store.hold(&[layers[1].diff_id]), Err(Error::LayerMissing { .. })));
    assert!(second.paths()[0].join("f0").exists());
    drop(second);
    assert_eq!(bed.store.collect().unwrap().layers, 1);
}

#[test]
fn leases_survive_the_process() {
    let bed = Bed::new();
    let prepared = bed.prepare(layers(&bed, 2)).unwrap();
    bed.store.lease("a/../b\n", &prepared).unwrap();
    let longest = "n".repeat(255);
    bed.store.lease(&longest, &prepared).unwrap();
    for name in ["", &"n".repeat(256)] {
        assert!(matches!(bed.store.lease(name, &prepared), Err(Error::LeaseName)));
    }
    let held = prepared.layers().to_vec();
    drop(prepared);
    let bed = bed.reopened(Options::default());
    let leases = bed.store.leases();
    assert_eq!(leases.iter().map(|lease| lease.name.as_str()).collect::<Vec<_>>(), ["a/../b\n", &longest]);
    assert_eq!(leases[0].layers, held);
    assert_eq!(bed.store.collect().unwrap().layers, 0);
    bed.store.release("a/../b\n").unwrap();
    bed.store.release(&longest).unwrap();
    let bed = bed.reopened(Options::default());
    assert_eq!(bed.store.collect().unwrap().layers, 2);
}

#[test]
fn collecting_takes_nothing_from_those_who_prepare_at_the_same_time() {
    let bed = Bed::new();
    let layers = layers(&bed, 12);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let collector = scope.spawn(|| {
            let mut collected = 0;
            while !done.load(Ordering::Relaxed) {
                collected += bed.store.collect().unwrap().layers;
            }
            collected
        });
        let preparing: Vec<_> = (0..3)
            .map(|thread| {
                let (bed, layers) = (&bed, &layers);
                scope.spawn(move || {
                    for round in 0..40 {
                        let some: Vec<Layer> = (0..4).map(|n| layers[(thread + round + n * 3) % 12].clone()).collect();
                        let prepared = bed.prepare(some).unwrap();
                        assert_eq!(prepared.lower().unwrap().layers.len(), 4);
                        for path in prepared.paths() {
                            assert_eq!(std::fs::read_dir(&path).unwrap().count(), 1, "{path:?}");
                        }
                        bed.store.settle().unwrap();
                    }
                })
            })
            .collect();
        for thread in preparing {
            thread.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        assert!(collector.join().unwrap() > 0);
    });
    bed.store.collect().unwrap();
    bed.check_untouched();
    assert_eq!(bed.store.usage().layers, 0);
}
