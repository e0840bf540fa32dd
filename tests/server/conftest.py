"""Two server processes behind a round-robin proxy, shared by the tests of this folder, and bases of the shop in the cluster.

The tests of the kernel run here once more through remote sessions (`test_compliance_*`): the same functions, other fixtures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from infobase.connection import connect
from infobase.session import Session
from tests import postgres
from tests.bases import Place
from tests.server.servers import Cluster, running_cluster


@pytest.fixture(scope="session")
def cluster(pg_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Pages of three rows, so that every longer result is paged; short limits."""
    folder = tmp_path_factory.mktemp("cluster")
    limits = {"page_rows": 3, "transaction_idle_seconds": 4.0, "body_seconds": 2.0, "body_megabytes": 4}
    with running_cluster(pg_url, folder, **limits) as made:
        yield made


@dataclass(frozen=True)
class RemotePlace(Place):
    """A base of the shop known to the cluster under its database's name."""

    cluster: Cluster
    name: str

    def create(self, admin: str = "") -> None:
        super().create(admin)
        self.cluster.register(self.name, self.name)

    def session(self, user: str = "", password: str = "") -> Session:
        return connect(self.cluster.connection(self.name), user, password)

    def local(self, user: str = "", password: str = "") -> Session:
        """Straight to the DBMS."""
        return super().session(user, password)


@pytest.fixture
def place(cluster: Cluster, pg_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RemotePlace]:
    monkeypatch.setenv("INFOBASE_CACHE", str(tmp_path / "cache"))
    name = postgres.fresh_name("rb")
    yield RemotePlace(postgres.connection_string(pg_url, name), cluster, name)
    with cluster.registry() as opened:
        opened.run("DELETE FROM cluster.infobases WHERE name = %s", [name])
        opened.run("DELETE FROM cluster.login_failures")
    postgres.drop_databases(pg_url, name)


@pytest.fixture
def session(place: RemotePlace) -> Iterator[Session]:
    """A remote session with all rights on a fresh base without users."""
    place.create()
    with place.session() as opened:
        yield opened
