"""Every long operation killed, starved or cut off at any moment leaves the old state or the new one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.bases import file_place
from tests.reliability.disk import LoopDisk
from tests.reliability.operations import (
    FILE_OPERATIONS,
    NEW,
    OLD,
    OPERATIONS,
    ROOT,
    Broken,
    Ground,
    Operation,
    command,
    environment,
    lay,
    run,
)

Report = Callable[[str], None]

FAULTS = {
    "EIO at fsync": "inject=fsync,fdatasync:error=EIO:when={n}",
    "ENOSPC at write": "inject=write,pwrite64:error=ENOSPC:when={n}+",
}
"""What strace makes fail, at the n-th call."""


@dataclass
class Outcomes:
    """How many interruptions of one operation left what."""

    operation: str
    kind: str
    states: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    tracebacks: int = 0

    @property
    def sound(self) -> bool:
        return not self.broken and not self.tracebacks

    def __str__(self) -> str:
        told = f"{self.operation} ({self.kind}): {sum(self.states.values())} interruptions, "
        told += f"old {self.states[OLD]}, new {self.states[NEW]}, broken {len(self.broken)}"
        return told + "".join(f"\n    {b}" for b in self.broken[:3])

    def note(self, operation: Operation, ground: Ground) -> None:
        try:
            self.states[operation.state(ground)] += 1
        except Broken as e:
            self.states["broken"] += 1
            self.broken.append(str(e))


def file_ground(work: Path) -> Ground:
    work.mkdir(parents=True, exist_ok=True)
    return Ground(work, file_place(work / "source"), file_place(work / "target"))


def operations_of(names: Iterable[str], *, files: bool) -> list[Operation]:
    known = [*OPERATIONS, *(FILE_OPERATIONS if files else ())]
    wanted = set(names)
    return [o for o in known if not wanted or o.name in wanted]


# --- SIGKILL ---


def kills(ground: Ground, operation: Operation, rounds: int, seed: int = 1) -> Outcomes:
    """SIGKILL at random moments of the operation's whole time."""
    outcomes, random = Outcomes(operation.name, "SIGKILL"), Random(seed)
    operation.prepare(ground)
    whole = _whole_time(operation, ground)
    for _ in range(rounds):
        operation.prepare(ground)
        process = _start(operation, ground)
        time.sleep(random.uniform(0.1, 1.0) * whole)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        outcomes.note(operation, ground)
    return outcomes


def _start(operation: Operation, ground: Ground) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(operation, ground),
        env=environment(ground),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _whole_time(operation: Operation, ground: Ground) -> float:
    started = time.monotonic()
    done = run(operation, ground)
    assert done.returncode == 0, f"{operation.name}: {done.stderr}"
    return time.monotonic() - started


# --- power ---


def cuts(operation: Operation, rounds: int, seed: int = 1) -> Outcomes:
    """The power of the disk cut at random moments of the operation (file mode; root)."""
    outcomes, random = Outcomes(operation.name, "power cut"), Random(seed)
    disk = LoopDisk()
    try:
        ground = file_ground(disk.folder / "work")
        lay(ground)
        operation.prepare(ground)
        whole = _whole_time(operation, ground)
        for _ in range(rounds):
            operation.prepare(ground)
            os.sync()
            process = _start(operation, ground)
            time.sleep(random.uniform(0.2, 1.1) * whole)
            disk.cut()
            process.kill()
            process.communicate()
            disk.take_away()
            disk.power_on()
            outcomes.note(operation, ground)
    finally:
        disk.discard()
    return outcomes


# --- failing calls ---


def faults(ground: Ground, operation: Operation, kind: str, most: int = 400, step: int = 1) -> Outcomes:
    """Every `step`-th call of a kind fails in its turn, until the operation comes through unhurt."""
    outcomes = Outcomes(operation.name, kind)
    for n in range(1, most + 1, step):
        operation.prepare(ground)
        traced = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync,write,pwrite64"]
        done = subprocess.run(
            [*traced, "-e", FAULTS[kind].format(n=n), *command(operation, ground)],
            env=environment(ground),
            cwd=ROOT,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=300,
            check=False,
        )
        outcomes.note(operation, ground)
        if "Traceback (most recent call last)" in done.stderr:
            outcomes.tracebacks += 1
            outcomes.broken.append(f"a traceback at call {n}: {done.stderr.strip().splitlines()[-1]}")
        if done.returncode == 0 and kind.startswith("EIO"):
            break
    return outcomes


def strace_missing() -> str:
    return "" if shutil.which("strace") else "strace is not installed"
