"""Two modes side by side: deeds x users x sizes x networks, each a cell measured for the same time; kept as it goes, so that a run can be resumed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import quantiles
from typing import Any

from benchmarks.contention import jain
from benchmarks.environment import environment
from benchmarks.load.deeds import DEEDS
from benchmarks.load.network import NETWORKS
from benchmarks.load.plan import Key, Plan
from benchmarks.load.stands import FileStand, Stand, Unavailable, server_stand
from benchmarks.load.tally import Served
from benchmarks.load.worker import Task, serve
from benchmarks.pace import Pace
from infobase.errors import BenchmarkRunInvalid
from infobase.i18n import text

Progress = Callable[[str, int, int], None]
CALCULATED_FROM = 20.0
"""Seconds a deed must take for it to be calculated from its operations and not measured."""
WRITES = {"post": 1.0, "office": 0.25}
"""Documents that a deed adds or changes, about."""
COUNTING_SECONDS = 0.5
GROWN = 0.1
"""A base that has grown by more than this part is no longer of its size: the next cell works in a fresh copy."""


@dataclass(frozen=True)
class Cell:
    """One measured combination. Seconds; `turns` and `bytes` of one deed; `skipped`: why it was not measured, "" when it was. `note`: "calculated"
    when a deed takes too long to wait for, so that its time is that of its operations and bytes; "unfinished" when no deed was done in time, so that
    its time is a lower bound and its rate 0."""

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
    note: str = ""

    @property
    def key(self) -> Key:
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
    cells: dict[Key, Cell] = field(default_factory=dict)
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


def measure(plan: Plan, folder: Path, scratch: Path, kept: Path, progress: Progress) -> Run:
    """Every cell of the plan that is not kept yet, until the time is out. `scratch`: on the measured disk; emptied by the caller. `kept`: on the
    same disk, where bases are laid; the caller may leave it for the next run."""
    keeper = Keeper(folder)
    run = keeper.begin(plan, environment(scratch, ""))
    end = time.monotonic() + plan.minutes * 60
    wanted = [key for key in plan.order() if key not in run.cells]
    before = len(run.cells)
    with ExitStack() as stack:
        stands: dict[str, Stand] = {}
        grown: dict[str, float] = {}
        pace = Pace()
        for n, key in enumerate(wanted):
            mode, network, documents, deed, users = key
            laying = 0.0 if f"{mode} {documents}" in run.sizes else plan.laying(documents)
            if time.monotonic() + pace.expected(plan.cost(key) + laying) > end:
                continue  # what comes later may be shorter: a base that is there already
            progress(f"{deed}, {users} x {mode}, {network}, {documents}", n, len(wanted))
            cell = _calculated(run, key)
            if cell is None:
                started = time.monotonic()
                stand = stands.get(mode) or stands.setdefault(mode, _stand(mode, scratch, kept, stack))
                name = f"{mode} {documents}"
                if grown.get(name, 0) > documents * GROWN:
                    stand.renew(documents)
                    grown[name] = 0
                size = stand.lay(documents, progress)
                if name not in run.sizes:
                    keeper.size(run, name, size)
                cell = _cell(run, stand, key, plan.seconds(deed))
                pace.note(plan.cost(key) + laying, time.monotonic() - started)
                grown[name] = grown.get(name, 0) + (cell.count + users) * WRITES.get(deed, 0)
            keeper.cell(run, cell)
    if len(run.cells) == len(wanted) + before:
        keeper.finish(run)
    return run


def _stand(mode: str, scratch: Path, kept: Path, stack: ExitStack) -> Stand:
    folder = scratch / mode
    for made in (folder, kept):
        made.mkdir(exist_ok=True)
        made.chmod(0o755)
    return FileStand(folder, kept) if mode == "file" else stack.enter_context(server_stand(folder, kept))


def _calculated(run: Run, key: Key) -> Cell | None:
    """A cell that would take too long, from what the same deed of one user passed on this machine; None when it is to be measured."""
    mode, network, documents, deed, users = key
    known, far = run.cells.get((mode, "local", documents, deed, 1)), NETWORKS[network]
    if known is None or not known.count or not far.delay:
        return None
    line = known.bytes / far.bandwidth if far.bandwidth else 0.0
    alone = known.median + known.turns * far.delay + line
    if alone < CALCULATED_FROM:
        return None
    taken = max(alone, users * line)
    return Cell(*key, taken, users, taken, taken, taken, 1.0, known.turns, known.bytes, note="calculated")


def _cell(run: Run, stand: Stand, key: Key, seconds: float) -> Cell:
    _, network, documents, deed, users = key
    try:
        with stand.way(documents, NETWORKS[network]) as way:
            before = way.passed()
            served = serve(Task(way.connection, deed, users, seconds, DEEDS[deed].think), way.environment)
            passed = way.passed()
        cell = _summed(key, served, seconds, passed.turns - before.turns, passed.bytes - before.bytes)
        return _counted(run, stand, cell)
    except Unavailable as e:
        return Cell(*key, skipped=str(e))
    except Exception as e:  # a cell that cannot be measured is shown as such, and the run goes on
        return Cell(*key, skipped=f"{type(e).__name__}: {e}"[:300])


def _counted(run: Run, stand: Stand, cell: Cell) -> Cell:
    """With round trips and bytes of a deed, where the way itself does not count them: of one user, who is asked once for each deed and size."""
    way = stand.counted(cell.documents, NETWORKS[cell.network])
    if way is None:
        return cell
    others = [c for c in run.cells.values() if c.turns and (c.mode, c.deed) == (cell.mode, cell.deed)]
    same = next((c for c in others if (c.network, c.documents) == (cell.network, cell.documents)), None)
    if same is None:
        with way as counted:
            served = serve(Task(counted.connection, cell.deed, 1, COUNTING_SECONDS, DEEDS[cell.deed].think / 10))
        same = _summed(cell.key, served, COUNTING_SECONDS, counted.passed().turns, counted.passed().bytes)
    return replace(cell, turns=same.turns, bytes=same.bytes)


def _summed(key: Key, served: Sequence[Served], seconds: float, turns: int, passed: int) -> Cell:
    count = sum(s.count for s in served)
    errors: dict[str, int] = {}
    for s in served:
        for name, n in s.errors.items():
            errors[name] = errors.get(name, 0) + n
    longest = max(s.longest for s in served)
    if not count:
        return Cell(*key, seconds, 0, longest, longest, longest, errors=errors, note="unfinished")
    taken = sorted(t for s in served for t in s.latencies) + sorted(s.unfinished for s in served if s.unfinished)
    cuts = quantiles(taken, n=20) if len(taken) > 1 else taken * 19
    # The deed every user does once before the clock starts has passed over the network too.
    deeds = count + sum(errors.values()) + len(served)
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
