"""SQLite connections of one process to one base file: a writer, a pool of readers, checkpoints."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from engine_file.failures import translate
from engine_file.folder import is_network, note_closed, note_open, open_mutex
from infobase.errors import EngineUnavailable, InfobaseDamaged
from infobase.i18n import text

Journal = Literal["wal", "truncate", "memory"]
"""`memory`: a staged store nobody else sees and nobody misses; it is synced once, before it is published."""

_IDLE_READERS = 4
_CHECKPOINT_COMMITS = 200
_CHECKPOINT_BYTES = 4 << 20
_TRUNCATE_BYTES = 64 << 20

_abandoned: list[object] = []
"""Connections inherited through fork: neither used nor closed, for both would break the parent's."""


def choose_journal(folder: Path) -> Journal:
    """WAL on a local disk; TRUNCATE where processes of several hosts may come. INFOBASE_JOURNAL overrides."""
    asked = os.environ.get("INFOBASE_JOURNAL", "").lower()
    if asked in ("wal", "truncate"):
        return "wal" if asked == "wal" else "truncate"
    return "truncate" if is_network(folder) else "wal"


VERSIONS_AT = 18
"""SQLite's file format: the offset of the file format's write and read versions, 1 for a rollback journal, 2 for WAL."""


def versions(journal: str) -> bytes:
    """What stands at `VERSIONS_AT` of a whole file nobody has open, so that the next one to open it finds it in this mode."""
    return b"\x02\x02" if journal == "wal" else b"\x01\x01"


class Store:
    """Not shared between processes: after a fork call `abandon`."""

    def __init__(self, path: Path, journal: Journal) -> None:
        self.path, self.journal = path, journal
        self._writer: sqlite3.Connection | None = None
        self._idle: list[sqlite3.Connection] = []
        self._mutex = threading.Lock()
        self._commits = 0
        self._wal_seen = 0
        self._closed = False

    # --- connections ---

    def writer(self) -> sqlite3.Connection:
        """The one connection that writes; only under the gate."""
        if self._writer is None:
            self._writer = self.connect()
        return self._writer

    @contextmanager
    def reader(self) -> Iterator[sqlite3.Connection]:
        with self._mutex:
            conn = self._idle.pop() if self._idle else None
        if conn is None:
            conn = self.connect(read_only=True)
        try:
            yield conn
        except BaseException:
            self._discard(conn)
            raise
        with self._mutex:
            keep = len(self._idle) < _IDLE_READERS and not self._closed
            if keep:
                self._idle.append(conn)
        if not keep:
            self._discard(conn)

    def connect(self, *, read_only: bool = False) -> sqlite3.Connection:
        """A new connection with our settings. EngineUnavailable, InfobaseDamaged ..."""
        with open_mutex:
            note_open(self.path)
            try:
                conn = sqlite3.connect(
                    f"file:{quote(str(self.path))}?mode=rw",
                    uri=True,
                    isolation_level=None,
                    check_same_thread=False,
                    cached_statements=1024,
                )
            except sqlite3.Error as problem:
                note_closed(self.path)
                raise translate(problem, self.path) or problem from problem
        try:
            self._configure(conn, read_only)
        except sqlite3.Error as problem:
            self._discard(conn)
            raise translate(problem, self.path) or problem from problem
        except BaseException:
            self._discard(conn)
            raise
        return conn

    def _configure(self, conn: sqlite3.Connection, read_only: bool) -> None:
        conn.execute("PRAGMA busy_timeout = 20000")
        conn.execute("PRAGMA trusted_schema = OFF")
        conn.execute("PRAGMA cell_size_check = ON")
        conn.execute("PRAGMA mmap_size = 0")
        if self.journal == "memory":
            conn.execute("PRAGMA synchronous = OFF")
            conn.execute("PRAGMA journal_mode = MEMORY")
            conn.execute("PRAGMA cache_size = -65536")
            return
        found = conn.execute("PRAGMA journal_mode").fetchone()[0]
        if found != self.journal:
            self._convert(conn)
        conn.execute("PRAGMA synchronous = FULL")
        conn.execute("PRAGMA wal_autocheckpoint = 0")
        if read_only:
            conn.execute("PRAGMA query_only = ON")

    def _convert(self, conn: sqlite3.Connection) -> None:
        if not self._converted(conn):
            detail = text(
                ru="база открыта с другого компьютера с журналом другого вида; закройте её там",
                en="the base is open on another computer with another kind of journal; close it there",
            )
            raise EngineUnavailable(place=self.path, detail=detail)

    def _converted(self, conn: sqlite3.Connection) -> bool:
        """False at once where another connection stands in the way."""
        conn.execute("PRAGMA busy_timeout = 0")
        try:
            return bool(conn.execute(f"PRAGMA journal_mode = {self.journal}").fetchone()[0] == self.journal)
        except sqlite3.OperationalError as problem:
            if problem.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            return False
        finally:
            conn.execute("PRAGMA busy_timeout = 20000")

    def demand_plain_schema(self) -> None:
        """Our bases have neither triggers nor views: in a foreign file they could run anything. InfobaseDamaged."""
        with self.reader() as conn:
            try:
                found = conn.execute(
                    "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view') LIMIT 1"
                ).fetchone()
            except sqlite3.Error as problem:
                raise translate(problem, self.path) or problem from problem
        if found:
            detail = text(ru=f"посторонний объект {found[0]} {found[1]}", en=f"a foreign {found[0]} {found[1]}")
            raise InfobaseDamaged(place=self.path, detail=detail)

    def release(self, conn: sqlite3.Connection) -> None:
        """Close a connection made by `connect`."""
        self._discard(conn)

    def _discard(self, conn: sqlite3.Connection) -> None:
        with open_mutex:
            conn.close()
            note_closed(self.path)

    # --- checkpoints: only under the gate, so that never two connections write and checkpoint at one instant ---

    def committed(self) -> None:
        """After a commit, under the gate: move the WAL into the base from time to time."""
        if self.journal != "wal":
            return
        self._commits += 1
        if self._commits % 16 and self._commits < _CHECKPOINT_COMMITS:
            return
        size = self.wal_bytes()
        if self._commits >= _CHECKPOINT_COMMITS or size - self._wal_seen >= _CHECKPOINT_BYTES:
            self.checkpoint("TRUNCATE" if size > _TRUNCATE_BYTES else "PASSIVE")

    def checkpoint(self, kind: str) -> None:
        conn = self.writer()
        conn.execute("PRAGMA busy_timeout = 0")
        try:
            conn.execute(f"PRAGMA wal_checkpoint({kind})").fetchone()
        finally:
            conn.execute("PRAGMA busy_timeout = 20000")
        self._commits, self._wal_seen = 0, self.wal_bytes()

    def wal_bytes(self) -> int:
        try:
            return self.path.with_name(self.path.name + "-wal").stat().st_size
        except OSError:
            return 0

    # --- the end ---

    def close(self) -> None:
        """Idempotent. The last connection of all processes empties the WAL."""
        self._closed = True
        with self._mutex:
            idle, self._idle = self._idle, []
        for conn in idle:
            self._discard(conn)
        writer, self._writer = self._writer, None
        if writer is not None:
            self._discard(writer)

    def abandon(self) -> None:
        """In a forked child."""
        _abandoned.extend([*self._idle, self._writer])
        self._idle, self._writer = [], None
