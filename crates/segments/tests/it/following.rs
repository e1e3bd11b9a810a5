//! Following a group live.

use crate::bed::{Bed, NOW, event, group, messages, options, read_all};

#[test]
fn a_subscriber_receives_what_is_appended_from_then_on_with_the_same_ids() {
    let bed = Bed::new(options(1 << 20));
    let group = group("g");
    bed.append(&group, "s", vec![event(NOW, "before")]);
    let mut subscription = bed.store.subscribe(&group).unwrap();
    assert_eq!(subscription.try_recv(), None);
    bed.append(&group, "s", vec![event(NOW + 2, "b"), event(NOW + 1, "a")]);
    bed.append(&group, "t", vec![event(NOW, "c")]);
    let first = bed.block_on(subscription.recv()).unwrap();
    assert_eq!((first.missed, messages(&first.events)), (0, vec!["a", "b"]));
    let stored = read_all(&bed.store, &group, "s", segments::Direction::Forward);
    assert_eq!(stored[1..], first.events[..]);
    assert_eq!(&*bed.block_on(subscription.recv()).unwrap().events[0].stream, "t");
    bed.store.close();
    assert_eq!(bed.block_on(subscription.recv()), None);
}
