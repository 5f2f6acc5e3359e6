"""The program that runs a model's Python: it locks itself in, for good, and then runs the code on its standard input.

It is started as a file, `python -I sandbox.py LIMITS PARENT`, and imports nothing of mistralet. What it can do
afterwards is in docs/tools.md. Three parts of Linux hold it, none of which needs privileges:
Landlock, for files (https://docs.kernel.org/userspace-api/landlock.html): read what Python consists of, write here;
seccomp, for system calls (https://docs.kernel.org/userspace-api/seccomp_filter.html): no sockets, no processes, no
signals, no change of what Landlock does not cover; and limits on resources.
"""

from __future__ import annotations

import ast
import contextlib
import ctypes
import json
import linecache
import os
import platform
import signal
import struct
import sys
import traceback
from typing import Any

LEAST_LANDLOCK = 3  # before it, a file that may only be read can be cut short (Linux 6.2)
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}  # the kernel's number, column below
# Numbers of system calls on x86_64 and aarch64 (linux/asm/unistd.h); None: there is no such call.
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    **{"socket": (41, 198), "io_uring_setup": (425, 425)},
    **{"fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281)},
    **{"ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271)},
    **{"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138)},
    **{"rt_tgsigqueueinfo": (297, 240), "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424)},
    **{"pidfd_getfd": (438, 438), "setrlimit": (160, 164), "setpriority": (141, 140), "ioprio_set": (251, 30)},
    **{"sched_setscheduler": (144, 119), "sched_setparam": (142, 118), "sched_setattr": (314, 274)},
    **{"sched_setaffinity": (203, 122), "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40)},
    **{"umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "move_mount": (429, 429)},
    **{"open_tree": (428, 428), "fsopen": (430, 430), "mount_setattr": (442, 442), "bpf": (321, 280)},
    **{"perf_event_open": (298, 241), "userfaultfd": (323, 282), "add_key": (248, 217), "request_key": (249, 218)},
    **{"keyctl": (250, 219), "shmget": (29, 194), "shmat": (30, 196), "msgget": (68, 186), "semget": (64, 190)},
    **{"mq_open": (240, 180), "mq_unlink": (241, 181), "truncate": (76, 45), "chmod": (90, None), "fchmod": (91, 52)},
    **{"fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None), "fchown": (93, 55), "lchown": (94, None)},
    **{"fchownat": (260, 54), "utime": (132, None), "utimes": (235, None), "futimesat": (261, None)},
    **{"utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7)},
    **{"removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16), "inotify_init": (253, None)},
    **{"inotify_init1": (294, 26), "fanotify_init": (300, 262), "open_by_handle_at": (304, 265)},
}
_CLONE, _CLONE3, _PRLIMIT, _PRCTL = (56, 220), 435, (302, 261), (157, 167)
_SET_DEATH_SIGNAL = 1  # of prctl(2)
_LAST_KNOWN_CALL = 462  # what came to Linux later is not there; this also shuts out x86_64's other numbering
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # Landlock's calls, the same everywhere

_FILES = (1 << 15) - 1  # rights of Landlock 3: execute, write, read, list, remove, make..., refer, truncate
_DEVICE_CONTROL = 1 << 15  # Landlock 5
_READ = 1 << 0 | 1 << 2 | 1 << 3  # execute, read a file, list a folder
_FILE_ONLY = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14  # execute, write, read, truncate
_NO_DEVICES = ~(1 << 6 | 1 << 11)  # make a character or block device


def landlock_version() -> int:
    """The version of Landlock that this system has; 0 if it has none, or is one that the filter is not made for."""
    if sys.platform != "linux" or platform.machine() not in _ARCHITECTURES or sys.maxsize < 1 << 32:
        return 0
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)))


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _require(result: int, what: str) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"the sandbox cannot be closed: {what}")
    return result


def _end_with(parent: int) -> None:
    """Have this process killed when the thread that started it ends: the one of its event loop, which waits for it."""
    _require(_libc().prctl(_SET_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0), "PR_SET_PDEATHSIG")
    if os.getppid() != parent:  # it ended before
        os._exit(1)


def _limit(limits: dict[str, int]) -> None:
    import resource

    for name, value in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def _drop_privileges() -> None:
    libc = _libc()
    _require(libc.prctl(38, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS")
    header, empty = struct.pack("II", 0x20080522, 0), bytes(24)  # version 3 of capabilities, this process
    _require(libc.capset(header, empty), "capset")


def _confine_files() -> None:
    libc, version = _libc(), landlock_version()
    handled = _FILES | (_DEVICE_CONTROL if version >= 5 else 0)
    # Files; TCP ports from 4 on; sockets without a path and signals from 6 on.
    attributes = struct.pack("QQQ", handled, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = _require(libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0), "Landlock")
    for path in _readable():
        _allow(rules, path, _READ)
    _allow(rules, ".", handled & _NO_DEVICES)
    for device in ("/dev/null", "/dev/zero", "/dev/urandom"):
        _allow(rules, device, _READ | 1 << 1)
    _require(libc.syscall(_RESTRICT_SELF, rules, 0), "Landlock")
    os.close(rules)


def _readable() -> set[str]:
    """What Python, its packages and the libraries of the system consist of."""
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix} - {"/"}
    packages = {path for path in sys.path if path.endswith(("site-packages", "dist-packages"))}
    return prefixes | packages | {"/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime"}


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    if not os.path.isdir(path):  # noqa: PTH112
        rights &= _FILE_ONLY
    rule = struct.pack("=Qi", rights, place)
    _require(_libc().syscall(_ADD_RULE, rules, 1, rule, 0), f"Landlock, {path}")
    os.close(place)


def _filter_calls() -> None:
    program = b"".join(_program())
    code = ctypes.create_string_buffer(program, len(program))
    description = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    _require(_libc().prctl(22, 2, description, 0, 0), "seccomp")


def _program() -> list[bytes]:
    """The filter, for Linux's small machine: each instruction is a code, two jumps and a number."""
    architecture, column = _ARCHITECTURES[platform.machine()]
    refuse, missing, allow, end = 0x00050001, 0x00050026, 0x7FFF0000, 0x80000000  # EPERM, ENOSYS, yes, kill

    def load(offset: int) -> bytes:
        return struct.pack("HBBI", 0x20, 0, 0, offset)

    def skip(code: int, value: int, if_so: int, if_not: int) -> bytes:
        return struct.pack("HBBI", code, if_so, if_not, value)

    def give(verdict: int) -> bytes:
        return struct.pack("HBBI", 0x06, 0, 0, verdict)

    equal, greater, any_bit = 0x15, 0x25, 0x45
    program = [load(4), skip(equal, architecture, 1, 0), give(end), load(0)]
    program += [skip(greater, _LAST_KNOWN_CALL, 0, 1), give(missing), skip(equal, _CLONE3, 0, 1), give(missing)]
    for numbers in _REFUSED.values():
        if (number := numbers[column]) is not None:
            program += [skip(equal, number, 0, 1), give(refuse)]
    # A thread may be made, a process not.
    program += [skip(equal, _CLONE[column], 0, 4), load(16), skip(any_bit, 0x10000, 1, 0), give(refuse), give(allow)]
    # Limits may be read, of this process only: both halves of the new limit's address must be 0, and the process.
    program += [skip(equal, _PRLIMIT[column], 0, 8), load(16), skip(equal, 0, 0, 4), load(32), skip(equal, 0, 0, 2)]
    program += [load(36), skip(equal, 0, 1, 0), give(refuse), give(allow)]
    # This process cannot outlive the program: the signal that ends it stays set.
    program += [skip(equal, _PRCTL[column], 0, 3), load(16), skip(equal, _SET_DEATH_SIGNAL, 0, 1), give(refuse)]
    return [*program, give(allow)]


def _run(code: str) -> int:
    """Run code as a program; a last line that is an expression is shown, as at Python's prompt."""
    linecache.cache["<code>"] = (len(code), None, code.splitlines(keepends=True), "<code>")
    names = {"__name__": "__main__", "__builtins__": __builtins__}
    try:
        tree = ast.parse(code, "<code>")
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "<code>", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<code>", "eval"), names)
            if value is not None:
                print(repr(value))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException as error:
        own = error.__traceback__.tb_next if error.__traceback__ else None
        traceback.print_exception(type(error), error, None if isinstance(error, SyntaxError) else own)
        return 1
    return 0


def main() -> None:
    """Read the code, close the sandbox, run the code."""
    _end_with(int(sys.argv[2]))
    code = sys.stdin.read()
    _limit(json.loads(sys.argv[1]))
    _confine_files()
    _drop_privileges()
    _filter_calls()
    status = _run(code)
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status & 0xFF)  # threads and handlers of the code are not waited for


if __name__ == "__main__":
    main()
