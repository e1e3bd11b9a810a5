//! Groups on trees of plain files, which say what would be written; and, as root, real ones.

mod fake;
mod real;

use super::*;

#[test]
fn names_stay_within_a_directory_and_out_of_the_kernels_way() {
    for good in ["a", "0123456789abcdef0123456789abcdef", "web_1", "app.side"] {
        check_name(good).unwrap();
    }
    let long = "a".repeat(NAME_BYTES_MAX + 1);
    for bad in ["", ".", "..", ".sandbox", "a/b", "a b", "tasks", "cgroup.procs", "memory.max", "release_agent", &long]
    {
        assert!(check_name(bad).is_err(), "{bad}");
    }
}
