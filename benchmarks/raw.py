"""The raw side: the very statements of an operation, with their parameters ready, straight on the driver.

This is the leanest code that does the same work: no validation, no metadata, no encoding, one transaction per operation, the same event-log entry.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from engine_server.engine import ServerEngine
from infobase import log_layout
from infobase.storage import LOCK_TIMEOUT, LogEntry, Row, Statement, StorageEngine, Transaction

Operation = tuple[list[list[Statement]], list[LogEntry]]
"""Batches of one transaction, and the entries it logged."""


class RecordingTransaction:
    """Passes everything on and remembers the batches."""

    def __init__(self, inner: Transaction, batches: list[list[Statement]], entries: list[LogEntry]) -> None:
        self._inner, self._batches, self._entries = inner, batches, entries
        self.writable = inner.writable

    def run(self, statements: Sequence[Statement]) -> list[list[Row]]:
        self._batches.append(list(statements))
        return self._inner.run(statements)

    def log(self, entries: Sequence[LogEntry]) -> None:
        self._entries.extend(entries)
        self._inner.log(entries)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class RecordingEngine:
    """An engine that remembers every write transaction in `operations`."""

    def __init__(self, inner: StorageEngine) -> None:
        self._inner = inner
        self.operations: list[Operation] = []
        self.round_trips = self.statements = 0

    @contextmanager
    def transaction(self, *, write: bool, timeout: float = LOCK_TIMEOUT) -> Iterator[Transaction]:
        if not write:
            with self._inner.transaction(write=False, timeout=timeout) as tx:
                yield tx
            return
        batches: list[list[Statement]] = []
        entries: list[LogEntry] = []
        with self._inner.transaction(write=True, timeout=timeout) as tx:
            yield RecordingTransaction(tx, batches, entries)
        self.operations.append((batches, entries))
        self.round_trips = getattr(tx, "round_trips", 0)
        self.statements = getattr(tx, "statements", 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class RawFile:
    """stdlib sqlite3 on a copy of the base: WAL, synchronous FULL, checkpoints as SQLite does by itself."""

    def __init__(self, folder: Path) -> None:
        self.base = sqlite3.connect(folder / "1Cv8.1CD", isolation_level=None)
        self.base.execute("PRAGMA journal_mode=WAL")
        self.base.execute("PRAGMA synchronous=FULL")
        (folder / "1Cv8Log").mkdir(exist_ok=True)
        self.log = sqlite3.connect(folder / "1Cv8Log" / "raw.lgd", isolation_level=None)
        self.log.execute("PRAGMA journal_mode=WAL")
        self.log.execute("PRAGMA synchronous=NORMAL")
        for statement in log_layout.create_statements("sqlite", ""):
            self.log.execute(statement.sql)

    def replay(self, operation: Operation) -> None:
        batches, entries = operation
        self.base.execute("BEGIN IMMEDIATE")
        for batch in batches:
            for s in batch:
                self.base.execute(s.sql, s.params).fetchall()
        self.base.execute("COMMIT")
        statement = log_layout.insert_statement([log_layout.encode(e, _Codes()) for e in entries], "?", "")
        self.log.execute(statement.sql, statement.params)

    def close(self) -> None:
        self.base.close()
        self.log.close()


class RawServer:
    """psycopg 3 in pipeline mode on a copy of the base, one synchronisation per batch."""

    def __init__(self, engine: ServerEngine) -> None:
        self.conn = psycopg.connect(engine.where().conninfo(), autocommit=True, prepare_threshold=1)

    def replay(self, operation: Operation) -> None:
        batches, entries = operation
        for n, batch in enumerate(batches):
            with self.conn.pipeline():
                cursors = [] if n else [self.conn.execute("BEGIN")]
                cursors += [self.conn.execute(s.sql, s.params) for s in batch]
            for c in cursors:
                if c.description is not None:
                    c.fetchall()
        log = (
            log_layout.insert_statement([log_layout.encode(e, _Codes()) for e in entries], "%s", "event_log.")
            if entries
            else None
        )
        with self.conn.pipeline():
            if log is not None:
                self.conn.execute(log.sql, log.params)
            self.conn.execute("COMMIT")

    def close(self) -> None:
        self.conn.close()


class _Codes(dict[Any, int]):
    """Any name has code 1: the raw side does not look names up."""

    def __missing__(self, key: object) -> int:
        return 1
