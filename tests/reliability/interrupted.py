"""Every long operation killed, starved or cut off at any moment leaves the old state or the new one."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from statistics import median

import psycopg

from engine_server.place import from_url
from infobase.errors import DiskFull, DoneUnfinished, EngineUnavailable, InternalError
from tests.bases import file_place, server_place
from tests.reliability import states
from tests.reliability.child import Child
from tests.reliability.ground import Ground, lay
from tests.reliability.moments import Moments
from tests.reliability.operations import FILE_OPERATIONS, NEW, OLD, OPERATIONS, Broken, Operation, settled

Report = Callable[[str], None]


@dataclass
class Outcomes:
    """How many interruptions of one operation left what. `calls`: how many calls of the kind the whole operation makes;
    `remarked`: how often the new state was there and an error was told all the same."""

    operation: str
    kind: str
    mode: str = "file"
    calls: int = 0
    states: Counter[str] = field(default_factory=Counter)
    remarked: int = 0
    broken: list[str] = field(default_factory=list)
    acknowledged: int = 0
    """How often the operation had said it was done before it was interrupted."""
    lost: int = 0
    """Acknowledged, and the old state is there."""
    half: int = 0
    """Neither the old state nor the new one."""

    @property
    def rounds(self) -> int:
        return sum(self.states.values())

    @property
    def sound(self) -> bool:
        return not self.broken

    def __str__(self) -> str:
        told = f"{self.operation} ({self.mode}, {self.kind}): {self.rounds} interruptions, "
        told += f"old {self.states[OLD]}, new {self.states[NEW]} ({self.remarked} with an error), acknowledged {self.acknowledged}, "
        told += f"lost {self.lost}, half {self.half}, broken {len(self.broken)}"
        return told + "".join(f"\n    {b[:600]}" for b in self.broken[:3])

    def note(self, operation: Operation, ground: Ground, code: int, said: str = "", where: str = "") -> str:
        """The state that was met. `code`: how the process ended; who said it was done must have done it, and who said
        that nothing has changed must have changed nothing. `where`: what was done to it, for the report."""
        self.acknowledged += code == 0
        try:
            state = operation.state(ground)
        except (Broken, Exception) as e:
            self.half += 1
            state = self._broken(f"{where} {type(e).__name__}: {e}")
        if code in (0, DoneUnfinished.exit_code) and state == OLD:
            self.lost += 1
            state = self._broken(f"{where} said it was done, and was not")
        elif state == NEW and DiskFull.en.rpartition(";")[2].strip() in said:
            state = self._broken(f"{where} said that the old state is kept, and it was not: {said}")
        elif state == NEW and code == EngineUnavailable.exit_code:
            state = self._broken(
                f"{where} said that the store is away, not that it is done or that nobody knows: {said}"
            )
        elif code == InternalError.exit_code or "Traceback (most recent" in said:
            state = self._broken(f"{where} an error without a name: {said}")
        self.remarked += state == NEW and code > 0 and code not in operation.good
        self.states[state] += 1
        return state

    def _broken(self, why: str) -> str:
        self.broken.append(why)
        return "broken"

    def counts(self) -> dict[str, int | str]:
        """As a line of a table."""
        calls: dict[str, int | str] = {"calls": self.calls} if self.calls else {}
        states = {"interruptions": self.rounds, "old": self.states[OLD], "new": self.states[NEW]}
        return {**calls, **states, "new, with an error": self.remarked, "broken": len(self.broken)}

    def counts_in_time(self) -> dict[str, int | str]:
        """The same of what was interrupted at moments, where all that is not lost or half is a fault of another kind."""
        faults = len(self.broken) - self.lost - self.half
        states = {"interruptions": self.rounds, "old": self.states[OLD], "new": self.states[NEW]}
        return {**states, "acknowledged": self.acknowledged, "lost": self.lost, "half": self.half, "faults": faults}


def file_ground(work: Path, other: str = "") -> Ground:
    """`other`: URL of a PostgreSQL for moves between the modes; without it they go from file to file."""
    work.mkdir(parents=True, exist_ok=True)
    elsewhere = server_place(other) if other else file_place(work / "other")
    return Ground(work, file_place(work / "source"), file_place(work / "target"), elsewhere)


def server_ground(work: Path, url: str) -> Ground:
    work.mkdir(parents=True, exist_ok=True)
    return Ground(work, server_place(url), server_place(url), file_place(work / "other"))


def mode_of(ground: Ground) -> str:
    return "file" if ground.source.connection.startswith("File") else "server"


def operations_of(names: Iterable[str], *, files: bool) -> list[Operation]:
    known = [*OPERATIONS, *(FILE_OPERATIONS if files else ())]
    wanted = set(names)
    return [o for o in known if not wanted or o.name in wanted]


# --- SIGKILL ---


def kills(ground: Ground, operation: Operation, rounds: int, seed: int = 1) -> Outcomes:
    """SIGKILL at random moments; afterwards it must go through, and leave nothing of the dead behind."""
    outcomes = Outcomes(operation.name, "SIGKILL", mode_of(ground))
    moments = Moments(usual_time(operation, ground, rounds), Random(seed))
    before = set(leftovers(ground))
    for moment in islice(moments, rounds):
        operation.prepare(ground)
        process = _run_until(operation, ground, moment)
        state = ended(outcomes, operation, ground, process, process.kill())
        moments.learn(moment, new=state == NEW)
    close(outcomes.broken, operation, ground, before)
    return outcomes


def close(broken: list[str], operation: Operation, ground: Ground, before: set[str]) -> None:
    """It goes through in peace, leaves nothing of the interrupted behind, and the base it read from is as it was; else `broken` grows."""
    operation.prepare(ground)
    whole_time(operation, ground)
    left = sorted(set(leftovers(ground)) - before)
    if left:
        broken.append(f"left behind: {left}")
    try:
        states.check_source(ground)
    except Broken as e:
        broken.append(str(e))


def _run_until(operation: Operation, ground: Ground, moment: float) -> Child:
    """The operation, `moment` seconds after its start or ended before."""
    process = ground.start(operation.arguments(ground))
    until = process.go() + moment
    process.process.join(max(0.0, until - time.monotonic()))
    return process


def ended(outcomes: Outcomes, operation: Operation, ground: Ground, process: Child, code: int, where: str = "") -> str:
    """What stands there afterwards. `where`: what was done to it, for the report."""
    state = outcomes.note(operation, ground, code, process.said(), where)
    process.output.unlink()
    return state


def usual_time(operation: Operation, ground: Ground, rounds: int) -> float:
    """The median of three tries, or what one took where only a few rounds hang on it."""
    return median(whole_time(operation, ground) for _ in range(3 if rounds >= 10 else 1))


def whole_time(operation: Operation, ground: Ground) -> float:
    """Seconds the operation takes in peace; it must reach the new state."""
    operation.prepare(ground)
    process = ground.start(operation.arguments(ground))
    started = process.go()
    code = process.wait()
    assert code in operation.good, f"{operation.name}: {process.said()}"
    process.output.unlink()
    took = time.monotonic() - started
    assert operation.state(ground) == NEW, operation.name
    return took


def leftovers(ground: Ground) -> list[str]:
    """Scratch files and databases that nobody needs any more."""
    hidden = (p for pattern in (".*.new*", ".*.tmp", "*.new") for p in ground.work.rglob(pattern))
    found = [str(p.relative_to(ground.work)) for p in hidden if "kept" not in p.parts]
    found += [str(p.relative_to(ground.work)) for p in ground.scratch.iterdir() if not p.name.startswith("pymp-")]
    if mode_of(ground) == "server":
        with psycopg.connect(from_url(ground.target.connection).at("postgres").conninfo()) as conn:
            rows = conn.execute("SELECT datname FROM pg_database WHERE datname ~ '__(stage|old)_'").fetchall()
        found += [str(name) for (name,) in rows]
    return found


# --- power ---


def cuts(
    ground: Ground,
    operation: Operation,
    rounds: int,
    seed: int,
    cut: Callable[[], None],
    back: Callable[[], None],
) -> Outcomes:
    """The power of the disk under the ground cut at random moments of the operation. `cut`, `back`: power off, power on."""
    outcomes = Outcomes(operation.name, "power cut", mode_of(ground))
    moments = Moments(usual_time(operation, ground, rounds), Random(seed))
    before = set(leftovers(ground))
    for moment in islice(moments, rounds):
        settled(operation, ground)
        process = _run_until(operation, ground, moment)
        done = not process.process.is_alive()
        cut()
        code = process.kill()
        back()
        state = ended(outcomes, operation, ground, process, code if done else -9)
        moments.learn(moment, new=state == NEW)
    close(outcomes.broken, operation, ground, before)
    return outcomes


# --- limits ---


def file_limits(ground: Ground, operation: Operation, steps: int = 20) -> Outcomes:
    """No file may outgrow a limit (`ulimit -f`), which grows from nothing to what the operation needs."""
    outcomes = Outcomes(operation.name, "ulimit -f", mode_of(ground))
    largest = 400_000
    for n in range(steps):
        operation.prepare(ground)
        process = ground.start(operation.arguments(ground), file_bytes=largest * n // steps)
        process.go()
        ended(outcomes, operation, ground, process, process.wait())
    return outcomes


def full_disk(ground: Ground, operation: Operation, steps: int = 20) -> Outcomes:
    """The disk of the ground has ever more room left, from none to 2 MB."""
    outcomes = Outcomes(operation.name, "full disk", mode_of(ground))
    whole_time(operation, ground)
    filler = ground.work / "filler"
    for n in range(steps):
        operation.prepare(ground)
        room = shutil.disk_usage(ground.work).free - (2 << 20) * n // steps
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, room)
        process = ground.start(operation.arguments(ground))
        process.go()
        code = process.wait()
        filler.unlink()
        ended(outcomes, operation, ground, process, code)
    return outcomes


__all__ = [
    "Outcomes",
    "close",
    "cuts",
    "ended",
    "file_ground",
    "file_limits",
    "full_disk",
    "kills",
    "lay",
    "server_ground",
]
