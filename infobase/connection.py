"""A connection string -> an engine -> an authenticated session. The only place that names engines, and it imports them lazily.

with connect('File="/srv/crm";Usr="Иванов";Pwd="..."') as session: ...
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import socket
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING, cast

from infobase import users
from infobase.connection_string import ConnectionString, parse
from infobase.errors import ConnectionStringInvalid, InfobaseError, InfobaseNotFound, LoginFailed, SessionTerminated
from infobase.i18n import text
from infobase.infobase import Infobase, open_base
from infobase.kernel import Kernel
from infobase.rights import Access
from infobase.served import door_of, served
from infobase.session import Session
from infobase.storage import SERVICE_APPLICATION, EventLogStore, LogEntry, SessionInfo, Statement, StorageEngine

if TYPE_CHECKING:
    from infobase.users import User

PERMISSION_CODE = "INFOBASE_PERMISSION_CODE"
"""Environment variable with the code that lets a session through a block, as 1C's /UC."""
SESSION_LIMIT = "max_sessions"
"""Key of the base's setting: the most sessions at once, "0" for any number."""
_log = logging.getLogger("infobase")


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
    if where.kind == "srvr":
        from engine_server.remote.engine import RemoteEngine

        return cast(StorageEngine, RemoteEngine(where))
    detail = text(ru="это не место базы", en="this is no place of a base")
    raise ConnectionStringInvalid(value=str(where), detail=detail)


def connect(
    connection: str | ConnectionString,
    user: str = "",
    password: str | None = None,
    application: str = "Python",
    permission_code: str = "",
) -> Session:
    """Open a session. `Usr` and `Pwd` of the string serve when none are given; with neither, the only user without a password is taken.
    `permission_code` (or `UC` of the string) lets in where new sessions are blocked.

    Errors: InfobaseNotFound, LoginFailed, SessionsBlocked, InfobaseLockedExclusively, SessionLimit and what the engine raises.
    """
    where = parse(connection) if isinstance(connection, str) else connection
    engine = engine_of(where)
    try:
        secret = password if password is not None else where.password
        code = permission_code or where.permission_code
        return sign_in(engine, user or where.user, secret, application, code)[1]
    except BaseException:
        engine.close()
        raise


def sign_in(
    engine: StorageEngine, user: str, password: str, application: str, permission_code: str = ""
) -> tuple[Infobase, Session]:
    """The base and the user's session on it, here or through its server; closing the session closes the engine."""
    door = door_of(engine)
    if door is not None:
        return door.sign_in(user, password, application, permission_code or os.environ.get(PERMISSION_CODE, ""))
    if not engine.exists():
        raise InfobaseNotFound(place=engine.place)
    base = open_base(engine)
    return base, open_session(base, user, password, application, permission_code)


def administrator_at(engine: StorageEngine, user: str, password: str, application: str) -> tuple[Infobase, Access]:
    """The base and the user's rights without a session of the base, so that a block of sessions does not keep an administrator out."""
    door = door_of(engine)
    if door is not None:
        base, session = door.sign_in(user, password, application, administering=True)
        return base, session.access
    base = open_base(engine)
    user_found = authenticate(base.kernel, user, password, application, socket.gethostname())
    return base, access_of(base.kernel, user_found)


def _printable(name: str) -> str:
    """A name somebody tried, as a log can keep it."""
    return "".join(c if c.isprintable() else "?" for c in name[: users.MAX_NAME])


def open_session(
    base: Infobase, user: str = "", password: str = "", application: str = "Python", permission_code: str = ""
) -> Session:
    """A session of an opened base; closing it closes the base's engine. `permission_code`: else that of the environment."""
    kernel = base.kernel
    code = permission_code or os.environ.get(PERMISSION_CODE, "")
    with ExitStack() as stack:
        stack.callback(kernel.engine.close)
        found = authenticate(kernel, user, password, application, socket.gethostname())
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
        name = found.name if found else ""
        asked = SessionInfo(uuid.uuid4(), 0, name, application, socket.gethostname(), os.getpid(), now)
        limit = 0 if application == SERVICE_APPLICATION else session_limit(kernel)
        info = stack.enter_context(kernel.engine.open_session(asked, permission_code=code, limit=limit))
        if limit:
            _advise(kernel, limit)
        access = access_of(kernel, found)
        session = Session(kernel, access, info, found.id if found else None)
        log = kernel.engine.event_log()
        log.append([session.log_entry("_$Session$_.Start")])
        stack.callback(_finish, log, session)
        session.keep(stack.pop_all())
    return session


def _finish(log: EventLogStore, session: Session) -> None:
    """Note the end, unless an administrator ended the session: then he noted it. What the session came to stands already, and is not
    hidden behind a note that cannot be written: above all not a COMMIT of unknown outcome."""
    try:
        log.append([session.log_entry("_$Session$_.Finish")])
    except SessionTerminated:
        pass
    except InfobaseError as problem:
        _log.warning("%s", problem)


def access_of(kernel: Kernel, user: User | None) -> Access:
    """The user's rights; all of them in a base without users."""
    return Access(kernel.configuration, user.roles, user.name) if user else Access.full(kernel.configuration)


@served("Administration")
def sessions_allowed(base: Infobase) -> int:
    """See `session_limit`."""
    return session_limit(base.kernel)


def session_limit(kernel: Kernel) -> int:
    """The most sessions at once: the base's own setting, else what the engine advises; 0: any number."""
    mark = kernel.dialect.placeholder
    with kernel.engine.transaction(write=False) as tx:
        rows = tx.run([Statement(f"SELECT value FROM sys_settings WHERE key = {mark}", [SESSION_LIMIT])])[0]
    value = str(rows[0][0]) if rows else ""
    return int(value) if value.isdecimal() else kernel.engine.traits.max_users


def _advise(kernel: Kernel, limit: int) -> None:
    """A warning when as many work at once as the engine is good for."""
    advised = kernel.engine.traits.max_users
    present = sum(1 for s in kernel.engine.sessions() if s.application != SERVICE_APPLICATION and not s.terminated)
    if advised and present >= advised:
        ru = f"одновременно работают {present} (предел {limit}); больше людям подойдёт сервер: infobase advise"
        en = f"{present} sessions at once (limit {limit}); a server suits more people: infobase advise"
        _log.warning("%s: %s", kernel.engine.place, text(ru=ru, en=en))


def authenticate(kernel: Kernel, user: str, password: str, application: str, computer: str) -> User | None:
    """The user, or None in a base that has no users yet. LoginFailed, which is logged."""
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
        computer=computer,
        application=application,
    )
    kernel.engine.event_log().append([entry])
    raise LoginFailed()
