"""The event log beside the base: `1Cv8Log/1Cv8.lgd`, an SQLite file of its own. A log that fails never fails the business."""

from __future__ import annotations

import datetime as dt
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

from engine_file.failures import translate
from engine_file.locks import LockFile
from engine_file.store import VERSIONS_AT, Journal, _abandoned, versions
from infobase.i18n import text
from infobase.log_layout import (
    CODE_TABLES,
    CodeKey,
    add_code,
    code_keys,
    create_statements,
    encode,
    insert_statement,
    read_entries,
    select_statement,
    trim_statement,
)
from infobase.storage import LogEntry, LogFilter

_LOCK_SECONDS = 5.0
_ROWS_PER_INSERT = 40
_CHECKPOINT_BYTES = 2 << 20
_log = logging.getLogger("infobase.engine_file")


_LOOK_EVERY = 16
"""Appends between two looks at the size of the write-ahead log."""


class LogBusy(OSError):
    """The log's lock was not granted."""


class FileEventLog:
    """Appended after the commit without an fsync of its own (WAL, NORMAL). Writers and checkpoints take turns under the log's lock."""

    def __init__(self, path: Path, journal: Journal) -> None:
        self.path = path
        self.trouble = ""
        """Why the log failed, for `check`; "" while it works."""
        self._journal = "truncate" if journal == "truncate" else "wal"
        self._conn: sqlite3.Connection | None = None
        self._lock: LockFile | None = None
        self._codes: dict[CodeKey, int] = {}
        self._mutex = threading.RLock()
        self._pid = os.getpid()
        self._appends = 0
        self._wal_seen = 0

    def append(self, entries: Sequence[LogEntry]) -> None:
        if entries:
            self._guarded(entries)

    def begin(self, entries: Sequence[LogEntry]) -> None:
        """The first entries of a base just published: a new log is written at one stroke, an old one is gone on with."""
        if not entries:
            return
        if self.path.exists():
            self.append(entries)
            return
        try:
            with self._mutex, self._locked():
                self._build(entries)
        except (sqlite3.Error, OSError) as problem:
            self._report(problem)

    def _build(self, entries: Sequence[LogEntry]) -> None:
        staged = self.path.with_name(self.path.name + ".new")
        staged.unlink(missing_ok=True)
        conn = sqlite3.connect(":memory:", isolation_level=None)
        try:
            conn.execute("BEGIN")
            for statement in create_statements("sqlite"):
                conn.execute(statement.sql)
            self._learn(conn, code_keys(entries))
            self._insert(conn, entries)
            conn.execute("COMMIT")
            made = conn.serialize()
        finally:
            conn.close()
            self._codes.clear()
        try:
            with staged.open("wb") as file:
                file.write(made)
                file.seek(VERSIONS_AT)
                file.write(versions(self._journal))
            staged.replace(self.path)
        except OSError:
            staged.unlink(missing_ok=True)
            raise

    def read(self, wanted: LogFilter) -> Iterator[LogEntry]:
        if not self.path.exists():
            return
        statement = select_statement(wanted, "?")
        try:
            with self._mutex:
                conn = self._connect()
            cursor = conn.execute(statement.sql, statement.params)
            yield from read_entries(cursor, wanted)
        except sqlite3.Error as problem:
            raise translate(problem, self.path) or problem from problem

    def trim(self, before: dt.datetime, last: int = 0) -> int:
        """The file shrinks too, unless somebody reads it at this moment."""
        if not self.path.exists():
            return 0
        statement = trim_statement(before, "?", last=last)
        with self._mutex, self._locked():
            try:
                conn = self._connect()
                removed = conn.execute(statement.sql, statement.params).rowcount
                with suppress(sqlite3.OperationalError):
                    conn.execute("VACUUM")
                    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.Error as problem:
                raise translate(problem, self.path) or problem from problem
            return removed

    def clear(self) -> None:
        if not self.path.exists():
            return
        with self._mutex, self._locked():
            try:
                conn = self._connect()
                conn.execute("BEGIN IMMEDIATE")
                for table in ("EventLog", *CODE_TABLES):
                    conn.execute(f'DELETE FROM "{table}"')
                conn.execute("COMMIT")
                conn.execute("VACUUM")
                conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.Error as problem:
                if self._conn is not None and self._conn.in_transaction:
                    self._conn.execute("ROLLBACK")
                raise translate(problem, self.path) or problem from problem
            finally:
                self._codes.clear()

    def copy_to(self, target: Path) -> None:
        """A consistent copy; nothing when there is no log."""
        if not self.path.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(target)) as copy:
                self._connect().backup(copy, pages=2000)
        except sqlite3.Error as problem:
            raise translate(problem, self.path) or problem from problem

    def close(self) -> None:
        with self._mutex:
            conn, self._conn = self._conn, None
            if conn is not None and self._pid == os.getpid():
                conn.close()
            elif conn is not None:
                _abandoned.append(conn)
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    # --- plumbing ---

    def _guarded(self, entries: Sequence[LogEntry]) -> None:
        try:
            with self._mutex, self._locked():
                conn = self._connect()
                missing = [k for k in code_keys(entries) if k not in self._codes]
                if missing or len(entries) > _ROWS_PER_INSERT:
                    self._in_transaction(conn, missing, entries)
                else:
                    self._insert(conn, entries)  # one statement is a transaction by itself
                self._checkpoint(conn)
        except (sqlite3.Error, OSError) as problem:
            self._codes.clear()
            self._report(problem)

    def _in_transaction(
        self, conn: sqlite3.Connection, missing: Sequence[CodeKey], entries: Sequence[LogEntry]
    ) -> None:
        conn.execute("BEGIN IMMEDIATE")
        try:
            self._learn(conn, missing)
            self._insert(conn, entries)
            conn.execute("COMMIT")
        except BaseException:
            self._codes.clear()
            if conn.in_transaction:
                conn.execute("ROLLBACK")
            raise

    def _report(self, problem: Exception) -> None:
        if not self.trouble:
            said = text(
                ru="журнал регистрации недоступен, записи не сохраняются; данные базы не затронуты",
                en="the event log is unavailable, entries are not kept; the base's data are not affected",
            )
            _log.warning("%s: %s: %s", self.path, said, problem)
        self.trouble = str(problem)

    def _locked(self) -> _Held:
        if self._pid != os.getpid():
            self.close()
            self._pid = os.getpid()
        if self._lock is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = LockFile(self.path.with_name(self.path.name + ".cfl"))
        return _Held(self._lock)

    def _connect(self) -> sqlite3.Connection:
        if self._conn is None:
            conn = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=_LOCK_SECONDS)
            try:
                conn.execute("PRAGMA trusted_schema = OFF")
                conn.execute(f"PRAGMA journal_mode = {self._journal}")
                conn.execute("PRAGMA synchronous = NORMAL")
                conn.execute("PRAGMA wal_autocheckpoint = 0")
                for statement in create_statements("sqlite"):
                    conn.execute(statement.sql)
            except sqlite3.Error:
                conn.close()
                raise
            self._conn = conn
        return self._conn

    def _learn(self, conn: sqlite3.Connection, keys: Sequence[CodeKey]) -> None:
        for key in keys:
            insert, select = add_code(key, "?")
            conn.execute(insert.sql, insert.params)
            self._codes[key] = conn.execute(select.sql, select.params).fetchone()[0]

    def _insert(self, conn: sqlite3.Connection, entries: Sequence[LogEntry]) -> None:
        rows = [encode(e, self._codes) for e in entries]
        for start in range(0, len(rows), _ROWS_PER_INSERT):
            statement = insert_statement(rows[start : start + _ROWS_PER_INSERT], "?")
            conn.execute(statement.sql, statement.params)

    def _checkpoint(self, conn: sqlite3.Connection) -> None:
        self._appends += 1
        if self._appends % _LOOK_EVERY:
            return
        try:
            size = self.path.with_name(self.path.name + "-wal").stat().st_size
        except OSError:
            return
        if size - self._wal_seen >= _CHECKPOINT_BYTES:
            conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._wal_seen = 0


class _Held:
    """The log's lock for a block."""

    def __init__(self, lock: LockFile) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        if not self._lock.lock_within(_LOCK_SECONDS):
            raise LogBusy(text(ru="журнал занят другим процессом", en="the log is busy with another process"))

    def __exit__(self, *_: object) -> None:
        self._lock.unlock()
