"""Computed comparisons -> shapes: every function's arguments are checked here, so that SQL is only written for what fits.

    ("calc", expression, op, expression)
    ("field", operand key, kind, scale)  ("const", kind, scale, position)  ("call", function, arguments, kind, scale)

Kinds: number, text, date, bool, and uuid and enum, which are only equal or not. `scale`: decimals of an exact number, FLOAT for one that
a division made.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from infobase.metadata.types import (
    EMPTY_DATE,
    BooleanType,
    DateType,
    EnumType,
    NumberType,
    RefType,
    StringType,
    UUIDType,
)
from infobase.query_model import FUNCTIONS, Call, Computed, Expression, FieldValue
from infobase.query_names import invalid, shown, unknown

if TYPE_CHECKING:
    from infobase.query_shape import Operand

Shape = tuple[Any, ...]
FLOAT = -1
MAX_DEPTH = 12
"""Nesting of calls, heavy ones counted as several: as much as SQLite's parser is sure to take."""
_HEAVY = {"upper": 4, "lower": 4, "round": 2, "divide": 2, "day_of_week": 2, "quarter": 2}
MAX_SCALE = 12
"""Decimals of an exact product; beyond that it is computed in floating point."""
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")

_NUMBERS = ("add", "subtract", "multiply", "divide")
_SIGNATURES: dict[str, tuple[tuple[str, ...], str]] = {
    **dict.fromkeys(_NUMBERS, (("number", "number"), "number")),
    "negate": (("number",), "number"),
    "round": (("number",), "number"),
    "concat": (("text", "text"), "text"),
    "substring": (("text", "number", "number"), "text"),
    "length": (("text",), "number"),
    "index_of": (("text", "text"), "number"),
    **dict.fromkeys(("upper", "lower", "trim"), (("text",), "text")),
}
_OPTIONAL = {"substring": 1}
"""Arguments at the end that may be left out."""


def _signature(function: str) -> tuple[tuple[str, ...], str]:
    found = _SIGNATURES.get(function)
    if found is not None:
        return found
    if function.startswith("add_"):
        return ("date", "number"), "date"
    if function.startswith("difference_"):
        return ("date", "date"), "number"
    return ("date",), "number"


class ComputedShaper:
    """`field`: the operand of a path; constants are appended to `values`."""

    def __init__(self, field: Callable[[str], Operand], values: list[object]) -> None:
        self._field, self._values = field, values

    def shape(self, c: Computed) -> Shape:
        """QueryInvalid when the sides do not go together."""
        if c.op not in COMPARISONS:
            raise unknown("операции сравнения", "operator", str(c.op), COMPARISONS)
        left, right = self._expression(c.left, 1), self._expression(c.right, 1)
        if kind_of(left) != kind_of(right):
            raise invalid(
                f"нельзя сравнить {kind_of(left)} и {kind_of(right)}",
                f"{kind_of(left)} and {kind_of(right)} do not compare",
            )
        if c.op not in ("=", "!=") and kind_of(left) in ("bool", "uuid", "enum"):
            raise invalid(f"сравнение {c.op} не для {kind_of(left)}", f"{c.op} is not for {kind_of(left)}")
        return ("calc", left, c.op, right)

    def value(self, e: Expression) -> Shape:
        """A value by itself, to order rows by. QueryInvalid when it is not exact: such values have no place to go on behind."""
        made = self._expression(e, 1)
        if kind_of(made) not in ("number", "text", "date") or scale_of(made) == FLOAT:
            raise invalid("по такому значению не упорядочить", "such a value cannot be ordered by")
        return made

    def _expression(self, e: Expression, depth: int) -> Shape:
        if depth > MAX_DEPTH:
            raise invalid(f"вложенность выражения больше {MAX_DEPTH}", f"nested deeper than {MAX_DEPTH}")
        match e:
            case FieldValue(path):
                return self._of_field(path)
            case Call(function, arguments):
                return self._call(function, arguments, depth)
            case _:
                return self._constant(e)

    def _of_field(self, path: str) -> Shape:
        operand = self._field(path)
        value_type, column = operand.layout.field.type, operand.layout.columns[0]
        if column.kind == "int":
            return ("field", operand.key, "number", 0)
        match value_type:
            case StringType():
                return ("field", operand.key, "text", 0)
            case NumberType(_, scale):
                return ("field", operand.key, "number", scale)
            case DateType():
                return ("field", operand.key, "date", 0)
            case BooleanType():
                return ("field", operand.key, "bool", 0)
            case RefType() | UUIDType():
                return ("field", operand.key, "uuid", 0)
            case EnumType():
                return ("field", operand.key, "enum", 0)
            case _:
                raise invalid(f"{shown(path)}: с полем этого типа не вычисляют", f"{shown(path)}: not for computing")

    def _constant(self, value: object) -> Shape:
        kind, scale, made = _constant(value)
        self._values.append(made)
        return ("const", kind, scale, len(self._values) - 1)

    def _call(self, function: str, arguments: Sequence[Expression], depth: int) -> Shape:
        if function not in FUNCTIONS:
            raise unknown("функции", "function", str(function), FUNCTIONS)
        kinds, result = _signature(function)
        least = len(kinds) - _OPTIONAL.get(function, 0)
        if not least <= len(arguments) <= len(kinds):
            raise invalid(f"{function}: неверное число аргументов", f"{function}: wrong number of arguments")
        deeper = depth + _weight(function)
        made = tuple(self._expression(a, deeper) for a in arguments)
        for given, wanted in zip(made, kinds, strict=False):
            if kind_of(given) != wanted:
                raise invalid(
                    f"{function}: нужен аргумент {wanted}, а не {kind_of(given)}",
                    f"{function}: takes {wanted}, not {kind_of(given)}",
                )
        return ("call", function, made, result, _scale(function, made))


def _weight(function: str) -> int:
    """Levels a call counts for. Months repeat their argument in SQL, so few of them go inside each other."""
    unit = function.partition("_")[2]
    if function.startswith(("add_", "difference_")) and unit in ("month", "quarter", "year"):
        return 4
    return _HEAVY.get(function, 1)


def _constant(value: object) -> tuple[str, int, object]:
    match value:
        case bool():
            return "bool", 0, value
        case int() | Decimal():
            number = Decimal(value)
            exponent = number.as_tuple().exponent
            if not isinstance(exponent, int) or number.adjusted() > 17 or exponent < -17:
                raise invalid(f"число {shown(str(value))} не вычислить", f"cannot compute with {shown(str(value))}")
            return "number", max(0, -exponent), number
        case str():
            if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
                raise invalid("недопустимые символы в строке", "characters that no text has")
            return "text", 0, value
        case dt.datetime() if value.tzinfo is None:
            return "date", 0, value.replace(microsecond=0)
        case None:
            return "date", 0, EMPTY_DATE
        case _:
            raise invalid(f"со значением «{shown(value)}» не вычисляют", f"cannot compute with {shown(value)!r}")


def _scale(function: str, arguments: Sequence[Shape]) -> int:
    scales = [scale_of(a) for a in arguments if kind_of(a) == "number"]
    if function == "divide" or (FLOAT in scales and function in (*_NUMBERS, "negate")):
        return FLOAT
    if function in ("add", "subtract"):
        return max(scales)
    if function == "multiply":
        return sum(scales) if sum(scales) <= MAX_SCALE else FLOAT
    return scales[0] if function == "negate" else 0


def kind_of(shape: Shape) -> str:
    """What an expression's value is."""
    return str(shape[1] if shape[0] == "const" else shape[2] if shape[0] == "field" else shape[3])


def scale_of(shape: Shape) -> int:
    """Decimals of a number."""
    found: int = shape[2] if shape[0] == "const" else shape[3] if shape[0] == "field" else shape[4]
    return found


def keys_of(shape: Shape) -> Iterator[tuple[str, ...]]:
    """The fields an expression reads."""
    if shape[0] == "field":
        yield shape[1]
    elif shape[0] == "call":
        for argument in shape[2]:
            yield from keys_of(argument)
