"""Shapes of computed comparisons -> SQL. Numbers of SQLite are scaled integers, so each expression is brought to the scale it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from infobase.query_computed import FLOAT, Shape, kind_of, scale_of
from infobase.query_fields import Sql, literal
from infobase.schema.dialect import Dialect

Add = Callable[[int, Callable[[Any], object]], Sql]
"""Position of a value and its encoding -> a parameter."""
Field = Callable[[tuple[str, ...]], Sql]
"""Operand key -> its column."""

_UPPER = "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЄІЇЎҐ"
_LOWER = "абвгдеёжзийклмнопрстуфхцчшщъыьэюяєіїўґ"
_ASCII_UPPER, _ASCII_LOWER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
_PARTS = {"year": (1, 4), "month": (6, 2), "day": (9, 2), "hour": (12, 2), "minute": (15, 2), "second": (18, 2)}
"""Where a part of a moment stands in its text."""
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_SINCE_YEAR_1 = 62135596800
"""Seconds from 0001-01-01 to the epoch: with them added no moment is negative."""


class Spliced(sa.ColumnElement[Any]):
    """SQL that SQLAlchemy has no words for: fixed text around an expression."""

    inherit_cache = False
    type = sa.types.NullType()

    def __init__(self, head: str, inside: Sql, tail: str) -> None:
        self.head, self.inside, self.tail = head, inside, tail


@compiles(Spliced)
def _splice(element: Spliced, compiler: Any, **options: Any) -> str:
    return f"{element.head}{compiler.process(element.inside, **options)}{element.tail}"


class ComputedSql:
    """Writes expressions of one statement."""

    def __init__(self, dialect: Dialect, add: Add, field: Field) -> None:
        self._add, self._field = add, field
        self._sqlite = dialect.name == "sqlite"

    def compare(self, shape: Shape) -> Sql:
        """The comparison of a "calc" shape."""
        _, left, op, right = shape
        if kind_of(left) == "number":
            a, b = self._numbers(left, right)
        else:
            a, b = self._write(left), self._write(right)
        return cast(Sql, a.op(op, is_comparison=True)(b))

    def value(self, shape: Shape) -> Sql:
        """One value, of the type that its kind and scale tell."""
        found = self._write(shape)
        if kind_of(shape) == "number" and not self._sqlite:
            return sa.cast(found, sa.Numeric())
        return found

    # --- expressions ---

    def _write(self, shape: Shape) -> Sql:
        match shape:
            case ("field", key, _, _):
                return self._field(key)
            case ("const", kind, scale, position):
                return self._constant(kind, scale, position)
            case ("call", function, arguments, _, _):
                return self._call(function, arguments, shape)
        raise AssertionError(shape[0])

    def _constant(self, kind: str, scale: int, position: int) -> Sql:
        if kind == "number":
            if self._sqlite:
                return self._add(position, lambda v: int(v.scaleb(scale)))
            return sa.cast(self._add(position, Decimal), sa.Numeric())
        if kind == "date":
            if self._sqlite:
                return self._add(position, lambda v: v.isoformat(" ", "seconds"))
            return sa.cast(self._add(position, lambda v: v), sa.TIMESTAMP())
        if kind == "bool":
            return self._add(position, int if self._sqlite else bool)
        text = self._add(position, str)
        return text if self._sqlite else sa.cast(text, sa.Text())

    def _call(self, function: str, arguments: Sequence[Shape], shape: Shape) -> Sql:
        if kind_of(shape) == "number" and function in ("add", "subtract", "multiply", "divide", "negate", "round"):
            return self._arithmetic(function, arguments, scale_of(shape))
        if function.startswith("add_"):
            return self._added(function[4:], self._write(arguments[0]), self._whole(arguments[1]))
        if function.startswith("difference_"):
            a, b = (self._write(x) for x in arguments)
            unit = function[11:]
            return self._group(self._count(unit, b).op("-")(self._count(unit, a)))
        if kind_of(arguments[0]) == "date":
            return self._date_part(function, self._write(arguments[0]))
        return self._text(function, arguments)

    # --- numbers ---

    def _numbers(self, left: Shape, right: Shape) -> tuple[Sql, Sql]:
        """Both at one scale."""
        scale = FLOAT if FLOAT in (scale_of(left), scale_of(right)) else max(scale_of(left), scale_of(right))
        return self._scaled(left, scale), self._scaled(right, scale)

    def _scaled(self, shape: Shape, scale: int) -> Sql:
        found, own = self._write(shape), scale_of(shape)
        if scale == own:
            return found
        if scale == FLOAT:
            plain = sa.cast(found, sa.Float(53))
            return plain if not self._sqlite or own == 0 else self._group(plain.op("/")(_n(float(10**own))))
        return found if not self._sqlite else self._group(found.op("*")(_n(10 ** (scale - own))))

    def _whole(self, shape: Shape) -> Sql:
        """A number without its decimals: a count of days, a position."""
        found, own = self._write(shape), scale_of(shape)
        if own == 0:
            return found if self._sqlite else sa.cast(found, sa.Integer())
        if not self._sqlite:
            return sa.cast(sa.func.trunc(sa.cast(found, sa.Numeric())), sa.Integer())
        if own == FLOAT:
            return sa.cast(found, sa.Integer())
        return self._group(found.op("/")(_n(10**own)))

    def _arithmetic(self, function: str, arguments: Sequence[Shape], scale: int) -> Sql:
        if function == "negate":
            return self._group(_n(0).op("-")(self._write(arguments[0])))
        if function == "round":
            return self._rounded(arguments[0])
        left, right = arguments
        if function == "divide":
            a, b = self._scaled(left, FLOAT), self._scaled(right, FLOAT)
            return self._group(a.op("/")(sa.func.nullif(b, _n(0))))
        if function == "multiply":
            a, b = (
                (self._write(left), self._write(right))
                if scale != FLOAT
                else (self._scaled(left, FLOAT), self._scaled(right, FLOAT))
            )
            return self._group(a.op("*")(b))
        a, b = self._scaled(left, scale), self._scaled(right, scale)
        return self._group(a.op("+" if function == "add" else "-")(b))

    def _rounded(self, shape: Shape) -> Sql:
        """Half away from zero, to a whole number."""
        found, own = self._write(shape), scale_of(shape)
        if not self._sqlite:
            return sa.func.round(sa.cast(found, sa.Numeric()))
        if own == FLOAT:
            return sa.cast(sa.func.round(found), sa.Integer())
        unit = 10**own
        half = self._group(sa.func.abs(found).op("+")(_n(unit // 2)))
        return self._group(self._group(half.op("/")(_n(unit))).op("*")(sa.func.sign(found)))

    @staticmethod
    def _group(expression: Any) -> Sql:
        return cast(Sql, sa.type_coerce(expression, sa.types.NullType()).self_group(against=sa.sql.operators.mul))

    # --- texts ---

    def _text(self, function: str, arguments: Sequence[Shape]) -> Sql:
        first = self._write(arguments[0])
        match function:
            case "concat":
                return self._group(first.op("||")(self._write(arguments[1])))
            case "substring":
                return self._substring(first, arguments[1:])
            case "length":
                return sa.func.length(first)
            case "index_of":
                find = sa.func.instr if self._sqlite else sa.func.strpos
                return cast(Sql, find(first, self._write(arguments[1])))
            case "trim":
                return sa.func.trim(first) if self._sqlite else sa.func.btrim(first)
            case _:
                return self._cased(first, function == "upper")

    def _substring(self, text: Sql, bounds: Sequence[Shape]) -> Sql:
        largest = sa.func.max if self._sqlite else sa.func.greatest
        parts = [largest(self._whole(b), _n(low)) for b, low in zip(bounds, (1, 0), strict=False)]
        return cast(Sql, sa.func.substr(text, *parts))

    def _cased(self, text: Sql, up: bool) -> Sql:
        """Latin and Cyrillic letters; SQLite's own functions know the Latin ones only."""
        given, wanted = (_LOWER, _UPPER) if up else (_UPPER, _LOWER)
        if not self._sqlite:
            ascii_given, ascii_wanted = (_ASCII_LOWER, _ASCII_UPPER) if up else (_ASCII_UPPER, _ASCII_LOWER)
            return sa.func.translate(text, literal(given + ascii_given), literal(wanted + ascii_wanted))
        # Letter by letter in a recursion: that many nested calls of replace() are more than SQLite's parser takes.
        name = "upper" if up else "lower"
        step = f"replace(t, substr('{given}', i, 1), substr('{wanted}', i, 1))"
        tail = f") UNION ALL SELECT i + 1, {step} FROM folding WHERE i <= {len(given)})"
        last = f" SELECT t FROM folding WHERE i = {len(given) + 1})"
        return Spliced(f"(WITH RECURSIVE folding(i, t) AS (SELECT 1, {name}(", text, tail + last)

    # --- dates ---

    def _date_part(self, function: str, moment: Sql) -> Sql:
        if function == "quarter":
            month = self._date_part("month", moment)
            return self._group(self._group(month.op("+")(_n(2))).op("/")(_n(3)))
        if not self._sqlite:
            field = {"day_of_year": "doy", "day_of_week": "isodow"}.get(function, function)
            return sa.cast(sa.func.date_part(literal(field), moment), sa.Integer())
        if function == "day_of_year":
            return sa.cast(sa.func.strftime(literal("%j"), moment), sa.Integer())
        if function == "day_of_week":
            sunday = sa.cast(sa.func.strftime(literal("%w"), moment), sa.Integer())
            return self._group(self._group(self._group(sunday.op("+")(_n(6))).op("%")(_n(7))).op("+")(_n(1)))
        start, length = _PARTS[function]
        return sa.cast(sa.func.substr(moment, _n(start), _n(length)), sa.Integer())

    def _count(self, unit: str, moment: Sql) -> Sql:
        """How many whole units have passed since the year 1."""
        if unit in _MONTHS:
            months = self._group(self._date_part("year", moment).op("*")(_n(12))).op("+")(
                self._date_part("month", moment)
            )
            return self._group(self._group(self._group(months).op("-")(_n(1))).op("/")(_n(_MONTHS[unit])))
        if self._sqlite:
            epoch = sa.cast(sa.func.strftime(literal("%s"), moment), sa.Integer())
        else:
            epoch = sa.cast(sa.func.date_part(literal("epoch"), moment), sa.BigInteger())
        return self._group(self._group(epoch.op("+")(_n(_SINCE_YEAR_1))).op("/")(_n(_SECONDS[unit])))

    def _added(self, unit: str, moment: Sql, count: Sql) -> Sql:
        step = _MONTHS.get(unit, 0)
        if not self._sqlite:
            words = {"second": "secs", "minute": "mins", "hour": "hours", "day": "days"}
            interval = f"make_interval({'months' if step else words[unit]} => "
            amount = self._group(count.op("*")(_n(step or 1)))
            return self._group(
                moment.op("+")(sa.literal_column(interval).op("")(amount).op("")(sa.literal_column(")")))
            )
        if not step:
            amount = self._group(count.op("*")(_n(_SECONDS[unit])))
            return sa.func.datetime(moment, amount.op("||")(literal(" seconds")))
        return self._months_later(moment, self._group(count.op("*")(_n(step))))

    def _months_later(self, moment: Sql, months: Sql) -> Sql:
        """SQLite runs over the end of a shorter month; here its last day is kept to."""
        shift = months.op("||")(literal(" months"))
        first = sa.func.datetime(moment, literal("start of month"), shift)
        last = sa.func.strftime(
            literal("%d"), moment, literal("start of month"), shift, literal("+1 month"), literal("-1 day")
        )
        day = sa.func.min(sa.func.substr(moment, _n(9), _n(2)), last)
        return self._group(sa.func.substr(first, _n(1), _n(8)).op("||")(day).op("||")(sa.func.substr(moment, _n(11))))


def _n(value: float) -> Sql:
    return sa.literal_column(str(value))
