"""Folders made aside and renamed into place when they are whole; those of dead processes are swept.

with ScratchFolder(target) as scratch:
    ... fill scratch.path ...
    scratch.publish(target)
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import portalocker

from infobase.errors import DiskFull, DoneUnfinished, SystemRefusal, TargetExists
from infobase.files import settle_name, sync_folder
from infobase.i18n import text

_TAIL, _LOCK, _OURS = ".new", ".lock", "infobase-"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class ScratchFolder:
    """A hidden neighbour of `target`, on the same disk. A lock file says that its maker lives."""

    def __init__(self, target: Path, *, mode: int = 0o777) -> None:
        self.target = target.absolute()
        parent = self.target.parent
        self._made: list[Path] = []
        with file_errors(parent):
            self._make_parents(parent)
            sweep(parent)
            self.path = parent / f".{self.target.name[:100]}.{secrets.token_hex(4)}{_TAIL}"
            self._lock_path = self.path.with_name(self.path.name + _LOCK)
            self._lock = self._lock_path.open("ab")
            portalocker.lock(self._lock, portalocker.LOCK_EX)
            self.path.mkdir(mode=mode)

    def _make_parents(self, parent: Path) -> None:
        missing = [p for p in (parent, *parent.parents) if not p.exists()]
        parent.mkdir(parents=True, exist_ok=True)
        self._made = missing

    def publish(self, target: Path | None = None) -> None:
        """Sync everything and take the name: an empty folder of that name gives way, anything else raises TargetExists."""
        goal = (target or self.target).absolute()
        with file_errors(goal):
            sync_tree(self.path)
            try:
                if goal.exists():
                    goal.rmdir()
                self.path.rename(goal)
            except OSError as e:
                if e.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise TargetExists(place=goal) from e
                raise
            settle_name(goal)
        self._made = []

    def remove(self) -> None:
        """What was not published goes, with the folders made for it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()
        self._lock_path.unlink(missing_ok=True)
        for folder in self._made:
            if not any(folder.iterdir()):
                folder.rmdir()
        self._made = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self.remove()
        if isinstance(e, DoneUnfinished) and self.path in Path(str(e.fields.get("place"))).parents:
            with file_errors(self.target):
                raise e.__cause__ or e  # what was done in here is gone with the folder


def sweep(parent: Path) -> None:
    """Remove scratch folders whose makers are dead."""
    for lock_path in parent.glob(f".*{_TAIL}{_LOCK}"):
        try:
            with lock_path.open("ab") as lock:
                portalocker.lock(lock, portalocker.LOCK_EX | portalocker.LOCK_NB)
                shutil.rmtree(lock_path.with_name(lock_path.name.removesuffix(_LOCK)), ignore_errors=True)
                lock_path.unlink(missing_ok=True)
        except (portalocker.LockException, OSError):
            continue  # its maker lives, or it is not ours to remove


@contextmanager
def temporary_folder(what: str, parent: Path | None = None) -> Iterator[Path]:
    """A private folder for the block, in the temporary folder or in `parent`. Those that killed processes of this user left there are removed
    first: a lock inside says that their maker lives. DiskFull, SystemRefusal."""
    root = parent or Path(tempfile.gettempdir())
    with file_errors(root):
        _sweep_temporary(root)
        holder = Path(tempfile.mkdtemp(prefix=f"{_OURS}{what}-", dir=root))
    try:
        with file_errors(root), (holder / f"{_LOCK}{_TAIL}").open("ab") as lock:
            portalocker.lock(lock, portalocker.LOCK_EX)
            (holder / f"{_LOCK}{_TAIL}").rename(holder / _LOCK)  # seen by others only when it is locked
            (holder / what).mkdir()
            yield holder / what
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def _sweep_temporary(root: Path) -> None:
    """Only real folders of this very user, with a lock that nobody holds: anybody may make names in a temporary folder."""
    for holder in root.glob(f"{_OURS}*"):
        try:
            found, lock_path = holder.lstat(), holder / _LOCK
            own = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
            if not own or not stat.S_ISDIR(found.st_mode) or lock_path.is_symlink() or not lock_path.is_file():
                continue
            with lock_path.open("rb+") as lock:
                portalocker.lock(lock, portalocker.LOCK_EX | portalocker.LOCK_NB)
        except (portalocker.LockException, OSError):
            continue  # its maker lives, or it is not ours to remove
        shutil.rmtree(holder, ignore_errors=True)


def sync_tree(folder: Path) -> None:
    """fsync of every file and folder below, and of the folder itself."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        elif path.is_dir():
            sync_folder(path)
    sync_folder(folder)


@contextmanager
def file_errors(place: Path) -> Iterator[None]:
    """Errors of the file system under a place: DiskFull, SystemRefusal."""
    try:
        yield
    except OSError as e:
        detail = e.strerror or str(e)
        if e.errno in NO_SPACE:
            raise DiskFull(place=place, detail=detail) from e
        raise SystemRefusal(place=place, detail=detail) from e


def demand_room(folder: Path, needed: int) -> None:
    """DiskFull when the disk of `folder` (or of the nearest folder above that exists) has less than `needed` bytes free."""
    there = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        ru = f"нужно около {needed >> 20} МБ, свободно {free >> 20} МБ"
        raise DiskFull(place=folder, detail=text(ru=ru, en=f"about {needed >> 20} MB needed, {free >> 20} MB free"))
