"""The seccomp filter for the system calls of a sealed worker: a deny-list for x86-64 and arm64, and its BPF program."""

import ctypes
import os
import platform
import struct
import sys

PR_SET_PDEATHSIG = 1

ARCHITECTURES = {"x86_64": (317, 0xC000003E), "aarch64": (277, 0xC00000B7)}
"""By `platform.machine()`: the number of the system call `seccomp`, and the kernel's number of the architecture."""

_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC = 1, 1

_CLONE_THREAD = 0x10000

_X32_CALLS = 0x40000000
"""Numbers from here on are calls of the x32 ABI, which x86-64 kernels may have as well."""

_EPERM, _ENOSYS = 1, 38

FORBIDDEN: dict[str, tuple[int | None, int | None]] = {
    # files: contents and names
    "open": (2, None), "openat": (257, 56), "openat2": (437, 437), "creat": (85, None), "open_by_handle_at": (304, 265),
    "truncate": (76, 45), "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276), "link": (86, None),
    "linkat": (265, 37), "symlink": (88, None), "symlinkat": (266, 36), "unlink": (87, None), "unlinkat": (263, 35),
    "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None), "mknod": (133, None), "mknodat": (259, 33),
    # files: owners, modes, times, attributes; by descriptor too, since a worker holds /dev/null
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None),
    "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54), "utime": (132, None), "utimes": (235, None),
    "futimesat": (261, None), "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "setxattrat": (463, 463), "removexattrat": (466, 466), "file_setattr": (469, 469),
    # files: existence and attributes, which Landlock does not cover. By descriptor, `fstat` is allowed.
    "stat": (4, None), "lstat": (6, None), "newfstatat": (262, 79), "statx": (332, 291), "access": (21, None),
    "faccessat": (269, 48), "faccessat2": (439, 439), "readlink": (89, None), "readlinkat": (267, 78),
    "statfs": (137, 43), "chdir": (80, 49), "fchdir": (81, 50), "getxattr": (191, 8), "lgetxattr": (192, 9),
    "getxattrat": (464, 464), "listxattr": (194, 11), "llistxattr": (195, 12), "listxattrat": (465, 465),
    "file_getattr": (468, 468), "name_to_handle_at": (303, 264), "inotify_init": (253, None),
    "inotify_init1": (294, 26), "inotify_add_watch": (254, 27), "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    # mounts
    "chroot": (161, 51), "pivot_root": (155, 41), "mount": (165, 40), "umount2": (166, 39), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "open_tree": (428, 428),
    "open_tree_attr": (467, 467), "move_mount": (429, 429), "mount_setattr": (442, 442), "statmount": (457, 457),
    "listmount": (458, 458),
    # network
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    # this process and others
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281), "kill": (62, 129),
    "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "process_madvise": (440, 440),
    "process_mrelease": (448, 448), "migrate_pages": (256, 238), "move_pages": (279, 239), "kcmp": (312, 272),
    "get_robust_list": (274, 100), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424), "unshare": (272, 97), "setns": (308, 268), "setpgid": (109, 154),
    "setsid": (112, 157), "setrlimit": (160, 164), "setpriority": (141, 140), "ioprio_set": (251, 30),
    "sched_setparam": (142, 118), "sched_setscheduler": (144, 119), "sched_setattr": (314, 274),
    "sched_setaffinity": (203, 122),
    # shared memory and queues; an identifier can be guessed, so using one is forbidden like creating one
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "msgget": (68, 186), "msgsnd": (69, 189),
    "msgrcv": (70, 188), "msgctl": (71, 187), "semget": (64, 190), "semop": (65, 193), "semtimedop": (220, 192),
    "semctl": (66, 191), "mq_open": (240, 180), "mq_unlink": (241, 181),
    # the machine, should a worker run as root
    "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60),
    "quotactl_fd": (443, 443), "sethostname": (170, 161), "setdomainname": (171, 162), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "clock_adjtime": (305, 266), "adjtimex": (159, 171), "syslog": (103, 116),
    "vhangup": (153, 58), "sync": (162, 81), "iopl": (172, None), "ioperm": (173, None),
    # subsystems with the most kernel vulnerabilities
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "io_setup": (206, 0), "splice": (275, 76),
    "tee": (276, 77), "vmsplice": (278, 75), "modify_ldt": (154, None), "uselib": (134, None),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104), "kexec_file_load": (320, 294),
}  # fmt: skip
"""System calls that a sealed worker does not need, with their numbers on x86-64 and on arm64.

glibc 2.33 to 2.38 implements `fstat()` by `newfstatat`, so `fstat()` fails there: a filter cannot see that the path is
empty.
"""

NEWEST = 469
"""The newest call that the list covers: file_setattr of Linux 6.17. Later calls fail with ENOSYS in a worker."""

FORBIDDEN_COMMANDS: dict[str, tuple[int, int, int, tuple[int, ...]]] = {
    # FIOSETOWN and SIOCSPGRP, see fcntl; TIOCSTI and TIOCLINUX type on a terminal
    "ioctl": (16, 29, 1, (0x8901, 0x8902, 0x5412, 0x541C)),
    # F_SETOWN, F_SETSIG, F_SETOWN_EX: make a pipe send any signal to any process of this user
    "fcntl": (72, 25, 1, (8, 10, 15)),
    # PR_SET_PDEATHSIG, which would undo `harden`; PR_SCHED_CORE, which takes the number of a process
    "prctl": (157, 167, 0, (PR_SET_PDEATHSIG, 62)),
}
"""Calls that are needed, but not with these values: both numbers, the index of the argument, its forbidden values."""

PRLIMIT = (302, 261)
CLONE, CLONE3 = (56, 220), (435, 435)
TGKILL = (234, 131)


def install_seccomp() -> str | None:
    """Filter the system calls of every thread of this process. Returns None, or the reason why that is not possible."""
    machine = platform.machine()
    if sys.platform != "linux":
        return f"{sys.platform} has no such thing"
    if machine not in ARCHITECTURES:
        return f"there is no filter for {machine}"
    number, _ = ARCHITECTURES[machine]
    program = seccomp_filter(machine, os.getpid())
    code = ctypes.create_string_buffer(b"".join(program), 8 * len(program))
    sock_fprog = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    result: int = libc.syscall(number, _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, sock_fprog)
    if result == 0:
        return None
    return os.strerror(ctypes.get_errno()) if result < 0 else f"the filter could not be applied to thread {result}"


def seccomp_filter(machine: str, pid: int) -> list[bytes]:
    """The BPF program for a process: one `struct sock_filter` per entry.

    Its input is `struct seccomp_data`: call number (offset 0), architecture (4), address (8), six arguments (from 16).
    """
    column = 0 if machine == "x86_64" else 1
    load, equal, at_least, any_of, ret = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, refuse, unknown = 0x7FFF0000, 0x00050000 | _EPERM, 0x00050000 | _ENOSYS

    def step(operation: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("HBBI", operation, yes, no, value)

    program = [step(load, 4), step(equal, ARCHITECTURES[machine][1], 1, 0), step(ret, refuse), step(load, 0)]
    if machine == "x86_64":
        program += [step(at_least, _X32_CALLS, 0, 1), step(ret, refuse)]
    program += [step(at_least, NEWEST + 1, 0, 1), step(ret, unknown)]
    # Rules that read an argument come first: for all other allowed calls, the kernel caches the verdict.
    for *both, argument, values in FORBIDDEN_COMMANDS.values():
        program += [step(equal, both[column], 0, 2 * len(values) + 2), step(load, 16 + 8 * argument)]
        for value in values:
            program += [step(equal, value, 0, 1), step(ret, refuse)]
        program += [step(ret, allow)]
    # The C library reads this process's limits: process 0, and a null pointer (both halves) for new limits.
    program += [
        step(equal, PRLIMIT[column], 0, 8),
        step(load, 16),
        step(equal, 0, 0, 5),
        step(load, 32),
        step(equal, 0, 0, 3),
        step(load, 36),
        step(equal, 0, 0, 1),
        step(ret, allow),
        step(ret, refuse),
    ]
    for numbers in FORBIDDEN.values():
        call = numbers[column]
        if call is not None:
            program += [step(equal, call, 0, 1), step(ret, refuse)]
    # The C library falls back from clone3, whose flags a filter cannot see, to clone, which may start threads.
    program += [step(equal, CLONE3[column], 0, 1), step(ret, unknown)]
    program += [
        step(equal, CLONE[column], 0, 4),
        step(load, 16),
        step(any_of, _CLONE_THREAD, 1, 0),
        step(ret, refuse),
        step(ret, allow),
    ]
    # abort() and the C library's threads use tgkill: this process may signal itself.
    program += [
        step(equal, TGKILL[column], 0, 3),
        step(load, 16),
        step(equal, pid, 1, 0),
        step(ret, refuse),
    ]
    return [*program, step(ret, allow)]
