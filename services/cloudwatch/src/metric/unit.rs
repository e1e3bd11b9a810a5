//! Units, and the numbers under which they are stored.

/// A unit, as a number that never changes its meaning: it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit(u8);

/// In the order of their numbers. New ones are added at the end.
const NAMES: [&str; 27] = [
    "None",
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
];

impl Unit {
    /// What has no unit.
    pub const NONE: Self = Self(0);

    /// The unit of this name.
    pub fn named(name: &str) -> Option<Self> {
        let number = NAMES.iter().position(|it| *it == name)?;
        u8::try_from(number).ok().map(Self)
    }

    /// The unit of this number.
    pub fn numbered(number: u8) -> Option<Self> {
        (usize::from(number) < NAMES.len()).then_some(Self(number))
    }

    /// Its number.
    pub fn number(self) -> u8 {
        self.0
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES[usize::from(self.0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_found_by_its_name_and_by_its_number() {
        for name in NAMES {
            let unit = Unit::named(name).unwrap();
            assert_eq!((unit.name(), Unit::numbered(unit.number())), (name, Some(unit)));
        }
        assert_eq!((Unit::named("count"), Unit::numbered(27)), (None, None));
    }
}
