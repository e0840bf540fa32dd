"""What one worker process has: settings, the cluster's database, open infobases, the calls at work, metrics."""

from __future__ import annotations

import itertools
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine_server import labels
from engine_server.application import settings as server_settings
from engine_server.application import vault as vaults
from engine_server.application.bases import Bases, OpenBase
from engine_server.application.cluster import ClusterDatabase
from engine_server.application.logins import REASONS, ServerSession
from engine_server.application.metrics import Metrics
from engine_server.application.settings import ServerHome
from engine_server.embedded import EmbeddedCluster, cluster_at
from engine_server.place import ServerPlace
from infobase.errors import CallInterrupted, InfobaseError, LockTimeout
from infobase.session import Session

if TYPE_CHECKING:
    from engine_server.pool import Connection

EMBEDDED_SETTINGS = {"shared_buffers": "128MB", "deadlock_timeout": "200ms"}


@dataclass(eq=False)
class RunningCall:
    """A call at work in this worker. `interrupted`: the reason, once somebody asked for its end."""

    server: ServerSession
    name: str
    session: Session
    started: float = field(default_factory=time.monotonic)
    interrupted: str = ""

    @property
    def connection(self) -> Connection | None:
        return getattr(self.session._tx, "conn", None)

    @property
    def backend(self) -> int:
        conn = self.connection
        return conn.info.backend_pid if conn is not None and not conn.closed else 0

    def interrupt(self, reason: str) -> None:
        """Cancel what the call does in PostgreSQL; it ends with CallInterrupted."""
        self.interrupted = reason
        conn = self.connection
        if conn is not None and not conn.closed:
            conn.cancel_safe(timeout=5)

    def demand_going_on(self) -> None:
        if self.interrupted:
            raise CallInterrupted(detail=REASONS.get(self.interrupted) or self.interrupted)


class Worker:
    """Shared by everything the process serves."""

    def __init__(self, home: ServerHome) -> None:
        self.home, self.settings = home, home.settings
        self.vault = vaults.load(home.folder)
        self.embedded = embedded(home) if home.settings.embedded else None
        place = cluster_place(home, self.vault, self.embedded)
        self.cluster = ClusterDatabase(place, self.vault, prepare=not home.settings.pooled)
        self.bases = Bases(self.cluster, self.settings)
        self.direct = self._direct_bases()
        self.metrics = Metrics()
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self.draining = False
        self.healthy = True
        self._running: dict[int, RunningCall] = {}
        self._numbers = itertools.count()
        self._mutex = threading.Lock()

    def _direct_bases(self) -> Bases:
        """The bases for work that a transaction pooler would break."""
        if not self.settings.pooled:
            return self.bases
        past = server_settings.pairs(self.settings.direct)
        return Bases(self.cluster, replace(self.settings, pooled=False, pool_size=2), past)

    def has_direct(self) -> bool:
        """Whether jobs can be run: a runner's claims live as long as its database session."""
        return not self.settings.pooled or bool(self.settings.direct)

    @contextmanager
    def running(self, base: OpenBase, server: ServerSession, name: str, session: Session) -> Iterator[RunningCall]:
        """The call is visible, may be interrupted, and its locks carry its session's number."""
        made, number = RunningCall(server, name, session), next(self._numbers)
        label = labels.session_number.set(server.number)
        self._running[number] = made
        try:
            yield made
            made.demand_going_on()
        except InfobaseError as e:
            made.demand_going_on()
            raise self._named(e) from e
        finally:
            labels.session_number.reset(label)
            del self._running[number]
            self.metrics.call(name, time.monotonic() - made.started)

    def _named(self, e: InfobaseError) -> InfobaseError:
        """A lock's holder by name instead of his session's number."""
        if isinstance(e, LockTimeout):
            self.metrics.lock_timeouts.inc()
        holder = str(e.fields.get("holder", ""))
        named = self.named(holder)
        if named == holder:
            return e
        fields: dict[str, Any] = {**e.fields, "holder": named}
        return type(e)(**fields)

    def named(self, holder: str) -> str:
        """A text with sessions' names in place of `#12`."""
        numbers = [int(n) for n in re.findall(r"#(\d+)", holder)]
        if not numbers:
            return holder
        rows = self.cluster.rows(
            "SELECT number, user_name, application, host FROM cluster.sessions WHERE number = ANY(%s)", [numbers]
        )
        known = {
            number: f"{user or '-'} ({application}, {host}, #{number})" for number, user, application, host in rows
        }
        return re.sub(r"#(\d+)", lambda m: known.get(int(m[1]), m[0]), holder)

    def show_pools(self) -> None:
        """Tell the metrics what is open now."""
        opened = self.bases.opened()
        self.metrics.bases.set(len(opened))
        self.metrics.pool.set(sum(base.engine.idle_connections() for base in opened))

    def calls(self) -> list[RunningCall]:
        return list(self._running.values())

    def drop(self, infobase: uuid.UUID) -> None:
        """Close a base in this worker."""
        self.bases.drop(infobase)
        self.direct.drop(infobase)

    def close(self) -> None:
        self.bases.close()
        self.direct.close()
        self.cluster.close()


def embedded(home: ServerHome) -> EmbeddedCluster:
    """The embedded PostgreSQL of the data folder, as this process shares it."""
    known = cluster_at(home.postgresql)
    known.settings.update(EMBEDDED_SETTINGS)
    return known


def cluster_place(home: ServerHome, vault: vaults.Vault, started: EmbeddedCluster | None) -> ServerPlace:
    """Where the cluster's database is; an embedded PostgreSQL is started."""
    if started is not None:
        return started.start().at(home.settings.cluster_database)
    sealed = (home.folder / "cluster.dsn").read_bytes()
    return vault.open_place(sealed)


def worker_at(folder: Path) -> Worker:
    return Worker(server_settings.load(folder))
