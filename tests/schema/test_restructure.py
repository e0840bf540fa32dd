"""A changed configuration restructures a filled base on both engines alike: data kept, losses told, all or nothing."""

from __future__ import annotations

import dataclasses
import datetime as dt
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from infobase.check import check_base
from infobase.digest import base_digest
from infobase.errors import InfobaseError
from infobase.kernel import Kernel
from infobase.metadata.model import AccumulationRegister, Catalog, Configuration, Document, Field, MetadataObject
from infobase.metadata.types import (
    BooleanType,
    CompositeType,
    EnumType,
    NumberType,
    Ref,
    RefType,
    StringType,
    Value,
    ValueType,
)
from infobase.registers import rebuild_statements
from infobase.schema.convert import period_expression
from infobase.schema.dialect import DIALECTS
from infobase.schema.layout import build_layout
from infobase.schema.periods import period_start
from infobase.schema.restructure import RestructurePlan, plan, plan_update, refill
from infobase.schema.search import search_key
from infobase.storage import Statement, Transaction
from tests.dump.conftest import StoresOf
from tests.dump.sample import COLORS, ORDERS, PRODUCTS, configuration, field

MODES = ["file", "server"]
STOCK = "AccumulationRegister.Stock"


def changed(**objects: MetadataObject | None) -> Configuration:
    """The sample with objects put in place of their namesakes, or taken away. Keys: PRODUCTS and the like without dots."""
    old = configuration()
    kept = dict(old.objects)
    for key, new in objects.items():
        name = key.replace("__", ".")
        if new is None:
            del kept[name]
        else:
            kept[name] = new
    return dataclasses.replace(old, version="2.0.0", objects=kept)


def with_attributes(change: Callable[[dict[str, Field]], None]) -> Configuration:
    products = configuration().objects[PRODUCTS]
    assert isinstance(products, Catalog)
    fields = {f.name: f for f in products.attributes}
    change(fields)
    return changed(Catalog__Products=dataclasses.replace(products, attributes=tuple(fields.values())))


def retyped(name: str, kind: ValueType) -> Configuration:
    def change(fields: dict[str, Field]) -> None:
        fields[name] = dataclasses.replace(fields[name], type=kind)

    return with_attributes(change)


class Undo(Exception):
    """Ends an update that is only tried."""


def restructured(kernel: Kernel, tx: Transaction, new: Configuration) -> tuple[Kernel, RestructurePlan]:
    """What `update_configuration` does to the tables."""
    made = plan_update(kernel.configuration, new)
    after = Kernel(new, kernel.engine)
    tx.run(made.statements(after.dialect))
    refill(tx, made, after.dialect)
    for register in new.accumulation_registers:
        tx.run(rebuild_statements(after, register.full_name))
    return after, made


def update(kernel: Kernel, new: Configuration) -> tuple[Kernel, RestructurePlan]:
    with kernel.engine.transaction(write=True) as tx:
        return restructured(kernel, tx, new)


@contextmanager
def trial(kernel: Kernel) -> Iterator[Transaction]:
    """A transaction taken back at the end: many updates from one base."""
    try:
        with kernel.engine.transaction(write=True) as tx:
            yield tx
            raise Undo
    except Undo:
        return


def stored(kernel: Kernel, tx: Transaction) -> dict[uuid.UUID, dict[str, Value]]:
    """Every product's values by its UUID."""
    layout = kernel.layout.objects[PRODUCTS]
    codec = kernel.codec(layout)
    sql = f"SELECT {kernel.dialect.columns(codec.select_columns)} FROM {kernel.dialect.quote(layout.table.name)}"
    (rows,) = tx.run([Statement(sql)])
    values = [codec.decode(row) for row in rows]
    return {v["Ref"].uuid: v for v in values}  # type: ignore[union-attr]


def balance(tx: Transaction) -> list[tuple[object, ...]]:
    return tx.run([Statement("SELECT * FROM acc_stock__balance ORDER BY 1")])[0]


def test_same_configuration_needs_nothing() -> None:
    made = plan(build_layout(configuration()), build_layout(configuration()))
    assert made.changes == ()
    assert made.statements(DIALECTS["sqlite"]) == []


def test_changes_are_told_with_what_is_lost() -> None:
    def change(fields: dict[str, Field]) -> None:
        del fields["Weight"]
        fields["Length"] = field("Length", "Длина", NumberType(10, 2))
        fields["Color"] = dataclasses.replace(fields["Color"], type=StringType(10))

    made = plan_update(configuration(), with_attributes(change))
    told = {(c.kind, c.place): c.lost is not None for c in made.changes}
    assert told == {
        ("field_added", f"{PRODUCTS}.Length"): False,
        ("field_dropped", f"{PRODUCTS}.Weight"): True,
        ("field_changed", f"{PRODUCTS}.Color"): True,
    }
    assert [c.place for c in made.losses] == [f"{PRODUCTS}.Weight", f"{PRODUCTS}.Color"]
    dropped = plan_update(configuration(), changed(InformationRegister__Prices=None))
    assert [(c.kind, c.place) for c in dropped.losses] == [("table_dropped", "InformationRegister.Prices")]


@pytest.mark.parametrize("mode", MODES)
def test_fields_added_and_dropped_keep_the_rest(stores_of: StoresOf, mode: str) -> None:
    def change(fields: dict[str, Field]) -> None:
        del fields["Weight"]
        fields["Length"] = field("Length", "Длина", NumberType(10, 2))
        fields["Maker"] = field("Maker", "Изготовитель", RefType(PRODUCTS), indexed="index")

    with stores_of(mode).sample(11, 15) as (kernel, _), trial(kernel) as tx:
        before, totals = stored(kernel, tx), balance(tx)
        after, _ = restructured(kernel, tx, with_attributes(change))
        found = stored(after, tx)
        for ref, values in before.items():
            expected = {**values, "Length": Decimal("0.00"), "Maker": None}
            del expected["Weight"]
            assert found[ref] == expected
        assert balance(tx) == totals
        assert [f for f in check_base(after, tx) if f.code != "configuration_digest"] == []


WIDER = CompositeType((RefType(PRODUCTS), StringType(20)))
CONVERSIONS: list[tuple[str, ValueType, Callable[[Any], object]]] = [
    ("Price", NumberType(18, 4), lambda v: v),
    ("Note", StringType(5), lambda v: v),
    ("Similar", RefType(ORDERS), lambda v: None),
    ("Similar", CompositeType((RefType(PRODUCTS), RefType(ORDERS))), lambda v: v),
    ("Similar", WIDER, lambda v: v),
    ("Note", WIDER, lambda v: v),
    ("Color", CompositeType((EnumType(COLORS), StringType())), lambda v: v),
    ("Sold", CompositeType((BooleanType(), NumberType(5, 0))), lambda v: v),
    ("Price", CompositeType((NumberType(18, 3), StringType())), lambda v: v),
    ("Made", StringType(), lambda v: ""),
    ("Anything", StringType(30), lambda v: v if isinstance(v, str) else ""),
    ("Anything", WIDER, lambda v: v if isinstance(v, str | Ref) else None),
    ("Anything", CompositeType((EnumType(COLORS), NumberType(12, 4))), lambda v: None),
]


@pytest.mark.parametrize("mode", MODES)
def test_changed_types(stores_of: StoresOf, mode: str) -> None:
    with stores_of(mode).sample(13, 12) as (kernel, _):
        with kernel.engine.transaction(write=True) as tx:
            tx.run([Statement("UPDATE cat_products SET price = 1234567")])
        for name, kind, expected in CONVERSIONS:
            with trial(kernel) as tx:
                before = stored(kernel, tx)
                after, _ = restructured(kernel, tx, retyped(name, kind))
                found = stored(after, tx)
            assert {r: v.pop(name) for r, v in found.items()} == {
                r: expected(v.pop(name)) for r, v in before.items()
            }, kind
            assert found == before


@pytest.mark.parametrize("mode", MODES)
def test_rounding_is_half_away_from_zero_and_told(stores_of: StoresOf, mode: str) -> None:
    amounts = [Decimal(t) for t in ("1.25", "-1.25", "1.24", "-1.26", "0.05", "-0.04", "0.00")]
    with stores_of(mode).sample(1, len(amounts)) as (kernel, content):
        writer = kernel.dialect.writer(kernel.layout.objects[PRODUCTS].table.column("price")) or (lambda v: v)
        ref = kernel.dialect.writer(kernel.layout.objects[PRODUCTS].table.column("ref")) or (lambda v: v)
        mark = kernel.dialect.placeholder
        with kernel.engine.transaction(write=True) as tx:
            sql = f"UPDATE cat_products SET price = {mark} WHERE ref = {mark}"
            tx.run([Statement(sql, [writer(a), ref(u)]) for a, u in zip(amounts, content.products, strict=True)])
        with trial(kernel) as tx:
            after, made = restructured(kernel, tx, retyped("Price", NumberType(15, 1)))
            found = stored(after, tx)
    assert [str(found[u]["Price"]) for u in content.products] == ["1.3", "-1.3", "1.2", "-1.3", "0.1", "0.0", "0.0"]
    assert [c.place for c in made.losses] == [f"{PRODUCTS}.Price"]


@pytest.mark.parametrize("mode", MODES)
def test_numbers_that_do_not_fit_leave_everything_as_it_was(stores_of: StoresOf, mode: str) -> None:
    with stores_of(mode).sample(2, 5) as (kernel, _):
        digest = base_digest(kernel)
        for kind in (NumberType(5, 2), NumberType(18, 12)):
            with pytest.raises(InfobaseError):
                update(kernel, retyped("Weight", kind))
        assert base_digest(kernel) == digest


@pytest.mark.parametrize("mode", MODES)
def test_text_made_searchable_is_filled(stores_of: StoresOf, mode: str) -> None:
    def plain(fields: dict[str, Field]) -> None:
        fields["Note"] = dataclasses.replace(fields["Note"], searchable=False)

    with stores_of(mode).sample(4, 10) as (kernel, _), trial(kernel) as tx:
        without, _ = restructured(kernel, tx, with_attributes(plain))
        assert "note__search" not in [c.name for c in without.layout.objects[PRODUCTS].table.columns]
        after, made = restructured(without, tx, configuration())
        assert len(made.refills) == 1
        (rows,) = tx.run([Statement("SELECT note, note__search FROM cat_products")])
        assert check_base(after, tx) == []
    assert all(search_key(str(text)) == key for text, key in rows)
    assert any(text for text, _ in rows)


@pytest.mark.parametrize("mode", MODES)
def test_numbering_period_follows(stores_of: StoresOf, mode: str) -> None:
    orders = configuration().objects[ORDERS]
    assert isinstance(orders, Document)
    with stores_of(mode).sample(6, 12) as (kernel, _):
        for periodicity in ("", "Day", "Month", "Year"):
            number = dataclasses.replace(orders.number, periodicity=periodicity)
            with trial(kernel) as tx:
                new = changed(Document__Orders=dataclasses.replace(orders, number=number))
                after, made = restructured(kernel, tx, new)
                assert [c.kind for c in made.changes] == ["numbering_changed"]
                assert {f.code for f in check_base(after, tx)} == {"configuration_digest"}


@pytest.mark.parametrize("mode", MODES)
def test_register_with_another_dimension_rebuilds_totals(stores_of: StoresOf, mode: str) -> None:
    stock = configuration().objects[STOCK]
    assert isinstance(stock, AccumulationRegister)
    wider = dataclasses.replace(stock, dimensions=(*stock.dimensions, field("Color", "Цвет", EnumType(COLORS))))
    with stores_of(mode).sample(8, 6) as (kernel, _), trial(kernel) as tx:
        before = balance(tx)
        after, made = restructured(kernel, tx, changed(AccumulationRegister__Stock=wider))
        assert {c.kind for c in made.changes} == {"field_added", "totals_rebuilt"}
        assert [(row[0], row[2]) for row in balance(tx)] == before != []
        restructured(after, tx, configuration())
        assert balance(tx) == before


def test_both_engines_end_with_the_same_content(stores_of: StoresOf) -> None:
    new = retyped("Similar", WIDER)
    found = []
    for mode in MODES:
        with stores_of(mode).sample(21, 20) as (kernel, _):
            after, _ = update(kernel, new)
            found.append(base_digest(after))
    assert found[0] == found[1]


def test_dates_before_year_1000_keep_their_period() -> None:
    """SQLite's dates are text: the expressions must not lean on its date functions."""
    conn = sqlite3.connect(":memory:")
    for date in (dt.datetime(1, 1, 1), dt.datetime(987, 11, 30, 1, 2, 3), dt.datetime(9999, 12, 31, 23, 59, 59)):
        for periodicity in ("", "Day", "Month", "Quarter", "Year"):
            sql = f"SELECT {period_expression('?1', periodicity, DIALECTS['sqlite'])}"
            given = (date.isoformat(" "),) if "?1" in sql else ()
            assert conn.execute(sql, given).fetchone()[0] == period_start(date, periodicity).isoformat(" ")
    conn.close()
