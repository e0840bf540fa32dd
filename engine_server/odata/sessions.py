"""Sessions for requests that come with a user and a password each: opened once, kept between requests, shared by those of one user.

Verifying a password costs 64 MB and a tenth of a second by design, so a request whose credentials are those of a kept session takes that one.
Kept credentials are held as a keyed hash with a key of this process; before each use the user is looked at again, and a session whose user
has changed password or roles, or was switched off, is closed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from engine_server.odata.requests import Credentials
from infobase import users
from infobase.connection import connect
from infobase.connection_string import ConnectionString
from infobase.errors import LoginFailed, ServiceBusy, SessionLimit
from infobase.session import Session

APPLICATION = "ODataConnection"
LIMIT = 16
"""Sessions at once."""
WAIT = 20.0
"""Seconds a request waits for a session."""
IDLE = 600.0
"""Seconds an unused session is kept."""
FAILURES, PERIOD = 5, 60.0
"""So many wrong passwords of one user or from one address in so many seconds; then none is tried."""
MAX_REMEMBERED = 10_000
_VERIFYING = threading.Semaphore(2)
"""Passwords verified at once: each takes 64 MB."""


@dataclass(eq=False)
class _Kept:
    """`session`: the registered one, which requests never use themselves. `users`: requests under way."""

    session: Session
    stamp: str
    users: int = 0
    used: float = field(default_factory=time.monotonic)

    def share(self) -> Session:
        """A session object for one request, under the registration and with the rights of this one."""
        own = self.session
        return Session(own.kernel, own.access, own.info, own.user_id)


class Throttle:
    """Counts failed logins."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._mutex = threading.Lock()

    def demand(self, *names: str) -> None:
        """LoginFailed when one of the names has failed too often of late."""
        since = time.monotonic() - PERIOD
        with self._mutex:
            for name in names:
                recent = [t for t in self._failures.get(name, ()) if t > since]
                if len(recent) >= FAILURES:
                    raise LoginFailed()

    def failed(self, *names: str) -> None:
        with self._mutex:
            for name in names:
                self._failures.setdefault(name, deque(maxlen=FAILURES)).append(time.monotonic())
                self._failures.move_to_end(name)
            while len(self._failures) > MAX_REMEMBERED:
                self._failures.popitem(last=False)

    def succeeded(self, *names: str) -> None:
        with self._mutex:
            for name in names:
                self._failures.pop(name, None)


class SessionPool:
    """Sessions of one base. `open` is what `odata_application` takes."""

    def __init__(self, connection: ConnectionString, *, limit: int = LIMIT, wait: float = WAIT) -> None:
        self._connection, self._limit, self._wait = connection, limit, wait
        self._secret = secrets.token_bytes(32)
        self._kept: dict[bytes, _Kept] = {}
        self._opening: set[bytes] = set()
        self._changed = threading.Condition()
        self._throttle = Throttle()

    @contextmanager
    def open(self, credentials: Credentials) -> Iterator[Session]:
        """A session of this user for one request. LoginFailed, ServiceBusy, and what opening a base raises."""
        key = self._key(credentials)
        kept = self._take(key, credentials)
        try:
            yield kept.share()
        finally:
            self._give_back(kept)

    def close(self) -> None:
        """Close every session that is not in use."""
        with self._changed:
            idle = [key for key, kept in self._kept.items() if not kept.users]
            closing = [self._kept.pop(key) for key in idle]
        for kept in closing:
            kept.session.close()

    # --- taking ---

    def _take(self, key: bytes, credentials: Credentials) -> _Kept:
        deadline = time.monotonic() + self._wait
        while True:
            kept = self._known(key, deadline)
            if kept is None:
                return self._opened(key, credentials, deadline)
            if self._stamp(kept.session) == kept.stamp:
                return kept
            self._forget(key, kept)

    def _known(self, key: bytes, deadline: float) -> _Kept | None:
        """The kept session, or None with the right to open one: of several requests one opens, the others wait for it."""
        with self._changed:
            while key in self._opening:
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise ServiceBusy(limit=self._limit)
            kept = self._kept.get(key)
            if kept is None:
                self._opening.add(key)
            else:
                kept.users += 1
            return kept

    def _opened(self, key: bytes, credentials: Credentials, deadline: float) -> _Kept:
        try:
            self._demand_attempt(credentials)
            self._make_room(deadline)
            session = self._connected(credentials, deadline)
            made = _Kept(session, self._stamp(session), users=1)
        finally:
            with self._changed:
                self._opening.discard(key)
                self._changed.notify_all()
        with self._changed:
            self._kept[key] = made
        return made

    def _connected(self, credentials: Credentials, deadline: float) -> Session:
        """Where the base itself takes no more sessions, our own idle ones make room."""
        while True:
            try:
                return self._sign_in(credentials)
            except SessionLimit:
                if not self._close_idle(deadline):
                    raise

    def _demand_attempt(self, credentials: Credentials) -> None:
        self._throttle.demand(*_names(credentials))

    def _sign_in(self, credentials: Credentials) -> Session:
        try:
            with _VERIFYING:
                session = connect(self._connection, credentials.user, credentials.password, APPLICATION)
        except LoginFailed:
            if credentials.user or credentials.password:
                self._throttle.failed(*_names(credentials))
            raise
        self._throttle.succeeded(*_names(credentials))
        return session

    def _make_room(self, deadline: float) -> None:
        """At most so many sessions; those long unused go first."""
        self._close_expired()
        while len(self._kept) >= self._limit:
            if not self._close_idle(deadline):
                raise ServiceBusy(limit=self._limit)

    def _close_expired(self) -> None:
        oldest = time.monotonic() - IDLE
        with self._changed:
            gone = [key for key, kept in self._kept.items() if not kept.users and kept.used < oldest]
            closing = [self._kept.pop(key) for key in gone]
        for kept in closing:
            kept.session.close()

    def _close_idle(self, deadline: float) -> bool:
        """Close the session unused for the longest time, waiting for one if all are in use; whether one was closed."""
        with self._changed:
            while not (idle := [(kept.used, key) for key, kept in self._kept.items() if not kept.users]):
                if not self._kept or not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    return False
            kept = self._kept.pop(min(idle)[1])
        kept.session.close()
        return True

    def _key(self, credentials: Credentials) -> bytes:
        text = f"{credentials.user.casefold()}\0{credentials.password}".encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, text, hashlib.sha256).digest()

    def _stamp(self, session: Session) -> str:
        with session.kernel.engine.transaction(write=False) as tx:
            return users.credentials_stamp(session.kernel, tx, session.user_id)

    # --- giving back ---

    def _give_back(self, kept: _Kept) -> None:
        with self._changed:
            kept.users -= 1
            kept.used = time.monotonic()
            unwanted = kept.users == 0 and kept not in self._kept.values()
            self._changed.notify_all()
        if unwanted:
            kept.session.close()

    def _forget(self, key: bytes, kept: _Kept) -> None:
        """The user is no longer who signed in: the session closes when its last request ends."""
        with self._changed:
            if self._kept.get(key) is kept:
                del self._kept[key]
        self._give_back(kept)


def _names(credentials: Credentials) -> tuple[str, str]:
    return f"user {credentials.user.casefold()[:100]}", f"address {credentials.address}"
