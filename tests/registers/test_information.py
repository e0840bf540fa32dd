"""Independent information registers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

import pytest

from infobase import registers
from infobase.errors import NotUnique, NumberOverflow, ObjectNotFound, RequiredFieldsEmpty, ValueInvalid
from infobase.kernel import Kernel
from infobase.metadata.types import Value
from infobase.storage import Statement, Transaction
from tests.registers.sample import PRICES, ref

MARCH, APRIL = dt.datetime(2024, 3, 1), dt.datetime(2024, 4, 1)


def price(product: int, amount: object, period: dt.datetime = MARCH, **other: object) -> dict[str, object]:
    return {"Period": period, "Product": ref("Products", product), "Price": Decimal(str(amount))} | other


def write(kernel: Kernel, records: list[Mapping[str, object]], *, replace: bool = True) -> None:
    with kernel.engine.transaction(write=True) as tx:
        tx.run(registers.write_independent(kernel, PRICES, records, replace=replace))


def kept(kernel: Kernel, tx: Transaction) -> list[dict[str, Value]]:
    layout = kernel.layout.registers[PRICES]
    codec = kernel.codec(layout)
    [rows] = tx.run(
        [Statement(f"SELECT {kernel.dialect.columns(codec.select_columns)} FROM inf_prices ORDER BY price")]
    )
    return [codec.decode(row) for row in rows]


def prices(kernel: Kernel) -> list[Value]:
    with kernel.engine.transaction(write=False) as tx:
        return [r["Price"] for r in kept(kernel, tx)]


def test_a_record_is_completed_and_its_period_cut(base: Kernel) -> None:
    write(base, [price(1, 5, dt.datetime(2024, 3, 31, 23, 59, 59), Image=b'\x00\\x"')])
    with base.engine.transaction(write=False) as tx:
        [record] = kept(base, tx)
    expected = {"Period": MARCH, "Product": ref("Products", 1), "Kind": "", "Price": Decimal(5), "Image": b'\x00\\x"'}
    assert record == expected


def test_the_same_key_is_replaced(base: Kernel) -> None:
    write(base, [price(1, 5), price(2, 6)])
    write(base, [price(1, 7), price(1, 8, Kind="retail"), price(1, 9, APRIL)])
    assert prices(base) == [6, 7, 8, 9]


def test_of_one_key_given_twice_the_last_holds(base: Kernel) -> None:
    write(base, [price(1, 5), price(1, 6)])
    assert prices(base) == [6]


def test_without_replacing_the_same_key_is_refused(base: Kernel) -> None:
    write(base, [price(1, 5)], replace=False)
    with pytest.raises(NotUnique):
        write(base, [price(2, 1), price(1, 6)], replace=False)
    assert prices(base) == [5]


def test_fields_go_by_russian_names_too(base: Kernel) -> None:
    write(base, [{"Период": MARCH, "номенклатура": ref("Products", 1), "Цена": 3}])
    assert prices(base) == [3]
    with pytest.raises(ObjectNotFound, match="Стоимость"):
        write(base, [price(1, 1, Стоимость=1)])


@pytest.mark.parametrize(
    ("record", "error"),
    [
        (price(1, "0.001"), ValueInvalid),
        (price(1, 10**13), NumberOverflow),
        (price(1, 1) | {"Product": ref("Warehouses", 1)}, ValueInvalid),
        (price(1, 1) | {"Product": None}, RequiredFieldsEmpty),
        ({"Product": ref("Products", 1), "Price": 1}, RequiredFieldsEmpty),
    ],
)
def test_what_does_not_fit_is_refused(base: Kernel, record, error) -> None:
    with pytest.raises(error):
        write(base, [price(2, 1), record])
    assert prices(base) == []


def test_deleting_by_whole_and_partial_keys(base: Kernel) -> None:
    write(base, [price(p, p * 10 + m, dt.datetime(2024, m, 1)) for p in (1, 2, 3) for m in (3, 4)])

    def delete(*keys: Mapping[str, object]) -> list[Value]:
        with base.engine.transaction(write=True) as tx:
            tx.run(registers.delete_where(base, PRICES, keys))
        return prices(base)

    assert delete({"Product": ref("Products", 1), "Kind": "", "Period": dt.datetime(2024, 3, 9)}) == [
        14,
        23,
        24,
        33,
        34,
    ]
    assert delete({"Product": ref("Products", 9)}) == [14, 23, 24, 33, 34]
    assert delete({"Product": ref("Products", 2)}, {"Период": APRIL}) == [33]
    assert delete({}) == []


def test_a_record_set_replaces_what_its_filter_matches(base: Kernel) -> None:
    write(base, [price(1, 1), price(1, 2, APRIL), price(2, 3)])
    with base.engine.transaction(write=True) as tx:
        given = [{"Period": MARCH, "Price": 8}, {"Period": dt.datetime(2024, 5, 1), "Price": 9}]
        tx.run(registers.write_set(base, PRICES, {"Product": ref("Products", 1)}, given))
    assert prices(base) == [3, 8, 9]


def test_thousands_of_records(base: Kernel) -> None:
    records = [price(i % 900, i, dt.datetime(2000 + i // 900, 1, 1)) for i in range(4000)]
    write(base, records)
    assert len(prices(base)) == 4000
    write(base, [])
    assert registers.write_independent(base, PRICES, []) == []
