"""Two modes side by side: deeds x users x sizes x networks, each a cell measured for the same time; kept as it goes, so that a run can be resumed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

from benchmarks.contention import jain
from benchmarks.environment import environment
from benchmarks.load.deeds import DEEDS
from benchmarks.load.network import NETWORKS
from benchmarks.load.stands import FileStand, Stand, Unavailable, server_stand
from benchmarks.load.worker import Served, Task, serve
from infobase.errors import BenchmarkRunInvalid
from infobase.i18n import text

Progress = Callable[[str, int, int], None]
MODES = ("file", "server")
USERS = (1, 2, 3, 5, 10, 20, 50)
OVERHEAD_SECONDS = 3.0
"""What starting the users of a cell takes beside measuring, about."""
SHORTEST, LONGEST = 1.0, 20.0
"""Seconds of one cell."""
LEAST_DEEDS = 8
"""Of each user in a cell, where users think between deeds."""


@dataclass(frozen=True)
class Plan:
    """What is to be measured. `minutes`: of the whole run."""

    minutes: float
    users: tuple[int, ...] = USERS
    documents: tuple[int, ...] = (10_000, 100_000)
    networks: tuple[str, ...] = tuple(NETWORKS)
    deeds: tuple[str, ...] = tuple(DEEDS)
    modes: tuple[str, ...] = MODES

    def combinations(self) -> Iterator[tuple[str, str, int, str, int]]:
        """Mode, network, documents, deed, users. Modes take turns, so that a drift of the machine hits both."""
        for network in self.networks:
            for documents in self.documents:
                for deed in self.deeds:
                    for users in self.users:
                        for mode in self.modes:
                            yield mode, network, documents, deed, users

    def seconds(self, deed: str) -> float:
        """Of each cell. Users who think need the time to do something in between."""
        cells = sum(1 for _ in self.combinations())
        fair = self.minutes * 60 / max(cells, 1) - OVERHEAD_SECONDS
        return max(min(LONGEST, max(SHORTEST, fair)), DEEDS[deed].think * LEAST_DEEDS)


@dataclass(frozen=True)
class Cell:
    """One measured combination. Seconds; `turns` and `bytes` of one deed; `skipped`: why it was not measured, "" when it was."""

    mode: str
    network: str
    documents: int
    deed: str
    users: int
    seconds: float = 0.0
    count: int = 0
    median: float = 0.0
    p95: float = 0.0
    longest: float = 0.0
    fairness: float = 0.0
    turns: float = 0.0
    bytes: float = 0.0
    errors: dict[str, int] = field(default_factory=dict)
    skipped: str = ""

    @property
    def key(self) -> tuple[str, str, int, str, int]:
        return self.mode, self.network, self.documents, self.deed, self.users

    @property
    def rate(self) -> float:
        """Deeds a second of all users together."""
        return self.count / self.seconds if self.seconds else 0.0


@dataclass
class Run:
    """A run as it is kept: its plan, the machine, the sizes of bases in bytes ("mode documents" -> bytes), the cells so far."""

    plan: Plan
    machine: dict[str, str]
    sizes: dict[str, int] = field(default_factory=dict)
    cells: dict[tuple[str, str, int, str, int], Cell] = field(default_factory=dict)
    complete: bool = False


# --- keeping ---


class Keeper:
    """`run.jsonl` in the run's folder: a line of the plan and the machine, then a line for each fact."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "run.jsonl"

    def begin(self, plan: Plan, machine: dict[str, str]) -> Run:
        """A new run, or the one that was begun here with the same plan (`minutes` may differ). BenchmarkRunInvalid for another plan."""
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._add({"plan": asdict(plan), "machine": machine})
            return Run(plan, machine)
        run = self.load()
        if asdict(run.plan) | {"minutes": 0} != asdict(plan) | {"minutes": 0}:
            ru = f"в {self.path.parent} лежит другой замер; укажите другую папку"
            raise BenchmarkRunInvalid(
                place=self.path, detail=text(ru=ru, en=f"{self.path.parent} holds another run; give another folder")
            )
        run.plan = plan
        return run

    def load(self) -> Run:
        """BenchmarkRunInvalid when it is not such a file. A last line cut by a crash is passed over."""
        lines = self.path.read_text("utf-8").split("\n")
        try:
            first = json.loads(lines[0])
            plan = _plan(first["plan"])
            run = Run(plan, first["machine"])
            for line in lines[1:-1]:
                fact = json.loads(line)
                if "size" in fact:
                    run.sizes[fact["size"]] = fact["bytes"]
                elif "cell" in fact:
                    cell = Cell(**fact["cell"])
                    run.cells[cell.key] = cell
                elif fact.get("complete"):
                    run.complete = True
        except (ValueError, KeyError, TypeError, IndexError) as e:
            raise BenchmarkRunInvalid(place=self.path, detail=str(e)) from e
        return run

    def size(self, run: Run, name: str, size: int) -> None:
        run.sizes[name] = size
        self._add({"size": name, "bytes": size})

    def cell(self, run: Run, cell: Cell) -> None:
        run.cells[cell.key] = cell
        self._add({"cell": asdict(cell)})

    def finish(self, run: Run) -> None:
        run.complete = True
        self._add({"complete": True})

    def _add(self, fact: dict[str, object]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(fact, ensure_ascii=False) + "\n")


def _plan(read: dict[str, Any]) -> Plan:
    lists = {k: tuple(v) for k, v in read.items() if isinstance(v, list)}
    return Plan(**(read | lists))


# --- measuring ---


def measure(plan: Plan, folder: Path, scratch: Path, progress: Progress) -> Run:
    """Every cell of the plan that is not kept yet, until the time is out. `scratch`: on the measured disk; emptied by the caller."""
    keeper = Keeper(folder)
    run = keeper.begin(plan, environment(scratch, ""))
    end = time.monotonic() + plan.minutes * 60
    wanted = [key for key in plan.combinations() if key not in run.cells]
    with ExitStack() as stack:
        stands: dict[str, Stand] = {}
        for n, (mode, network, documents, deed, users) in enumerate(wanted):
            if time.monotonic() > end:
                return run
            progress(f"{deed}, {users} x {mode}, {network}, {documents}", n, len(wanted))
            stand = stands.get(mode) or stands.setdefault(mode, _stand(mode, scratch, stack))
            name = f"{mode} {documents}"
            size = stand.lay(documents, progress)
            if name not in run.sizes:
                keeper.size(run, name, size)
            keeper.cell(run, _cell(stand, network, documents, deed, users, plan.seconds(deed)))
    keeper.finish(run)
    return run


def _stand(mode: str, scratch: Path, stack: ExitStack) -> Stand:
    folder = scratch / mode
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    return FileStand(folder) if mode == "file" else stack.enter_context(server_stand(folder))


def _cell(stand: Stand, network: str, documents: int, deed: str, users: int, seconds: float) -> Cell:
    key = (stand.mode, network, documents, deed, users)
    try:
        with stand.way(documents, NETWORKS[network]) as way:
            before = way.passed()
            served = serve(
                Task(way.connection, deed, users, seconds, DEEDS[deed].think),
                way.environment,
                timeout=seconds + 60 + users * 20,
            )
            passed = way.passed()
    except Unavailable as e:
        return Cell(*key, skipped=str(e))
    except Exception as e:  # a cell that cannot be measured is shown as such, and the run goes on
        return Cell(*key, skipped=f"{type(e).__name__}: {e}"[:300])
    return _summed(key, served, seconds, passed.turns - before.turns, passed.bytes - before.bytes)


def _summed(
    key: tuple[str, str, int, str, int], served: Sequence[Served], seconds: float, turns: int, passed: int
) -> Cell:
    count = sum(s.count for s in served)
    if not count:
        return Cell(*key, skipped=f"no deed was done in {seconds:g} s")
    taken = sorted(t for s in served for t in s.latencies)
    cuts = quantiles(taken, n=20) if len(taken) > 1 else taken * 19
    errors: dict[str, int] = {}
    for s in served:
        for name, n in s.errors.items():
            errors[name] = errors.get(name, 0) + n
    # The deed every user does once before the clock starts has passed over the network too.
    deeds = count + sum(errors.values()) + len(served)
    longest = max(s.longest for s in served)
    # A deed that outlasts the cell still counts as one: its rate is that of the time it really took.
    return Cell(
        *key,
        seconds=max(seconds, longest),
        count=count,
        median=cuts[9],
        p95=cuts[18],
        longest=longest,
        fairness=jain([s.count for s in served]),
        turns=turns / deeds,
        bytes=passed / deeds,
        errors=errors,
    )
