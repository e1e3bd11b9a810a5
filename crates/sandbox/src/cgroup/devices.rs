//! Which devices the processes of a group may open and make.

use super::bpf::Instruction;

/// The devices that can be used; any other is refused.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceRules {
    /// What is allowed; rules add to each other.
    pub allowed: Vec<DeviceRule>,
}

/// Devices, and what may be done with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceRule {
    /// Character or block devices.
    pub kind: DeviceKind,
    /// The driver's number; any, if none is given.
    pub major: Option<u32>,
    /// The device's number; any, if none is given.
    pub minor: Option<u32>,
    /// Opening it to read.
    pub read: bool,
    /// Opening it to write.
    pub write: bool,
    /// Making a file for it.
    pub mknod: bool,
}

/// The two kinds of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// Bytes, one after the other.
    Character,
    /// Blocks, in any order.
    Block,
}

/// What every container may use, by `(major, minor)`: `null`, `zero`, `full`, `random`, `urandom`, `tty`, `ptmx`, and the
/// terminals of `devpts`. A container's `/dev/console` is one of the latter. The host's, `5:1`, is not for containers.
const USUAL: [(u32, Option<u32>); 8] =
    [(1, Some(3)), (1, Some(5)), (1, Some(7)), (1, Some(8)), (1, Some(9)), (5, Some(0)), (5, Some(2)), (136, None)];

/// The most rules: what a BPF program of 4,096 instructions (the most before Linux 5.2) has room for.
pub const DEVICE_RULES_MAX: usize = 400;

impl DeviceRules {
    /// What the runtime specification's default devices need. Files for any device can be made, and do nothing: opening them
    /// is refused.
    pub fn usual() -> Self {
        let any = |kind| DeviceRule { kind, major: None, minor: None, read: false, write: false, mknod: true };
        let usual = USUAL.into_iter().map(|(major, minor)| DeviceRule {
            kind: DeviceKind::Character,
            major: Some(major),
            minor,
            read: true,
            write: true,
            mknod: true,
        });
        Self { allowed: [any(DeviceKind::Character), any(DeviceKind::Block)].into_iter().chain(usual).collect() }
    }

    /// Every device: for containers that are privileged.
    pub fn everything() -> Self {
        let all = |kind| DeviceRule { kind, major: None, minor: None, read: true, write: true, mknod: true };
        Self { allowed: vec![all(DeviceKind::Character), all(DeviceKind::Block)] }
    }
}

impl DeviceRule {
    /// As `devices.allow` of version 1 takes it.
    pub(super) fn line(&self) -> String {
        let kind = match self.kind {
            DeviceKind::Character => 'c',
            DeviceKind::Block => 'b',
        };
        let number = |number: Option<u32>| number.map_or_else(|| "*".to_owned(), |number| number.to_string());
        let rights: String = [(self.read, 'r'), (self.write, 'w'), (self.mknod, 'm')]
            .into_iter()
            .filter_map(|(given, letter)| given.then_some(letter))
            .collect();
        format!("{kind} {}:{} {rights}", number(self.major), number(self.minor))
    }

    /// Whether it allows nothing.
    pub(super) fn is_empty(&self) -> bool {
        !(self.read || self.write || self.mknod)
    }
}

// `enum` of linux/bpf.h: BPF_DEVCG_DEV_*, BPF_DEVCG_ACC_*.
const DEV_BLOCK: i32 = 1;
const DEV_CHAR: i32 = 2;
const ACC_MKNOD: i32 = 1;
const ACC_READ: i32 = 2;
const ACC_WRITE: i32 = 4;
const ACC_ALL: i32 = ACC_MKNOD | ACC_READ | ACC_WRITE;

/// The program of version 2 that says 1 to what the rules allow and 0 to the rest. The kernel calls it with a
/// `struct bpf_cgroup_dev_ctx { u32 access_type, major, minor }`.
pub(super) fn program(rules: &DeviceRules) -> Vec<Instruction> {
    use Instruction as I;
    const CONTEXT: u8 = 1;
    const KIND: u8 = 2;
    const ACCESS: u8 = 3;
    const MAJOR: u8 = 4;
    const MINOR: u8 = 5;
    const SCRATCH: u8 = 6;

    let mut program = vec![
        I::load_word(KIND, CONTEXT, 0),
        I::copy(ACCESS, KIND),
        I::and(KIND, 0xFFFF),
        I::shift_right(ACCESS, 16),
        I::load_word(MAJOR, CONTEXT, 4),
        I::load_word(MINOR, CONTEXT, 8),
    ];
    for rule in rules.allowed.iter().filter(|rule| !rule.is_empty()) {
        let kind = match rule.kind {
            DeviceKind::Block => DEV_BLOCK,
            DeviceKind::Character => DEV_CHAR,
        };
        let mut tests = vec![(KIND, kind)];
        let access = [(rule.mknod, ACC_MKNOD), (rule.read, ACC_READ), (rule.write, ACC_WRITE)]
            .into_iter()
            .filter(|(given, _)| *given)
            .fold(0, |access, (_, bit)| access | bit);
        let mut prologue = Vec::new();
        if access != ACC_ALL {
            prologue = vec![I::copy(SCRATCH, ACCESS), I::and(SCRATCH, !access)];
            tests.push((SCRATCH, 0));
        }
        // The kernel's numbers have 12 and 20 bits: as signed words they are what they are.
        tests.extend(rule.major.map(|major| (MAJOR, major.cast_signed())));
        tests.extend(rule.minor.map(|minor| (MINOR, minor.cast_signed())));
        program.extend(prologue);
        let count = tests.len();
        for (index, (register, value)) in tests.into_iter().enumerate() {
            // To the next rule: over the tests that are left and the two instructions that say yes. At most 7.
            let over = i16::try_from(count - index - 1 + 2).unwrap_or(i16::MAX);
            program.push(I::jump_unless_equal(register, value, over));
        }
        program.extend([I::set(0, 1), I::exit()]);
    }
    program.extend([I::set(0, 0), I::exit()]);
    program
}

#[cfg(test)]
mod tests;
