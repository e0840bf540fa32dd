"""What every scenario shares: places for bases, interleaved timing, and the table of figures."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table as Shown

from engine_server.embedded import EmbeddedCluster
from engine_server.engine import ServerEngine
from infobase.connection import engine_of
from infobase.storage import StorageEngine


@dataclass(frozen=True)
class Figure:
    """One measured figure. `target` is a bound on `value` ("<= 1.7"), "" where there is none."""

    scenario: str
    engine: str
    name: str
    value: float
    unit: str
    target: str = ""
    note: str = ""

    @property
    def met(self) -> bool | None:
        if not self.target:
            return None
        sign, bound = self.target.split()
        return self.value <= float(bound) if sign == "<=" else self.value >= float(bound)


def interleaved(ours: Callable[[], object], raw: Callable[[], object], rounds: int) -> tuple[float, float, float]:
    """Seconds of each per round (medians), and the median of the ratios round by round: A B A B, so that drift hits both."""
    pairs = []
    for _ in range(rounds):
        pairs.append((_seconds(ours), _seconds(raw)))
    a, b = (statistics.median(column) for column in zip(*pairs, strict=True))
    return a, b, statistics.median(x / y for x, y in pairs)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@contextmanager
def cluster() -> Iterator[EmbeddedCluster]:
    """A private PostgreSQL with durable settings, for the run."""
    folder = Path(tempfile.mkdtemp(prefix="infobase-bench-pg-"))
    folder.chmod(0o755)
    made = EmbeddedCluster(folder, settings={"shared_buffers": "512MB", "max_wal_size": "4GB"})
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


def show(console: Console, figures: list[Figure]) -> None:
    table = Shown("scenario", "engine", "figure", "value", "target", "met", "note")
    for f in figures:
        met = {True: "[green]yes", False: "[red]no", None: ""}[f.met]
        table.add_row(f.scenario, f.engine, f.name, f"{f.value:.3g} {f.unit}", f.target, met, f.note)
    console.print(table)


def as_json(figures: list[Figure]) -> list[dict[str, object]]:
    return [asdict(f) | {"met": f.met} for f in figures]
