//! The default profile: which calls are allowed, and which only to containers of a capability. The lists are in effect those of
//! Docker's default profile (its `profiles/seccomp/default.json`), of which other engines have copies; without `io_uring`, as
//! Docker has it since version 25.

use super::Verdict::{self, Allow, Errno, If, Unless, UnlessBits};
use super::compat::COMPAT;
use super::program::Program;
use crate::capabilities::number as capability;

/// Numbers of calls by the names that libc has for them.
macro_rules! calls {
    ($($name:ident)*) => { &[$(libc::$name as u32),*] };
}

/// The bits of `clone(2)` that ask for a namespace: `CLONE_NEWNS`, `CGROUP`, `UTS`, `IPC`, `USER`, `PID`, `NET`.
pub(super) const NEW_NAMESPACE: u32 = 0x7e02_0000;
/// `AF_VSOCK`: it leads to a hypervisor past every network rule.
pub(super) const VSOCK: u32 = 40;
/// `PER_LINUX`, `PER_LINUX32`, both with `UNAME26`, and the question which it is.
pub(super) const PERSONALITIES: &[u32] = &[0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Allowed to every container.
#[rustfmt::skip]
const ALWAYS: &[u32] = calls! {
    SYS_accept SYS_accept4 SYS_adjtimex SYS_bind SYS_brk SYS_capget SYS_capset SYS_chdir SYS_clock_adjtime
    SYS_clock_getres SYS_clock_gettime SYS_clock_nanosleep SYS_close SYS_close_range SYS_connect SYS_copy_file_range
    SYS_dup SYS_dup3 SYS_epoll_create1 SYS_epoll_ctl SYS_epoll_pwait SYS_epoll_pwait2 SYS_eventfd2 SYS_execve
    SYS_execveat SYS_exit SYS_exit_group SYS_faccessat SYS_faccessat2 SYS_fadvise64 SYS_fallocate SYS_fanotify_mark
    SYS_fchdir SYS_fchmod SYS_fchmodat SYS_fchown SYS_fchownat SYS_fcntl SYS_fdatasync SYS_fgetxattr SYS_flistxattr
    SYS_flock SYS_fremovexattr SYS_fsetxattr SYS_fstat SYS_fstatfs SYS_fsync SYS_ftruncate SYS_futex SYS_futex_waitv
    SYS_get_robust_list SYS_getcpu SYS_getcwd SYS_getdents64 SYS_getegid SYS_geteuid SYS_getgid SYS_getgroups
    SYS_getitimer SYS_getpeername SYS_getpgid SYS_getpid SYS_getppid SYS_getpriority SYS_getrandom SYS_getresgid
    SYS_getresuid SYS_getrusage SYS_getsid SYS_getsockname SYS_getsockopt SYS_gettid SYS_gettimeofday SYS_getuid
    SYS_getxattr SYS_inotify_add_watch SYS_inotify_init1 SYS_inotify_rm_watch SYS_io_cancel SYS_io_destroy
    SYS_io_getevents SYS_io_setup SYS_io_submit SYS_ioctl SYS_ioprio_get SYS_ioprio_set SYS_kill
    SYS_landlock_add_rule SYS_landlock_create_ruleset SYS_landlock_restrict_self SYS_lgetxattr SYS_linkat SYS_listen
    SYS_listxattr SYS_llistxattr SYS_lremovexattr SYS_lseek SYS_lsetxattr SYS_madvise SYS_membarrier
    SYS_memfd_create SYS_memfd_secret SYS_mincore SYS_mkdirat SYS_mknodat SYS_mlock SYS_mlock2 SYS_mlockall SYS_mmap
    SYS_mprotect SYS_mq_getsetattr SYS_mq_notify SYS_mq_open SYS_mq_timedreceive SYS_mq_timedsend SYS_mq_unlink
    SYS_mremap SYS_mseal SYS_msgctl SYS_msgget SYS_msgrcv SYS_msgsnd SYS_msync SYS_munlock SYS_munlockall SYS_munmap
    SYS_name_to_handle_at SYS_nanosleep SYS_newfstatat SYS_openat SYS_openat2 SYS_pidfd_open SYS_pidfd_send_signal
    SYS_pipe2 SYS_pkey_alloc SYS_pkey_free SYS_pkey_mprotect SYS_ppoll SYS_prctl SYS_pread64 SYS_preadv SYS_preadv2
    SYS_prlimit64 SYS_process_mrelease SYS_process_vm_readv SYS_process_vm_writev SYS_pselect6 SYS_ptrace
    SYS_pwrite64 SYS_pwritev SYS_pwritev2 SYS_read SYS_readahead SYS_readlinkat SYS_readv SYS_recvfrom SYS_recvmmsg
    SYS_recvmsg SYS_remap_file_pages SYS_removexattr SYS_renameat2 SYS_restart_syscall SYS_rseq SYS_rt_sigaction
    SYS_rt_sigpending SYS_rt_sigprocmask SYS_rt_sigqueueinfo SYS_rt_sigreturn SYS_rt_sigsuspend SYS_rt_sigtimedwait
    SYS_rt_tgsigqueueinfo SYS_sched_get_priority_max SYS_sched_get_priority_min SYS_sched_getaffinity
    SYS_sched_getattr SYS_sched_getparam SYS_sched_getscheduler SYS_sched_rr_get_interval SYS_sched_setaffinity
    SYS_sched_setattr SYS_sched_setparam SYS_sched_setscheduler SYS_sched_yield SYS_seccomp SYS_semctl SYS_semget
    SYS_semop SYS_semtimedop SYS_sendfile SYS_sendmmsg SYS_sendmsg SYS_sendto SYS_set_robust_list
    SYS_set_tid_address SYS_setfsgid SYS_setfsuid SYS_setgid SYS_setgroups SYS_setitimer SYS_setpgid SYS_setpriority
    SYS_setregid SYS_setresgid SYS_setresuid SYS_setreuid SYS_setsid SYS_setsockopt SYS_setuid SYS_setxattr
    SYS_shmat SYS_shmctl SYS_shmdt SYS_shmget SYS_shutdown SYS_sigaltstack SYS_signalfd4 SYS_socketpair SYS_splice
    SYS_statfs SYS_statx SYS_symlinkat SYS_sync SYS_syncfs SYS_sysinfo SYS_tee SYS_tgkill SYS_timer_create
    SYS_timer_delete SYS_timer_getoverrun SYS_timer_gettime SYS_timer_settime SYS_timerfd_create SYS_timerfd_gettime
    SYS_timerfd_settime SYS_times SYS_tkill SYS_truncate SYS_umask SYS_uname SYS_unlinkat SYS_utimensat SYS_vmsplice
    SYS_wait4 SYS_waitid SYS_write SYS_writev
};

/// The same, of calls whose numbers libc does not know or that not every architecture has by name.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const ALWAYS_HERE: &[u32] = calls! {
    SYS_access SYS_alarm SYS_arch_prctl SYS_chmod SYS_chown SYS_creat SYS_dup2 SYS_epoll_create SYS_epoll_ctl_old
    SYS_epoll_wait SYS_epoll_wait_old SYS_eventfd SYS_fork SYS_futimesat SYS_get_thread_area SYS_getdents
    SYS_getpgrp SYS_inotify_init SYS_lchown SYS_link SYS_lstat SYS_mkdir SYS_mknod SYS_modify_ldt SYS_open SYS_pause
    SYS_pipe SYS_poll SYS_readlink SYS_rename SYS_rmdir SYS_select SYS_set_thread_area SYS_signalfd SYS_stat
    SYS_symlink SYS_time SYS_unlink SYS_utime SYS_utimes SYS_vfork
    SYS_getrlimit SYS_renameat SYS_setrlimit SYS_sync_file_range
};
/// `renameat`, `sync_file_range`, `getrlimit`, `setrlimit`.
#[cfg(target_arch = "aarch64")]
const ALWAYS_HERE: &[u32] = &[38, 84, 163, 164];

/// `io_pgetevents`.
#[cfg(target_arch = "x86_64")]
const IO_PGETEVENTS: u32 = 333;
#[cfg(target_arch = "aarch64")]
const IO_PGETEVENTS: u32 = 292;
/// `uretprobe`, which a kernel makes a traced program call.
#[cfg(target_arch = "x86_64")]
const URETPROBE: &[u32] = &[335];
#[cfg(target_arch = "aarch64")]
const URETPROBE: &[u32] = &[];

/// `cachestat`, `fchmodat2`, `map_shadow_stack`, `futex_wake`, `futex_wait`, `futex_requeue`, `mseal`, `setxattrat`, `getxattrat`,
/// `listxattrat`, `removexattrat`: the same numbers everywhere.
pub(super) const ALWAYS_NEWER: &[u32] = &[451, 452, 453, 454, 455, 456, 462, 463, 464, 465, 466];

/// Looked at more closely. A program that finds no `clone3(2)` uses `clone(2)`, whose flags a filter can read.
const LOOKED_AT: [(u32, Verdict); 4] = [
    (libc::SYS_socket as u32, Unless(0, VSOCK)),
    (libc::SYS_personality as u32, If(0, PERSONALITIES)),
    (libc::SYS_clone as u32, UnlessBits(0, NEW_NAMESPACE)),
    (libc::SYS_clone3 as u32, Errno(libc::ENOSYS as u16)),
];

/// Allowed to containers of a capability.
#[rustfmt::skip]
const BY_CAPABILITY: &[(u32, &[u32])] = &[
    (capability::DAC_READ_SEARCH, calls! { SYS_open_by_handle_at }),
    (capability::SYS_ADMIN, calls! {
        SYS_bpf SYS_clone SYS_clone3 SYS_fanotify_init SYS_fsconfig SYS_fsmount SYS_fsopen SYS_fspick SYS_lookup_dcookie SYS_mount
        SYS_mount_setattr SYS_move_mount SYS_open_tree SYS_perf_event_open SYS_quotactl SYS_quotactl_fd SYS_setdomainname
        SYS_sethostname SYS_setns SYS_syslog SYS_umount2 SYS_unshare
    }),
    // `statmount`, `listmount`, `lsm_get_self_attr`, `lsm_set_self_attr`, `lsm_list_modules`.
    (capability::SYS_ADMIN, &[457, 458, 459, 460, 461]),
    (capability::SYS_BOOT, calls! { SYS_reboot }),
    (capability::SYS_CHROOT, calls! { SYS_chroot }),
    (capability::SYS_MODULE, calls! { SYS_delete_module SYS_init_module SYS_finit_module }),
    (capability::SYS_PACCT, calls! { SYS_acct }),
    (capability::SYS_PTRACE, calls! { SYS_kcmp SYS_pidfd_getfd SYS_process_madvise }),
    #[cfg(target_arch = "x86_64")]
    (capability::SYS_RAWIO, calls! { SYS_iopl SYS_ioperm }),
    (capability::SYS_TIME, calls! { SYS_settimeofday SYS_clock_settime }),
    (capability::SYS_TTY_CONFIG, calls! { SYS_vhangup }),
    (capability::SYS_NICE, calls! { SYS_get_mempolicy SYS_mbind SYS_set_mempolicy SYS_set_mempolicy_home_node }),
    (capability::SYSLOG, calls! { SYS_syslog }),
    (capability::BPF, calls! { SYS_bpf }),
    (capability::PERFMON, calls! { SYS_perf_event_open }),
];

/// The default profile for a container of these capabilities.
pub(super) fn default(capabilities: u64) -> Program {
    let has = |number: u32| capabilities & (1 << number) != 0;
    let granted = BY_CAPABILITY.iter().filter(|(number, _)| has(*number)).flat_map(|(_, calls)| *calls);
    let always = [ALWAYS, ALWAYS_HERE, ALWAYS_NEWER, URETPROBE, &[IO_PGETEVENTS]];
    // The first verdict of a number holds.
    let mut calls: Vec<(u32, Verdict)> = granted.map(|number| (*number, Allow)).collect();
    calls.extend(LOOKED_AT);
    calls.extend(always.into_iter().flatten().map(|number| (*number, Allow)));
    Program::new(&calls, COMPAT)
}
