//! Classic BPF: a search tree over system calls' numbers.

use libc::{BPF_ABS, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter};

use super::Verdict;

/// What a call that is in no list meets.
const DENIED: Verdict = Verdict::Errno(libc::EPERM as u16);
/// What a call meets that was not there when the lists were written: programs then do without it.
const UNKNOWN: Verdict = Verdict::Errno(libc::ENOSYS as u16);
/// The last number that had a call when the lists were written (`file_setattr`, Linux 6.17). Since 424 numbers are common to
/// all architectures.
pub(crate) const LAST_KNOWN: u32 = 469;

/// `AUDIT_ARCH_…` of this program.
#[cfg(target_arch = "x86_64")]
pub(crate) const NATIVE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
pub(crate) const NATIVE: u32 = 0xc000_00b7;

/// Offsets in `struct seccomp_data`. Lower halves of arguments come first: both architectures are little endian.
const NUMBER_AT: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
const ARGUMENTS_AT: u32 = 16;
const ARGUMENT_BYTES: u32 = 8;

/// The calls of another architecture that the processor runs, too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compat {
    /// `AUDIT_ARCH_…`.
    pub(crate) architecture: u32,
    /// Those that are allowed, from the first to the last number.
    pub(crate) allowed: &'static [(u32, u32)],
    /// Those that are looked at more closely.
    pub(crate) looked_at: &'static [(u32, Verdict)],
}

impl Compat {
    fn calls(self) -> Vec<(u32, Verdict)> {
        let allowed = self.allowed.iter().flat_map(|(first, last)| *first..=*last);
        self.looked_at.iter().copied().chain(allowed.map(|number| (number, Verdict::Allow))).collect()
    }
}

/// A filter.
#[derive(Clone)]
pub(crate) struct Program(Vec<sock_filter>);

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Program({} instructions)", self.0.len())
    }
}

impl Program {
    /// A filter that has each call meet its verdict, others denied, and a process of any other architecture killed.
    pub(crate) fn new(calls: &[(u32, Verdict)], compat: Option<Compat>) -> Self {
        let stranger = vec![statement(BPF_RET | BPF_K, libc::SECCOMP_RET_KILL_PROCESS)];
        let others = match compat {
            Some(compat) => branch(BPF_JEQ, compat.architecture, search(&compat.calls()), stranger),
            None => stranger,
        };
        let mut all = vec![load(ARCHITECTURE_AT)];
        all.extend(branch(BPF_JEQ, NATIVE, search(calls), others));
        Self(all)
    }

    /// What the kernel is given.
    pub(crate) fn instructions(&self) -> &[sock_filter] {
        &self.0
    }
}

/// Loads the call's number and finds its verdict.
fn search(calls: &[(u32, Verdict)]) -> Vec<sock_filter> {
    let mut all = vec![load(NUMBER_AT)];
    all.extend(tree(&segments(calls)));
    all
}

/// Where verdicts begin to hold: each until the next, the first from 0 on.
fn segments(calls: &[(u32, Verdict)]) -> Vec<(u32, Verdict)> {
    let mut sorted = calls.to_vec();
    // Stable: the first verdict of a number stays the first.
    sorted.sort_by_key(|(number, _)| *number);
    let mut all: Vec<(u32, Verdict)> = Vec::with_capacity(sorted.len());
    let mut next = 0;
    for (number, verdict) in sorted {
        if number < next {
            continue;
        }
        if number > next {
            push(&mut all, next, DENIED);
        }
        push(&mut all, number, verdict);
        next = number + 1;
    }
    if next <= LAST_KNOWN {
        push(&mut all, next, DENIED);
    }
    push(&mut all, next.max(LAST_KNOWN + 1), UNKNOWN);
    all
}

fn push(all: &mut Vec<(u32, Verdict)>, from: u32, verdict: Verdict) {
    if all.last().is_none_or(|(_, last)| *last != verdict) {
        all.push((from, verdict));
    }
}

/// Finds the segment of the number that is loaded. Every way through it ends in a return.
fn tree(segments: &[(u32, Verdict)]) -> Vec<sock_filter> {
    match segments {
        [] => returns(DENIED),
        [(_, verdict)] => returns(*verdict),
        _ => {
            let (lower, upper) = segments.split_at(segments.len() / 2);
            branch(BPF_JGE, upper[0].0, tree(upper), tree(lower))
        }
    }
}

fn returns(verdict: Verdict) -> Vec<sock_filter> {
    let allow = || returns(Verdict::Allow);
    let deny = || returns(DENIED);
    match verdict {
        Verdict::Allow => vec![statement(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW)],
        Verdict::Errno(error) => vec![statement(BPF_RET | BPF_K, libc::SECCOMP_RET_ERRNO | u32::from(error))],
        Verdict::UnlessBits(argument, bits) => on(argument, branch(BPF_JSET, bits, deny(), allow())),
        Verdict::Unless(argument, value) => on(argument, branch(BPF_JEQ, value, deny(), allow())),
        Verdict::If(argument, values) => {
            let any = values.iter().fold(deny(), |rest, value| branch(BPF_JEQ, *value, allow(), rest));
            on(argument, any)
        }
    }
}

/// Looks at an argument's lower half: all that the kernel looks at for those whose type is `int`.
fn on(argument: u8, test: Vec<sock_filter>) -> Vec<sock_filter> {
    let mut all = vec![load(ARGUMENTS_AT + u32::from(argument) * ARGUMENT_BYTES)];
    all.extend(test);
    all
}

/// One of two ways, both of which end in returns. Conditions jump 255 instructions at most, unconditional jumps any distance.
fn branch(condition: u32, value: u32, then: Vec<sock_filter>, or_else: Vec<sock_filter>) -> Vec<sock_filter> {
    let mut all = Vec::with_capacity(then.len() + or_else.len() + 2);
    match u8::try_from(then.len()) {
        Ok(distance) => all.push(jump(condition, value, 0, distance)),
        Err(_) => {
            all.push(jump(condition, value, 1, 0));
            let distance = u32::try_from(then.len()).unwrap_or(u32::MAX);
            all.push(statement(BPF_JMP | BPF_JA, distance));
        }
    }
    all.extend(then);
    all.extend(or_else);
    all
}

fn load(offset: u32) -> sock_filter {
    statement(BPF_LD | BPF_W | BPF_ABS, offset)
}

fn statement(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

fn jump(condition: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: (BPF_JMP | condition | BPF_K) as u16, jt, jf, k }
}
