"""A base behind two application servers and a balancer, over a primary and its standby, for the soak: servers are killed, the primary fails over."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine_server.application import infobases, vault
from engine_server.application.cluster import ClusterDatabase
from engine_server.engine import ServerEngine
from engine_server.place import ServerPlace
from infobase.connection import connect
from infobase.session import Session
from infobase.storage import StorageEngine
from tests.bases import Place
from tests.reliability.writers import stock
from tests.server.replication import Pair, replicated
from tests.server.servers import Server, make_home, round_robin, twin_home


@dataclass(frozen=True)
class DirectPlace(Place):
    """Straight to whichever of the two takes writes."""

    at: ServerPlace

    def engine(self) -> StorageEngine:
        return ServerEngine(self.at)  # type: ignore[return-value]


@dataclass
class Stand:
    """`place`: as users reach the base; `direct`: for making and auditing it."""

    place: Place
    direct: DirectPlace
    pair: Pair
    servers: list[Server]

    def __post_init__(self) -> None:
        self._troubles: Iterator[Callable[[], None]] = itertools.cycle([self._lose_server, self._fail_over])
        self._turn = itertools.cycle(self.servers)
        self._failed_over = False

    def trouble(self) -> None:
        """A server killed and started again, or (once) the primary lost for good."""
        next(self._troubles)()

    def _lose_server(self) -> None:
        server = next(self._turn)
        server.kill()
        server.start()

    def _fail_over(self) -> None:
        if self._failed_over:
            return self._lose_server()
        self._failed_over = True
        self.pair.primary.kill()
        self.pair.standby.promote()
        return None

    def processes(self) -> list[int]:
        return [s.process.pid for s in self.servers if s.process is not None]


class RemotePlace(Place):
    """Through the balancer."""

    def session(self, user: str = "", password: str = "") -> Session:
        return connect(self.connection)


@contextmanager
def stand(folder: Path) -> Iterator[Stand]:
    """Nothing is in the base yet, and it is known to the cluster as "shop"."""
    with replicated() as pair:
        first = make_home(folder / "s0", pair.both.at("cluster"), retry_seconds=30.0)
        servers = [Server(first), Server(twin_home(folder / "s1", first))]
        registry = ClusterDatabase(pair.both.at("cluster"), vault.load(first))
        direct = DirectPlace("", pair.both.at("shop"))
        try:
            stock(direct)
            infobases.register(registry, "shop", pair.both.at("shop"))
            registry.close()
            for server in servers:
                server.start()
            with round_robin([s.port for s in servers]) as port:
                yield Stand(RemotePlace(f'Srvr="127.0.0.1:{port}";Ref="shop"'), direct, pair, servers)
        finally:
            for server in servers:
                server.stop()
