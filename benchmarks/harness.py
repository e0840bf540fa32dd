"""What every scenario shares: places for bases, interleaved timing, and the table of figures."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine_server.embedded import EmbeddedCluster
from engine_server.engine import ServerEngine
from infobase.connection import engine_of
from infobase.storage import StorageEngine


@dataclass(frozen=True)
class Figure:
    """One measured figure. `target` is a bound on `value` ("<= 1.7"), "" where there is none; `samples`: the value round by round, where
    there were rounds; `better`: which way is an improvement, "" for what is only told."""

    scenario: str
    engine: str
    name: str
    value: float
    unit: str
    target: str = ""
    note: str = ""
    samples: tuple[float, ...] = ()
    better: str = "lower"

    @property
    def met(self) -> bool | None:
        if not self.target:
            return None
        sign, bound = self.target.split()
        return self.value <= float(bound) if sign == "<=" else self.value >= float(bound)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.scenario, self.engine, self.name


@dataclass(frozen=True)
class Spent:
    """What a piece of work took: seconds by the clock, and of processor (the server's processes included)."""

    wall: float
    cpu: float


Work = Callable[[], object]
Clock = Callable[[], float]
"""Seconds of processor used so far."""


@dataclass(frozen=True)
class Duel:
    """Two ways of the same work, measured in turns (A B, B A, A B ...): drift and bursts of the machine hit both."""

    ours: Sequence[Spent]
    raw: Sequence[Spent]

    @property
    def ratios(self) -> tuple[float, ...]:
        """By the clock, round by round."""
        return tuple(a.wall / b.wall for a, b in zip(self.ours, self.raw, strict=True))

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def cpu_ratio(self) -> float:
        """Of the sums: single rounds are too short for the server's clock of 10 ms."""
        return sum(a.cpu for a in self.ours) / max(sum(b.cpu for b in self.raw), 1e-9)

    @property
    def cpu_ratios(self) -> tuple[float, ...]:
        """Round by round, of the rounds that the clock could tell from nothing: for their spread."""
        return tuple(a.cpu / b.cpu for a, b in zip(self.ours, self.raw, strict=True) if a.cpu > 0 and b.cpu > 0)

    def figures(self, scenario: str, engine: str, name: str, target: str, note: str = "") -> list[Figure]:
        """The ratio by the clock, which has the target, and that of processor time beside it."""
        ours, raw = (statistics.median(s.wall for s in side) * 1000 for side in (self.ours, self.raw))
        told = f"{ours:.4g} ms against {raw:.4g} ms" + (f"; {note}" if note else "")
        return [
            Figure(scenario, engine, name, self.ratio, "x", target, told, self.ratios),
            Figure(scenario, engine, f"{name}, CPU", self.cpu_ratio, "x", samples=self.cpu_ratios),
        ]


def spent(work: Work, clock: Clock = time.process_time, per: int = 1) -> Spent:
    wall, cpu = time.perf_counter(), clock()
    work()
    return Spent((time.perf_counter() - wall) / per, (clock() - cpu) / per)


def processor_of(pid: int) -> float:
    """Seconds of processor of a process and all its children so far, the ended ones too; 0 where there is no /proc.

    A child that ends while the others are counted is in neither sum: counted again until none has ended meanwhile."""
    while True:
        ended, own = _ticks(pid)
        living = _living_children(pid)
        if _ticks(pid)[0] == ended:
            return (ended + own + living) / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> tuple[int, int]:
    """Of its ended and reaped children, and of a process itself."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0, 0
    return int(fields[13]) + int(fields[14]), int(fields[11]) + int(fields[12])


def _living_children(pid: int) -> int:
    """Ticks of the children that were not yet reaped."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            ticks += int(fields[11]) + int(fields[12])
    return ticks


def _scheduler_counts(pid: int) -> Iterator[Path]:
    """Where the scheduler tells the nanoseconds on a processor, of a process and its children; none where there is no /proc."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if pid in (parent, int(folder.name)):
            yield folder / "schedstat"


SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB"}
"""Of PostgreSQL, beside its defaults; fsync and synchronous_commit stay on."""


@contextmanager
def cluster(parent: Path | None = None) -> Iterator[EmbeddedCluster]:
    """A private PostgreSQL with durable settings, for the run; its folder lies in `parent`."""
    folder = Path(tempfile.mkdtemp(prefix="infobase-bench-pg-", dir=parent))
    folder.chmod(0o755)
    made = EmbeddedCluster(folder, settings=SETTINGS)
    made.start()
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Bench:
    """Where scenarios put their bases. `pg`: the cluster, None when only file mode is measured."""

    folder: Path
    pg: EmbeddedCluster | None
    rows: int
    seconds: float

    def engine(self, kind: str, name: str) -> StorageEngine:
        if kind == "file":
            return engine_of(f'File="{self.folder / name}";')
        assert self.pg is not None
        engine: StorageEngine = ServerEngine(self.pg.start().at(f"bench_{name}"))
        return engine

    def connection(self, kind: str, name: str) -> str:
        """The connection string of `engine(kind, name)`."""
        if kind == "file":
            return f'File="{self.folder / name}";'
        assert self.pg is not None
        place = self.pg.start()
        return f'DBMS=PostgreSQL;DBSrvr="{place.host} port={place.port}";DB="bench_{name}";DBUID="{place.user}";'

    def clock(self, kind: str) -> Clock:
        """Processor time of this process and, on the server, of all its processes."""
        if kind == "file":
            return time.process_time
        assert self.pg is not None
        pid = self.pg.server_pid() or 0
        return lambda: time.process_time() + processor_of(pid)

    def fine_clock(self, kind: str) -> Clock:
        """The same without the steps of 10 ms in which Linux counts processes, for single calls: of the server's processes, those that live now."""
        if kind == "file":
            return time.process_time
        assert self.pg is not None
        counts = list(_scheduler_counts(self.pg.server_pid() or 0))
        return lambda: time.process_time() + sum(int(c.read_text().split()[0]) for c in counts if c.exists()) / 1e9
