"""Pages: every row once, deep ones as cheap as the first, long lists as they are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from engine_server.odata.model import Model
from engine_server.odata.pages import PageMemory
from engine_server.odata.publication import publish, resolve
from engine_server.odata.reading import BATCH, Reader, Wanted
from engine_server.odata.selection import select
from engine_server.odata.sessions import SessionPool
from infobase.connection_string import parse
from infobase.query_model import OrderItem, Query, SelectItem
from infobase.session import Session
from tests.bases import Place, file_place, server_place
from tests.odata.served import Client, running

GOODS = "Catalog_Товары"
COUNT = 2 * BATCH + 7


@pytest.fixture(scope="module", params=["file", "server"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Some thousands of goods, without users."""
    folder: Path = tmp_path_factory.mktemp("pages") / "base"
    made = file_place(folder) if request.param == "file" else server_place(request.getfixturevalue("pg_url"))
    made.create()
    with made.session() as session:
        rows = (({"Code": f"{i:09}", "Description": f"Товар {i % 100:03}", "Price": i}, {}) for i in range(COUNT))
        session.bulk_write("Catalog.Goods", rows)
        publish(session, ["*"])
    yield made
    made.drop()


@pytest.fixture
def session(place: Place) -> Iterator[Session]:
    with place.session() as opened:
        yield opened


def test_a_list_without_an_end_is_whole(place: Place) -> None:
    pool = SessionPool(parse(place.connection))
    with running(pool) as url, httpx.Client(base_url=url, timeout=30) as http:
        client = Client(http)
        found = client.json(GOODS, **{"$select": "Code", "$inlinecount": "allpages", "$orderby": "Code"})
        assert found["odata.count"] == str(COUNT)
        assert [r["Code"] for r in found["value"]] == [f"{i:09}" for i in range(COUNT)]
        feed = client.send("GET", f"{GOODS}?$select=Code")
        assert feed.content.count(b"<entry>") == COUNT and feed.content.endswith(b"</feed>")
        with ExitStack() as stack:
            # Clients that begin to read and stop hold nothing: neither connections nor snapshots.
            for _ in range(8):
                slow = stack.enter_context(httpx.Client(base_url=url, timeout=30))
                next(stack.enter_context(slow.stream("GET", GOODS)).iter_raw())
            assert client.send("GET", f"{GOODS}/$count").text == str(COUNT)
        seen = []
        for skip in range(0, COUNT, 500):
            page = client.values(
                GOODS, **{"$top": "500", "$skip": str(skip), "$orderby": "Description desc", "$select": "Code"}
            )
            seen += [r["Code"] for r in page]
        assert sorted(seen) == [f"{i:09}" for i in range(COUNT)]


def wanted(session: Session, top: int, skip: int) -> Wanted:
    model = Model(session.kernel.configuration, resolve(session.kernel.configuration, ["*"]))
    entity = model.entity_set(GOODS)
    assert entity is not None
    return Wanted(select(model, entity, ("Code",), ()), "Catalog.Goods", None, (OrderItem("Price"),), top, skip)


def test_a_deep_page_goes_on_behind_the_one_before(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """No row is passed over that was passed over before."""
    asked: list[Query] = []
    original = session.query_page

    def watched(query: Query):  # type: ignore[no-untyped-def]
        asked.append(query)
        return original(query)

    monkeypatch.setattr(session, "query_page", watched)
    model = Model(session.kernel.configuration, ())
    reader = Reader(session, model, PageMemory())
    for skip in (0, 50, 100, 120, 1000):
        codes = [e.values["Code"] for batch in reader.batches(wanted(session, 50, skip)) for e in batch]
        assert codes == [f"{i:09}" for i in range(skip, skip + 50)]
    assert [q.offset for q in asked] == [0, 0, 0, 20, 829, 0]
    assert [q.after is None for q in asked] == [True, False, False, False, False, False]
    # What is far is looked for by its key alone.
    assert asked[4].select == (SelectItem("Ref"),) and asked[4].limit == 1
    beyond = [e for batch in reader.batches(wanted(session, 50, 10 * COUNT)) for e in batch]
    last = [e for batch in reader.batches(wanted(session, 50, COUNT - 1)) for e in batch]
    assert (len(beyond), len(last)) == (0, 1)


def test_keys_are_forgotten() -> None:
    query = Query("Catalog.Goods")
    memory = PageMemory()
    memory.remember("a", query, 50, ("k",))
    assert memory.nearest("a", query, 70) == (50, ("k",))
    assert memory.nearest("a", query, 49) == memory.nearest("b", query, 50) == (0, None)
    assert memory.nearest("a", Query("Catalog.Goods", order_by=(OrderItem("Code"),)), 50) == (0, None)
    prices = Query("InformationRegister.Prices")
    memory.remember("a", prices, 50, ("p",))
    memory.forget("Document.Order")
    assert memory.nearest("a", query, 50) == (50, ("k",)) and memory.nearest("a", prices, 50) == (0, None)
    memory.forget("Catalog.Goods")
    assert memory.nearest("a", query, 50) == (0, None)
    old = PageMemory(lifetime=-1)
    old.remember("a", query, 50, ("k",))
    assert old.nearest("a", query, 50) == (0, None)
    for i in range(1000):
        memory.remember("a", query, i + 1, ("k",))
        memory.remember(str(i), query, 1, ("k",))
    assert len(memory._lists) == 500 and all(len(pages) <= 200 for pages in memory._lists.values())
