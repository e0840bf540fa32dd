"""Golden bases: prepared once, never opened again, copied byte by byte.

A golden file is sealed when it is published: its size and time of change are noted beside it. One that differs from its seal (cut, edited,
half restored from somewhere) is no golden base, and is made anew.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def seal(base: Path) -> None:
    """Note what the finished file is."""
    with _seal(base).open("w", encoding="ascii") as file:
        file.write(_state(base))
        file.flush()
        os.fsync(file.fileno())


def is_sealed(base: Path) -> bool:
    """Whether the file is exactly the one that was sealed, and no journal of a writer lies beside it."""
    try:
        return _seal(base).read_text(encoding="ascii") == _state(base) and not _journals(base)
    except (OSError, ValueError):
        return False


def unseal(base: Path) -> None:
    """Before the file changes."""
    _seal(base).unlink(missing_ok=True)


def copy(source: Path, target: Path) -> None:
    """The bytes, by the system itself where it can: without passing through this process, shared where the file system shares."""
    if not hasattr(os, "copy_file_range"):
        shutil.copyfile(source, target)
        return
    with source.open("rb") as original, target.open("wb") as made:
        left = os.fstat(original.fileno()).st_size
        try:
            while left > 0 and (moved := os.copy_file_range(original.fileno(), made.fileno(), left)):
                left -= moved
        except OSError:
            # Between two file systems, or one that cannot: the ordinary way from the beginning.
            left = -1
    if left:
        shutil.copyfile(source, target)


def _seal(base: Path) -> Path:
    return base.with_name(base.name + ".sealed")


def _state(base: Path) -> str:
    found = base.stat()
    return f"{found.st_size} {found.st_mtime_ns}"


def _journals(base: Path) -> bool:
    return any(base.with_name(base.name + tail).exists() for tail in ("-wal", "-journal"))
