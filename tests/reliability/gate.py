"""System calls that fail on demand: seccomp's user notification. No root, no compiler, no tracer; Linux 5.19 or newer.

A thread that `install`s the filter, and every thread and process it makes from then on, asks the gate before each call that writes
to the file system; the gate answers "go on" or an error. Unlike `strace -e inject` it counts over all threads and processes together and
knows which file a call is about, so that "the n-th write" means one write of one file of the stand and nothing else.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import select
import struct
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

CALLS = {
    "write": ("write", "pwrite64", "writev", "pwritev", "pwritev2", "copy_file_range", "sendfile"),
    "sync": ("fsync", "fdatasync", "sync_file_range"),
    "rename": ("rename", "renameat", "renameat2", "link", "linkat"),
    "open": ("openat", "creat"),
    "size": ("ftruncate", "fallocate", "truncate"),
    "mkdir": ("mkdir", "mkdirat"),
    "unlink": ("unlink", "unlinkat", "rmdir"),
}
"""Groups of calls that fail together. "open" means for writing, or to make a file."""
_X86 = {
    "write": 1,
    "pwrite64": 18,
    "writev": 20,
    "pwritev": 296,
    "pwritev2": 328,
    "copy_file_range": 326,
    "sendfile": 40,
    "fsync": 74,
    "fdatasync": 75,
    "sync_file_range": 277,
    "rename": 82,
    "renameat": 264,
    "renameat2": 316,
    "link": 86,
    "linkat": 265,
    "openat": 257,
    "creat": 85,
    "ftruncate": 77,
    "fallocate": 285,
    "truncate": 76,
    "mkdir": 83,
    "mkdirat": 258,
    "unlink": 87,
    "unlinkat": 263,
    "rmdir": 84,
}
_ARM = {
    "write": 64,
    "pwrite64": 68,
    "writev": 66,
    "pwritev": 70,
    "pwritev2": 287,
    "copy_file_range": 285,
    "sendfile": 71,
    "fsync": 82,
    "fdatasync": 83,
    "sync_file_range": 84,
    "renameat": 38,
    "renameat2": 276,
    "linkat": 37,
    "openat": 56,
    "ftruncate": 46,
    "fallocate": 47,
    "truncate": 45,
    "mkdirat": 34,
    "unlinkat": 35,
}
_MACHINES = {"x86_64": (0xC000003E, 317, _X86), "aarch64": (0xC00000B7, 277, _ARM)}
"""AUDIT_ARCH, the number of seccomp(2), and the numbers of the calls."""
_BY_PATH = {"rename": 0, "link": 0, "creat": 0, "truncate": 0, "mkdir": 0, "unlink": 0, "rmdir": 0} | dict.fromkeys(
    ("renameat", "renameat2", "linkat", "openat", "mkdirat", "unlinkat"), 1
)
"""Which argument is the path. The others have a descriptor."""
_DESCRIPTOR = {"sendfile": 0, "copy_file_range": 2}
_LISTENER, _WAIT_KILLABLE = 8, 32
_RECEIVE, _ANSWER, _SET_FLAGS = 0xC0502100, 0xC0182101, 0x40082104
_NOTIFY, _ALLOW = 0x7FC00000, 0x7FFF0000
_FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CONTINUE = 1


def why_not() -> str:
    """Why calls cannot be made to fail here; "" when they can."""
    if platform.system() != "Linux" or platform.machine() not in _MACHINES:
        return "failing calls need Linux on x86_64 or aarch64"
    kernel = tuple(int(n) for n in platform.release().split("-")[0].split(".")[:2])
    return "" if kernel >= (5, 19) else "failing calls need Linux 5.19 or newer"


# --- the filtered side ---


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _filter(groups: tuple[str, ...]) -> bytes:
    """Ask about the calls of the groups, let the others pass; an openat that only reads passes too."""
    audit, _, numbers = _MACHINES[platform.machine()]
    wanted = [(name, numbers[name]) for group in groups for name in CALLS[group] if name in numbers]
    load, equal, mask, say = 0x20, 0x15, 0x54, 0x06
    lines = [(load, 0, 0, 4), (equal, 1, 0, audit), (say, 0, 0, _ALLOW), (load, 0, 0, 0)]
    for name, number in wanted:
        if name == "openat":
            lines += [(equal, 0, 5, number), (load, 0, 0, 32), (mask, 0, 0, _FOR_WRITING), (equal, 0, 1, 0)]
            lines += [(say, 0, 0, _ALLOW), (say, 0, 0, _NOTIFY)]
        else:
            lines += [(equal, 0, 1, number), (say, 0, 0, _NOTIFY)]
    return b"".join(struct.pack("HBBI", *line) for line in [*lines, (say, 0, 0, _ALLOW)])


def install(groups: tuple[str, ...]) -> int:
    """Put this thread, and what it starts from now on, behind a gate; the listener's descriptor, for `Gate`."""
    code = ctypes.create_string_buffer(_filter(groups))
    program = _Program(len(code) // 8, ctypes.cast(code, ctypes.c_void_p))
    system = ctypes.CDLL(None, use_errno=True)
    system.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS, or seccomp would need root
    number = _MACHINES[platform.machine()][1]
    listener = int(system.syscall(number, 1, _LISTENER | _WAIT_KILLABLE, ctypes.byref(program)))
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return listener


# --- the gate ---


@dataclass(frozen=True)
class Failure:
    """The `turn`-th call of a group fails (0: none), with `always` all after it too."""

    group: str
    error: int = errno.EIO
    turn: int = 0
    always: bool = False


@dataclass
class Gate:
    """Answers for the calls behind a listener that are about files below `root`. Since it was armed: `calls` of the armed group,
    `seen` of every group, `hit`: what failed first."""

    listener: int
    root: str
    calls: int = 0
    hit: str = ""
    seen: Counter[str] = field(default_factory=Counter)
    _armed: Failure | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        _, _, numbers = _MACHINES[platform.machine()]
        self._names = {number: name for name, number in numbers.items()}
        self._groups = {name: group for group, names in CALLS.items() for name in names}
        with suppress(OSError):  # Linux 6.6: wake the other side on this core
            fcntl.ioctl(self.listener, _SET_FLAGS, 1)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def arm(self, failure: Failure | None) -> None:
        """From now on; None: everything passes."""
        with self._lock:
            self._armed, self.calls, self.hit, self.seen = failure, 0, "", Counter()

    def close(self) -> None:
        """After the last process behind the gate has ended."""
        self._thread.join(30)
        os.close(self.listener)

    def _serve(self) -> None:
        poll = select.poll()
        poll.register(self.listener, select.POLLIN)
        while True:
            [(_, event)] = poll.poll()
            if event & select.POLLIN:
                with suppress(OSError):  # the caller was killed in the meantime
                    self._answer()
            elif event:
                return

    def _answer(self) -> None:
        asked = bytearray(80)
        fcntl.ioctl(self.listener, _RECEIVE, asked)
        mark, pid, _, number, _, _, *arguments = struct.unpack("QIIiIQ6Q", asked)
        failure = self._judge(pid, self._names[number], arguments)
        answer = struct.pack("Qqii", mark, 0, -failure, 0) if failure else struct.pack("Qqii", mark, 0, 0, _CONTINUE)
        fcntl.ioctl(self.listener, _ANSWER, bytearray(answer))

    def _judge(self, pid: int, name: str, arguments: list[int]) -> int:
        """The errno, or 0."""
        armed = self._armed
        if armed is None:
            return 0
        place = _place(pid, name, arguments)
        if not f"{place}/".startswith(self.root):
            return 0
        with self._lock:
            self.seen[self._groups[name]] += 1
            if self._groups[name] != armed.group:
                return 0
            self.calls += 1
            if not armed.turn or self.calls < armed.turn or (self.calls > armed.turn and not armed.always):
                return 0
            self.hit = self.hit or f"{name} {place.removeprefix(self.root)}"
            return armed.error


def _place(pid: int, name: str, arguments: list[int]) -> str:
    """The file a call is about; "" when it cannot be told."""
    try:
        if name not in _BY_PATH:
            return str(Path(f"/proc/{pid}/fd/{arguments[_DESCRIPTOR.get(name, 0)]}").readlink())
        which = _BY_PATH[name]
        path = _text_at(pid, arguments[which])
        if path.startswith("/"):
            return path
        folder = ctypes.c_int(arguments[0]).value if which else -100
        base = Path(f"/proc/{pid}/cwd" if folder == -100 else f"/proc/{pid}/fd/{folder}").readlink()
        return os.path.normpath(base / path)
    except OSError:
        return ""


def _text_at(pid: int, address: int) -> str:
    """A C string in the memory of a process."""
    handle = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    try:
        room = 4096 - address % 4096  # the next page may not be there
        found = os.pread(handle, room, address)
        if b"\0" not in found:
            found += os.pread(handle, 4096, address + room)
        return os.fsdecode(found.split(b"\0", 1)[0])
    finally:
        os.close(handle)
