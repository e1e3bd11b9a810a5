use super::program::{LAST_KNOWN, NATIVE};
use super::*;

const ALLOWED: u32 = libc::SECCOMP_RET_ALLOW;
const KILLED: u32 = libc::SECCOMP_RET_KILL_PROCESS;
/// Docker's usual capabilities.
const USUAL: u64 = 0xa804_25fb;
#[cfg(target_arch = "x86_64")]
const I386: u32 = 0x4000_0003;

fn fails(error: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | error.cast_unsigned()
}

/// Runs a filter as the kernel does. Answers what it returned and after how many instructions.
fn run(program: &Program, architecture: u32, number: u32, arguments: [u64; 6]) -> (u32, usize) {
    let instructions = program.instructions();
    let word = |offset: u32| match offset {
        0 => number,
        4 => architecture,
        16..64 => {
            let argument = arguments[(offset as usize - 16) / 8];
            if offset.is_multiple_of(8) { argument as u32 } else { (argument >> 32) as u32 }
        }
        _ => panic!("no such offset: {offset}"),
    };
    let (mut at, mut loaded, mut steps) = (0_usize, 0, 0);
    loop {
        let one = instructions[at];
        let code = u32::from(one.code);
        (at, steps) = (at + 1, steps + 1);
        let condition = match (code & 7, code & 0xf0) {
            (libc::BPF_LD, _) => {
                loaded = word(one.k);
                continue;
            }
            (libc::BPF_RET, _) => return (one.k, steps),
            (libc::BPF_JMP, libc::BPF_JA) => {
                at += one.k as usize;
                continue;
            }
            (libc::BPF_JMP, libc::BPF_JEQ) => loaded == one.k,
            (libc::BPF_JMP, libc::BPF_JGE) => loaded >= one.k,
            (libc::BPF_JMP, libc::BPF_JSET) => loaded & one.k != 0,
            other => panic!("no such instruction: {other:?}"),
        };
        at += usize::from(if condition { one.jt } else { one.jf });
    }
}

fn verdict(capabilities: u64, number: libc::c_long, arguments: [u64; 6]) -> u32 {
    run(&default_profile(capabilities), NATIVE, number as u32, arguments).0
}

fn plain(capabilities: u64, number: libc::c_long) -> u32 {
    verdict(capabilities, number, [0; 6])
}

#[test]
fn what_programs_need_is_allowed() {
    for number in
        [libc::SYS_read, libc::SYS_openat, libc::SYS_execve, libc::SYS_ptrace, libc::SYS_futex, libc::SYS_chroot]
    {
        assert_eq!(plain(USUAL, number), ALLOWED, "{number}");
    }
    assert_eq!(run(&default_profile(USUAL), NATIVE, 463, [0; 6]).0, ALLOWED);
}

#[test]
fn what_administers_is_denied_unless_the_capability_is_there() {
    let administrators = [
        (libc::SYS_mount, 21),
        (libc::SYS_unshare, 21),
        (libc::SYS_setns, 21),
        (libc::SYS_bpf, 39),
        (libc::SYS_perf_event_open, 38),
        (libc::SYS_syslog, 34),
        (libc::SYS_reboot, 22),
        (libc::SYS_init_module, 16),
        (libc::SYS_open_by_handle_at, 2),
        (libc::SYS_settimeofday, 25),
        (libc::SYS_mbind, 23),
    ];
    for (number, capability) in administrators {
        assert_eq!(plain(USUAL, number), fails(libc::EPERM), "{number}");
        assert_eq!(plain(USUAL | 1 << capability, number), ALLOWED, "{number}");
    }
    for number in
        [libc::SYS_keyctl, libc::SYS_add_key, libc::SYS_io_uring_setup, libc::SYS_kexec_load, libc::SYS_userfaultfd]
    {
        assert_eq!(plain(crate::capabilities::ALL, number), fails(libc::EPERM), "{number}");
    }
    assert_eq!(plain(USUAL & !(1 << 18), libc::SYS_chroot), fails(libc::EPERM));
}

#[test]
fn a_process_is_cloned_into_no_namespace() {
    let thread = (libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_SIGHAND).cast_unsigned().into();
    assert_eq!(verdict(USUAL, libc::SYS_clone, [thread, 0, 0, 0, 0, 0]), ALLOWED);
    let namespaces = [
        libc::CLONE_NEWNS,
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
    ];
    for flag in namespaces {
        let flags = [u64::from(flag.cast_unsigned()) | 17, 0, 0, 0, 0, 0];
        assert_eq!(verdict(USUAL, libc::SYS_clone, flags), fails(libc::EPERM), "{flag:x}");
        assert_eq!(verdict(USUAL | 1 << 21, libc::SYS_clone, flags), ALLOWED, "{flag:x}");
    }
    assert_eq!(plain(USUAL, libc::SYS_clone3), fails(libc::ENOSYS));
    assert_eq!(plain(USUAL | 1 << 21, libc::SYS_clone3), ALLOWED);
}

#[test]
fn sockets_and_personalities_are_looked_at() {
    assert_eq!(verdict(USUAL, libc::SYS_socket, [2, 1, 0, 0, 0, 0]), ALLOWED);
    assert_eq!(verdict(USUAL, libc::SYS_socket, [40, 1, 0, 0, 0, 0]), fails(libc::EPERM));
    // The kernel looks at the lower half alone; so does the filter.
    assert_eq!(verdict(USUAL, libc::SYS_socket, [0xffff_ffff_0000_0028, 1, 0, 0, 0, 0]), fails(libc::EPERM));
    for allowed in [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff] {
        assert_eq!(verdict(USUAL, libc::SYS_personality, [allowed, 0, 0, 0, 0, 0]), ALLOWED);
    }
    assert_eq!(verdict(USUAL, libc::SYS_personality, [0x4_0000, 0, 0, 0, 0, 0]), fails(libc::EPERM));
}

#[test]
fn calls_that_are_not_known_are_not_there() {
    let profile = default_profile(crate::capabilities::ALL);
    for number in [LAST_KNOWN + 1, 1000, 0x4000_0000, u32::MAX] {
        assert_eq!(run(&profile, NATIVE, number, [0; 6]).0, fails(libc::ENOSYS), "{number}");
    }
}

#[test]
fn other_architectures_are_killed() {
    assert_eq!(run(&default_profile(crate::capabilities::ALL), 0xc000_00f3, 0, [0; 6]).0, KILLED);
    assert_eq!(run(&holder(), 0xc000_00f3, 0, [0; 6]).0, KILLED);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn programs_of_32_bits_meet_the_same_by_their_own_numbers() {
    let profile = default_profile(USUAL);
    // `read`, `execve`, `mmap2`, `clock_gettime64`.
    for number in [3, 11, 192, 403] {
        assert_eq!(run(&profile, I386, number, [0; 6]).0, ALLOWED, "{number}");
    }
    // `mount`, `init_module`, `unshare`, `setns`, `keyctl`, `bpf`.
    for number in [21, 128, 310, 346, 288, 357] {
        assert_eq!(run(&profile, I386, number, [0; 6]).0, fails(libc::EPERM), "{number}");
    }
    assert_eq!(run(&profile, I386, 120, [0x1000_0000, 0, 0, 0, 0, 0]).0, fails(libc::EPERM));
    assert_eq!(run(&profile, I386, 435, [0; 6]).0, fails(libc::ENOSYS));
}

#[test]
fn who_holds_a_sandbox_can_sleep_and_end() {
    let holder = holder();
    for number in 0..=LAST_KNOWN {
        let expected = [libc::SYS_ppoll, libc::SYS_restart_syscall, libc::SYS_exit_group, libc::SYS_rt_sigreturn];
        let is_allowed = run(&holder, NATIVE, number, [0; 6]).0 == ALLOWED;
        assert_eq!(is_allowed, expected.contains(&number.into()), "{number}");
    }
}

#[test]
fn a_verdict_is_found_in_few_steps() {
    let profile = default_profile(USUAL);
    let most = (0..=LAST_KNOWN).map(|number| run(&profile, NATIVE, number, [0; 6]).1).max();
    assert!(most.is_some_and(|most| most <= 24), "{most:?}");
    assert!(profile.instructions().len() <= 4096, "{profile:?}");
}
