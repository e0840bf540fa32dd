"""A disk whose power can be cut: ext4 on a loop device, ended by EXT4_IOC_SHUTDOWN without flushing its journal.

What was not synced is gone, as after a real power cut; single writes are neither torn nor reordered. Needs root and Linux.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

_EXT4_IOC_SHUTDOWN = 0x8004587D
_NO_LOG_FLUSH = 2


def why_not() -> str:
    """Why power cannot be cut on this machine; "" when it can."""
    if os.name != "posix" or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "cutting the power needs root"
    missing = [p for p in ("mkfs.ext4", "mount", "umount") if shutil.which(p) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    if not Path("/dev/loop-control").exists():
        return "there are no loop devices"
    return ""


class LoopDisk:
    """`folder`: where it is mounted. Mounted by `power_on`, lost by `cut`, removed by `discard`."""

    def __init__(self, megabytes: int = 400) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="infobase-powercut-"))
        self.root.chmod(0o755)
        self.image, self.folder = self.root / "disk.img", self.root / "disk"
        self.folder.mkdir()
        with self.image.open("wb") as file:
            file.truncate(megabytes << 20)
        _run("mkfs.ext4", "-q", "-F", str(self.image))
        self.power_on()

    def power_on(self) -> None:
        _run("mount", "-o", "loop", str(self.image), str(self.folder))

    def cut(self) -> float:
        """Nothing more reaches the disk. The moment (monotonic seconds) before which all was well."""
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            moment = time.monotonic()
            fcntl.ioctl(handle, _EXT4_IOC_SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(handle)
        return moment

    def take_away(self) -> None:
        """Unmount, once nobody has it open; processes that still sit in it are killed."""
        deadline = time.monotonic() + 20
        while True:
            done = subprocess.run(["umount", str(self.folder)], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return
            if time.monotonic() > deadline:
                raise RuntimeError(done.stderr.strip())
            kill_inside(self.folder)
            time.sleep(0.05)

    def discard(self) -> None:
        if os.path.ismount(self.folder):
            self.take_away()
        shutil.rmtree(self.root)


def sync_disk_of(folder: Path) -> None:
    """All that is written on the file system under a folder is durable; other disks are left alone."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(handle):
            raise OSError(ctypes.get_errno(), "syncfs", str(folder))
    finally:
        os.close(handle)


def kill_inside(folder: Path, *others: int) -> None:
    """SIGKILL every process that works in the folder, as a power cut ends it; wait until they and the `others` are gone (who died by
    themselves may wait for the system to bury them)."""
    killed = [pid for pid in _processes() if _works_in(pid, folder)]
    for pid in killed:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in (*killed, *others)) and time.monotonic() < deadline:
        time.sleep(0.01)


def _processes() -> list[int]:
    return [int(e.name) for e in Path("/proc").iterdir() if e.name.isdigit() and int(e.name) != os.getpid()]


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(folder)
    except OSError:
        return False


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
