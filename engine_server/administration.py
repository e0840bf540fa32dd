"""Blocks, terminations and locks of a server base, in the schema `infobase_service`.

An end is written to a table and told by NOTIFY on the registry connection, so that a session learns of it without a question to the server.
An engine whose sessions are all ended loses its connections too: whatever it has open is rolled back at once.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import psycopg

from engine_server import sessions
from engine_server.failures import translate
from engine_server.pool import Connection, is_fresh
from engine_server.staging import key_of
from infobase.i18n import text
from infobase.session_block import SessionBlock
from infobase.storage import LockInfo, SessionInfo, Statement

CHANNEL = "infobase_sessions"
_KEEP_DAYS = 7
_WRITING = ("RowExclusiveLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock")
_LOCKS = """SELECT a.application_name, a.pid, l.locktype, l.mode, l.granted, c.relname::text, c.relkind::text, n.nspname::text,
    l.classid::bigint << 32 | l.objid::bigint, l.objsubid, date_trunc('second', a.xact_start AT TIME ZONE 'UTC')
    FROM pg_locks l JOIN pg_stat_activity a USING (pid) LEFT JOIN pg_class c ON c.oid = l.relation
    LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.backend_type = 'client backend'
    AND (l.locktype = 'advisory' OR NOT l.granted OR (l.locktype = 'relation' AND l.mode = ANY(%s)))
    ORDER BY a.pid, l.granted DESC, 6, 9"""


def setup_statements() -> list[Statement]:
    schema = sessions.SCHEMA
    return [
        Statement(
            f"CREATE TABLE IF NOT EXISTS {schema}.block (row_key integer PRIMARY KEY CHECK (row_key = 0), since timestamp(0), "
            "until timestamp(0), message text NOT NULL, code text NOT NULL, parameter text NOT NULL)"
        ),
        Statement(
            f"CREATE TABLE IF NOT EXISTS {schema}.ended (id uuid PRIMARY KEY, message text NOT NULL, "
            "at timestamp NOT NULL DEFAULT now())"
        ),
    ]


class Engine(Protocol):
    """What the administration needs of its engine."""

    id: str
    place: str

    def apart(self) -> AbstractContextManager[Connection]: ...

    def registry_connection(self) -> Connection: ...

    def reading_connection(self) -> AbstractContextManager[Connection]: ...


class ServerAdministration:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._mutex = threading.Lock()
        self._own: dict[uuid.UUID, SessionInfo] = {}
        self._ended: dict[uuid.UUID, str] = {}
        self._listening: Connection | None = None
        self._leftovers: list[str] = []

    # --- this engine's sessions ---

    def opened(self, conn: Connection, info: SessionInfo) -> None:
        """A session of this engine is registered on `conn`."""
        self._own[info.id] = info
        self._listen(conn)

    def closed(self, info: SessionInfo) -> None:
        self._own.pop(info.id, None)
        self._ended.pop(info.id, None)

    def _listen(self, conn: Connection) -> None:
        if self._listening is conn:
            return
        conn.execute(f"LISTEN {CHANNEL}")
        self._listening = conn

    def ended(self, session: uuid.UUID, *, sure: bool = False) -> str | None:
        if session not in self._own:
            return None
        found = self._ended.get(session)
        conn = self._listening
        if found is not None or (not sure and conn is not None and is_fresh(conn)):
            return found
        with self._mutex:
            return self._ended.get(session) or self._ask(session)

    def _ask(self, session: uuid.UUID) -> str | None:
        """The registry connection has news, or is gone: read the table. Living sessions get their registration back."""
        try:
            self._read_ends(drain=True)
        except psycopg.OperationalError:
            try:
                self._read_ends(drain=False)
            except psycopg.Error as problem:
                raise translate(problem, self._engine.place) or problem from problem
        return self._ended.get(session)

    def _read_ends(self, *, drain: bool) -> None:
        """On the registry connection there is, taking its notifications; without `drain`, on a new one."""
        if self._listening is not None:
            if drain:
                list(self._listening.notifies(timeout=0))
            else:
                self._listening.close()
        conn = self._engine.registry_connection()
        rows = conn.execute(
            f"SELECT id, message FROM {sessions.SCHEMA}.ended WHERE id = ANY(%s)", [list(self._own)]
        ).fetchall()
        self._ended.update(rows)
        if conn is not self._listening:
            self._come_back(conn)

    def _come_back(self, conn: Connection) -> None:
        self._listen(conn)
        for info in self._own.values():
            if info.id not in self._ended:
                sessions.restore(conn, info, self._engine.id)

    # --- the block ---

    def block(self) -> SessionBlock | None:
        with self._engine.reading_connection() as conn:
            return read_block(conn)

    def set_block(self, block: SessionBlock | None) -> None:
        with self._engine.reading_connection() as conn:
            if block is None:
                conn.execute(f"DELETE FROM {sessions.SCHEMA}.block")
                return
            values = [block.since, block.until, block.message, block.code, block.parameter]
            conn.execute(
                f"INSERT INTO {sessions.SCHEMA}.block VALUES (0, %s, %s, %s, %s, %s) ON CONFLICT (row_key) DO UPDATE SET "
                "since = excluded.since, until = excluded.until, message = excluded.message, code = excluded.code, "
                "parameter = excluded.parameter",
                values,
            )

    # --- ends ---

    def terminate(self, wanted: Collection[uuid.UUID] | None, message: str) -> None:
        with self._engine.reading_connection() as conn:
            alive = [
                (engine, s) for engine, s in sessions.alive(conn) if wanted is not None or engine != self._engine.id
            ]
            chosen = [s.id for _, s in alive if wanted is None or s.id in wanted]
            living = {engine for engine, s in alive if s.id not in chosen}
            engines = {engine for engine, s in alive if s.id in chosen} - living
            if wanted is None:
                engines |= _connected(conn)
            engines.discard(self._engine.id)
            self._tell(conn, [*chosen, *map(_engine_key, sorted(engines))], message)
            _disconnect(conn, engines)

    def _tell(self, conn: Connection, ids: Sequence[uuid.UUID], message: str) -> None:
        with conn.transaction():
            conn.execute(f"DELETE FROM {sessions.SCHEMA}.ended WHERE at < now() - make_interval(days => {_KEEP_DAYS})")
            for found in ids:
                conn.execute(
                    f"INSERT INTO {sessions.SCHEMA}.ended (id, message) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                    [found, message],
                )
            conn.execute("SELECT pg_notify(%s, '')", [CHANNEL])

    def leftovers(self) -> list[str]:
        return list(self._leftovers)

    def swept(self, found: Sequence[str]) -> None:
        """Registrations of dead processes were removed."""
        self._leftovers = (self._leftovers + list(found))[-50:]

    # --- locks ---

    def locks(self, spaces: Collection[str]) -> list[LockInfo]:
        named = {key_of(space): space for space in spaces}
        named[sessions.EXCLUSIVE_KEY] = text(ru="монопольный режим", en="exclusive mode")
        with self._engine.reading_connection() as conn:
            rows = conn.execute(_LOCKS, [list(_WRITING)]).fetchall()
            people = sessions.alive(conn)
            made = [_lock(conn, people, named, row) for row in rows]
        return list(dict.fromkeys(lock for lock in made if lock is not None))


def read_block(conn: Connection) -> SessionBlock | None:
    row = conn.execute(f"SELECT since, until, message, code, parameter FROM {sessions.SCHEMA}.block").fetchone()
    return SessionBlock(*row) if row else None


_ENGINES = """SELECT pid, split_part(application_name, ':', 2) FROM pg_stat_activity WHERE datname = current_database()
    AND pid <> pg_backend_pid() AND starts_with(application_name, 'infobase:')"""


def _connected(conn: Connection) -> set[str]:
    """Ids of the engines with a connection to the database."""
    return {engine for _, engine in conn.execute(_ENGINES).fetchall()}


def _disconnect(conn: Connection, engines: Collection[str]) -> None:
    """Close every connection of these engines."""
    for pid, engine in conn.execute(_ENGINES).fetchall():
        if engine in engines:
            conn.execute("SELECT pg_terminate_backend(%s::int)", [pid])


def _engine_key(engine: str) -> uuid.UUID:
    """An engine's id where the table of ends has uuids."""
    return uuid.uuid5(uuid.NAMESPACE_OID, engine)


def engine_ended(conn: Connection, engine: str) -> str | None:
    """The message an engine was ended with."""
    sql = f"SELECT message FROM {sessions.SCHEMA}.ended WHERE id = %s"
    row = conn.execute(sql, [_engine_key(engine)]).fetchone()
    return str(row[0]) if row else None


def _lock(
    conn: Connection, people: Sequence[tuple[str, SessionInfo]], named: dict[int, str], row: Sequence[Any]
) -> LockInfo | None:
    application, pid, kind, mode, granted, table, table_kind, schema, key, part, since = row
    if kind == "advisory":
        if part != 1 or (granted and key not in named):
            return None
        what = named.get(key, text(ru="значение под управляемой блокировкой", en="a value under a managed lock"))
    elif kind == "relation":
        if granted and (table_kind != "r" or schema != "public"):
            return None
        what = str(table)
    else:
        what = text(ru="строка другой транзакции", en="a row of another transaction")
    engine = application.split(":")[1] if application.startswith("infobase:") else ""
    own = [s for e, s in people if e == engine]
    holder = "; ".join(map(str, own)) or sessions.describe(conn, application, pid)
    blocked_by = "" if granted else sessions.blockers(conn, pid)
    number = own[0].number if len(own) == 1 else 0
    return LockInfo(holder, what, number, "Share" in mode and "Row" not in mode, not granted, since, blocked_by)
