"""What business operations cost in round trips and statements: regressions fail here without a clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from benchmarks.counters import Counts, RecordingEngine
from infobase.metadata.types import Ref
from infobase.objects import BusinessObject
from infobase.session import Session
from infobase.storage import StorageEngine
from tests.bases import Place

DATE = dt.datetime(2026, 1, 15)
LINES = 5
Cost = Callable[[Callable[[], object]], Counts]


@pytest.fixture
def session(place: Place) -> Iterator[Session]:
    place.create()
    with place.session() as opened:
        prepared(opened)
        yield opened


def prepared(session: Session) -> None:
    """Goods, a partner and stock."""
    for n in range(LINES):
        session.catalogs.Goods.new(Description=f"Товар {n}").write()
    session.catalogs.Partners.new(Description="Ромашка").write()
    receipt = session.documents.Receipt.new(Date=DATE)
    for item in goods(session):
        receipt.section("Goods").add(Item=item, Quantity=1000)
    receipt.post()


@pytest.fixture
def cost(session: Session) -> Iterator[Cost]:
    """The counts of one call."""
    engine = session.kernel.engine
    recorder = RecordingEngine(engine)
    session.kernel.engine = cast(StorageEngine, recorder)

    def count(work: Callable[[], object]) -> Counts:
        before = recorder.total
        work()
        return recorder.total - before

    yield count
    session.kernel.engine = engine


def goods(session: Session) -> list[Ref]:
    return session.find_refs("Catalog.Goods", None)


def order(session: Session) -> BusinessObject:
    [partner] = session.find_refs("Catalog.Partners", None)
    made = session.documents.Order.new(Date=DATE, Partner=partner)
    for item in goods(session):
        made.section("Goods").add(Item=item, Quantity=1, Amount=10)
    return made


def server(session: Session) -> bool:
    return session.kernel.engine.traits.mode == "server"


def test_saving_a_catalog_item(session: Session, cost: Cost) -> None:
    """On the server the code comes from a transaction of its own, so that nobody waits for another's item."""
    item = session.catalogs.Goods.new(Description="Новый")
    assert cost(item.write) == (Counts(2, 3, 10) if server(session) else Counts(1, 2, 4))
    item.Description = "Другой"
    assert cost(item.write) == (Counts(1, 2, 4) if server(session) else Counts(1, 1, 1))


def test_writing_a_new_order(session: Session, cost: Cost) -> None:
    """The base's prefix, the number, existence of what it refers to, closed period, header, five rows in one statement."""
    made = order(session)
    assert cost(made.write) == (Counts(2, 3, 14) if server(session) else Counts(1, 2, 8))


def test_posting_a_written_order(session: Session, cost: Cost) -> None:
    """Ten movements in two accumulation registers and one record of an information register, totals, balance check."""
    made = order(session)
    made.write()
    posted = cost(made.post)
    assert posted == (Counts(1, 2, 8) if server(session) else Counts(1, 1, 8))
    if server(session):
        assert posted.round_trips <= 2 and posted.statements <= 8


def test_posting_again_reads_what_it_replaces(session: Session, cost: Cost) -> None:
    made = order(session)
    made.post()
    made.section("Goods")[0].Quantity = 3
    assert cost(made.post) == (Counts(1, 3, 17) if server(session) else Counts(1, 2, 17))


def test_undoing_a_posting(session: Session, cost: Cost) -> None:
    made = order(session)
    made.post()
    assert cost(made.undo_post) == (Counts(1, 3, 14) if server(session) else Counts(1, 2, 12))


def test_an_order_of_many_lines_takes_no_more_statements(session: Session, cost: Cost) -> None:
    short, long = order(session), order(session)
    for item in goods(session) * 10:
        long.section("Goods").add(Item=item, Quantity=1, Amount=10)
    short.write()
    long.write()
    assert cost(short.post) == cost(long.post)


def test_a_balance_is_one_statement(session: Session, cost: Cost) -> None:
    register = session.accumulation_registers.Stock
    assert cost(register.balance) == (Counts(1, 1, 3) if server(session) else Counts(1, 1, 1))
