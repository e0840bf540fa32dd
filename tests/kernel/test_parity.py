"""Both engines give the same answers: one random sequence of commands, the same results, errors, orders and content digest."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from infobase import objects
from infobase.digest import base_digest
from infobase.errors import InfobaseError
from infobase.query_model import Compare, OrderItem, Query, SelectItem
from infobase.session import Session
from tests.bases import Place, file_place, server_place

START = dt.datetime(2026, 1, 1, 9)
_WORDS = ["Ёлка", "елка", "ель", "Ель", "яблоко", "Apple", "apple pie", "100%", "a_b", "Ж", "ж", "_", "%"]

COMMAND = st.one_of(
    st.tuples(st.just("partner"), st.sampled_from(_WORDS), st.integers(0, 3)),
    st.tuples(st.just("good"), st.sampled_from(_WORDS), st.integers(0, 3)),
    st.tuples(st.just("receipt"), st.integers(0, 20), st.decimals(Decimal("0.001"), Decimal("99"), places=3)),
    st.tuples(st.just("order"), st.integers(0, 20), st.decimals(Decimal("0.001"), Decimal("99"), places=3)),
    st.tuples(st.just("undo"), st.integers(0, 20), st.just(0)),
    st.tuples(st.just("mark"), st.integers(0, 20), st.just(0)),
    st.tuples(st.just("delete"), st.integers(0, 20), st.just(0)),
    st.tuples(st.just("price"), st.integers(0, 20), st.integers(0, 1000)),
    st.tuples(st.just("close"), st.integers(0, 60), st.just(0)),
    st.tuples(st.just("sweep"), st.just(0), st.just(0)),
    st.tuples(st.just("find"), st.sampled_from(_WORDS), st.just(0)),
)


class Player:
    """Plays commands on one base with its own deterministic references, and notes what came of each."""

    def __init__(self, session: Session, patch: pytest.MonkeyPatch) -> None:
        self.session, self.patch = session, patch
        self.random = Random(7)
        self.documents: list[objects.BusinessObject] = []
        self.items: list[objects.BusinessObject] = []
        self.step = 0

    def play(self, command: tuple[str, object, object]) -> object:
        self.step += 1
        self.patch.setattr(objects, "new_uuid", lambda: uuid.UUID(int=self.random.getrandbits(128)))
        try:
            return getattr(self, f"do_{command[0]}")(*command[1:])
        except InfobaseError as e:
            return type(e).__name__, str(e)

    def _new(self, catalog: str, description: str) -> object:
        item = self.session.catalogs[catalog].new(Description=description)
        item.write()
        if catalog == "Goods":
            self.items.append(item)
        return item.Code

    def do_partner(self, description: str, n: int) -> object:
        return self._new("Partners", f"{description} {n}")

    def do_good(self, description: str, n: int) -> object:
        return self._new("Goods", f"{description} {n}")

    def _item(self, n: int) -> object:
        return self.items[n % len(self.items)].ref if self.items else None

    def do_receipt(self, n: int, quantity: Decimal) -> object:
        made = self.session.documents.Receipt.new(Date=START + dt.timedelta(days=n * 3))
        made.Goods.add(Item=self._item(n), Quantity=quantity)
        made.post()
        self.documents.append(made)
        return made.Number

    def do_order(self, n: int, quantity: Decimal) -> object:
        partner = self.session.find_refs("Catalog.Partners", None, order_by=("Code",), limit=1)
        made = self.session.documents.Order.new(Date=START + dt.timedelta(days=n * 3))
        made.Partner = partner[0] if partner else None
        made.Goods.add(Item=self._item(n), Quantity=quantity, Amount=Decimal(n))
        made.post()
        self.documents.append(made)
        return made.Number

    def _document(self, n: int) -> objects.BusinessObject | None:
        return self.documents[n % len(self.documents)] if self.documents else None

    def do_undo(self, n: int, _: int) -> object:
        document = self._document(n)
        return document and self.session.undo_post(document)

    def do_mark(self, n: int, _: int) -> object:
        target = self._document(n) if n % 2 else (self.items[n % len(self.items)] if self.items else None)
        return target and target.set_deletion_mark()

    def do_delete(self, n: int, _: int) -> object:
        document = self._document(n)
        return document and document.delete()

    def do_price(self, n: int, price: int) -> object:
        day = START + dt.timedelta(days=n)
        self.session.information_registers.Prices.write({"Period": day, "Item": self._item(n), "Price": price})
        return [(r["Period"], r["Price"]) for r in self.session.information_registers.Prices.slice_last(day)]

    def do_close(self, days: int, _: int) -> object:
        self.session.set_period_lock(START + dt.timedelta(days=days) if days > 40 else None)
        return self.session.period_lock

    def do_sweep(self, *_: int) -> object:
        report = self.session.delete_marked()
        return report.deleted, [(k.presentation, k.used_by) for k in report.kept]

    def do_find(self, text: str, _: int) -> object:
        query = Query(
            "Catalog.Partners",
            select=(SelectItem("Code"), SelectItem("Description")),
            where=Compare("Description", "contains", text),
            order_by=(OrderItem("Description"),),
        )
        return self.session.query(query)

    def state(self) -> object:
        """Every list and total, in the order the base gives them."""
        session = self.session
        return [
            session.accumulation_registers.Stock.balance(),
            session.accumulation_registers.Stock.balance(START + dt.timedelta(days=30)),
            session.accumulation_registers.Sales.turnovers(periodicity="Month"),
            session.information_registers.OrderStates.slice_last(),
            session.query(Query("Catalog.Partners", order_by=(OrderItem("Description"),))),
            session.query(Query("Document.Order", order_by=(OrderItem("Date"),))),
        ]


@pytest.fixture
def places(tmp_path: Path, pg_url: str) -> Iterator[tuple[Place, Place]]:
    pair = file_place(tmp_path / "base"), server_place(pg_url)
    yield pair
    for place in pair:
        place.drop()


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(COMMAND, min_size=5, max_size=40))
def test_one_sequence_of_commands_two_engines_one_result(
    places: tuple[Place, Place], commands: list[tuple[str, object, object]]
) -> None:
    outcomes = []
    for place in places:
        place.drop()
        place.create()
        with pytest.MonkeyPatch.context() as patch, place.session() as session:
            player = Player(session, patch)
            notes = [player.play(c) for c in commands]
            outcomes.append((notes, player.state(), base_digest(session.kernel).content_digest))
    (file_notes, file_state, file_digest), (server_notes, server_state, server_digest) = outcomes
    assert file_notes == server_notes
    assert file_state == server_state
    assert file_digest == server_digest
