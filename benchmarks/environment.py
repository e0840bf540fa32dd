"""Where a run was made: enough to judge whether two runs may be compared."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
import statistics
import subprocess
import time
from pathlib import Path

import infobase

_PACKAGES = ("psycopg", "pyarrow", "adbc-driver-postgresql", "adbc-driver-sqlite", "sqlalchemy")
_SYNCS = 30
_ROOT = Path(__file__).parents[1]


def environment(folder: Path, postgresql: str) -> dict[str, str]:
    """Processor, memory, disk, versions. `folder`: on the disk that is measured; `postgresql`: the server's version, "" without one."""
    return {
        "cpu": _processor(),
        "cores": str(os.cpu_count() or 0),
        "memory": _memory(),
        "disk": f"{_file_system(folder)}, fsync of 4 KB {_sync_ms(folder):.2f} ms",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "postgresql": postgresql,
        **{name: _version(name) for name in _PACKAGES},
        "infobase": infobase.__version__,
        "revision": revision(),
        "load": _load(),
    }


COMPARED = ("cpu", "cores", "system", "sqlite", "postgresql")
"""What must be equal before times of two runs may be compared at all."""


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB"
    except (ValueError, OSError, AttributeError):
        return "?"


def _file_system(folder: Path) -> str:
    done = subprocess.run(["stat", "-f", "-c", "%T", str(folder)], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "?"


def _sync_ms(folder: Path) -> float:
    """The median time of a small durable write."""
    path = folder / "sync.tmp"
    took = []
    with path.open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            started = time.perf_counter()
            file.write(b"\0" * 4096)
            os.fsync(file.fileno())
            took.append(time.perf_counter() - started)
    path.unlink()
    return statistics.median(took) * 1000


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _load() -> str:
    return ", ".join(f"{x:.1f}" for x in os.getloadavg()) if hasattr(os, "getloadavg") else ""


def revision() -> str:
    """The checkout's commit, "+" after it when there are changes on top; "" outside a checkout."""

    def git(*arguments: str) -> str:
        try:
            done = subprocess.run(["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, check=False)
        except OSError:
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""

    head = git("rev-parse", "--short=12", "HEAD")
    return head + ("+" if head and git("status", "--porcelain", "--untracked-files=no") else "")
