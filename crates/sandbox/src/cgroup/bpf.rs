//! The few words of `bpf(2)` that version 2 needs for devices: a program is assembled by hand, loaded, attached to a group.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// An instruction, as the kernel reads it: `struct bpf_insn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Instruction {
    code: u8,
    /// The destination in the low four bits, the source in the high four.
    registers: u8,
    offset: i16,
    immediate: i32,
}

// Classes, sizes, modes and operations of linux/bpf_common.h and linux/bpf.h.
const LOAD_WORD: u8 = 0x61; // BPF_LDX | BPF_MEM | BPF_W
const COPY: u8 = 0xBC; // BPF_ALU | BPF_MOV | BPF_X
const SET: u8 = 0xB4; // BPF_ALU | BPF_MOV | BPF_K
const AND: u8 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const SHIFT_RIGHT: u8 = 0x74; // BPF_ALU | BPF_RSH | BPF_K
const JUMP_UNLESS_EQUAL: u8 = 0x55; // BPF_JMP | BPF_JNE | BPF_K
const EXIT: u8 = 0x95; // BPF_JMP | BPF_EXIT

const PROG_LOAD: libc::c_long = 5;
const PROG_ATTACH: libc::c_long = 8;
const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
const ALLOW_MULTI: u32 = 2;

impl Instruction {
    const fn new(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> Self {
        Self { code, registers: destination | (source << 4), offset, immediate }
    }

    /// `destination = *(u32 *)(source + offset)`
    pub(super) const fn load_word(destination: u8, source: u8, offset: i16) -> Self {
        Self::new(LOAD_WORD, destination, source, offset, 0)
    }

    /// `destination = source`, 32 bits.
    pub(super) const fn copy(destination: u8, source: u8) -> Self {
        Self::new(COPY, destination, source, 0, 0)
    }

    /// `register = value`
    pub(super) const fn set(register: u8, value: i32) -> Self {
        Self::new(SET, register, 0, 0, value)
    }

    /// `register &= value`
    pub(super) const fn and(register: u8, value: i32) -> Self {
        Self::new(AND, register, 0, 0, value)
    }

    /// `register >>= bits`
    pub(super) const fn shift_right(register: u8, bits: i32) -> Self {
        Self::new(SHIFT_RIGHT, register, 0, 0, bits)
    }

    /// `if register != value { skip over so many instructions }`. 64 bits wide: nothing here has its sign bit set.
    pub(super) const fn jump_unless_equal(register: u8, value: i32, over: i16) -> Self {
        Self::new(JUMP_UNLESS_EQUAL, register, 0, over, value)
    }

    /// Returns register 0.
    pub(super) const fn exit() -> Self {
        Self::new(EXIT, 0, 0, 0, 0)
    }

    #[cfg(test)]
    pub(super) const fn parts(self) -> (u8, usize, usize, i16, i32) {
        (self.code, (self.registers & 0xF) as usize, (self.registers >> 4) as usize, self.offset, self.immediate)
    }
}

/// The first members of `union bpf_attr` for `BPF_PROG_LOAD`; the kernel takes those that are not given as zero.
#[repr(C)]
struct LoadAttributes {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
}

/// `union bpf_attr` for `BPF_PROG_ATTACH`.
#[repr(C)]
struct AttachAttributes {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
}

/// Loads a program that decides about devices. It lives as long as its descriptor, and as any group that it is attached to.
pub(super) fn load(program: &[Instruction]) -> io::Result<OwnedFd> {
    match load_once(program) {
        // Before Linux 5.11 programs count as locked memory, of which root too has only so much.
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            lift_locked_memory()?;
            load_once(program)
        }
        outcome => outcome,
    }
}

fn load_once(program: &[Instruction]) -> io::Result<OwnedFd> {
    let too_long = || io::Error::from_raw_os_error(libc::E2BIG);
    let license = c"Apache-2.0";
    let attributes = LoadAttributes {
        prog_type: PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: u32::try_from(program.len()).map_err(|_| too_long())?,
        insns: program.as_ptr() as u64,
        license: license.as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buf: 0,
        kern_version: 0,
        prog_flags: 0,
    };
    // SAFETY: the attributes are of the size that is given; the pointers in them are to `program`, of `insn_cnt`
    // instructions in the kernel's own form, and to a string with its terminating zero. Both outlive the call, after which
    // the kernel keeps no pointer.
    let answer = unsafe {
        libc::syscall(libc::SYS_bpf, PROG_LOAD, &raw const attributes, std::mem::size_of::<LoadAttributes>())
    };
    let descriptor = i32::try_from(answer).map_err(io::Error::other)?;
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor (close-on-exec) for us; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Has a program decide for a group, beside those that decide already: each must say yes.
pub(super) fn attach(program: BorrowedFd<'_>, group: BorrowedFd<'_>) -> io::Result<()> {
    let attributes = AttachAttributes {
        target_fd: group.as_fd().as_raw_fd().cast_unsigned(),
        attach_bpf_fd: program.as_fd().as_raw_fd().cast_unsigned(),
        attach_type: ATTACH_CGROUP_DEVICE,
        attach_flags: ALLOW_MULTI,
    };
    // SAFETY: the attributes are of the size that is given and hold no pointer; both descriptors are open for the call.
    let answer = unsafe {
        libc::syscall(libc::SYS_bpf, PROG_ATTACH, &raw const attributes, std::mem::size_of::<AttachAttributes>())
    };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn lift_locked_memory() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    Ok(setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None })?)
}
