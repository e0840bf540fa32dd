"""A connection string -> an engine -> an authenticated session. The only place that names engines, and it imports them lazily.

with connect('File="/srv/crm";Usr="Иванов";Pwd="..."') as session: ...
"""

from __future__ import annotations

import datetime as dt
import os
import socket
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING, cast

from infobase import users
from infobase.connection_string import ConnectionString, parse
from infobase.errors import ConnectionStringInvalid, InfobaseNotFound, LoginFailed
from infobase.i18n import text
from infobase.infobase import Infobase, open_base
from infobase.kernel import Kernel
from infobase.rights import Access
from infobase.session import Session
from infobase.storage import LogEntry, SessionInfo, StorageEngine

if TYPE_CHECKING:
    from infobase.users import User


def engine_of(connection: str | ConnectionString) -> StorageEngine:
    """The engine for a connection string; nothing is opened yet. ConnectionStringInvalid."""
    where = parse(connection) if isinstance(connection, str) else connection
    if where.kind == "file":
        from engine_file.engine import FileEngine

        return cast(StorageEngine, FileEngine(where.file))
    if where.kind == "dbms":
        from engine_server.engine import ServerEngine
        from engine_server.place import place_of

        return cast(StorageEngine, ServerEngine(place_of(where.fields)))
    detail = text(
        ru="сервер приложений появится позже; подключитесь к СУБД: DBMS=PostgreSQL;DBSrvr=..;DB=..;",
        en="the application server comes later; connect to the DBMS: DBMS=PostgreSQL;DBSrvr=..;DB=..;",
    )
    raise ConnectionStringInvalid(value=str(where), detail=detail)


def connect(
    connection: str | ConnectionString, user: str = "", password: str | None = None, application: str = "Python"
) -> Session:
    """Open a session. `Usr` and `Pwd` of the string serve when none are given; with neither, the only user without a password is taken.

    Errors: InfobaseNotFound, LoginFailed, SessionsBlocked, InfobaseLockedExclusively, SessionLimit and what the engine raises.
    """
    where = parse(connection) if isinstance(connection, str) else connection
    engine = engine_of(where)
    try:
        if not engine.exists():
            raise InfobaseNotFound(place=engine.place)
        base = open_base(engine)
        secret = password if password is not None else where.password
        return open_session(base, user or where.user, secret, application)
    except BaseException:
        engine.close()
        raise


def _printable(name: str) -> str:
    """A name somebody tried, as a log can keep it."""
    return "".join(c if c.isprintable() else "?" for c in name[: users.MAX_NAME])


def open_session(base: Infobase, user: str = "", password: str = "", application: str = "Python") -> Session:
    """A session of an opened base; closing it closes the base's engine."""
    kernel = base.kernel
    found = _authenticate(kernel, user, password, application)
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
    name = found.name if found else ""
    asked = SessionInfo(uuid.uuid4(), 0, name, application, socket.gethostname(), os.getpid(), now)
    with ExitStack() as stack:
        stack.callback(kernel.engine.close)
        info = stack.enter_context(kernel.engine.open_session(asked))
        access = Access(kernel.configuration, found.roles, found.name) if found else Access.full(kernel.configuration)
        session = Session(kernel, access, info, found.id if found else None)
        log = kernel.engine.event_log()
        log.append([session.log_entry("_$Session$_.Start")])
        stack.callback(lambda: log.append([session.log_entry("_$Session$_.Finish")]))
        session.keep(stack.pop_all())
    return session


def _authenticate(kernel: Kernel, user: str, password: str, application: str) -> User | None:
    """The user, or None in a base that has no users yet."""
    with kernel.engine.transaction(write=False) as tx:
        known = users.list_users(kernel, tx)
        if not known:
            return None
        enabled = [u for u in known if u.enabled]
        name = user or (enabled[0].name if len(enabled) == 1 else "")
        try:
            return users.authenticate(kernel, tx, name, password)
        except LoginFailed:
            failed = _printable(name)
    entry = LogEntry(
        date=dt.datetime.now().replace(microsecond=0),
        event="_$Session$_.AuthenticationError",
        severity="Error",
        user=failed,
        computer=socket.gethostname(),
        application=application,
    )
    kernel.engine.event_log().append([entry])
    raise LoginFailed()
