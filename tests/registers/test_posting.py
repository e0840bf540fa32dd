"""What a document's declarations make of its values."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from infobase import posting
from infobase.errors import ExpressionInvalid, NumberOverflow, RequiredFieldsEmpty, ValueInvalid
from infobase.kernel import Kernel
from infobase.metadata.model import Document, Naming, RegisterRecords
from infobase.metadata.types import EnumValue, NumberType, Ref, Value
from tests.registers.sample import (
    CONFIGURATION,
    MAIN,
    ORDER_DOCUMENT,
    SALES,
    STATES,
    STOCK,
    STOCK_REGISTER,
    order,
    order_ref,
    ref,
)

Goods = Sequence[tuple[int, object, object]]
WON = EnumValue("Enumeration.States", "Won")


def no_reading(reference: Ref, field: str) -> Value:
    raise AssertionError(f"{reference}.{field} was read")


def post(
    kernel: Kernel, number: int = 1, goods: Goods = ((1, 2, 9),), document: Document = ORDER_DOCUMENT, **header: Value
) -> dict[str, list[posting.Record]]:
    values, sections = order(number, goods, **header)
    return posting.movements(kernel, document, values, sections, no_reading)


def with_rule(rule: RegisterRecords) -> Document:
    return replace(ORDER_DOCUMENT, register_records=(rule,), balance_checks=())


def test_rows_become_records_with_every_field_and_every_register_is_answered(base: Kernel) -> None:
    made = post(base, goods=[(1, "2.5", "9.99"), (2, 1, 3)], State=WON)
    assert list(made) == [SALES, STOCK, STATES] == posting.registers_of(ORDER_DOCUMENT)
    assert made[STOCK][0] == {
        "Period": dt.datetime(2024, 3, 15, 12, 30, 5),
        "RecordType": "Expense",
        "Warehouse": MAIN,
        "Product": ref("Products", 1),
        "Quantity": Decimal("2.500"),
        "Amount": Decimal("9.99"),
        "Comment": "",
    }
    assert [r["Product"] for r in made[STOCK]] == [ref("Products", 1), ref("Products", 2)]
    assert made[SALES][0]["Due"] is None
    assert made[SALES][0]["Rate"] == 0
    assert made[SALES][0]["Basis"] == MAIN
    assert post(base, goods=[])[STOCK] == []


def test_condition_chooses_the_record_type(base: Kernel) -> None:
    assert [r["RecordType"] for r in post(base, Incoming=True)[STOCK]] == ["Receipt"]
    assert [r["RecordType"] for r in post(base, Incoming=False)[STOCK]] == ["Expense"]


def test_once_per_document_with_the_period_cut(base: Kernel) -> None:
    [record] = post(base, goods=[(1, 1, 1), (2, 1, 1)], State=WON)[STATES]
    assert record == {"Period": dt.datetime(2024, 3, 15), "Order": order_ref(1), "State": WON}


@pytest.mark.parametrize(
    ("amount", "third"), [("1.00", "0.33"), ("2.00", "0.67"), ("0.015", "0.01"), ("-0.015", "-0.01")]
)
def test_numbers_are_rounded_half_up_to_the_scale_of_the_field(base: Kernel, amount: str, third: str) -> None:
    assert post(base, goods=[(1, 1, amount)])[SALES][0]["Amount"] == Decimal(third)


def test_records_of_zeros_are_dropped_from_accumulation_registers(base: Kernel) -> None:
    made = post(base, goods=[(1, 0, 0), (2, "0.0001", 0), (3, 0, "0.01")])
    assert [r["Product"] for r in made[STOCK]] == [ref("Products", 3)]
    assert len(made[STATES]) == 1


def test_overflow_names_register_and_field(base: Kernel) -> None:
    with pytest.raises(NumberOverflow) as e:
        post(base, goods=[(1, "999999999999.9999", 0)])
    assert e.value.fields["field"] == f"{STOCK}.Quantity"
    assert (e.value.fields["digits"], e.value.fields["scale"]) == (15, 3)


def test_a_condition_guards_what_the_other_expressions_cannot_bear(base: Kernel) -> None:
    values = {"Warehouse": "doc.Warehouse", "Quantity": "100 / doc.Parts"}
    rule = RegisterRecords(STOCK, values, each="Goods", when="doc.Parts > 0", record_type="Receipt")
    fresh = Kernel(CONFIGURATION, base.engine)
    assert post(fresh, document=with_rule(rule), Parts=Decimal(0)) == {STOCK: []}
    assert post(fresh, document=with_rule(rule), Parts=Decimal(8))[STOCK][0]["Quantity"] == Decimal("12.5")
    with pytest.raises(ExpressionInvalid):
        post(Kernel(CONFIGURATION, base.engine), document=with_rule(replace(rule, when="")), Parts=Decimal(0))


@pytest.mark.parametrize("wrong", [{"Warehouse": "doc.Ref"}, {"Quantity": "'5'"}, {"Quantity": "doc.Incoming"}])
def test_a_value_of_another_type_is_refused(base: Kernel, wrong: dict[str, str]) -> None:
    rule = RegisterRecords(STOCK, {"Warehouse": "doc.Warehouse", "Quantity": "1"} | wrong, record_type="Receipt")
    with pytest.raises(ValueInvalid, match=f"{STOCK}.{next(iter(wrong))}"):
        post(Kernel(CONFIGURATION, base.engine), document=with_rule(rule))


@pytest.mark.parametrize(
    ("written", "stored"), [("0 - 0.5", None), ("0 - 0.4", 0), ("99999.5", None), ("99999.49", 99999)]
)
def test_a_number_is_judged_after_rounding(base: Kernel, written: str, stored: int | None) -> None:
    places = replace(STOCK_REGISTER.attributes[0], naming=Naming("Places", "Мест"), type=NumberType(5, 0, True))
    register = replace(STOCK_REGISTER, attributes=(places,))
    configuration = replace(CONFIGURATION, objects={**CONFIGURATION.objects, STOCK: register})
    values = {"Warehouse": "doc.Warehouse", "Quantity": "1", "Places": written}
    document = with_rule(RegisterRecords(STOCK, values, record_type="Receipt"))
    kernel = Kernel(configuration, base.engine)
    if stored is None:
        with pytest.raises((ValueInvalid, NumberOverflow), match="Places"):
            post(kernel, document=document)
    else:
        assert post(kernel, document=document)[STOCK][0]["Places"] == stored


def test_a_required_dimension_left_empty_is_refused(base: Kernel) -> None:
    with pytest.raises(RequiredFieldsEmpty, match="Склад|Warehouse"):
        post(base, Warehouse=None)


def test_checks_are_switched_by_their_condition(base: Kernel) -> None:
    limited, free = order(1, [], Limited=True)[0], order(1, [])[0]
    assert posting.active_checks(base, ORDER_DOCUMENT, limited, no_reading) == ORDER_DOCUMENT.balance_checks
    assert posting.active_checks(base, ORDER_DOCUMENT, free, no_reading) == ORDER_DOCUMENT.balance_checks[:1]


def test_posting_costs_little(base: Kernel) -> None:
    values, sections = order(1, [(i, i + 1, "10.50") for i in range(5)], State=WON)
    posting.movements(base, ORDER_DOCUMENT, values, sections, no_reading)
    best = min(_seconds(base, values, sections) for _ in range(20))
    assert best < 0.0005, f"{best * 1e6:.0f} us for 5 lines in two registers"


def _seconds(kernel: Kernel, values: posting.Values, sections: Mapping[str, Sequence[posting.Values]]) -> float:
    start = time.process_time()
    for _ in range(10):
        posting.movements(kernel, ORDER_DOCUMENT, values, sections, no_reading)
    return (time.process_time() - start) / 10
