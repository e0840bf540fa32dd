"""One SQLite transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from engine_file.failures import index_name, translate
from infobase.errors import InfobaseError, NotUnique, TransactionFailed
from infobase.storage import LogEntry, Row, Statement

_FETCH = 2000


class FileTransaction:
    """`statements`: how many were run, for tests and benchmarks; `round_trips`: how many calls."""

    def __init__(self, conn: sqlite3.Connection, place: Path, *, writable: bool, timeout: float) -> None:
        self.writable = writable
        self.conn = conn
        self.statements = 0
        self.round_trips = 0
        self.entries: list[LogEntry] = []
        self.actions: list[Callable[[], None]] = []
        self.failed: BaseException | None = None
        self._place, self._timeout = place, timeout

    def run(self, statements: Sequence[Statement], *, last: bool = False) -> list[list[Row]]:
        self._demand_sound()
        self.round_trips += 1
        self.statements += len(statements)
        execute = self.conn.execute
        try:
            return [execute(s.sql, s.params).fetchall() for s in statements]
        except (sqlite3.Error, OverflowError) as problem:
            raise self._translated(problem) from problem

    def stream(self, statement: Statement) -> Iterator[Row]:
        self._demand_sound()
        self.round_trips += 1
        self.statements += 1
        try:
            cursor = self.conn.execute(statement.sql, statement.params)
            while rows := cursor.fetchmany(_FETCH):
                yield from rows
        except (sqlite3.Error, OverflowError) as problem:
            raise self._translated(problem) from problem

    def many(self, sql: str, rows: Iterator[Sequence[object]]) -> int:
        """One statement over many rows; the count."""
        self._demand_sound()
        self.round_trips += 1
        self.statements += 1
        try:
            return self.conn.executemany(sql, rows).rowcount
        except (sqlite3.Error, OverflowError) as problem:
            raise self._translated(problem) from problem

    def log(self, entries: Sequence[LogEntry]) -> None:
        self.entries.extend(entries)

    def after_commit(self, action: Callable[[], None]) -> None:
        self.actions.append(action)

    def fail(self, reason: BaseException) -> None:
        if self.failed is None:
            self.failed = TransactionFailed(detail=str(reason) or type(reason).__name__)

    def _demand_sound(self) -> None:
        """After a failed statement nothing more can be done than to roll back, as on a server."""
        if self.failed is not None:
            raise self.failed

    def _translated(self, problem: sqlite3.Error | OverflowError) -> InfobaseError | sqlite3.Error | OverflowError:
        found = translate(problem, self._place, timeout=self._timeout) or problem
        if isinstance(found, NotUnique):
            table, columns = str(found.fields["object"]), str(found.fields["field"])
            found = NotUnique(field=index_name(self.conn, table, columns), value="", object=table)
        self.failed = found
        return found
