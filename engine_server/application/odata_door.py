"""`/<ref>/odata/standard.odata/`: 1C's standard OData interface of every base in the cluster, with a user and a password per request.

Verifying a password is slow by design, so a worker remembers (as a keyed hash, for a while) which credentials were right, together with the
stamp of the user they belonged to: a changed password, role or permission makes them be verified anew.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from engine_server.application import infobases, logins
from engine_server.application.bases import OpenBase
from engine_server.application.infobases import InfobaseRecord
from engine_server.application.logins import ServerSession
from engine_server.application.state import Worker
from engine_server.odata.application import odata_application
from engine_server.odata.requests import Credentials
from infobase import connection
from infobase.errors import LoginFailed, LoginThrottled
from infobase.session import Session
from infobase.session_block import demand_unblocked
from infobase.storage import SessionInfo
from infobase.users import User

APPLICATION = "ODataConnection"
REMEMBERED = 1000
REMEMBERED_SECONDS = 600.0
_VERIFYING = threading.Semaphore(2)


class ODataDoor:
    """Sessions of the kernel for requests to one infobase."""

    def __init__(self, worker: Worker, ref: str) -> None:
        self._worker, self._ref = worker, ref
        self._secret = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, tuple[str, str, float]] = OrderedDict()

    @contextmanager
    def open(self, credentials: Credentials) -> Iterator[Session]:
        """A session for one request. LoginFailed, LoginThrottled, SessionsBlocked, InfobaseNotFound."""
        worker = self._worker
        record = infobases.find(worker.cluster, self._ref)
        with worker.bases.use(record) as base:
            user = self._user(record, base, credentials)
            now = dt.datetime.now()
            record.demand_open("", now)
            demand_unblocked(base.engine.administration().block(), "", now)
            server = _visitor(record, user, credentials)
            session = base.session(_info(server), user)
            with worker.running(base, server, "odata", session):
                yield session

    def _user(self, record: InfobaseRecord, base: OpenBase, credentials: Credentials) -> User | None:
        key = self._key(credentials)
        known = self._known.get(key)
        if known is not None and time.monotonic() - known[2] < REMEMBERED_SECONDS:
            found, stamp = base.user(known[0])
            if stamp == known[1]:
                return found
        self._known.pop(key, None)
        user = self._verified(record, base, credentials)
        name = user.name if user else ""
        base.forget_users()
        self._known[key] = (name, base.user(name)[1], time.monotonic())
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return user

    def _verified(self, record: InfobaseRecord, base: OpenBase, given: Credentials) -> User | None:
        worker = self._worker
        with _VERIFYING:
            try:
                logins.demand_calm(worker.cluster, worker.settings, record.name, given.user, given.address)
                return connection.authenticate(base.base.kernel, given.user, given.password, APPLICATION, given.address)
            except LoginThrottled:
                raise LoginFailed() from None  # the interface knows no other refusal of a password
            except LoginFailed:
                if given.user or given.password:
                    logins.note_failure(worker.cluster, record.name, given.user, given.address)
                raise

    def _key(self, credentials: Credentials) -> bytes:
        text = f"{credentials.user.casefold()}\0{credentials.password}".encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, text, hashlib.sha256).digest()


def _visitor(record: InfobaseRecord, user: User | None, credentials: Credentials) -> ServerSession:
    """A session of one request: it is in no table, and has number 0."""
    now = logins.utc_now()
    name, key = (user.name, user.id) if user else ("", None)
    return ServerSession(
        uuid.uuid4(), 0, record.id, name, key, "", APPLICATION, credentials.address, credentials.address, now, now
    )


def _info(server: ServerSession) -> SessionInfo:
    started = server.started.replace(microsecond=0)
    return SessionInfo(server.id, 0, server.user_name, server.application, server.host, 0, started)


class _Doors:
    """One application per infobase, made at the first request for it."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._made: OrderedDict[str, ASGIApp] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ref = str(scope["path_params"]["ref"])[: infobases.MAX_NAME].casefold()
        app = self._made.get(ref)
        if app is None:
            app = self._made[ref] = odata_application(ODataDoor(self._worker, ref).open)
            while len(self._made) > REMEMBERED:
                self._made.popitem(last=False)
        await app(scope, receive, send)


def routes(worker: Worker) -> list[BaseRoute]:
    return [Mount("/{ref}/odata/standard.odata", app=_Doors(worker))]
