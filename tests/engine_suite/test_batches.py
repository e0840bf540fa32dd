"""The server engine's batches: one write, one read, prepared statements that survive changes of tables and failures."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import psycopg
import pytest

from benchmarks.wire import Wire
from engine_server.batch import numbered
from engine_server.place import from_url
from engine_server.pool import Connection, connect
from infobase.storage import Statement


@pytest.fixture
def conn(pg_url: str) -> Iterator[Connection]:
    with connect(from_url(pg_url)) as opened:
        yield opened


def prepared(conn: Connection) -> list[str]:
    return [name for (name,) in conn.execute("SELECT name FROM pg_prepared_statements ORDER BY name").fetchall()]


def test_values_come_back_as_they_went(conn: Connection) -> None:
    given = ["ёж %", 7, Decimal("1.50"), dt.datetime(2026, 1, 2, 3, 4, 5), True, uuid.uuid4(), b"\x00\xff", None]
    casts = ["text", "bigint", "numeric", "timestamp", "boolean", "uuid", "bytea", "text"]
    sql = "SELECT " + ", ".join(f"%s::{c}" for c in casts)
    for _ in range(3):
        assert conn.batches.run([Statement(sql, given)]) == [[tuple(given)]]


def test_marks_and_percent_signs(conn: Connection) -> None:
    assert numbered("a %s b %% c %s") == b"a $1 b % c $2"
    assert conn.batches.run([Statement("SELECT 'x%%', 7 %% 4"), Statement("SELECT 1 WHERE 'ab' LIKE 'a%%'")]) == [
        [("x%", 3)],
        [(1,)],
    ]
    with pytest.raises(ValueError, match="placeholder"):
        numbered("SELECT %d")


def test_a_text_is_prepared_from_its_second_time(conn: Connection) -> None:
    wanted = Statement("SELECT %s::int + 1", [1])
    counts = []
    for _ in range(3):
        assert conn.batches.run([wanted]) == [[(2,)]]
        counts.append(len(prepared(conn)))
    assert counts == [0, 1, 1]


def test_nothing_is_prepared_for_a_pooler(pg_url: str) -> None:
    with connect(from_url(pg_url), prepare=False) as conn:
        for _ in range(3):
            assert conn.batches.run([Statement("SELECT %s::int", [1])]) == [[(1,)]]
        assert prepared(conn) == []


def test_the_first_failure_is_told_and_nothing_behind_it_happens(conn: Connection) -> None:
    table = "CREATE TEMP TABLE t (a int PRIMARY KEY)"
    conn.batches.run([Statement(table), Statement("INSERT INTO t VALUES (1)")])
    again = [Statement("INSERT INTO t VALUES (2)"), Statement("INSERT INTO t VALUES (1)"), Statement("SELECT 1 / 0")]
    for _ in range(3):  # unprepared, then with a preparing that is not reached, and prepared
        with pytest.raises(psycopg.errors.UniqueViolation):
            conn.batches.run(again)
        assert conn.batches.run([Statement("SELECT count(*) FROM t")]) == [[(1,)]]


def test_a_text_that_cannot_be_prepared(conn: Connection) -> None:
    for _ in range(3):
        with pytest.raises(psycopg.errors.UndefinedTable):
            conn.batches.run([Statement("SELECT * FROM no_such_table")])
    conn.batches.run([Statement("CREATE TEMP TABLE no_such_table (a int)")])
    assert conn.batches.run([Statement("SELECT * FROM no_such_table")]) == [[]]


def test_a_change_of_tables_forgets_what_was_prepared(conn: Connection) -> None:
    run, everything = conn.batches.run, Statement("SELECT * FROM t")
    run([Statement("CREATE TEMP TABLE t AS SELECT 1 AS a")])
    for _ in range(3):
        assert run([everything]) == [[(1,)]]
    run([Statement("ALTER TABLE t ADD COLUMN b int")])
    for _ in range(3):
        assert run([everything]) == [[(1, None)]]


def test_a_change_of_tables_that_is_undone(conn: Connection) -> None:
    run, everything = conn.batches.run, Statement("SELECT * FROM t")
    run([Statement("CREATE TEMP TABLE t AS SELECT 1 AS a")])
    run([Statement("BEGIN"), Statement("ALTER TABLE t ADD COLUMN b int")])
    for _ in range(3):
        assert run([everything]) == [[(1, None)]]
    run([Statement("ROLLBACK")])
    for _ in range(3):
        assert run([everything]) == [[(1,)]]


def test_what_was_not_used_longest_is_forgotten(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine_server.batch.PREPARED_MOST", 3)
    for n in range(6):
        for _ in range(2):
            assert conn.batches.run([Statement(f"SELECT {n}")]) == [[(n,)]]
        conn.batches.run([Statement("SELECT 0")])
    conn.batches.run([])
    assert len(prepared(conn)) == 3


def test_more_than_any_buffer_holds(conn: Connection) -> None:
    """Both sides talk at once: nobody waits for the other to listen first."""
    big = "x" * 3_000_000
    found = conn.batches.run([Statement("SELECT %s::text", [big])] * 6)
    assert [len(rows[0][0]) for rows in found] == [3_000_000] * 6  # type: ignore[arg-type]


def test_a_lost_connection_says_why_and_is_closed(pg_url: str, conn: Connection) -> None:
    with psycopg.connect(pg_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [conn.info.backend_pid])
    with pytest.raises(psycopg.OperationalError):
        conn.batches.run([Statement("SELECT 1")])
    assert conn.closed


def test_a_connection_lost_at_work(pg_url: str, conn: Connection) -> None:
    with pytest.raises(psycopg.OperationalError):
        conn.batches.run([Statement("SELECT pg_terminate_backend(pg_backend_pid())"), Statement("SELECT 1")])
    assert conn.closed


def test_a_batch_is_one_turn_on_the_wire(pg_url: str) -> None:
    place = from_url(pg_url)
    if not place.host.startswith("/"):
        pytest.skip("the relay counts on a socket of this machine")
    with Wire(place) as wire, connect(replace(place, host=wire.folder)) as conn:
        many = [Statement("SELECT %s::int", [n]) for n in range(20)]
        conn.batches.run(many)
        before = wire.passed.turns
        assert conn.batches.run(many) == [[(n,)] for n in range(20)]
        assert wire.passed.turns - before == 1
