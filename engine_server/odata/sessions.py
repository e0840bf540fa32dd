"""Sessions for requests that come with a user and a password each: opened once, kept between requests, given to one request at a time.

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
from infobase.errors import LoginFailed, ServiceBusy
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


@dataclass
class _Kept:
    session: Session
    key: bytes
    stamp: str
    used: float = field(default_factory=time.monotonic)


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
        self._idle: list[_Kept] = []
        self._busy = 0
        self._free = threading.Condition()
        self._verifying = threading.Semaphore(2)
        self._throttle = Throttle()

    @contextmanager
    def open(self, credentials: Credentials) -> Iterator[Session]:
        """A session of this user for one request. LoginFailed, ServiceBusy, and what opening a base raises."""
        kept = self._take(credentials)
        try:
            yield kept.session
        finally:
            self._give_back(kept)

    def close(self) -> None:
        """Close every session that is not in use."""
        with self._free:
            idle, self._idle = self._idle, []
        for kept in idle:
            kept.session.close()

    # --- taking ---

    def _take(self, credentials: Credentials) -> _Kept:
        key = self._key(credentials)
        while True:
            kept, unwanted = self._reserve(key)
            for other in unwanted:
                other.session.close()
            if kept is None:
                break
            try:
                if self._stamp(kept.session) == kept.stamp:
                    return kept
            except BaseException:
                self._drop(kept)
                raise
            self._drop(kept)
        try:
            session = self._sign_in(credentials)
            return _Kept(session, key, self._stamp(session))
        except BaseException:
            self._release()
            raise

    def _reserve(self, key: bytes) -> tuple[_Kept | None, list[_Kept]]:
        """A kept session, or None and the place for a new one; and those to close for it."""
        deadline = time.monotonic() + self._wait
        with self._free:
            while True:
                unwanted = self._expired()
                found = next((k for k in reversed(self._idle) if hmac.compare_digest(k.key, key)), None)
                if found is not None:
                    self._idle.remove(found)
                    self._busy += 1
                    return found, unwanted
                if self._busy + len(self._idle) >= self._limit and self._idle:
                    unwanted.append(self._idle.pop(0))
                if self._busy + len(self._idle) < self._limit:
                    self._busy += 1
                    return None, unwanted
                if not self._free.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    raise ServiceBusy(limit=self._limit)

    def _expired(self) -> list[_Kept]:
        oldest = time.monotonic() - IDLE
        gone = [k for k in self._idle if k.used < oldest]
        self._idle = [k for k in self._idle if k.used >= oldest]
        return gone

    def _sign_in(self, credentials: Credentials) -> Session:
        names = (f"user {credentials.user.casefold()[:100]}", f"address {credentials.address}")
        self._throttle.demand(*names)
        try:
            with self._verifying:
                session = connect(self._connection, credentials.user, credentials.password, APPLICATION)
        except LoginFailed:
            if credentials.user or credentials.password:
                self._throttle.failed(*names)
            raise
        self._throttle.succeeded(*names)
        return session

    def _key(self, credentials: Credentials) -> bytes:
        text = f"{credentials.user.casefold()}\0{credentials.password}".encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, text, hashlib.sha256).digest()

    @staticmethod
    def _stamp(session: Session) -> str:
        with session.reading() as tx:
            return users.credentials_stamp(session.kernel, tx, session.user_id)

    # --- giving back ---

    def _give_back(self, kept: _Kept) -> None:
        kept.used = time.monotonic()
        with self._free:
            self._busy -= 1
            self._idle.append(kept)
            self._free.notify()

    def _drop(self, kept: _Kept) -> None:
        kept.session.close()
        self._release()

    def _release(self) -> None:
        with self._free:
            self._busy -= 1
            self._free.notify()
