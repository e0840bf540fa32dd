"""How often a worker speaks to PostgreSQL for one call: regressions fail here without a clock."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from engine_server.application import entry, infobases
from engine_server.application.cluster import create_database
from engine_server.application.settings import ServerHome, ServerSettings
from engine_server.application.state import Worker
from engine_server.application.vault import create as make_key
from engine_server.batch import Batches
from engine_server.place import from_url
from engine_server.wire import objects
from engine_server.wire.protocol import VERSION
from infobase import query_json
from infobase.query_model import Query, SelectItem
from infobase.session import Session
from infobase.storage import Row, Statement
from tests import postgres
from tests.bases import Place
from tests.bench.test_counters import order, prepared

REF = "exchanges"
Ask = Callable[[str, dict[str, object]], object]
Cost = Callable[[Callable[[], object]], list[int]]
"""The statements of each exchange, COMMIT, BEGIN and SET included."""


@pytest.fixture
def local(pg_url: str) -> Iterator[tuple[Session, str]]:
    name = postgres.fresh_name("xb")
    place = Place(postgres.connection_string(pg_url, name))
    place.create()
    with place.session() as session:
        prepared(session)
        yield session, name
    postgres.drop_databases(pg_url, name)


@pytest.fixture
def ask(local: tuple[Session, str], pg_url: str, tmp_path: Path) -> Iterator[Ask]:
    """A worker of this process with a session in it."""
    registry = from_url(pg_url).at(postgres.fresh_name("xc"))
    (tmp_path / "cluster.dsn").write_bytes(make_key(tmp_path).seal_place(registry))
    create_database(registry, "test")
    worker = Worker(ServerHome(tmp_path, ServerSettings(workers=1)))
    infobases.register(worker.cluster, REF, from_url(pg_url).at(local[1]))
    asked = {"protocol": VERSION, "user": "", "password": "", "application": "Test", "host": "test"}
    token = str(entry.login(worker, REF, asked, "127.0.0.1")["token"])

    def call(name: str, args: dict[str, object]) -> object:
        return entry.answer(worker, REF, token, {"call": name, "args": args, "key": str(uuid.uuid4())})

    yield call
    worker.close()
    postgres.drop_databases(pg_url, registry.database)


@pytest.fixture
def cost(monkeypatch: pytest.MonkeyPatch) -> Cost:
    sent: list[int] = []
    run = Batches.run

    def counted(self: Batches, statements: Sequence[Statement]) -> list[list[Row]]:
        sent.append(len(statements))
        return run(self, statements)

    monkeypatch.setattr(Batches, "run", counted)

    def count(work: Callable[[], object]) -> list[int]:
        sent.clear()
        work()
        return list(sent)

    return count


def test_a_new_posting_speaks_four_times(local: tuple[Session, str], ask: Ask, cost: Cost) -> None:
    """The session and the base's record; its number in a short transaction; the key of the change with the whole posting; the log's entry with COMMIT."""
    several = [{"object": objects.change_to_json(order(local[0]))} for _ in range(3)]
    costs = [cost(lambda given=given: ask("post", given)) for given in several]  # type: ignore[misc]
    assert [len(c) for c in costs[1:]] == [4, 4]


def test_a_page_of_a_list_speaks_twice(ask: Ask, cost: Cost) -> None:
    """The session and the base's record; the page."""
    wanted = {"query": query_json.to_json(Query("Catalog.Goods", select=(SelectItem("Description"),), limit=2))}
    ask("query", wanted)
    assert [len(cost(lambda: ask("query", wanted))) for _ in range(2)] == [2, 2]
