"""Connections of one process to one database: opened when needed, given back, replaced when the server has closed them."""

from __future__ import annotations

import os
import select
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.adapt import Dumper
from psycopg.types.numeric import Int8Dumper

from engine_server.batch import Batches
from engine_server.place import MAINTENANCE_DATABASE, ServerPlace
from infobase.errors import EngineUnavailable, InfobaseNotFound
from infobase.i18n import text

CONNECT_SECONDS = 10

_abandoned: list[object] = []
"""Connections inherited through fork: closing them would end the parent's sessions."""


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """psycopg's connection, which also runs whole batches. What psycopg sends by itself it does not prepare: the batches do."""

    batches: Batches


class _Int(Int8Dumper):
    """Every int as bigint: otherwise each size of number would be another prepared statement."""


def connect(
    place: ServerPlace, *, application: str = "infobase", options: str = "", prepare: bool = True
) -> Connection:
    """An autocommit connection with our settings. InfobaseNotFound, EngineUnavailable."""
    more: dict[str, str | int] = {
        "application_name": application,
        "connect_timeout": CONNECT_SECONDS,
        "client_encoding": "utf8",
    }
    if options:
        more["options"] = options
    try:
        conn = Connection.connect(place.conninfo(**more), autocommit=True, prepare_threshold=None)
    except psycopg.OperationalError as problem:
        raise _refused(problem, place) from None
    dumper: type[Dumper] = _Int
    conn.adapters.register_dumper(int, dumper)
    conn.batches = Batches(conn, prepare=prepare)
    return conn


def _refused(problem: psycopg.OperationalError, place: ServerPlace) -> EngineUnavailable | InfobaseNotFound:
    """libpq gives no code for a refused connection, only a text in the server's language: so the catalog is asked."""
    if place.database != MAINTENANCE_DATABASE and _is_missing(place):
        return InfobaseNotFound(place=place)
    said = " ".join(str(problem).split())
    advice = text(
        ru="проверьте, что сервер запущен, и что адрес, порт, имя пользователя и пароль верны",
        en="check that the server runs, and that address, port, user and password are right",
    )
    return EngineUnavailable(place=place, detail=f"{said}; {advice}")


def _is_missing(place: ServerPlace) -> bool:
    try:
        with psycopg.connect(place.at(MAINTENANCE_DATABASE).conninfo(connect_timeout=CONNECT_SECONDS)) as conn:
            return conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", [place.database]).fetchone() is None
    except psycopg.Error:
        return False


class Pool:
    """At most `size` connections at once, and a second one for each thread that holds one already (numbers are taken in a transaction of
    their own): it never waits, or the holders would wait for each other. `greet`: called with every new one before it is used, and may
    refuse it."""

    def __init__(
        self,
        place: ServerPlace,
        size: int,
        *,
        application: str,
        options: str,
        prepare: bool,
        greet: Callable[[Connection], None] = lambda _: None,
    ) -> None:
        self.place, self._application, self._options, self._prepare = place, application, options, prepare
        self._greet = greet
        self._room = threading.BoundedSemaphore(size)
        self._holders: Counter[int] = Counter()
        self._mutex = threading.Lock()
        self._idle: list[Connection] = []
        self._generation = 0

    @contextmanager
    def connection(self, timeout: float) -> Iterator[Connection]:
        """EngineUnavailable when no connection gets free in time, or the server is away."""
        thread = threading.get_ident()
        held = self._holders[thread]
        if not held and not self._room.acquire(timeout=max(timeout, 0.001)):
            detail = text(ru="все соединения с сервером заняты", en="all connections to the server are in use")
            raise EngineUnavailable(place=self.place, detail=detail)
        self._count(thread, 1)
        conn: Connection | None = None
        try:
            generation = self._generation
            conn = self._take()
            yield conn
            if not conn.closed and conn.pgconn.transaction_status == psycopg.pq.TransactionStatus.IDLE:
                with self._mutex:
                    if generation == self._generation:
                        self._idle.append(conn)
                        conn = None
        finally:
            if conn is not None:
                conn.close()
            self._count(thread, -1)
            if not held:
                self._room.release()

    def _count(self, thread: int, change: int) -> None:
        """A connection may be given back by another thread than took it (a reply sent in parts)."""
        with self._mutex:
            self._holders[thread] += change
            if not self._holders[thread]:
                del self._holders[thread]

    def _take(self) -> Connection:
        while True:
            with self._mutex:
                conn = self._idle.pop() if self._idle else None
            if conn is None:
                return self._new()
            if is_fresh(conn):
                return conn
            conn.close()

    def _new(self) -> Connection:
        conn = connect(self.place, application=self._application, options=self._options, prepare=self._prepare)
        try:
            self._greet(conn)
        except BaseException:
            conn.close()
            raise
        return conn

    def idle(self) -> int:
        """Connections open and not in use."""
        return len(self._idle)

    def clear(self) -> None:
        """Close the idle connections; those in use are closed when they come back."""
        with self._mutex:
            idle, self._idle = self._idle, []
            self._generation += 1
        for conn in idle:
            conn.close()

    def abandon(self) -> None:
        """In a forked child."""
        _abandoned.extend(self._idle)
        self._idle = []


def is_fresh(conn: Connection) -> bool:
    """An idle connection with something to read is one the server has closed: seen without a round trip."""
    if conn.closed:
        return False
    if os.name == "nt":
        return not select.select([conn.fileno()], [], [], 0)[0]
    poll = select.poll()
    poll.register(conn.fileno(), select.POLLIN)
    return not poll.poll(0)
