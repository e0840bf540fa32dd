"""A server, its workers or its users killed under load, again and again: what was acknowledged is there, and nothing is half there.

The machine runs on, so every acknowledgement counts, however late it came. It is recovery that is tried here; durability is what
`powercut` tries.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from uuid import UUID

import psycopg

from engine_server.embedded import EmbeddedCluster
from engine_server.place import from_url
from tests.bases import Place, file_place, server_place
from tests.postgres import url_of
from tests.reliability import served
from tests.reliability.powercut import FRESH_EVERY, WRITERS, Report, Tally, start_again
from tests.reliability.writers import Crew, audit, stock
from tests.server.servers import Server


@dataclass(frozen=True)
class Stage:
    """`fresh` gives a stocked base: as users reach it, and straight to its store. `crash` brings something down under load and returns
    when it is up again. `stay`: whether users outlive the crash, and go on for a while."""

    fresh: Callable[[], tuple[Place, Place]]
    crash: Callable[[Place], None]
    stay: bool = False


def crashes(way: str, rounds: int, report: Report, seed: int = 1) -> Tally:
    """`way`: one of WAYS."""
    tally, random = Tally(), Random(seed)
    with WAYS[way]() as stage:
        for n in range(rounds):
            if n % FRESH_EVERY == 0:
                place, direct = stage.fresh()
                acknowledged: set[UUID] = set()
            crew = Crew(place)
            crew.start(WRITERS)
            crew.listen(random.uniform(0.05, 0.6))
            stage.crash(direct)
            if stage.stay:
                crew.listen(random.uniform(0.05, 0.3))
            crew.kill()
            acknowledged |= set(crew.acknowledged)
            found = audit(direct, acknowledged)
            tally.add(len(crew.acknowledged), found)
            if found.lost:
                acknowledged = set()  # each is counted once
            if not found.sound or (n + 1) % 20 == 0:
                report(f"{way}: {tally} {' '.join(found.faults[:3])}")
    return tally


# --- users ---


@contextmanager
def _file_users() -> Iterator[Stage]:
    """SIGKILL of everybody who writes into a file base."""
    with tempfile.TemporaryDirectory(prefix="infobase-crashes-") as folder:

        def fresh() -> tuple[Place, Place]:
            place = file_place(Path(tempfile.mkdtemp(dir=folder)) / "base")
            stock(place)
            return place, place

        yield Stage(fresh, lambda _: None)


@contextmanager
def _server_users() -> Iterator[Stage]:
    with _durable_cluster() as cluster:
        yield Stage(_bases_of(cluster), lambda _: None)


# --- PostgreSQL ---


@contextmanager
def _immediate() -> Iterator[Stage]:
    """What `pg_ctl -m immediate stop` sends."""
    with _durable_cluster() as cluster:
        yield Stage(_bases_of(cluster), lambda _: _end(cluster, lambda pid: os.kill(pid, signal.SIGQUIT)))


@contextmanager
def _killed_whole() -> Iterator[Stage]:
    """SIGKILL of PostgreSQL's every process at once."""

    def kill(master: int) -> None:
        for pid in (master, *_children(master)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    with _durable_cluster() as cluster:
        yield Stage(_bases_of(cluster), lambda _: _end(cluster, kill))


@contextmanager
def _killed_worker() -> Iterator[Stage]:
    """SIGKILL of one process that serves a user; PostgreSQL ends the others and recovers by itself."""
    with _durable_cluster() as cluster:
        yield Stage(_bases_of(cluster), _kill_backend)


def _kill_backend(place: Place) -> None:
    at = from_url(place.connection)
    question = (
        "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid() ORDER BY xact_start LIMIT 1"
    )
    with psycopg.connect(at.at("postgres").conninfo(), autocommit=True) as conn:
        row = conn.execute(question, [at.database]).fetchone()
    assert row is not None, "nobody is at work"
    os.kill(row[0], signal.SIGKILL)
    deadline = time.monotonic() + 60
    while True:
        time.sleep(0.05)
        try:
            psycopg.connect(at.conninfo(), connect_timeout=10).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise


@contextmanager
def _durable_cluster() -> Iterator[EmbeddedCluster]:
    folder = Path(tempfile.mkdtemp(prefix="infobase-crashes-pg-"))
    folder.chmod(0o755)
    cluster = EmbeddedCluster(folder, settings={"recovery_init_sync_method": "syncfs"})
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _bases_of(cluster: EmbeddedCluster) -> Callable[[], tuple[Place, Place]]:
    def fresh() -> tuple[Place, Place]:
        place = server_place(url_of(cluster.start()))
        stock(place)
        return place, place

    return fresh


def _end(cluster: EmbeddedCluster, how: Callable[[int], None]) -> None:
    master = cluster.server_pid()
    assert master is not None
    family = [master, *_children(master)]
    how(master)
    while any(Path(f"/proc/{pid}").exists() for pid in family):
        time.sleep(0.02)
    start_again(cluster)


def _children(master: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]


# --- application servers ---


@contextmanager
def _application_server() -> Iterator[Stage]:
    """SIGKILL of one of two application servers; users reach them through a balancer, and go on."""
    with tempfile.TemporaryDirectory(prefix="infobase-crashes-") as folder, served.stand(Path(folder)) as at:
        victims = _in_turn(at.servers)

        def crash(_: Place) -> None:
            server = next(victims)
            server.kill()
            server.start()

        yield Stage(lambda: (at.place, at.direct), crash, stay=True)


def _in_turn(servers: list[Server]) -> Iterator[Server]:
    while True:
        yield from servers


WAYS = {
    "users of a file base": _file_users,
    "users of PostgreSQL": _server_users,
    "PostgreSQL, immediate stop": _immediate,
    "PostgreSQL, all processes": _killed_whole,
    "PostgreSQL, a worker": _killed_worker,
    "application server": _application_server,
}
