# Makes each call that is named and tells of those that were not refused at the door: EPERM, EACCES and ENOSYS are refusals;
# whatever else the kernel answers, it has looked at the arguments.
import ctypes
import errno
import os
import sys

NEW_NAMESPACE_OF_USERS, NEW_CGROUPS, CHILD = 0x10000000, 0x02000000, 17
text = ctypes.create_string_buffer(b"text")
space = ctypes.create_string_buffer(256)
wanted = ctypes.create_string_buffer(88)
ctypes.c_uint64.from_buffer(wanted).value = NEW_NAMESPACE_OF_USERS
CALLS = {
    "unshare-user": (272, NEW_NAMESPACE_OF_USERS),
    "unshare-cgroup": (272, NEW_CGROUPS),
    "clone-user": (56, NEW_NAMESPACE_OF_USERS | CHILD, 0, 0, 0, 0),
    "clone3-user": (435, wanted, 88),
    "setns": (308, 0, 0),
    "mount": (165, text, b"/tmp", b"tmpfs", 0, 0),
    "umount2": (166, b"/proc", 2),
    "pivot_root": (155, b"/", b"/"),
    "fsopen": (430, b"cgroup", 0),
    "fsmount": (432, 0, 0, 0),
    "open_tree": (428, -100, b"/", 1),
    "move_mount": (429, -100, b"/tmp", -100, b"/tmp", 0),
    "mount_setattr": (442, -100, b"/proc", 0, space, 32),
    "open_by_handle_at": (304, -100, space, 0),
    "bpf": (321, 0, space, 48),
    "perf_event_open": (298, space, 0, -1, -1, 0),
    "userfaultfd": (323, 0),
    "io_uring_setup": (425, 8, space),
    "kexec_load": (246, 0, 0, 0, 0),
    "kexec_file_load": (320, -1, -1, 0, 0, 0),
    "init_module": (175, space, 16, text),
    "finit_module": (313, 0, text, 0),
    "delete_module": (176, text, 0),
    "add_key": (248, b"user", b"mine", text, 4, -3),
    "request_key": (249, b"user", b"mine", 0, -3),
    "keyctl": (250, 0, -3, 1),
    "swapon": (167, b"/tmp", 0),
    "reboot": (169, 0xFEE1DEAD, 672274793, 0, 0),
    "settimeofday": (164, space, 0),
    "clock_settime": (227, 0, space),
    "acct": (163, b"/tmp/acct"),
    "syslog": (103, 3, space, 16),
    "quotactl": (179, 0x80000100, b"/dev/x", 0, space),
    "personality": (135, 0x0040000),
    "iopl": (172, 3),
}
libc = ctypes.CDLL(None, use_errno=True)
if os.uname().machine == "x86_64":
    for name in sys.argv[1:]:
        number, *arguments = CALLS[name]
        arguments = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
        answer = libc.syscall(ctypes.c_long(number), *arguments)
        if answer == 0 and "clone" in name:
            os._exit(0)
        error = ctypes.get_errno()
        if answer != -1 or error not in (errno.EPERM, errno.EACCES, errno.ENOSYS):
            print(name, answer, errno.errorcode.get(error, error))
