"""The counters against the outside world: turns and bytes on PostgreSQL's socket, syncs and bytes of SQLite's files, waits for the gate and for
the server's locks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from benchmarks.wire import Passed, Wire
from engine_server.place import from_url
from infobase.metadata.types import Ref
from infobase.objects import BusinessObject
from infobase.session import Session
from tests.bases import Place, file_place
from tests.bench.test_counters import order, prepared
from tests.postgres import FAST, connection_string, scratch_cluster

Cost = Callable[..., Passed]
"""The mean of what several equal works cost: a message cut in two on the way looks like one turn more, an answer nobody waits for like one
less, now and then."""
TRIES = 12


@pytest.fixture
def wired(pg_url: str) -> Iterator[tuple[Session, Cost]]:
    """A session whose every byte to the server is counted; the first operations have taught it names and plans."""
    name = f"wire_{uuid.uuid4().hex[:10]}"
    direct = Place(connection_string(pg_url, name))
    direct.create()
    with Wire(from_url(pg_url)) as wire:
        through = connection_string(pg_url, name).replace(from_url(pg_url).host, wire.folder)
        with Place(through).session() as session:
            prepared(session)
            for _ in range(2):
                made = order(session)
                made.post()
                made.post()
                made.undo_post()

            def cost(*works: Callable[[], object]) -> Passed:
                before = wire.passed
                for work in works:
                    work()
                all_of_them, count = wire.passed - before, len(works)
                return Passed(all_of_them.up // count, all_of_them.down // count, round(all_of_them.turns / count))

            yield session, cost
    direct.drop()


def written(session: Session) -> BusinessObject:
    made = order(session)
    made.write()
    return made


def test_posting_takes_two_turns_on_the_wire(wired: tuple[Session, Cost]) -> None:
    session, cost = wired
    posted = cost(*[written(session).post for _ in range(TRIES)])
    assert posted.turns == 2
    assert posted.up < 4_500 and posted.down < 900


def test_undoing_and_posting_again_take_three(wired: tuple[Session, Cost]) -> None:
    session, cost = wired
    several = [written(session) for _ in range(TRIES)]
    for made in several:
        made.post()
    again = cost(*[made.post for made in several])
    assert again.turns == 3
    assert again.up < 3_700 and again.down < 4_000
    undone = cost(*[made.undo_post for made in several])
    assert undone.turns == 3
    assert undone.up < 2_900 and undone.down < 4_400


def test_a_saved_item_takes_two_turns_and_one_for_its_code(wired: tuple[Session, Cost]) -> None:
    session, cost = wired
    items = [session.catalogs.Goods.new(Description=f"Новый {n}") for n in range(TRIES)]
    saved = cost(*[item.write for item in items])
    assert saved.turns == 3
    assert saved.up < 1_200 and saved.down < 500
    for item in items:
        item.Description = "Другой"
    again = cost(*[item.write for item in items])
    assert again.turns == 2 and again.up < 850 and again.down < 300


def test_a_balance_takes_one_turn(wired: tuple[Session, Cost]) -> None:
    session, cost = wired
    told = cost(*[session.accumulation_registers.Stock.balance] * TRIES)
    assert told.turns == 1
    assert told.up < 250 and told.down < 550


# --- file mode ---

POSTINGS = 10
CHILD = """
import sys
from tests.bases import Place
from tests.bench.test_counters import order
with Place(sys.argv[1]).session() as session:
    waiting = [order(session) for _ in range(1 + int(sys.argv[2]))]
    for made in waiting:
        made.write()
    for made in waiting[1:]:
        made.post()
"""


@pytest.fixture
def base(tmp_path: Path) -> Place:
    place = file_place(tmp_path / "base")
    place.create()
    with place.session() as session:
        prepared(session)
    return place


def syncs(place: Place, postings: int, trace: Path) -> int:
    """How often a process that posts so many orders waits for the disk."""
    root = Path(__file__).parents[2]
    program = ["strace", "-f", "-e", "trace=fsync,fdatasync", "-o", str(trace), sys.executable, "-c", CHILD]
    subprocess.run([*program, place.connection, str(postings)], check=True, cwd=root, timeout=120)
    return len(re.findall(r"\bf(?:data)?sync\(", trace.read_text()))


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_a_posting_waits_for_the_disk_once(base: Place, tmp_path: Path) -> None:
    """Writing an order is one sync and posting it another; a log that synced too would show as a third."""
    few = syncs(base, 0, tmp_path / "few")
    many = syncs(base, POSTINGS, tmp_path / "many")
    assert many - few == 2 * POSTINGS


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs /proc/self/io")
def test_bytes_written_by_a_posting(base: Place) -> None:
    """Pages of the journal: an index too many, or a row rewritten for nothing, shows here."""

    def written_so_far() -> int:
        return int(re.search(r"wchar: (\d+)", Path("/proc/self/io").read_text()).group(1))  # type: ignore[union-attr]

    with base.session() as session:
        waiting = [written(session) for _ in range(POSTINGS + 1)]
        waiting.pop().post()
        before = written_so_far()
        for made in waiting:
            made.post()
        assert (written_so_far() - before) / POSTINGS < 85_000


def test_nobody_waits_alone_and_the_second_waits_once(base: Place) -> None:
    with base.session() as first, base.session() as second:
        gate = first.kernel.engine._gate  # type: ignore[attr-defined]
        for _ in range(3):
            written(first).post()
        assert gate.waits == 0
        made = order(second)
        entered = threading.Event()

        def hold() -> None:
            with first.kernel.engine.transaction(write=True):
                entered.set()
                while not gate.waits:
                    os.sched_yield()

        holder = threading.Thread(target=hold)
        holder.start()
        entered.wait(10)
        made.write()
        holder.join(10)
        assert gate.waits == 1


# --- the server's disk ---


def test_a_posting_on_the_server_waits_for_the_disk_once() -> None:
    """The write-ahead log is synced once for a posting, asked of the server itself (`pg_stat_wal`); nobody else works there. Two sessions that
    differ in their postings alone are compared, for a backend tells its counts when it ends."""
    with scratch_cluster({"wal_writer_delay": "10s", "autovacuum": "off", "checkpoint_timeout": "1h"}) as url:
        place = Place(connection_string(url, f"sync_{uuid.uuid4().hex[:10]}"))
        place.create()
        with place.session() as session:
            prepared(session)
            orders = [written(session).ref for _ in range(2 + POSTINGS)]

        def syncs_of(refs: list[Ref]) -> int:
            before = wal_syncs(url)
            with place.session() as session:
                for made in [session.documents.Order.get(ref) for ref in refs]:
                    made.post()
            return wal_syncs(url) - before

        assert syncs_of(orders[2:]) - syncs_of(orders[:2]) == POSTINGS - 2
        place.drop()


def wal_syncs(url: str) -> int:
    """Once the backends have told theirs: they do so a moment after a transaction."""
    with psycopg.connect(url, autocommit=True) as conn:
        last, steady = -1, 0
        while steady < 8:
            time.sleep(0.25)
            row = conn.execute("SELECT wal_sync FROM pg_stat_wal").fetchone()
            assert row is not None
            last, steady = row[0], steady + 1 if row[0] == last else 0
        return int(last)


# --- the server's locks ---

WAIT_MS = 20
"""A wait this long is told in the server's log, once."""


def test_postings_wait_for_a_lock_once_or_never() -> None:
    """As PostgreSQL itself counts them: each wait is a line of its log, written when it has lasted. The holder keeps its lock until it is."""
    with scratch_cluster({**FAST, "log_lock_waits": "on", "deadlock_timeout": f"{WAIT_MS}ms"}) as url:
        place = Place(connection_string(url, f"locks_{uuid.uuid4().hex[:10]}"))
        place.create()
        with place.session() as first, place.session() as second, psycopg.connect(url, autocommit=True) as conn:
            prepared(first)
            for _ in range(3):
                written(first).post()
                written(second).post()
            assert lock_waits(conn) == 0
            mine, theirs = written(first), written(second)
            poster = threading.Thread(target=theirs.post)
            with first.transaction():
                mine.post()
                poster.start()
                until = time.monotonic() + 30
                while not lock_waits(conn) and time.monotonic() < until:
                    time.sleep(WAIT_MS / 1000)
            poster.join(30)
            assert theirs.Posted and lock_waits(conn) == 1
        place.drop()


def lock_waits(conn: psycopg.Connection) -> int:
    """Of everybody, since the server was started."""
    row = conn.execute("SELECT pg_read_file('../server.log')").fetchone()
    assert row is not None
    return str(row[0]).count(" still waiting for ")
