"""The second of the two stores the query suite compares is asked through a remote session: two processes, a round-robin proxy, small pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import psycopg
import pytest

from infobase.connection import connect
from infobase.errors import QueryInvalid, RequestInvalid
from infobase.infobase import create
from infobase.kernel import Kernel
from infobase.metadata.model import Configuration, Document, RegisterRecords
from infobase.metadata.types import Value
from infobase.query_model import Condition, Query
from infobase.session import Session
from infobase.storage import Statement, Traits
from tests import postgres
from tests.bases import Place
from tests.query.sample import CONFIGURATION, ORDER, PAYMENT, SALES, STATES, STOCK
from tests.query.stores import Bare, Store, sqlite_store
from tests.server.servers import Cluster


def publishable() -> Configuration:
    """The sample with documents that move its registers, as a base demands."""
    stock = {"Product": "row.Product", "Quantity": "row.Quantity"}
    moves = {
        ORDER: (
            RegisterRecords(STOCK, stock, each="Goods", record_type="Expense"),
            RegisterRecords(SALES, {"Customer": "doc.Partner", "Amount": "doc.Amount"}),
            RegisterRecords(STATES, {"Order": "doc.Ref", "State": "'new'"}),
        ),
        PAYMENT: (RegisterRecords(STOCK, {"Product": "doc.Partner", "Amount": "doc.Amount"}, record_type="Receipt"),),
    }
    objects = dict(CONFIGURATION.objects)
    for name, records in moves.items():
        document = objects[name]
        assert isinstance(document, Document)
        objects[name] = replace(document, register_records=records)
    return replace(CONFIGURATION, objects=objects)


@dataclass
class RemoteStore(Store):
    """Filled past the server, asked through it. A request counts as one statement. Nobody else's rights can be asked for from afar."""

    session: Session = field(kw_only=True)

    def ask(self, query: Query, restriction: Condition | None = None) -> list[dict[str, Value]]:
        assert restriction is None, "the server knows the rights; they are not an argument"
        self.bare.ran.append(f"{query.source} from afar")
        try:
            return self.session.query(query)
        except RequestInvalid as e:  # a zero byte is refused by the wire, before anybody reads the query
            raise QueryInvalid(detail=str(e)) from e

    def pages(self, query: Query) -> list[list[dict[str, Value]]]:
        found = []
        while True:
            rows, after = self.session.query_page(query)
            if not rows:
                return found
            found.append(rows)
            if after is None:
                return found
            query = replace(query, after=after)

    def clear(self) -> None:
        """The data, and not what makes it a base."""
        d = self.kernel.dialect
        layout = self.kernel.layout
        parts = [*layout.objects.values(), *(s for o in layout.objects.values() for s in o.sections.values())]
        tables = [p.table for p in parts]
        tables += [t for r in layout.registers.values() for t in (r.table, r.balance, r.turnovers) if t]
        self.bare.run([Statement(f"DELETE FROM {d.quote(t.name)}") for t in tables])


@pytest.fixture(scope="session")
def remote_store(cluster: Cluster, pg_url: str) -> Iterator[RemoteStore]:
    name = postgres.fresh_name("rq")
    engine = Place(postgres.connection_string(pg_url, name)).engine()
    create(engine, publishable(), name="Queries")
    engine.close()
    cluster.register(name, name)
    connection = psycopg.connect(postgres.database_url(pg_url, name), autocommit=True)
    bare = Bare(connection, Traits("server", "postgresql", True, True, 0, 0))
    with connect(cluster.connection(name)) as session:
        made = RemoteStore(Kernel(publishable(), bare), bare, session=session)  # type: ignore[arg-type]
        made.clear()
        yield made
    connection.close()
    cluster.forget(name)
    postgres.drop_databases(pg_url, name)


@pytest.fixture(scope="session")
def both(remote_store: RemoteStore) -> Iterator[tuple[Store, Store]]:
    local = sqlite_store(CONFIGURATION)
    yield local, remote_store
    local.bare.connection.close()


@pytest.fixture
def store(remote_store: RemoteStore) -> Store:
    remote_store.clear()
    return remote_store
