"""The table of calls, what surrounds one, and how one is performed: a change with a key happens once."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine_server.application import logins, once
from engine_server.application.bases import OpenBase
from engine_server.application.cluster import ClusterDatabase
from engine_server.application.logins import ServerSession
from engine_server.application.settings import ServerSettings
from engine_server.application.state import Worker
from engine_server.failures import CallRepeated
from infobase.bulk_objects import BulkLoad
from infobase.errors import (
    RequestInvalid,
    UnknownObject,
)
from infobase.i18n import text
from infobase.session import Session

Args = Mapping[str, Any]


@dataclass(frozen=True)
class Context:
    """One call's surroundings, or an interactive transaction's (`interactive`). `loads`: its bulk loads that are not finished, by type."""

    session: Session
    base: OpenBase
    server: ServerSession
    worker: Worker
    interactive: bool = False
    loads: dict[str, BulkLoad] = field(default_factory=dict)

    @property
    def cluster(self) -> ClusterDatabase:
        return self.worker.cluster

    @property
    def settings(self) -> ServerSettings:
        return self.worker.settings


Handler = Callable[[Context, Args], Any]


@dataclass(frozen=True)
class CallKind:
    """`changes`: it takes an idempotency key; `again`: what a repeat answers, None: the stored result."""

    handler: Handler
    changes: bool = False
    again: Handler | None = None


CALLS: dict[str, CallKind] = {}


def call(*, changes: bool = False, again: Handler | None = None) -> Callable[[Handler], Handler]:
    def add(handler: Handler) -> Handler:
        CALLS[handler.__name__] = CallKind(handler, changes, again)
        return handler

    return add


def perform(context: Context, name: str, args: Args, key: uuid.UUID | None) -> object:
    """Do a call. RequestInvalid for an unknown one or wrong arguments; the kernel's errors."""
    kind = CALLS.get(name)
    if kind is None:
        ru, en = f"нет вызова «{name[:40]}»", f"no call {name[:40]!r}"
        raise RequestInvalid(detail=text(ru=ru, en=en))
    try:
        if key is None or not kind.changes:
            return kind.handler(context, args)
        return _once(context, kind, args, key)
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        if not _is_about_arguments(e):
            raise
        ru, en = f"{name}: аргументы не подходят", f"{name}: the arguments do not fit"
        raise RequestInvalid(detail=text(ru=ru, en=en)) from e


def _is_about_arguments(e: Exception) -> bool:
    """Whether it was raised where arguments are taken apart, here or in the wire's codecs, and not in the kernel."""
    trace = e.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = trace.tb_frame.f_globals.get("__name__", "") if trace is not None else ""
    return place.startswith((__package__, "engine_server.wire."))


def _once(context: Context, kind: CallKind, args: Args, key: uuid.UUID) -> object:
    session = context.session
    try:
        with session.transaction(), once.claimed(session, key):
            result = kind.handler(context, args)
            if kind.again is None and result is not None:
                once.keep(session, key, result)
        if context.base.standby is not None:
            note_position(context)
        return result
    except CallRepeated:
        context.worker.metrics.duplicates.inc()
        return once.result(session, key) if kind.again is None else kind.again(context, args)


def note_position(context: Context) -> None:
    """After a commit: where the log is now, so that the standby answers this session with its own changes only."""
    with context.base.engine.reading_connection() as conn:
        row = conn.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
    assert row is not None
    logins.note_write(context.cluster, context.server.id, str(row[0]))


def known_type(session: Session, full_name: str) -> str:
    if full_name not in session.kernel.layout.objects:
        raise UnknownObject(name=full_name[:100], hint="")
    return full_name
