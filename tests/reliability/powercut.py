"""Cutting the power in mid-write, again and again: no acknowledged posting may be lost, none may be half there."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from uuid import UUID

from engine_server.embedded import EmbeddedCluster
from infobase.errors import EngineUnavailable
from tests.bases import Place, file_place
from tests.postgres import url_of
from tests.reliability.disk import LoopDisk, kill_inside
from tests.reliability.writers import Audit, Crew, audit, stock

WRITERS = 3
FRESH_EVERY = 25
"""Rounds after which a new base is taken, so that the audit stays quick."""

Report = Callable[[str], None]


@dataclass
class Tally:
    """Sums over the rounds."""

    rounds: int = 0
    acknowledged: int = 0
    lost: int = 0
    half: int = 0
    faults: int = 0

    def add(self, acknowledged: int, found: Audit) -> None:
        self.rounds += 1
        self.acknowledged += acknowledged
        self.lost += found.lost
        self.half += found.half
        self.faults += len(found.faults)

    @property
    def sound(self) -> bool:
        return not (self.lost or self.half or self.faults)

    def counts(self) -> dict[str, int | str]:
        """As a line of a table."""
        return {**asdict(self)}

    def __str__(self) -> str:
        return (
            f"{self.rounds} rounds, {self.acknowledged} acknowledged postings: "
            f"lost {self.lost}, half {self.half}, faults {self.faults}"
        )


def cut_file(rounds: int, report: Report, seed: int = 1) -> Tally:
    """File mode, under the journal that INFOBASE_JOURNAL names."""
    disk = LoopDisk()
    try:
        return _rounds(disk, rounds, report, Random(seed), lambda n: file_place(disk.folder / f"base{n}"), _no_server)
    finally:
        disk.discard()


def cut_server(rounds: int, report: Report, seed: int = 1, settings: Mapping[str, str] | None = None) -> Tally:
    """Server mode: the whole data folder of PostgreSQL stands on the disk. `settings`: of postgresql.conf."""
    disk = LoopDisk(1200)
    try:
        with cluster_on(disk.folder, settings) as (cluster, url):
            places = lambda n: Place(url.replace("/postgres?", f"/powercut{n}?"))  # noqa: E731
            try:
                return _rounds(disk, rounds, report, Random(seed), places, lambda: _server(cluster, disk))
            finally:
                kill_inside(disk.folder)
    finally:
        disk.discard()


@contextmanager
def cluster_on(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[tuple[EmbeddedCluster, str]]:
    """A running cluster whose data lies in `folder`/data while its locks and log lie elsewhere, and its URL."""
    holder = Path(tempfile.mkdtemp(prefix="infobase-powercut-pg-"))
    holder.chmod(0o755)
    wanted = {
        "shared_buffers": "64MB",
        "max_connections": "40",
        "recovery_init_sync_method": "syncfs",
        **(settings or {}),
    }
    cluster = EmbeddedCluster(holder, settings=wanted)
    try:
        cluster.start()
        cluster._halt()
        (holder / "data").rename(holder / "moved")
        shutil.copytree(holder / "moved", folder / "data", copy_function=_copy_owned)
        _own_folders(holder / "moved", folder / "data")
        os.sync()
        (holder / "data").symlink_to(folder / "data")
        yield cluster, url_of(cluster.start())
    finally:
        cluster.stop()
        shutil.rmtree(holder, ignore_errors=True)


def _copy_owned(source: str, target: str) -> None:
    shutil.copy2(source, target)
    found = Path(source).stat()
    os.chown(target, found.st_uid, found.st_gid)


def _own_folders(source: Path, target: Path) -> None:
    for folder in [source, *(p for p in source.rglob("*") if p.is_dir())]:
        found = folder.stat()
        os.chown(target / folder.relative_to(source), found.st_uid, found.st_gid)


@contextmanager
def _no_server() -> Iterator[None]:
    yield


def start_again(cluster: EmbeddedCluster) -> None:
    """The killed processes may hold PostgreSQL's shared memory for a moment longer."""
    for _ in range(10):
        try:
            cluster.start()
            return
        except EngineUnavailable:
            time.sleep(1)
    cluster.start()


@contextmanager
def _server(cluster: EmbeddedCluster, disk: LoopDisk) -> Iterator[None]:
    """Brings the server up for a block and lets it die with the disk."""
    start_again(cluster)
    pid = cluster.server_pid()
    yield
    kill_inside(disk.folder, *([pid] if pid else []))


def _rounds(
    disk: LoopDisk,
    rounds: int,
    report: Report,
    random: Random,
    place_of: Callable[[int], Place],
    power: Callable[[], AbstractContextManager[None]],
) -> Tally:
    tally = Tally()
    acknowledged: set[UUID] = set()
    for n in range(rounds):
        place = place_of(n // FRESH_EVERY)
        with power():
            if n % FRESH_EVERY == 0:
                stock(place)
                acknowledged = set()
            crew = Crew(place)
            crew.start(WRITERS)
            crew.listen(random.uniform(0.05, 0.6))
            moment = disk.cut()
            crew.kill()
        disk.take_away()
        disk.power_on()
        promised = crew.acknowledged_before(moment)
        acknowledged |= promised
        with power():
            found = audit(place, acknowledged)
            tally.add(len(promised), found)
        if found.lost:
            acknowledged = set()  # each is counted once
        if not found.sound or (n + 1) % 20 == 0:
            report(f"{tally} {' '.join(found.faults[:3])}")
    return tally
