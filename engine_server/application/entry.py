"""From a request to the kernel: who asks, in which infobase, with which rights. Synchronous; the ASGI side runs it in threads."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from engine_server.application import calls, infobases, logins, once
from engine_server.application.bases import OpenBase
from engine_server.application.calls import Context
from engine_server.application.infobases import InfobaseRecord
from engine_server.application.logins import ServerSession
from engine_server.application.state import Worker
from engine_server.wire.protocol import VERSION
from engine_server.wire.values import encode
from infobase import connection
from infobase.errors import (
    EngineUnavailable,
    InfobaseError,
    LoginFailed,
    ProtocolMismatch,
    RequestInvalid,
    SessionLimit,
)
from infobase.i18n import text
from infobase.metadata import canonical
from infobase.rights import is_administrator
from infobase.session import Session
from infobase.session_block import demand_unblocked
from infobase.storage import SERVICE_APPLICATION, SessionInfo
from infobase.users import User


def text_of(data: Mapping[str, Any], name: str, limit: int = 1000) -> str:
    """A text argument. RequestInvalid."""
    value = data.get(name, "")
    if not isinstance(value, str) or len(value) > limit or "\0" in value:
        raise RequestInvalid(detail=text(ru=f"{name}: нужна строка", en=f"{name}: a text is needed"))
    return value


# --- login ---


def login(worker: Worker, ref: str, data: Mapping[str, Any], address: str) -> dict[str, object]:
    """A session and its token. LoginFailed tells nothing of who exists; LoginThrottled, SessionsBlocked, InfobaseNotFound."""
    if data.get("protocol") != VERSION:
        raise ProtocolMismatch(found=data.get("protocol"), expected=VERSION)
    record = infobases.find(worker.cluster, ref)
    user, password = text_of(data, "user"), text_of(data, "password")
    application, host = text_of(data, "application", 100) or "1CV8C", text_of(data, "host", 100) or address
    logins.demand_calm(worker.cluster, worker.settings, record.name, user, address)
    with worker.bases.use(record) as base:
        try:
            found = connection.authenticate(base.base.kernel, user, password, application, host)
        except LoginFailed:
            logins.note_failure(worker.cluster, record.name, user, address)
            worker.metrics.logins.labels("failed").inc()
            raise
        code, now = text_of(data, "permission_code"), dt.datetime.now()
        if not _administers(base, found, data):
            record.demand_open(code, now)
            _demand_room(worker, base, application)
            demand_unblocked(base.engine.administration().block(), code, now)
        logins.note_success(worker.cluster, record.name, user, address)
        name = found.name if found else ""
        base.forget_users()
        stamp = base.user(name)[1]
        token, session = logins.enter(
            worker.cluster,
            record.id,
            user_name=name,
            user_id=found.id if found else None,
            stamp=stamp,
            application=application,
            host=host,
            address=address,
            permitted=record.opens_for(code) or _administers(base, found, data),
        )
        _log_session(base, session, "_$Session$_.Start")
    worker.metrics.logins.labels("ok").inc()
    configuration = base.base.kernel.configuration
    return {
        "token": token,
        "session": encode(info_of(session)),
        "user_id": encode(session.user_id),
        "roles": list(found.roles) if found else None,
        "configuration": canonical.digest(configuration),
        "infobase": {
            "id": str(base.base.id),
            "name": base.base.name,
            "created": base.base.created,
            "demo": base.base.demo,
        },
        "protocol": VERSION,
    }


def _demand_room(worker: Worker, base: OpenBase, application: str) -> None:
    """SessionLimit, where the base has one."""
    limit = 0 if application == SERVICE_APPLICATION else connection.session_limit(base.base.kernel)
    if limit:
        present = [s for s in logins.everyone(worker.cluster, base.record.id) if s.application != SERVICE_APPLICATION]
        if len(present) >= limit:
            raise SessionLimit(limit=limit, holder="; ".join(map(str, present)))


def _administers(base: OpenBase, user: User | None, data: Mapping[str, Any]) -> bool:
    """An administrator who comes to administer is not kept out by a block: he may be the one to lift it."""
    configuration = base.base.kernel.configuration
    return data.get("administering") is True and (user is None or is_administrator(configuration, user.roles))


def logout(worker: Worker, ref: str, token: str) -> None:
    record, session = logins.entrance(worker.cluster, ref, token, worker.settings)
    logins.end(worker.cluster, [session.id], "closed")
    with worker.bases.use(record) as base:
        _log_session(base, session, "_$Session$_.Finish")


def _log_session(base: OpenBase, session: ServerSession, event: str) -> None:
    made = base.session(info_of(session), None)
    base.engine.event_log().append([made.log_entry(event)])


def info_of(session: ServerSession) -> SessionInfo:
    started = session.started.replace(microsecond=0)
    return SessionInfo(session.id, session.number, session.user_name, session.application, session.host, 0, started)


# --- calls ---


@contextmanager
def entered(worker: Worker, ref: str, token: str) -> Iterator[Context]:
    """Everything a call needs, for a live token only. SessionEnded."""
    record, server = logins.entrance(worker.cluster, ref, token, worker.settings)
    with worker.bases.use(record, by=str(server)) as base:
        yield Context(kernel_session(worker, base, server), base, server, worker)


def kernel_session(worker: Worker, base: OpenBase, server: ServerSession) -> Session:
    """A kernel session with the user's rights of this moment. SessionEnded when he is no longer who logged in."""
    user, stamp = base.user(server.user_name)
    if stamp != server.stamp:
        logins.end(worker.cluster, [server.id], "rights")
        raise logins.ended("rights")
    return base.session(info_of(server), user)


def answer(worker: Worker, ref: str, token: str, data: Mapping[str, Any]) -> object:
    """One call outside any interactive transaction."""
    name, args, key = unpacked(data)

    def work() -> object:
        with (
            entered(worker, ref, token) as context,
            worker.running(context.base, context.server, name, context.session),
        ):
            return calls.perform(context, name, args, key)

    return once.repeated(
        work,
        seconds=worker.settings.retry_seconds,
        settled=key is not None or not _changes(name),
        noticed=lambda e: worker.metrics.repeats.labels(type(e).__name__).inc(),
    )


def _changes(name: str) -> bool:
    kind = calls.CALLS.get(name)
    return kind is None or kind.changes or name == "served"


def unpacked(data: Mapping[str, Any]) -> tuple[str, Mapping[str, Any], uuid.UUID | None]:
    """Name, arguments and idempotency key of a call. RequestInvalid."""
    if not isinstance(data, dict):
        raise RequestInvalid(detail=text(ru="нужен объект JSON", en="a JSON object is needed"))
    args, key = data.get("args", {}), data.get("key")
    if not isinstance(args, dict):
        raise RequestInvalid(detail=text(ru="args: нужен объект", en="args: an object is needed"))
    try:
        made = uuid.UUID(key) if isinstance(key, str) else None
    except ValueError:
        raise RequestInvalid(detail=text(ru="key: нужен UUID", en="key: a UUID is needed")) from None
    return text_of(data, "call", 100), args, made


def public(error: InfobaseError, record: InfobaseRecord | str) -> InfobaseError:
    """An error as a user may see it: an address of the DBMS and what it said stay in the server's log."""
    if isinstance(error, EngineUnavailable):
        name = record if isinstance(record, str) else record.name
        return EngineUnavailable(
            place=name,
            detail=text(
                ru="СУБД не отвечает; подробности в журнале сервера",
                en="the DBMS does not answer; see the server's log",
            ),
        )
    return error
