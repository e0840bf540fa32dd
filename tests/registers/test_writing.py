"""Records and their totals on both engines."""

from __future__ import annotations

import datetime as dt
import random
import threading
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infobase import posting, registers
from infobase.errors import BalanceShortage, Deadlock, InfobaseError, NotUnique, NumberOverflow
from infobase.i18n import set_language
from infobase.kernel import Kernel
from infobase.metadata.model import BalanceCheck
from infobase.metadata.types import EnumValue
from infobase.storage import Statement
from tests.registers.helpers import stock, stored, summed, totals, write
from tests.registers.sample import (
    MAIN,
    ORDER_DOCUMENT,
    SALES,
    STATES,
    STOCK,
    movement,
    order,
    order_ref,
    ref,
)

FAST = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
LAST = Decimal("999999999999.999")


class Undo(Exception):
    """Leaves a transaction without its changes."""


# --- totals ---

dates = st.datetimes(dt.datetime(2023, 11, 1), dt.datetime(2024, 3, 1)).map(lambda d: d.replace(microsecond=0))
amounts = st.decimals(-1000, 1000, places=2)
movements = st.builds(
    lambda kind, product, q, a, period: movement(kind, product, q, a, Period=period),
    st.sampled_from(["Receipt", "Expense"]),
    st.integers(0, 3),
    amounts,
    amounts,
    dates,
)
commands = st.lists(st.tuples(st.integers(0, 3), st.lists(movements, max_size=4), st.booleans()), max_size=8)


@FAST
@given(commands)
def test_totals_are_the_sum_of_movements_after_any_posting_and_undoing(base: Kernel, given_commands) -> None:
    current: dict[int, list] = {}
    with pytest.raises(Undo), base.engine.transaction(write=True) as tx:
        for number, records, undo in given_commands:
            new = [] if undo else records
            write(base, tx, number, {STOCK: new} if new else {}, checks=())
            current[number] = new
        everything = [r for records in current.values() for r in records]
        for turnovers in (False, True):
            assert totals(base, tx, STOCK, turnovers=turnovers) == summed(everything, turnovers=turnovers)
        assert registers.totals_findings(base, tx) == []
        kept = totals(base, tx, STOCK, turnovers=True)
        tx.run(registers.rebuild_statements(base, STOCK))
        assert totals(base, tx, STOCK, turnovers=True) == kept
        assert registers.totals_findings(base, tx) == []
        raise Undo


def test_records_come_back_as_they_were_written(base: Kernel) -> None:
    won = EnumValue("Enumeration.States", "Won")
    values, sections = order(1, [(1, 2, "9.99"), (2, 1, 3)], State=won, Incoming=True)
    made = posting.movements(base, ORDER_DOCUMENT, values, sections, lambda r, f: None)
    with base.engine.transaction(write=True) as tx:
        write(base, tx, 1, made)
    with base.engine.transaction(write=False) as tx:
        for register, records in made.items():
            given_here = {"Recorder": order_ref(1), "Active": True}
            expected = [r | given_here | {"LineNumber": i} for i, r in enumerate(records, 1)]
            assert stored(base, tx, register, 1) == expected


@pytest.mark.parametrize(
    "basis",
    [None, MAIN, ref("Products", 1), 'a"b\\c', "{x,y}", "NULL", " пробел ", "", "%s ? $1", "'; --", "новая\nстрока"],
)
def test_any_value_can_be_a_dimension(base: Kernel, basis) -> None:
    record = {"Period": dt.datetime(1, 1, 1), "Basis": basis, "Urgent": True, "Rate": Decimal("-1.25")}
    record |= {"Due": dt.datetime(1999, 12, 31, 23, 59, 59), "Quantity": Decimal(1), "Amount": Decimal(2)}
    with base.engine.transaction(write=True) as tx:
        write(base, tx, 1, {SALES: [record]})
        write(base, tx, 2, {SALES: [record]})
        [(key, sums)] = totals(base, tx, SALES, turnovers=True).items()
        assert stored(base, tx, SALES, 1)[0]["Basis"] == basis
        assert registers.totals_findings(base, tx) == []
    assert sums == [2, 4]
    assert key == (None, None, basis, True, record["Due"], record["Rate"], dt.datetime(1, 1, 1))


def test_posting_the_same_again_touches_no_totals(base: Kernel) -> None:
    new = {STOCK: [movement("Receipt", 1, 5)]}
    with base.engine.transaction(write=True) as tx:
        write(base, tx, 1, new)
        old = {STOCK: stored(base, tx, STOCK, 1)}
        work = registers.write_work(base, order_ref(1), old, new, (), "", str)
        texts = " ".join(s.sql for s in work.statements)
        assert "acc_stock" in texts
        assert "__balance" not in texts and "__turnovers" not in texts
        work.finish(tx.run(work.statements))
        assert len(stored(base, tx, STOCK, 1)) == 1


def test_number_of_statements(base: Kernel) -> None:
    values, sections = order(1, [(i, 1, 1) for i in range(5)], Incoming=True)
    made = posting.movements(base, ORDER_DOCUMENT, values, sections, lambda r, f: None)
    two = {name: made[name] for name in (STOCK, SALES)}
    server = base.engine.traits.dialect == "postgresql"
    with base.engine.transaction(write=True) as tx:
        assert write(base, tx, 1, {STOCK: [], SALES: []}, old={}) == 0
        assert write(base, tx, 1, {**two, STATES: []}, old={}) == (2 if server else 5)
        assert write(base, tx, 1, {}) == (4 if server else 5)


def test_thousands_of_rows(base: Kernel) -> None:
    records = [movement("Receipt", i % 2500, "1.5", 1) for i in range(6000)]
    with base.engine.transaction(write=True) as tx:
        write(base, tx, 1, {STOCK: records})
        found = stock(base, tx)
        assert len(stored(base, tx, STOCK, 1)) == 6000
        assert registers.totals_findings(base, tx) == []
        work = registers.write_work(base, order_ref(2), {}, {STOCK: records}, (), "", str)
    assert len(found) == 2500
    assert sum(found.values()) == 9000
    assert max(len(s.params) for s in work.statements) < 30_000


# --- balance checks ---


def shortage(kernel: Kernel, records, checks=None, received: int = 5) -> BalanceShortage:
    with pytest.raises(BalanceShortage) as e, kernel.engine.transaction(write=True) as tx:
        write(kernel, tx, 1, {STOCK: [movement("Receipt", 1, received, 10)]}, checks=())
        options = {} if checks is None else {"checks": checks}
        write(kernel, tx, 2, {STOCK: records}, **options)
    with kernel.engine.transaction(write=False) as tx:
        assert stock(kernel, tx) == {}, "the refused document left something"
    return e.value


def test_a_shortage_names_register_key_and_quantity(base: Kernel) -> None:
    set_language("ru")
    error = shortage(base, [movement("Expense", 1, 8), movement("Receipt", 2, 1)])
    product, main = f"<{ref('Products', 1).uuid.hex[:6]}>", f"<{MAIN.uuid.hex[:6]}>"
    assert error.fields["listing"] == (
        f"Товары на складах: Склад = {main}, Номенклатура = {product} - не хватает 3.000 (Количество)"
    )
    [one] = error.fields["shortages"]
    assert (one.register, one.resource, one.shortage) == (STOCK, "Quantity", Decimal(3))
    assert one.key == {"Warehouse": main, "Product": product}
    assert one.balance == {"Quantity": Decimal(-3), "Amount": Decimal(10)}


def test_the_listing_speaks_the_language_of_the_reader(base: Kernel) -> None:
    set_language("en")
    try:
        assert "Stock: Warehouse = " in str(shortage(base, [movement("Expense", 1, 8)]))
        assert "3.000 missing (Quantity)" in str(shortage(base, [movement("Expense", 1, 8)]))
    finally:
        set_language("ru")


@pytest.mark.parametrize(
    ("require", "resource", "missing", "excess"),
    [
        ("balance.Quantity >= 2.5", "Quantity", "3.5", False),
        ("0 <= balance.Quantity", "Quantity", "1", False),
        ("balance.Amount <= 7", "Amount", "3", True),
        ("balance.Quantity >= -5 and balance.Amount <= 7", "Amount", "3", True),
        ("balance.Quantity > 0", "Quantity", None, False),
        ("balance.Quantity >= 0 or balance.Amount > 100", "Quantity", None, False),
    ],
)
def test_what_is_missing_follows_from_the_requirement(base: Kernel, require, resource, missing, excess) -> None:
    error = shortage(base, [movement("Expense", 1, 6)], [BalanceCheck(STOCK, require)])
    [one] = error.fields["shortages"]
    assert (one.resource, one.excess) == (resource, excess)
    assert one.shortage == (None if missing is None else Decimal(missing))


def test_taking_back_a_receipt_is_checked_too(base: Kernel) -> None:
    with base.engine.transaction(write=True) as tx:
        write(base, tx, 1, {STOCK: [movement("Receipt", 1, 5)]})
        write(base, tx, 2, {STOCK: [movement("Expense", 1, 4)]})
    for new in ({}, {STOCK: [movement("Receipt", 1, 3)]}, {STOCK: [movement("Receipt", 2, 5)]}):
        with pytest.raises(BalanceShortage), base.engine.transaction(write=True) as tx:
            write(base, tx, 1, new)
    with base.engine.transaction(write=True) as tx:
        write(base, tx, 1, {STOCK: [movement("Receipt", 1, 4)]})
        assert stock(base, tx) == {}


def test_keys_the_document_did_not_move_are_not_checked(base: Kernel) -> None:
    with base.engine.transaction(write=True) as tx:
        write(base, tx, 1, {STOCK: [movement("Expense", 1, 5), movement("Receipt", 2, 5)]}, checks=())
        write(base, tx, 2, {STOCK: [movement("Expense", 2, 5)]})
        write(base, tx, 1, {STOCK: [movement("Expense", 1, 5), movement("Receipt", 2, 6)]})


def test_many_shortages_make_a_bounded_message(base: Kernel) -> None:
    error = shortage(base, [movement("Expense", i, 1) for i in range(100, 150)])
    assert len(error.fields["shortages"]) == 50
    assert str(error).count("не хватает") == 20 and "и ещё 30" in str(error)


# --- limits ---


@pytest.mark.parametrize("kind", ["Receipt", "Expense"])
def test_totals_have_eighteen_digits_and_no_more(base: Kernel, kind: str) -> None:
    # The greatest value a record may hold, a thousand times: 10**15 - 1 thousandth, the last that fits.
    with base.engine.transaction(write=True) as tx:
        write(base, tx, 1, {STOCK: [movement(kind, 1, LAST)] * 1000}, checks=())
        assert abs(stock(base, tx)[ref("Products", 1)]) == LAST * 1000
    for number, records in (
        (2, [movement(kind, 1, 1)]),
        (3, [movement(kind, 2, LAST)] * 1001),
        (4, [movement(kind, 1, LAST)] * 10_000),
    ):
        with pytest.raises(NumberOverflow), base.engine.transaction(write=True) as tx:
            write(base, tx, number, {STOCK: records}, checks=())
    with base.engine.transaction(write=False) as tx:
        assert abs(stock(base, tx)[ref("Products", 1)]) == LAST * 1000


def test_turnovers_alone_can_overflow(base: Kernel) -> None:
    pair = [movement("Receipt", 1, LAST), movement("Expense", 1, LAST)]
    with pytest.raises(NumberOverflow), base.engine.transaction(write=True) as tx:
        write(base, tx, 1, {STOCK: pair * 600}, checks=())
        write(base, tx, 2, {STOCK: pair * 600}, checks=())


# --- check and rebuild ---


def test_wrong_missing_and_superfluous_totals_are_found_and_rebuilt(base: Kernel) -> None:
    with base.engine.transaction(write=True) as tx:
        write(base, tx, 1, {STOCK: [movement("Receipt", i, 5, 7) for i in range(30)]})
        assert registers.totals_findings(base, tx) == []
        balance = base.layout.registers[STOCK].balance
        turnovers = base.layout.registers[STOCK].turnovers
        assert balance is not None and turnovers is not None
        tx.run(
            [
                Statement(f"UPDATE {balance.name} SET quantity = quantity + 1"),
                Statement(f"DELETE FROM {turnovers.name}"),
            ]
        )
        found = registers.totals_findings(base, tx)
        assert len(found) == 42, "twenty of each table and a word that there are more"
        assert {(f.severity, f.code, f.place) for f in found} == {("error", "totals_mismatch", STOCK)}
        assert any(str(ref("Products", 3)) in f.message or "Product" in f.message for f in found)
        tx.run(registers.rebuild_statements(base, STOCK))
        assert registers.totals_findings(base, tx) == []
        assert len(stock(base, tx)) == 30


def test_rebuilding_leaves_no_rows_of_zeros(base: Kernel) -> None:
    with base.engine.transaction(write=True) as tx:
        write(base, tx, 1, {STOCK: [movement("Receipt", 1, 5), movement("Expense", 1, 5)]})
        tx.run([*registers.rebuild_statements(base, STOCK), *registers.rebuild_statements(base, SALES)])
        assert registers.rebuild_statements(base, STATES) == []
        assert tx.run([Statement("SELECT count(*) FROM acc_stock__balance")]) == [[(0,)]]
        assert tx.run([Statement("SELECT count(*) FROM acc_stock__turnovers")]) == [[(1,)]]


# --- concurrency ---


def test_writers_of_the_same_keys_neither_deadlock_nor_oversell(base: Kernel) -> None:
    products = range(6)
    with base.engine.transaction(write=True) as tx:
        write(base, tx, 0, {STOCK: [movement("Receipt", p, 20) for p in products]})
    sold: list[int] = []
    failures: list[BaseException] = []

    def sell(worker: int) -> None:
        chance = random.Random(worker)
        for i in range(25):
            number = worker * 1000 + i + 1
            chosen = chance.sample(products, 4)
            month = dt.datetime(2024, chance.randint(1, 3), 1)
            sales = {"Period": month, "Quantity": Decimal(1), "Amount": Decimal(0)}
            new = {
                STOCK: [movement("Expense", p, 1, Period=month) for p in chosen],
                SALES: [sales | {"Product": ref("Products", p)} for p in chosen],
            }
            moved = {STOCK: [r | {"Period": dt.datetime(2024, 2, 2)} for r in new[STOCK]]}
            try:
                with base.engine.transaction(write=True) as tx:
                    write(base, tx, number, new, old={})
                sold.append(number)
                with base.engine.transaction(write=True) as tx:
                    write(base, tx, number, moved)
            except BalanceShortage:
                continue
            except InfobaseError as e:
                failures.append(e)

    threads = [threading.Thread(target=sell, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [f for f in failures if isinstance(f, Deadlock)] == []
    assert failures == []
    with base.engine.transaction(write=False) as tx:
        left = stock(base, tx)
        assert all(q >= 0 for q in left.values())
        assert sum(left.values()) == 120 - 4 * len(sold)
        assert registers.totals_findings(base, tx) == []
    assert 20 <= len(sold) <= 30


# --- registers of information ---


def test_subordinate_records_follow_their_recorder(base: Kernel) -> None:
    won = EnumValue("Enumeration.States", "Won")
    record = {"Period": dt.datetime(2024, 3, 15), "Order": order_ref(1), "State": won}
    with base.engine.transaction(write=True) as tx:
        assert write(base, tx, 1, {STATES: [record]}) == 1
        assert write(base, tx, 1, {STATES: [record]}) == 2
        assert [r["State"] for r in stored(base, tx, STATES, 1)] == [won]
    with pytest.raises(NotUnique), base.engine.transaction(write=True) as tx:
        write(base, tx, 3, {STATES: [record, record | {"State": None}]})
    with base.engine.transaction(write=True) as tx:
        assert stored(base, tx, STATES, 3) == []
        write(base, tx, 1, {})
        assert stored(base, tx, STATES, 1) == []
