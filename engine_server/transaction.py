"""One PostgreSQL transaction, each call of `run` one round trip."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import psycopg

from engine_server.failures import CallRepeated, is_lost, translate
from engine_server.pool import Connection
from engine_server.sessions import SCHEMA
from infobase.errors import CommitOutcomeUnknown, InfobaseError, TransactionFailed
from infobase.storage import LogEntry, Row, Statement

_FETCH = 5000
_COMMIT = Statement("COMMIT")


class Watcher(Protocol):
    """Finds out who holds what a backend waits for."""

    def enter(self, pid: int, timeout: float) -> None: ...

    def leave(self, pid: int) -> str: ...


class ServerTransaction:
    """`statements`: how many were sent, without BEGIN, SET and COMMIT; `round_trips`: how often the client waited for the server."""

    def __init__(
        self,
        conn: Connection,
        place: object,
        watcher: Watcher,
        *,
        writable: bool,
        timeout: float,
        begin: Sequence[Statement],
        log_rows: Callable[[Sequence[LogEntry]], list[Statement]],
    ) -> None:
        self.writable = writable
        self.conn = conn
        self.timeout = timeout
        self.statements = 0
        self.round_trips = 0
        self.entries: list[LogEntry] = []
        self.actions: list[Callable[[], None]] = []
        self.failed: BaseException | None = None
        self._place, self._watcher, self._log_rows = place, watcher, log_rows
        self._begin: Sequence[Statement] = begin
        self._leads = self._over = False
        self._streams = 0

    def run(self, statements: Sequence[Statement], *, last: bool = False) -> list[list[Row]]:
        if last:
            return self._finish(statements)
        self.statements += len(statements)
        head = self._begin
        results = self.send([*head, *statements] if head else statements)
        self._begin = ()
        return results[len(head) :]

    def lead(self, statement: Statement) -> None:
        """Send a statement right after BEGIN with whatever comes first, at the latest with COMMIT. It adds a key to a table of the service's
        schema; whatever the batch brings ends in CallRepeated when the key is there already."""
        assert self._begin, "nothing was sent yet"
        self.statements += 1
        self._begin = [*self._begin, statement]
        self._leads = True

    def settle(self) -> None:
        """Send what leads now, if it was not sent yet."""
        if self._begin and self._leads and self.failed is None:
            self.run([])

    def send(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Everything in one batch."""
        if self.failed is not None:
            raise self.failed
        assert not self._over, "the transaction has ended"
        self.round_trips += 1
        pid = self.conn.pgconn.backend_pid
        self._watcher.enter(pid, self.timeout)
        try:
            return self.conn.batches.run(statements)
        except psycopg.Error as problem:
            raise self._translated(problem, self._watcher.leave(pid)) from problem
        finally:
            self._watcher.leave(pid)

    def stream(self, statement: Statement) -> Iterator[Row]:
        if self._begin:
            self.run([])
        self._streams += 1
        self.statements += 1
        self.round_trips += 1
        try:
            with self.conn.cursor(name=f"infobase_{self._streams}") as cursor:
                cursor.itersize = _FETCH
                params = list(statement.params) or None
                cursor.execute(_sql(statement), params)
                yield from cursor
        except psycopg.Error as problem:
            raise self._translated(problem, "") from problem

    def log(self, entries: Sequence[LogEntry]) -> None:
        self.entries.extend(entries)

    def after_commit(self, action: Callable[[], None]) -> None:
        self.actions.append(action)

    def fail(self, reason: BaseException) -> None:
        if self.failed is None:
            self.failed = TransactionFailed(detail=str(reason) or type(reason).__name__)

    def commit(self) -> None:
        """Log entries and COMMIT in one round trip. CommitOutcomeUnknown when the connection breaks on the way."""
        if self.failed is not None:
            raise self.failed
        if not self._over and (not self._begin or self._leads or self.entries):
            self._finish([])

    def _finish(self, statements: Sequence[Statement]) -> list[list[Row]]:
        inserts = self._log_rows(self.entries) if self.entries else []
        self.statements += len(statements) + len(inserts)
        head = self._begin
        try:
            results = self.send([*head, *statements, *inserts, _COMMIT])
        except InfobaseError as problem:
            if self.writable and self.conn.closed:
                raise CommitOutcomeUnknown(detail=str(problem)) from problem
            raise
        self._begin, self._over = (), True
        return results[len(head) : len(head) + len(statements)]

    def roll_back(self) -> None:
        if self.conn.closed or self.conn.pgconn.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            return
        try:
            self.conn.batches.run([Statement("ROLLBACK")])
        except psycopg.Error:
            self.conn.close()  # the server rolls back what has lost its connection

    def _translated(self, problem: psycopg.Error, holder: str) -> Exception:
        if is_lost(problem, self.conn):
            self.conn.close()
        found: Exception = translate(problem, self._place, timeout=self.timeout, holder=holder) or problem
        if self._leads and isinstance(problem, psycopg.errors.UniqueViolation) and problem.diag.schema_name == SCHEMA:
            found = CallRepeated()
        self.failed = found
        return found


def _sql(statement: Statement) -> str:
    """Without parameters psycopg takes the text as it is, so a doubled percent sign must be single."""
    return statement.sql if statement.params else statement.sql.replace("%%", "%")
