"""Locks of objects for editing, as forms take them: one owner, renewed while he edits, ended by time or with his session."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from engine_server.application.cluster import ClusterDatabase
from engine_server.application.logins import ServerSession, utc_now
from engine_server.application.settings import ServerSettings
from infobase.errors import ObjectLocked
from infobase.metadata.types import Ref


@dataclass(frozen=True)
class ObjectLock:
    """Who edits what. Times are UTC, naive."""

    ref: str
    number: int
    user_name: str
    host: str
    taken: dt.datetime
    renewed: dt.datetime


def take(cluster: ClusterDatabase, session: ServerSession, ref: Ref, settings: ServerSettings) -> None:
    """Take the lock, or renew it. ObjectLocked names who has it."""
    now = utc_now()
    stale = now - dt.timedelta(minutes=settings.object_lock_minutes)
    got = cluster.row(
        "INSERT INTO cluster.object_locks AS l (infobase, ref, session, taken, renewed) VALUES (%s, %s, %s, %s, %s) "
        "ON CONFLICT (infobase, ref) DO UPDATE SET session = excluded.session, renewed = excluded.renewed, "
        "taken = CASE WHEN l.session = excluded.session THEN l.taken ELSE excluded.taken END "
        "WHERE l.session = excluded.session OR l.renewed < %s RETURNING 1",
        [session.infobase, str(ref), session.id, now, now, stale],
    )
    if got is None:
        raise _locked(cluster, session, ref)


def give(cluster: ClusterDatabase, session: ServerSession, ref: Ref) -> None:
    cluster.run(
        "DELETE FROM cluster.object_locks WHERE infobase = %s AND ref = %s AND session = %s",
        [session.infobase, str(ref), session.id],
    )


def demand_free(cluster: ClusterDatabase, session: ServerSession, ref: Ref, settings: ServerSettings) -> None:
    """ObjectLocked when another session edits the object."""
    stale = utc_now() - dt.timedelta(minutes=settings.object_lock_minutes)
    held = cluster.row(
        "SELECT 1 FROM cluster.object_locks WHERE infobase = %s AND ref = %s AND session <> %s AND renewed >= %s",
        [session.infobase, str(ref), session.id, stale],
    )
    if held is not None:
        raise _locked(cluster, session, ref)


def _locked(cluster: ClusterDatabase, session: ServerSession, ref: Ref) -> ObjectLocked:
    held = [lock for lock in everything(cluster, session.infobase) if lock.ref == str(ref)]
    holder = f"{held[0].user_name or '-'} ({held[0].host}, {held[0].number})" if held else "-"
    since = f"{held[0].taken:%d.%m.%Y %H:%M:%S} UTC" if held else "-"
    return ObjectLocked(object=ref, holder=holder, since=since)


def everything(cluster: ClusterDatabase, infobase: object) -> list[ObjectLock]:
    rows = cluster.rows(
        "SELECT l.ref, s.number, s.user_name, s.host, l.taken, l.renewed FROM cluster.object_locks l "
        "JOIN cluster.sessions s ON s.id = l.session WHERE l.infobase = %s ORDER BY l.taken",
        [infobase],
    )
    return [ObjectLock(*row) for row in rows]
