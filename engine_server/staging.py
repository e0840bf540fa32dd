"""Databases made aside, switched into place by renaming, and swept when their maker is dead.

A staged database is named `<base>__stage_<random>`; its maker holds an advisory lock on that name in the maintenance database.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from engine_server.failures import is_lost, translate
from engine_server.place import MAINTENANCE_DATABASE, ServerPlace
from engine_server.pool import Connection, connect
from engine_server.sessions import own_prefix
from infobase.errors import CommitOutcomeUnknown, DoneUnfinished, InfobaseBusy, InfobaseError, InfobaseExists
from infobase.i18n import text

_log = logging.getLogger("infobase.engine_server")
_STAGE, _OLD = "__stage_", "__old_"
_GRACE_SECONDS = 1.0
"""How long a connection that was just closed may still be seen."""


def key_of(name: str) -> int:
    """A 64-bit advisory lock key."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


def _aside(database: str, kind: str) -> str:
    tail = f"{kind}{secrets.token_hex(4)}"
    return _stem(database) + tail


def _stem(database: str) -> str:
    return database.encode()[:46].decode(errors="ignore")


@contextmanager
def maintenance(place: ServerPlace) -> Iterator[Connection]:
    """A connection to the maintenance database, with its errors translated."""
    conn = connect(place.at(MAINTENANCE_DATABASE), application="infobase:service")
    try:
        yield conn
    except psycopg.Error as problem:
        raise translate(problem, place) or problem from problem
    finally:
        conn.close()


WRITE_SEQUENCES = """
    SELECT setval(
        (quote_ident(schemaname) || '.' || quote_ident(sequencename))::regclass,
        coalesce(last_value, start_value), last_value IS NOT NULL)
    FROM pg_sequences"""
"""To be run in a copy of a database: PostgreSQL writes a sequence to its write-ahead log once in 32 numbers and keeps on the page how many are
covered. CREATE DATABASE copies that page, but not the record that covers it: after a crash the copy would give the same numbers out again."""


class Stage:
    """A staged database and the connection that says its maker lives."""

    def __init__(self, place: ServerPlace, *, template: str = "template0") -> None:
        """Make the database, empty or as a copy of `template`. Leftovers of dead makers are removed first."""
        self.place = place.at(_aside(place.database, _STAGE))
        self.published = False
        self._owner: Connection | None = connect(place.at(MAINTENANCE_DATABASE), application="infobase:stage")
        try:
            sweep(self._owner, place.database)
            self._owner.execute("SELECT pg_advisory_lock(%s)", [key_of(self.place.database)])
            self._make(self._owner, template)
        except psycopg.Error as problem:
            self.release()
            raise translate(problem, place) or problem from problem
        except BaseException:
            self.release()
            raise

    def _make(self, conn: Connection, template: str) -> None:
        # The server's own strategy: copying through the write-ahead log is several times faster than file by file with checkpoints around.
        command = sql.SQL("CREATE DATABASE {} TEMPLATE {} ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
        conn.execute(command.format(sql.Identifier(self.place.database), sql.Identifier(template)))

    def remove(self) -> None:
        """Idempotent. A server that is away does not hide why the stage is given up: the next maker sweeps it."""
        try:
            if not self.published:
                with maintenance(self.place) as conn:
                    _drop(conn, self.place.database)
        except InfobaseError as problem:
            _log.warning("%s", problem)
        finally:
            self.release()

    def release(self) -> None:
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.close()

    def abandon(self) -> Connection | None:
        """In a forked child: the connection, to be kept and left alone."""
        owner, self._owner = self._owner, None
        return owner


def sweep(conn: Connection, database: str) -> None:
    """Remove the staged and the replaced databases of this base whose makers are dead."""
    names = "SELECT datname FROM pg_database WHERE starts_with(datname, %s) OR starts_with(datname, %s)"
    for (name,) in conn.execute(names, [_stem(database) + _STAGE, _stem(database) + _OLD]).fetchall():
        got = conn.execute("SELECT pg_try_advisory_lock(%s)", [key_of(name)]).fetchone()
        if got and got[0]:
            _drop(conn, name)
            conn.execute("SELECT pg_advisory_unlock(%s)", [key_of(name)])


def _drop(conn: Connection, name: str) -> None:
    conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def switch(stage: Stage, place: ServerPlace, engine_id: str, *, replace: bool) -> None:
    """Put the staged database in the place of `place.database` in one transaction of renames; then drop the old one."""
    with maintenance(place) as conn:
        present = conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", [place.database]).fetchone()
        old = _aside(place.database, _OLD)
        if present and not replace:
            raise InfobaseExists(place=place)
        if present:
            demand_unused(conn, place, engine_id)
            conn.execute("SELECT pg_advisory_lock(%s)", [key_of(old)])
        with _told_as_unknown(conn), conn.transaction():
            if present:
                conn.execute(_rename(place.database, old))
            conn.execute(_rename(stage.place.database, place.database))
        stage.published = True
        stage.release()
        if present:
            with DoneUnfinished.after(place):
                _dropped(conn, old, place)


@contextmanager
def _told_as_unknown(conn: Connection) -> Iterator[None]:
    """CommitOutcomeUnknown when the connection breaks in what changes everything at once."""
    try:
        yield
    except psycopg.Error as problem:
        if is_lost(problem, conn):
            raise CommitOutcomeUnknown(detail=str(problem)) from problem
        raise


def _dropped(conn: Connection, name: str, place: ServerPlace) -> None:
    try:
        _drop(conn, name)
    except psycopg.Error as problem:
        raise translate(problem, place) or problem from problem


def _rename(old: str, new: str) -> sql.Composed:
    return sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new))


def drop(place: ServerPlace, engine_id: str) -> None:
    """InfobaseBusy while others are connected."""
    with maintenance(place) as conn:
        demand_unused(conn, place, engine_id)
        with _told_as_unknown(conn):
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(place.database)))
        sweep(conn, place.database)


def demand_unused(conn: Connection, place: ServerPlace, engine_id: str) -> None:
    """Nobody may be connected to the database but this engine, whose connections are already closing. InfobaseBusy."""
    query = (
        "SELECT application_name, usename, client_addr, pid FROM pg_stat_activity WHERE datname = %s "
        "AND backend_type = 'client backend' AND NOT starts_with(application_name, %s)"
    )
    deadline = time.monotonic() + _GRACE_SECONDS
    while found := conn.execute(query, [place.database, own_prefix(engine_id)]).fetchall():
        if time.monotonic() > deadline:
            raise InfobaseBusy(place=place, holder="; ".join(_describe(*row) for row in found))
        time.sleep(0.05)


def _describe(application: str, user: str, address: Any, pid: int) -> str:
    where = str(address) if address else text(ru="этот компьютер", en="this computer")
    return f"{user} ({application or '-'}, {where}, pid {pid})"


# --- golden databases ---


def seal(place: ServerPlace) -> None:
    """Nobody may connect any more: nothing changes in it, and nothing stands in the way of copying it."""
    with maintenance(place) as conn:
        conn.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(sql.Identifier(place.database)))


def is_sealed(place: ServerPlace) -> bool:
    with maintenance(place) as conn:
        query = "SELECT 1 FROM pg_database WHERE datname = %s AND NOT datallowconn"
        return conn.execute(query, [place.database]).fetchone() is not None
