"""The folder of a file infobase: names, recognition of what lies in `1Cv8.1CD`, the file system under it, temporary neighbours."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from engine_file.locks import LockFile
from infobase.errors import (
    EngineUnavailable,
    GenuineFile,
    InfobaseDamaged,
    InfobaseNotFound,
    InfobaseVersionUnsupported,
)
from infobase.i18n import text

APPLICATION_ID = 0x49426131
"""SQLite's application_id of our files: "IBa1"."""
STORE_VERSION = 1
"""SQLite's user_version: the format of the store."""

_GENUINE = b"1CDBMSV8"
_SQLITE = b"SQLite format 3\x00"
_NETWORK = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "vboxsf",
    "afs",
    "ncpfs",
    "ceph",
    "glusterfs",
    "lustre",
    "davfs",
    "prl_fs",
    "virtiofs",
}

_open_bases: Counter[Path] = Counter()
open_mutex = threading.RLock()
"""Held while a base file is opened by SQLite or read directly: closing any handle of a file drops this process's SQLite locks on it."""


@dataclass(frozen=True)
class BaseFolder:
    """Every path a base keeps. `root` has its symbolic links resolved: one base, one set of companions."""

    root: Path

    @classmethod
    def at(cls, folder: str | Path) -> BaseFolder:
        return cls(Path(os.path.realpath(os.path.expanduser(folder))))  # noqa: PTH111 - an unknown ~user stays as it is

    @cached_property
    def base(self) -> Path:
        return self.root / "1Cv8.1CD"

    @property
    def gate(self) -> Path:
        return self.root / "1Cv8.1CL.cfl"

    @property
    def queue(self) -> Path:
        return self.root / "1Cv8tmp.1CL.cfl"

    @property
    def holder(self) -> Path:
        return self.root / "1Cv8.1CL"

    @property
    def exclusive(self) -> Path:
        return self.root / "1Cv8.1CD.cfl"

    @property
    def exclusive_holder(self) -> Path:
        return self.sessions / "exclusive.json"

    @property
    def sessions(self) -> Path:
        return self.root / "1Cv8Ses"

    @property
    def log(self) -> Path:
        return self.root / "1Cv8Log" / "1Cv8.lgd"

    @property
    def block(self) -> Path:
        return self.root / "1Cv8.cdn"

    @property
    def check_mark(self) -> Path:
        """Its presence: an I/O error happened; check before going on."""
        return self.root / "1Cv8.1CD.check"


# --- what is open in this process ---


def note_open(path: Path) -> None:
    _open_bases[path] += 1


def note_closed(path: Path) -> None:
    _open_bases[path] -= 1
    if _open_bases[path] <= 0:
        del _open_bases[path]


def is_open(path: Path) -> bool:
    return _open_bases[path] > 0


def _forget_after_fork() -> None:
    global open_mutex
    open_mutex = threading.RLock()
    _open_bases.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


# --- recognition ---


def recognise(path: Path) -> None:
    """Demand that `path` is a store of ours. InfobaseNotFound, GenuineFile, InfobaseDamaged, InfobaseVersionUnsupported."""
    with open_mutex:
        if is_open(path):
            return
        try:
            with path.open("rb") as file:
                head = file.read(100)
        except FileNotFoundError:
            raise InfobaseNotFound(place=path.parent) from None
        except IsADirectoryError:
            detail = text(ru="1Cv8.1CD - папка, а не файл", en="1Cv8.1CD is a folder, not a file")
            raise InfobaseDamaged(place=path.parent, detail=detail) from None
        except PermissionError:
            detail = text(ru="нет прав на чтение файла", en="no right to read the file")
            raise EngineUnavailable(place=path, detail=detail) from None
    _judge(path, head)


def _judge(path: Path, head: bytes) -> None:
    if head.startswith(_GENUINE):
        raise GenuineFile(place=path, what="1CD " + ".".join(str(b) for b in head[8:12]))
    if len(head) < 100 or not head.startswith(_SQLITE):
        detail = text(ru="файл 1Cv8.1CD не является базой этой программы", en="1Cv8.1CD is not a base of this product")
        raise InfobaseDamaged(place=path, detail=detail)
    if int.from_bytes(head[68:72], "big") != APPLICATION_ID:
        detail = text(ru="это файл SQLite другой программы", en="this is an SQLite file of another application")
        raise InfobaseDamaged(place=path, detail=detail)
    version = int.from_bytes(head[60:64], "big")
    if version > STORE_VERSION:
        raise InfobaseVersionUnsupported(place=path, found=version, supported=STORE_VERSION)


# --- the file system ---


def is_network(folder: Path) -> bool:
    """Whether WAL's shared memory cannot be trusted here: a network or FUSE file system."""
    if os.name == "nt":
        import ctypes

        drive = os.path.splitdrive(folder)[0]
        return drive.startswith("\\\\") or ctypes.windll.kernel32.GetDriveTypeW(drive + "\\") == 4  # type: ignore[attr-defined]
    try:
        kind = _file_system_of_device(folder.stat().st_dev, folder)
    except OSError:
        kind = _file_system(folder)
    return kind in _NETWORK or kind.startswith("fuse")


_kinds: dict[int, str] = {}


def _file_system_of_device(device: int, folder: Path) -> str:
    """Asked once of each mounted device: the answer is looked for at every opening."""
    if device not in _kinds:
        _kinds[device] = _file_system(folder)
    return _kinds[device]


def _file_system(folder: Path) -> str:
    """The type of the mount that holds `folder`; "" where the system does not say."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ""
    best, kind = -1, ""
    for line in lines:
        left, _, right = line.partition(" - ")
        mount = left.split()[4].encode("latin-1", "replace").decode("unicode_escape")
        if len(mount) >= best and (folder == Path(mount) or Path(mount) in folder.parents):
            best, kind = len(mount), right.split()[0]
    return kind


def demand_locks(folder: Path) -> None:
    """The locks of a network file system must hold between two processes, or the base would be damaged. EngineUnavailable."""
    path = folder / f"1Cv8.locktest.{secrets.token_hex(4)}.cfl"
    mine = LockFile(path)
    try:
        held = mine.try_lock() and _other_process_gets(path) is False
        mine.unlock()
        if held and _other_process_gets(path):
            return
    finally:
        mine.close()
        path.unlink(missing_ok=True)
    detail = text(
        ru="блокировки файлов на этом сетевом диске не работают, данные могли бы повредиться. Перенесите базу на локальный диск или на сервер (replicate)",
        en="file locks do not work on this network drive, data could be damaged. Move the base to a local disk or to a server (`replicate`)",
    )
    raise EngineUnavailable(place=folder, detail=detail)


def _other_process_gets(path: Path) -> bool:
    command = [sys.executable, "-m", "engine_file.lock_probe", str(path)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    return subprocess.run(command, env=env, timeout=30, check=False).returncode == 0


# --- temporary neighbours ---


class Neighbour:
    """A temporary file beside the base, locked while its maker lives; `sweep` removes those of the dead."""

    def __init__(self, folder: BaseFolder, suffix: str) -> None:
        self.path = folder.root / f"1Cv8.1CD.{os.getpid()}.{secrets.token_hex(4)}.{suffix}"
        self._lock = LockFile(_lock_path(self.path))
        self._lock.try_lock()

    def remove(self) -> None:
        """The file, its journals and its lock. Idempotent."""
        remove_store(self.path)
        self.release()

    def release(self) -> None:
        self._lock.close()
        _lock_path(self.path).unlink(missing_ok=True)


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".cfl")


def remove_store(path: Path) -> None:
    for companion in ("-wal", "-shm", "-journal", ""):
        path.with_name(path.name + companion).unlink(missing_ok=True)


def sweep(folder: BaseFolder) -> None:
    """Remove temporary neighbours whose makers are dead."""
    found = [p for kind in ("new", "scratch") for p in folder.root.glob(f"1Cv8.1CD.*.*.{kind}*")]
    for path in {p.with_name(_stem(p.name)) for p in found}:
        lock = LockFile(_lock_path(path))
        if lock.try_lock():
            remove_store(path)
            _lock_path(path).unlink(missing_ok=True)
        lock.close()


def _stem(name: str) -> str:
    for tail in (".cfl", "-wal", "-shm", "-journal"):
        name = name.removesuffix(tail)
    return name


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
