//! The CPU and memory of a task, as texts: `256`, `.25 vCPU`, `512`, `0.5 GB`.

/// CPU units in a vCPU.
const UNITS_PER_VCPU: f64 = 1024.0;
/// MiB in a GB, as ECS counts.
const MIB_PER_GB: f64 = 1024.0;

/// CPU units of a task's `cpu`; none if it is no size.
pub(crate) fn cpu_units(text: &str) -> Option<i64> {
    read(text, &[("vcpu", UNITS_PER_VCPU)])
}

/// MiB of a task's `memory`; none if it is no size.
pub(crate) fn memory_mib(text: &str) -> Option<i64> {
    read(text, &[("gb", MIB_PER_GB), ("mb", 1.0)])
}

/// A positive whole number of units; with a unit's name behind it, in any case, a decimal number of those.
fn read(text: &str, units: &[(&str, f64)]) -> Option<i64> {
    let text = text.trim().to_ascii_lowercase();
    for (unit, factor) in units {
        if let Some(number) = text.strip_suffix(unit) {
            let number = number.trim_end();
            let is_decimal = number.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !number.is_empty();
            return whole(number.parse::<f64>().ok().filter(|_| is_decimal)? * factor);
        }
    }
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<i64>().ok()).flatten().filter(|it| in_bounds(*it))
}

fn whole(number: f64) -> Option<i64> {
    // The cast is exact: the number is whole and below 2³¹.
    (number.fract() == 0.0 && number <= f64::from(i32::MAX)).then_some(number as i64).filter(|it| in_bounds(*it))
}

fn in_bounds(number: i64) -> bool {
    (1..=i64::from(i32::MAX)).contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_of_units_or_has_its_unit_behind_it() {
        for (text, units) in
            [("256", 256), ("1 vCPU", 1024), (".25 vcpu", 256), ("0.25vCPU", 256), (" 1024 ", 1024), ("4 VCPU", 4096)]
        {
            assert_eq!(cpu_units(text), Some(units), "{text}");
        }
        for (text, mib) in [("512", 512), ("0.5 GB", 512), ("2GB", 2048), ("30 gb", 30720), ("1.5GB", 1536)] {
            assert_eq!(memory_mib(text), Some(mib), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in
            ["", "bad", "-256", "0", "1.5", "vCPU", "0.0001 vCPU", "1e9 vCPU", "inf vCPU", "99999999999", "1 GB"]
        {
            assert_eq!(cpu_units(text), None, "{text}");
        }
        for text in ["", "GB", "1 TB", "+1", "0.3333 GB", "nan gb", ". GB"] {
            assert_eq!(memory_mib(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,20}") {
            let _ = (cpu_units(&text), memory_mib(&text));
        }
    }
}
