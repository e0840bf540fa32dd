"""Grounds whose disk can be cut off or filled, in both modes."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests import postgres
from tests.reliability.disk import LoopDisk, kill_inside
from tests.reliability.ground import Ground
from tests.reliability.interrupted import file_ground, server_ground
from tests.reliability.powercut import cluster_on, start_again

Powered = tuple[Ground, Callable[[], None], Callable[[], None]]
"""The ground, what cuts its power, and what gives it back."""


@contextmanager
def file_mode() -> Iterator[Powered]:
    """Everything but the other mode's base stands on the disk."""
    disk = LoopDisk()

    def back() -> None:
        disk.take_away()
        disk.power_on()

    try:
        with postgres.scratch_cluster() as url:
            yield file_ground(disk.folder / "work", url), lambda: _off(disk), back
    finally:
        disk.discard()


def _off(disk: LoopDisk) -> None:
    disk.cut()


@contextmanager
def server_mode(settings: Mapping[str, str] | None = None) -> Iterator[Powered]:
    """PostgreSQL's whole data folder and the files stand on the disk. `settings`: of postgresql.conf."""
    disk = LoopDisk(1500)
    try:
        with cluster_on(disk.folder, settings) as (cluster, url):
            running = [cluster.server_pid()]

            def cut() -> None:
                running[:] = [cluster.server_pid()]
                disk.cut()

            def back() -> None:
                kill_inside(disk.folder, *(pid for pid in running if pid))
                disk.take_away()
                disk.power_on()
                start_again(cluster)

            try:
                yield server_ground(disk.folder / "work", url), cut, back
            finally:
                kill_inside(disk.folder, *(pid for pid in running if pid))
    finally:
        disk.discard()


@contextmanager
def small_disk(mode: str, megabytes: int = 700) -> Iterator[Ground]:
    """A tmpfs (root)."""
    folder = Path(tempfile.mkdtemp(prefix="infobase-small-disk-"))
    folder.chmod(0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(folder)], check=True)
    try:
        if mode == "file":
            with postgres.scratch_cluster() as url:
                yield file_ground(folder / "work", url)
        else:
            with cluster_on(folder) as (_, url):
                yield server_ground(folder / "work", url)
    finally:
        os.sync()
        subprocess.run(["umount", str(folder)], check=True)
        shutil.rmtree(folder)
