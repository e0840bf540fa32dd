"""The infobases a worker process has open: one engine and one kernel each, shared by all calls; nothing in them belongs to a session."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import cast

from engine_server.application.cluster import ClusterDatabase
from engine_server.application.infobases import InfobaseRecord
from engine_server.application.settings import ServerSettings
from engine_server.engine import ServerEngine
from infobase import users
from infobase.errors import InfobaseError, InfobaseLockedExclusively
from infobase.infobase import Infobase, open_base
from infobase.kernel import Kernel
from infobase.metadata.model import Configuration
from infobase.rights import Access
from infobase.session import Session
from infobase.storage import SessionInfo, StorageEngine
from infobase.users import User

REPLAY_SECONDS = 0.3
"""How long a query waits for a standby to catch up with its user's last write; then the primary answers."""
AWAY_SECONDS = 5.0
"""How long a standby that did not answer is left alone."""
_REPLAYED = "SELECT pg_is_in_recovery() AND (%s = '' OR pg_last_wal_replay_lsn() >= nullif(%s, '')::pg_lsn)"
USER_SECONDS = 1.0
"""How long a worker trusts what it read of a user: a change made through another door is seen after so long."""


class Standby:
    """A replica of a base, for reading only. What it cannot do now, the primary does."""

    def __init__(self, configuration: Configuration, engine: ServerEngine) -> None:
        self.engine = engine
        self.kernel = Kernel(configuration, cast(StorageEngine, engine))
        self._away_until = 0.0

    def has_replayed(self, since: str) -> bool:
        """Whether a user who wrote at `since` would see his own writes; waits a moment for it. False while the replica is away."""
        if time.monotonic() < self._away_until:
            return False
        deadline = time.monotonic() + REPLAY_SECONDS
        try:
            while not self._replayed(since):
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.005)
        except InfobaseError:
            self._away_until = time.monotonic() + AWAY_SECONDS
            return False
        return True

    def _replayed(self, since: str) -> bool:
        with self.engine.reading_connection() as conn:
            row = conn.execute(_REPLAYED, [since, since]).fetchone()
        return bool(row and row[0])


@dataclass(eq=False)
class OpenBase:
    """An infobase as one worker has it. `busy`: calls at work in it."""

    record: InfobaseRecord
    base: Infobase
    engine: ServerEngine
    standby: Standby | None = None
    busy: int = 0
    used: float = field(default_factory=time.monotonic)
    _users: dict[str, tuple[float, User | None, str]] = field(default_factory=dict)

    def user(self, name: str) -> tuple[User | None, str]:
        """The user's record and its stamp: a digest of all that makes him who he is. ("" name: a base without users.)"""
        known = self._users.get(name)
        if known is not None and time.monotonic() - known[0] < USER_SECONDS:
            return known[1], known[2]
        with self.engine.transaction(write=False) as tx:
            found, stamp = users.stamped(self.base.kernel, tx, name)
        self._users[name] = (time.monotonic(), found, stamp)
        return found, stamp

    def reading_session(self, session: Session, since: str) -> Session:
        """The same session for a query of its own snapshot: on the standby when there is one that has replayed `since`, else itself."""
        if self.standby is None or not self.standby.has_replayed(since):
            return session
        return Session(self.standby.kernel, session.access, session.info, session.user_id)

    def forget_users(self) -> None:
        self._users.clear()

    def session(self, info: SessionInfo, user: User | None) -> Session:
        """A session of the kernel for one call."""
        configuration = self.base.kernel.configuration
        access = Access(configuration, user.roles, user.name) if user else Access.full(configuration)
        return Session(self.base.kernel, access, info, user.id if user else None)

    def close(self) -> None:
        self.engine.close()
        if self.standby is not None:
            self.standby.engine.close()


class Bases:
    """Opens on demand, anew when the registry's epoch has grown, and closes what nobody uses. `past`: pooler -> the server behind it, for work
    that needs a database session of its own."""

    def __init__(
        self,
        cluster: ClusterDatabase,
        settings: ServerSettings,
        past: Mapping[tuple[str, int], tuple[str, int]] | None = None,
    ) -> None:
        self.cluster, self.settings, self.past = cluster, settings, past or {}
        self._open: dict[uuid.UUID, OpenBase] = {}
        self._retired: list[OpenBase] = []
        self._mutex = threading.Lock()
        self._opening: dict[uuid.UUID, threading.Lock] = {}

    @contextmanager
    def use(self, record: InfobaseRecord, *, by: str = "", counts: bool = True) -> Iterator[OpenBase]:
        """The open base for the length of one call. `by`: the holder of exclusive mode, whom it does not shut out. `counts`: the use keeps
        the base open."""
        if record.exclusive_by and record.exclusive_by != by:
            raise InfobaseLockedExclusively(place=record.name, holder=record.exclusive_by)
        found = self._get(record)
        try:
            yield found
        finally:
            with self._mutex:
                found.busy -= 1
                found.used = time.monotonic() if counts else found.used
            self._close_retired()

    def _get(self, record: InfobaseRecord) -> OpenBase:
        with self._mutex:
            found = self._open.get(record.id)
            if found is not None and found.record.epoch == record.epoch:
                found.busy += 1
                found.record = record
                return found
            door = self._opening.setdefault(record.id, threading.Lock())
        with door:
            with self._mutex:
                found = self._open.get(record.id)
                if found is not None and found.record.epoch >= record.epoch:
                    found.busy += 1
                    return found
            made = self._make(record)
            with self._mutex:
                old = self._open.get(record.id)
                if old is not None:
                    self._retired.append(old)
                self._open[record.id] = made
                made.busy += 1
                return made

    def engine(self, record: InfobaseRecord) -> ServerEngine:
        """An engine of the base's store, closed by the caller."""
        return self._engine(record, record.dsn)

    def _engine(self, record: InfobaseRecord, sealed: bytes) -> ServerEngine:
        place = self.cluster.vault.open_place(sealed)
        host, port = self.past.get((place.host, place.port), (place.host, place.port))
        place = replace(place, host=host, port=port)
        made = ServerEngine(place, pool_size=self.settings.pool_size, prepare=not self.settings.pooled)
        made.place = record.name
        return made

    def _make(self, record: InfobaseRecord) -> OpenBase:
        engine = self._engine(record, record.dsn)
        checked: StorageEngine = engine
        try:
            base = open_base(checked)
        except BaseException:
            engine.close()
            raise
        standby = Standby(base.kernel.configuration, self._engine(record, record.standby)) if record.standby else None
        return OpenBase(record, base, engine, standby)

    def close_idle(self, exclusive: set[uuid.UUID]) -> None:
        """Close what has been idle too long, and what somebody wants alone."""
        limit = time.monotonic() - 60 * self.settings.idle_close_minutes
        with self._mutex:
            for key, found in list(self._open.items()):
                if key in exclusive or (found.busy == 0 and found.used < limit):
                    self._retired.append(self._open.pop(key))
        self._close_retired()

    def drop(self, infobase: uuid.UUID) -> None:
        """Close one base in this worker."""
        with self._mutex:
            found = self._open.pop(infobase, None)
            if found is not None:
                self._retired.append(found)
        self._close_retired()

    def _close_retired(self) -> None:
        with self._mutex:
            idle = [r for r in self._retired if r.busy == 0]
            self._retired = [r for r in self._retired if r.busy]
        for found in idle:
            found.close()

    def close(self) -> None:
        with self._mutex:
            everything = [*self._open.values(), *self._retired]
            self._open.clear()
            self._retired.clear()
        for found in everything:
            found.close()

    def opened(self) -> list[OpenBase]:
        with self._mutex:
            return list(self._open.values())
