"""Sessions and exclusive mode of a server base, in the schema `infobase_service`.

A session lives while its engine's registry connection lives: that connection holds a session advisory lock with the session's number, which
PostgreSQL drops with it. So a killed process is gone at once, and no heartbeat is written. The registry connection must reach the server
directly, not through a transaction pooler.

Exclusive mode is an advisory lock too; every engine asks for it when it opens, and whoever takes it waits until no other connection is left.
"""

from __future__ import annotations

import os
import re
import socket
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from engine_server.pool import Connection
from infobase.errors import InfobaseBusy, InfobaseLockedExclusively, SessionLimit
from infobase.storage import SERVICE_APPLICATION, SessionInfo, Statement

SCHEMA = "infobase_service"
SESSION_CLASS = 0x4942_5301
EXCLUSIVE_KEY = 0x4942_5358_4C00_0001
FIRST_TO_GIVE_UP = 0.75
"""Of the time to wait for exclusive mode, where somebody has taken it already."""

_COLUMNS = "id, number, user_name, application, host, pid, started, engine"
_ALIVE = """EXISTS (SELECT 1 FROM pg_locks l WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database
    WHERE datname = current_database()) AND l.classid::bigint = %s AND l.objid::bigint = s.number AND l.objsubid = 2)"""
_EXCLUSIVE_PIDS = """SELECT a.application_name, a.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory'
    AND l.mode = 'ExclusiveLock' AND l.granted AND a.datname = current_database() AND l.objsubid = 1
    AND ((l.classid::bigint << 32) | l.objid::bigint) = %s"""
_OTHERS = """SELECT DISTINCT application_name, CASE WHEN application_name LIKE 'infobase:%%' THEN 0 ELSE pid END FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND NOT starts_with(application_name, %s)
    AND pid <> pg_backend_pid() ORDER BY 1, 2"""


def setup_statements() -> list[Statement]:
    return [
        Statement(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"),
        Statement(f"CREATE SEQUENCE IF NOT EXISTS {SCHEMA}.session_number AS bigint"),
        Statement(
            f"CREATE TABLE IF NOT EXISTS {SCHEMA}.sessions (id uuid PRIMARY KEY, number bigint NOT NULL, user_name text NOT NULL, "
            "application text NOT NULL, host text NOT NULL, pid bigint NOT NULL, started timestamp(0) NOT NULL, engine text NOT NULL)"
        ),
        Statement(
            f"CREATE TABLE IF NOT EXISTS {SCHEMA}.calls (key uuid PRIMARY KEY, user_name text NOT NULL, at timestamp NOT NULL, "
            "result text NOT NULL DEFAULT 'null')"
        ),
    ]


def application_name(engine_id: str) -> str:
    """What pg_stat_activity shows of an engine's connections; at most 63 ASCII bytes."""
    host = re.sub(r"[^A-Za-z0-9_.-]", "?", socket.gethostname())[:24]
    return f"infobase:{engine_id}:{os.getpid()}@{host}"


def own_prefix(engine_id: str) -> str:
    return f"infobase:{engine_id}:"


def enter(conn: Connection, info: SessionInfo, engine_id: str, limit: int = 0) -> SessionInfo:
    """Number and register a session on its registry connection, in a transaction. SessionLimit."""
    if limit:
        conn.execute(f"LOCK TABLE {SCHEMA}.sessions IN SHARE ROW EXCLUSIVE MODE")
        _demand_room(conn, limit)
    number = _one(conn, f"SELECT nextval('{SCHEMA}.session_number')")
    numbered = replace(info, number=number)
    restore(conn, numbered, engine_id)
    return numbered


def _demand_room(conn: Connection, limit: int) -> None:
    counted = [str(s) for _, s in alive(conn) if s.application != SERVICE_APPLICATION and not s.terminated]
    if len(counted) >= limit:
        raise SessionLimit(limit=limit, holder="; ".join(counted))


def restore(conn: Connection, info: SessionInfo, engine_id: str) -> None:
    """Register a numbered session on this registry connection, also when it was registered on another that is gone."""
    conn.execute("SELECT pg_advisory_lock_shared(%s::int, %s::int)", [SESSION_CLASS, info.number])
    values = [info.id, info.number, info.user, info.application, info.host, info.pid, info.started, engine_id]
    conn.execute(
        f"INSERT INTO {SCHEMA}.sessions ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        values,
    )


def leave(conn: Connection, info: SessionInfo) -> None:
    conn.execute(f"DELETE FROM {SCHEMA}.sessions WHERE id = %s", [info.id])
    conn.execute("SELECT pg_advisory_unlock_shared(%s::int, %s::int)", [SESSION_CLASS, info.number])


def sweep(conn: Connection) -> list[str]:
    """Forget the sessions of dead processes; who they were."""
    sql = f"DELETE FROM {SCHEMA}.sessions s WHERE NOT {_ALIVE} RETURNING user_name, application, host, pid"
    return [
        f"{user or '-'} ({application}, {host}, pid {pid})"
        for user, application, host, pid in conn.execute(sql, [SESSION_CLASS]).fetchall()
    ]


def alive(conn: Connection) -> list[tuple[str, SessionInfo]]:
    """(engine id, session) of the live ones."""
    sql = f"SELECT {_COLUMNS} FROM {SCHEMA}.sessions s WHERE {_ALIVE} ORDER BY number"
    rows = conn.execute(sql, [SESSION_CLASS]).fetchall()
    ended = {found for (found,) in conn.execute(f"SELECT id FROM {SCHEMA}.ended").fetchall()}
    holders = [name for name, _ in conn.execute(_EXCLUSIVE_PIDS, [EXCLUSIVE_KEY]).fetchall()]
    found = []
    for row in rows:
        exclusive = any(name.startswith(own_prefix(row[7])) for name in holders)
        found.append((row[7], replace(SessionInfo(*row[:7]), exclusive=exclusive, terminated=row[0] in ended)))
    return found


def describe(conn: Connection, application: str, pid: int) -> str:
    """A connection as people know it: its session, else its program."""
    found = re.fullmatch(r"infobase:([0-9a-f]+):(\d+)@(.*)", application)
    if found is None:
        return f"{application or '-'} (pid {pid})"
    if found[3].startswith("#"):
        return found[3]  # a session of the application server, which knows its name
    sessions = [str(s) for engine, s in alive(conn) if engine == found[1]]
    return "; ".join(sessions) or f"- (Infobase, {found[3]}, pid {found[2]})"


def others(conn: Connection, engine_id: str) -> list[str]:
    """Everybody connected to the database but this engine; its second and further sessions too."""
    own = [str(s) for engine, s in alive(conn) if engine == engine_id][1:]
    found = conn.execute(_OTHERS, [own_prefix(engine_id)]).fetchall()
    return own + [describe(conn, name, pid) for name, pid in found]


def take_exclusive(conn: Connection, engine_id: str, timeout: float, place: object) -> None:
    """InfobaseBusy names the others; InfobaseLockedExclusively the one who has it already. Whoever waits for him gives up first: he may be
    waiting for the base to himself, and of two that ask for it at once one shall get it."""
    began = time.monotonic()
    deadline = began + timeout
    while not _one(conn, "SELECT pg_try_advisory_lock(%s)", [EXCLUSIVE_KEY]):
        if time.monotonic() >= began + timeout * FIRST_TO_GIVE_UP:
            raise InfobaseLockedExclusively(place=place, holder=exclusive_holder(conn))
        time.sleep(0.02)
    try:
        while found := others(conn, engine_id):
            if time.monotonic() >= deadline:
                raise InfobaseBusy(place=place, holder="; ".join(found))
            time.sleep(0.05)
    except BaseException:
        give_exclusive(conn)
        raise


def give_exclusive(conn: Connection) -> None:
    if not conn.closed:
        conn.execute("SELECT pg_advisory_unlock(%s)", [EXCLUSIVE_KEY])


def exclusive_holder(conn: Connection) -> str:
    found = conn.execute(_EXCLUSIVE_PIDS, [EXCLUSIVE_KEY]).fetchall()
    return "; ".join(describe(conn, name, pid) for name, pid in found) or "-"


def blockers(conn: Connection, pid: int) -> str:
    """Who holds what a backend waits for."""
    sql = "SELECT application_name, pid FROM pg_stat_activity WHERE pid = ANY(pg_blocking_pids(%s::int)) ORDER BY pid"
    return "; ".join(describe(conn, name, found) for name, found in conn.execute(sql, [pid]).fetchall())


def _one(conn: Connection, sql: str, params: Sequence[object] = ()) -> Any:
    row = conn.execute(sql, params).fetchone()
    assert row is not None
    return row[0]


def new_engine_id() -> str:
    return uuid.uuid4().hex[:12]
