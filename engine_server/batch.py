"""A batch of statements in one write and one read.

psycopg's own pipeline speaks to the socket once per statement and makes a cursor for each. Here a whole batch is handed to libpq, sent at once and
read at once; psycopg converts the values. A text that comes again is prepared from its second time on, as psycopg does it.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Ready, Wait

from infobase.storage import Row, Statement

PREPARED_MOST = 1000
_SEEN_MOST = 10_000
_CHANGES_TABLES = (b"CREATE", b"ALTER", b"DROP")
_MARKS = re.compile("%(.)", re.DOTALL)

Key = tuple[bytes, tuple[int, ...]]
"""A text as the server gets it, and the types of its parameters."""


@lru_cache(maxsize=4096)
def numbered(sql: str) -> bytes:
    """A statement's text with `$1`, `$2` ... for its `%s` and a single percent sign for its double ones. ValueError for another mark."""
    count = 0

    def mark(found: re.Match[str]) -> str:
        nonlocal count
        if found[1] == "%":
            return "%"
        if found[1] != "s":
            raise ValueError(f"unknown placeholder %{found[1]}")
        count += 1
        return f"${count}"

    return _MARKS.sub(mark, sql).encode()


@dataclass(frozen=True, slots=True)
class _Sent:
    """What one answer belongs to. `statement`: its number in the batch, -1 for housekeeping; `prepares`: the text that is prepared by it."""

    statement: int = -1
    prepares: Key | None = None


class Batches:
    """The batches of one autocommit connection. `prepare=False`: nothing is kept at the server between batches (transaction poolers)."""

    def __init__(self, conn: psycopg.Connection[Any], *, prepare: bool) -> None:
        self._conn, self._prepare = conn, prepare
        self._values = Transformer(conn)
        self._names: dict[Key, bytes] = {}
        self._seen: set[Key] = set()
        self._unwanted: list[bytes] = []
        self._paused = False
        self._count = 0

    def run(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """The rows each statement returned. psycopg's errors: that of the first statement that failed; those behind it were not executed."""
        conn, pgconn = self._conn, self._conn.pgconn
        idle = pgconn.transaction_status == TransactionStatus.IDLE
        results: list[PGresult] = []
        try:
            pgconn.enter_pipeline_mode()
            sent = self._tidy(pgconn) if idle else []
            tidied = len(sent)
            self._send(pgconn, statements, sent)
            pgconn.pipeline_sync()
            conn.wait(_exchange(pgconn, results, syncs=1 + bool(tidied)))
            if len(results) == len(sent):
                pgconn.exit_pipeline_mode()
        except BaseException:
            conn.close()  # nothing else can be said on it in the middle of an exchange
            raise
        return self._rows(sent, results, len(statements))

    # --- to the server ---

    def _tidy(self, pgconn: PGconn) -> list[_Sent]:
        self._paused = False
        unwanted, self._unwanted = self._unwanted, []
        for name in unwanted:
            pgconn.send_query_params(b"DEALLOCATE " + name, None)
        if unwanted:
            pgconn.pipeline_sync()  # else it begins a transaction by itself, of which the level cannot be set any more
        return [_Sent()] * len(unwanted)

    def _send(self, pgconn: PGconn, statements: Sequence[Statement], sent: list[_Sent]) -> None:
        for number, statement in enumerate(statements):
            text, params, formats, types = self._dumped(statement)
            name = self._name_of((text, types), pgconn, sent)
            if name:
                pgconn.send_query_prepared(name, params, formats)
            else:
                pgconn.send_query_params(text, params, types, formats)
            sent.append(_Sent(number))

    def _dumped(self, statement: Statement) -> tuple[bytes, Sequence[Any] | None, Sequence[int], tuple[int, ...]]:
        text = numbered(statement.sql)
        if not statement.params:
            return text, None, (), ()
        values = self._values
        params = values.dump_sequence(statement.params, [PyFormat.AUTO] * len(statement.params))
        return text, params, values.formats or (), tuple(values.types or ())

    def _name_of(self, key: Key, pgconn: PGconn, sent: list[_Sent]) -> bytes:
        """The prepared statement's name; b"" for a text that is not worth it yet."""
        name = self._names.get(key)
        if name is not None:
            self._names[key] = self._names.pop(key)  # the one used last stands last
            return name
        if not self._prepare or self._paused:
            return b""
        if key not in self._seen:
            if len(self._seen) >= _SEEN_MOST:
                self._seen.clear()
            self._seen.add(key)
            return b""
        self._count += 1
        name = b"infobase_%d" % self._count
        pgconn.send_prepare(name, *key)
        sent.append(_Sent(prepares=key))
        self._names[key] = name
        return name

    # --- from the server ---

    def _rows(self, sent: Sequence[_Sent], results: Sequence[PGresult], count: int) -> list[list[Row]]:
        rows: list[list[Row]] = [[] for _ in range(count)]
        failed: PGresult | None = None
        for what, result in zip(sent, results, strict=False):
            status = result.status
            if status == ExecStatus.TUPLES_OK:
                self._values.set_pgresult(result)
                rows[what.statement] = self._values.load_rows(0, result.ntuples, tuple)
            elif status == ExecStatus.COMMAND_OK:
                self._note(result.command_status)
            else:
                failed = result if failed is None else failed
                self._forget(what.prepares)
        if failed is not None:
            raise psycopg.errors.error_from_result(failed, encoding="utf-8")
        if len(results) < len(sent):
            raise psycopg.OperationalError("the connection is lost")
        self._evict()
        return rows

    def _forget(self, key: Key | None) -> None:
        """What could not be prepared."""
        name = self._names.pop(key, b"") if key is not None else b""
        if name in self._unwanted:
            self._unwanted.remove(name)

    def _note(self, command: bytes | None) -> None:
        """After a change of tables nothing prepared is trusted, and nothing is prepared until the transaction has ended: it may be undone."""
        if command and command.startswith(_CHANGES_TABLES):
            self._paused = True
            self._unwanted += self._names.values()
            self._names.clear()

    def _evict(self) -> None:
        while len(self._names) > PREPARED_MOST:
            self._unwanted.append(self._names.pop(next(iter(self._names))))


def _exchange(pgconn: PGconn, results: list[PGresult], *, syncs: int) -> Generator[Wait, Ready | int, None]:
    """Send what libpq holds while reading what comes, until the end of the batch (so many synchronisations), or of the connection."""
    while pgconn.flush():
        if (yield Wait.RW) & Ready.R:
            pgconn.consume_input()
    while True:
        while pgconn.is_busy():
            yield Wait.R
            try:
                pgconn.consume_input()
            except psycopg.OperationalError:
                if results and results[-1].status == ExecStatus.FATAL_ERROR:
                    return  # the server has said why it goes
                raise
        result = pgconn.get_result()
        if result is None:
            if pgconn.status == ConnStatus.BAD:
                return
        elif result.status == ExecStatus.PIPELINE_SYNC:
            syncs -= 1
            if not syncs:
                return
        else:
            results.append(result)
