"""Rule expressions: exact, small, and deaf to everything else."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import ROUND_HALF_UP, Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infobase.errors import ExpressionInvalid
from infobase.metadata.expressions import MAX_DIGITS, compile_expression
from infobase.metadata.types import EnumValue, Ref, Value

STAGE = Ref("Catalog.Stages", uuid.uuid4())
SCOPE = {
    "doc": {
        "Stage": STAGE,
        "Date": dt.datetime(2026, 2, 3, 4, 5, 6),
        "State": EnumValue("Enumeration.S", "Won"),
        "Nothing": None,
    },
    "row": {"Quantity": Decimal(3), "Price": Decimal("1.15")},
}


def dereference(ref: Ref, name: str) -> Value:
    assert ref == STAGE
    return {"Probability": Decimal(50)}[name]


def value(source: str) -> object:
    return compile_expression(source).evaluate(SCOPE, dereference)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("row.Quantity * row.Price", Decimal("3.45")),
        ("0.1 + 0.2", Decimal("0.3")),
        ("round(2.345, 2)", Decimal("2.35")),
        ("round(-2.5)", Decimal(-3)),
        ("row.Price * doc.Stage.Probability / 100", Decimal("0.575")),
        ("1 if row.Quantity > 2 else 0", Decimal(1)),
        ("doc.State == 'Won'", True),
        ("doc.State == value('Enumeration.S.Won')", True),
        ("doc.State in ('Won', 'Lost')", True),
        ("doc.State not in ('Lost',)", True),
        ("doc.Nothing == None", True),
        ("doc.Nothing.Anything == None", True),
        ("not empty(row.Price) and empty(doc.Nothing)", True),
        ("1 < row.Quantity <= 3", True),
        ("month(doc.Date) + day(doc.Date)", Decimal(5)),
        ("begin_of_month(doc.Date)", dt.datetime(2026, 2, 1)),
        ("end_of_month(doc.Date)", dt.datetime(2026, 2, 28, 23, 59, 59)),
        ("min(1, 2) + max(1, 2) + abs(-3)", Decimal(6)),
        ("'a' + 'b'", "ab"),
        ("doc.Ref if False else doc.Stage", STAGE),
    ],
)
def test_values(source: str, expected: object) -> None:
    assert value(source) == expected


def test_paths_are_told() -> None:
    assert compile_expression("doc.A.B + row.C").names() == {("doc", "A", "B"), ("row", "C")}


@pytest.mark.parametrize(
    "hostile",
    [
        "__import__('os').system('x')",
        "().__class__.__mro__",
        "doc.__class__",
        "doc._secret",
        "[x for x in row]",
        "(lambda: 1)()",
        "open('/etc/passwd')",
        "doc['Stage']",
        "f'{doc}'",
        "(a := 1)",
        "9 ** 9 ** 9",
        "1 << 100",
        "row.Quantity.as_tuple()",
        "print(1)",
        "min(*doc)",
        "round(1, n=2)",
        "{}",
        "b'x'",
        "...",
        "1j",
        "1e999999",
        "9" * 60,
        "(" * 60 + "1" + ")" * 60 + "+" + "-" * 60 + "1",
        "1 +" * 3000 + "1",
        "doc.A; doc.B",
        "import os",
        "",
        "\0",
        "value('x')",
        "value(doc.Stage)",
        "1 in doc",
        "await x",
        "yield",
    ],
)
def test_everything_else_is_refused(hostile: str) -> None:
    with pytest.raises(ExpressionInvalid):
        compile_expression(hostile)


@pytest.mark.parametrize(
    "source", ["1 / 0", "1 % 0", "row.Unknown", "other.X", "row.Price + 'a'", "row.Price < 'a'", "year(1)", "doc + 1"]
)
def test_faults_at_run_time_are_clear(source: str) -> None:
    with pytest.raises(ExpressionInvalid):
        value(source)


_NUMBER = st.decimals(Decimal(-1000), Decimal(1000), places=3).map(lambda d: f"({d:f})")


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        _NUMBER,
        lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]}{t[1]}{t[2]})"),
        max_leaves=8,
    )
)
def test_arithmetic_agrees_with_decimal(source: str) -> None:
    stack = _Oracle(source).expression()
    assert value(source) == stack


class _Oracle:
    """An independent little calculator for fully bracketed texts."""

    def __init__(self, source: str) -> None:
        self.source, self.at = source, 0

    def expression(self) -> Decimal:
        assert self.source[self.at] == "("
        self.at += 1
        left = self.operand()
        if self.source[self.at] == ")":
            self.at += 1
            return left
        symbol = self.source[self.at]
        self.at += 1
        right = self.operand()
        self.at += 1
        with localcontext() as context:
            context.prec = MAX_DIGITS
            return {"+": left.__add__, "-": left.__sub__, "*": left.__mul__}[symbol](right)

    def operand(self) -> Decimal:
        if self.source[self.at] == "(":
            return self.expression()
        end = self.at + 1
        while self.source[end] in "0123456789.":
            end += 1
        number = Decimal(self.source[self.at : end])
        self.at = end
        return number


@settings(max_examples=300, deadline=None)
@given(st.text("docrw.QPSin+-*/%()<>=!'\"0123456789, []{}_:\\\n", max_size=60))
def test_random_text_is_a_value_or_a_clear_refusal(source: str) -> None:
    try:
        compile_expression(source).evaluate(SCOPE, dereference)
    except ExpressionInvalid as e:
        assert str(e)


def test_half_up() -> None:
    assert value("round(0.125, 2)") == Decimal("0.125").quantize(Decimal("0.01"), ROUND_HALF_UP)
