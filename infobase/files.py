"""Writing a small file so that a killed process or a power cut leaves the old one or the new one."""

from __future__ import annotations

import errno
import glob
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import portalocker

from infobase.errors import DoneUnfinished, SystemRefusal, TargetExists
from infobase.i18n import text

_TAIL = ".new"


def write_atomically(target: Path, content: bytes) -> None:
    """Replace `target`: a temporary neighbour, fsync, rename, fsync of the folder. Permissions of the old file are kept. OSError."""
    replace_if(target, content, lambda: True)


def replace_if(target: Path, content: bytes, still: Callable[[], bool]) -> bool:
    """The same, but only when `still` holds at the last moment before the renaming; whether it did."""
    with aside(target) as (file, made):
        file.write(content)
        settle(file)
        if target.exists():
            made.chmod(stat.S_IMODE(target.stat().st_mode))
        if not still():
            return False
        made.replace(target)
    settle_name(target)
    return True


@contextmanager
def new_file(target: Path, *, replace: bool = False) -> Iterator[BinaryIO]:
    """A file to be written piece by piece; it gets its name, durably, when the block ends well, and is gone otherwise. TargetExists."""
    if target.exists() and not replace:
        raise TargetExists(place=target)
    with aside(target) as (file, made):
        yield file
        settle(file)
        made.replace(target)
    settle_name(target)


@contextmanager
def aside(target: Path, *, buffering: int = -1) -> Iterator[tuple[BinaryIO, Path]]:
    """A temporary neighbour, locked for as long as its writer lives; those of dead writers are removed, and so is this one unless it has
    been renamed."""
    _sweep(target)
    file, made = _locked_neighbour(target, buffering)
    try:
        with file:
            yield file, made
    finally:
        made.unlink(missing_ok=True)


def _locked_neighbour(target: Path, buffering: int) -> tuple[BinaryIO, Path]:
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:200]}.", suffix=_TAIL, dir=target.parent)
        file, made = os.fdopen(handle, "wb", buffering), Path(name)
        with suppress(portalocker.LockException):  # where nothing can be locked, nothing is swept
            portalocker.lock(file, portalocker.LOCK_EX | portalocker.LOCK_NB)
        if made.exists():
            return file, made
        file.close()  # swept before it was locked


def settle(file: BinaryIO) -> None:
    """On the disk. Windows renames closed files only."""
    file.flush()
    os.fsync(file.fileno())
    if os.name == "nt":
        file.close()


def _sweep(target: Path) -> None:
    """Remove neighbours whose writers were killed."""
    for left in target.parent.glob(f".{glob.escape(target.name[:200])}.*{_TAIL}"):
        with suppress(OSError, portalocker.LockException), left.open("ab") as file:
            portalocker.lock(file, portalocker.LOCK_EX | portalocker.LOCK_NB)
            left.unlink()


def settle_name(target: Path) -> None:
    """Make the name that a file or folder has just taken durable. DoneUnfinished: it is there, but a power cut may take it away."""
    with DoneUnfinished.after(target):
        sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync a folder; the file itself is already safe.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


@contextmanager
def kept_before_the_deed() -> Iterator[None]:
    """Around the copy that a deed makes first. SystemRefusal, where the copy is there but not surely durable: the deed is not begun."""
    try:
        yield
    except DoneUnfinished as e:
        detail = text(
            ru=f"копия на месте, но не подтверждена диском: {e.fields.get('detail')}; само действие не начато",
            en=f"the copy is in place, but the disk has not confirmed it: {e.fields.get('detail')}; the deed itself was not begun",
        )
        raise SystemRefusal(place=e.fields.get("place"), detail=detail) from e
