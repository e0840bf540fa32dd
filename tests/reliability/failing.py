"""Every call of every kind fails in its turn, in the operation's own process or in PostgreSQL under it."""

from __future__ import annotations

import errno
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from engine_server.embedded import EmbeddedCluster
from engine_server.place import from_url
from infobase.errors import EngineUnavailable
from tests import postgres
from tests.reliability.gate import CALLS, Failure, Gate, install
from tests.reliability.ground import Ground, lay
from tests.reliability.interrupted import Outcomes, ended, mode_of, server_ground
from tests.reliability.operations import OLD, Operation
from tests.reliability.states import content

GROUPS = tuple(CALLS)
FAULTS = {f"{name} at {group}": (name, group) for group in GROUPS for name in ("EIO", "ENOSPC")}
del FAULTS["ENOSPC at unlink"]
"""EIO strikes once; a disk that is full stays so: ENOSPC strikes that call and all of its kind after it."""


@dataclass(frozen=True)
class Dbms:
    """A PostgreSQL behind a gate. `revive`: it is there again, whatever happened to it."""

    url: str
    gate: Gate
    revive: Callable[[], None]


def faults(
    ground: Ground, operation: Operation, kinds: Sequence[str], most: int, step: int, dbms: Dbms | None = None
) -> Iterator[Outcomes]:
    """One after the other: each of the first `most` calls, then every `step`-th (0: about 40 more). `dbms`: there, not in the process itself."""
    calls = _count_calls(ground, operation, dbms)
    source = content(ground.source)
    for kind in kinds:
        name, group = FAULTS[kind]
        outcomes = Outcomes(operation.name, kind, mode_of(ground), calls[group])
        operation.prepare(ground)
        for turn in _turns(calls[group], most, step):
            failure = Failure(group, getattr(errno, name), turn, always=name == "ENOSPC")
            if _fail(ground, operation, failure, outcomes, dbms) != OLD:
                operation.prepare(ground)
        yield outcomes
    if content(ground.source) != source:
        raise AssertionError(f"{operation.name} has changed its source")


def _fail(ground: Ground, operation: Operation, failure: Failure, outcomes: Outcomes, dbms: Dbms | None) -> str:
    """What stands there afterwards."""
    process = ground.start(operation.arguments(ground), gated=() if dbms else (failure.group,))
    gate = dbms.gate if dbms else process.gate
    assert gate is not None
    gate.arm(failure)
    process.go()
    code = process.wait()
    hit = gate.hit
    if dbms:
        gate.arm(None)
        dbms.revive()
    return ended(outcomes, operation, ground, process, code, f"{failure.turn}: {hit}" if hit else "")


def _turns(calls: int, most: int, step: int) -> list[int]:
    first = list(range(1, min(calls, most) + 1))
    return first + list(range(most + 1, calls + 1, step or max(1, (calls - most) // 40)))


def _count_calls(ground: Ground, operation: Operation, dbms: Dbms | None) -> Counter[str]:
    """In peace; of all threads and processes together."""
    operation.prepare(ground)
    process = ground.start(operation.arguments(ground), gated=() if dbms else GROUPS)
    gate = dbms.gate if dbms else process.gate
    assert gate is not None
    gate.arm(Failure("write"))
    process.go()
    code = process.wait()
    seen = Counter(gate.seen)
    gate.arm(None)
    assert code in operation.good, process.said()
    process.output.unlink()
    return seen


# --- PostgreSQL behind a gate ---


@contextmanager
def gated_cluster() -> Iterator[tuple[Ground, Dbms]]:
    """A cluster of its own whose every process asks the gate, and a ground laid on it before it was put behind that gate."""
    with in_memory("infobase-failing-pg-") as folder:
        (folder / "cluster").mkdir()
        cluster = EmbeddedCluster(folder / "cluster", settings={"autovacuum": "off", "shared_buffers": "32MB"})
        url = postgres.url_of(cluster.start())
        ground = server_ground(folder / "work", url)
        lay(ground)
        cluster.stop()
        with ThreadPoolExecutor(1) as starter:
            gate = Gate(starter.submit(install, GROUPS).result(), f"{folder.resolve()}/cluster/")
            try:
                starter.submit(cluster.start).result()
                yield ground, Dbms(url, gate, lambda: _revive(cluster, url, starter))
            finally:
                gate.arm(None)
                starter.submit(cluster.stop).result()
        gate.close()


@contextmanager
def in_memory(prefix: str) -> Iterator[Path]:
    """A folder open to other users, where syncs cost nothing if there is such a place: the calls fail all the same."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix=prefix, dir=shared if shared.is_dir() else None) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def _revive(cluster: EmbeddedCluster, url: str, starter: ThreadPoolExecutor) -> None:
    """A server that has panicked comes back by itself, unless even its recovery failed; then it is started again."""
    deadline = time.monotonic() + 60
    place = from_url(url).at("postgres")
    while True:
        try:
            psycopg.connect(place.conninfo(), connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            pid = cluster.server_pid()
            if pid is None or not Path(f"/proc/{pid}").exists():
                with suppress(EngineUnavailable):
                    starter.submit(cluster.start).result()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
