"""ADBC connections of one process to one database, kept open: each begins by reading the server's whole catalogue of types, which takes longer than
copying a small table."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from adbc_driver_postgresql import dbapi

from engine_server.place import ServerPlace


class ArrowConnections:
    """`opening`: what a new connection runs first. `options`: start-up options of libpq."""

    def __init__(self, place: ServerPlace, application: str, *, options: str = "", opening: Sequence[str] = ()) -> None:
        more = {"options": options} if options else {}
        self._target = place.conninfo(application_name=application, **more)
        self._opening = opening
        self._idle: list[Any] = []
        self._mutex = threading.Lock()

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """A cursor on a connection nobody else uses meanwhile; a connection that has failed, or was left in mid-reading, is not used again."""
        with self._mutex:
            conn = self._idle.pop() if self._idle else None
        if conn is None:
            conn = self._connect()
        try:
            cursor = conn.cursor()
            try:
                yield cursor
            finally:
                cursor.close()
        except BaseException:
            conn.close()
            raise
        with self._mutex:
            self._idle.append(conn)

    def _connect(self) -> Any:
        conn = dbapi.connect(self._target, autocommit=True)
        try:
            for command in self._opening:
                run(conn, command)
        except BaseException:
            conn.close()
            raise
        return conn

    def close(self) -> None:
        with self._mutex:
            idle, self._idle = self._idle, []
        for conn in idle:
            conn.close()

    def abandon(self) -> list[Any]:
        """In a forked child: the parent's connections, to be kept unused."""
        idle, self._idle = self._idle, []
        return idle


def run(conn: Any, command: str) -> None:
    """A command without rows."""
    cursor = conn.cursor()
    try:
        cursor.execute(command)
        cursor.fetchall()
    finally:
        cursor.close()
