"""Rows in storage form -> values: one reader per output, made once per shape."""

from __future__ import annotations

import datetime as dt
import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from itertools import repeat
from typing import Any

from infobase.i18n import language, text
from infobase.kernel import Kernel
from infobase.metadata.model import Document, Enumeration
from infobase.metadata.types import CompositeType, DateType, EnumType, EnumValue, Ref, Value, ValueType
from infobase.query_fields import FieldPath
from infobase.query_shape import Operand
from infobase.schema.codec import field_codec, value_codec
from infobase.storage import Column, Row

_SAMPLE = 256
AVERAGE_DIGITS = 6
"""Digits an average has beyond those of its field."""


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """One value of each row and its type."""

    name: str
    type: ValueType


@dataclass(frozen=True, slots=True)
class Output:
    """Where one value stands in a row. `read` takes the value of a single column, or the tuple of several; None: as it is."""

    name: str
    positions: tuple[int, ...]
    read: Callable[[Any], Value] | None

    def of(self, row: Row) -> Value:
        if len(self.positions) == 1:
            value = row[self.positions[0]]
            return value if self.read is None else self.read(value)  # type: ignore[return-value]
        assert self.read is not None
        return self.read(tuple([row[p] for p in self.positions]))


def reader(kernel: Kernel, operand: Operand) -> Callable[[Any], Value] | None:
    """The reader of an operand's columns in the order they are selected."""
    if operand.function == "Avg":
        return _average(kernel, operand.layout.columns[0])
    if operand.path is not None and operand.path.assembled and not operand.function:
        return _presentation(kernel, operand.path)
    layout = operand.layout
    if isinstance(layout.field.type, CompositeType):
        return field_codec(layout, kernel.dialect).read
    column = layout.columns[0]
    if column.kind == "int":
        return int  # type: ignore[return-value]
    if column.kind == "text" and not isinstance(layout.field.type, EnumType):
        return None
    return value_codec(column, layout.field.type, kernel.dialect.name)[1]  # type: ignore[return-value]


def _average(kernel: Kernel, column: Column) -> Callable[[Any], Value]:
    """(sum, count) -> the exact quotient, half up; 0 of no rows."""
    read = kernel.dialect.reader(column)
    unit = Decimal(1).scaleb(-(column.scale + AVERAGE_DIGITS))

    def average(pair: tuple[Any, Any]) -> Value:
        total, count = pair
        if not count:
            return Decimal(0).quantize(unit)
        with localcontext() as exact:
            exact.prec = 60
            summed = Decimal(total if read is None else read(total))  # type: ignore[arg-type]
            # Two roundings could meet at a half: the remainder decides instead.
            return _divided(summed, Decimal(count), unit)

    return average


def _divided(dividend: Decimal, divisor: Decimal, unit: Decimal) -> Decimal:
    whole, rest = divmod(abs(dividend) / unit, divisor)
    if rest * 2 >= divisor:
        whole += 1
    return (whole.copy_sign(dividend) * unit).quantize(unit, ROUND_HALF_UP)


def _presentation(kernel: Kernel, path: FieldPath) -> Callable[[Any], Value]:
    """(the reference's columns ..., text, date) -> how people see the reference; text and date only where the path has them."""
    assert path.parent is not None
    codec = field_codec(path.parent.layout, kernel.dialect)
    width, dated = len(path.parent.layout.columns), path.dated
    read_date = value_codec(Column("f", "timestamp"), DateType(), kernel.dialect.name)[1]
    objects = kernel.configuration.objects

    def present(row: Any) -> Value:
        # One column comes bare: an enumeration without companions.
        parts = row if isinstance(row, tuple) else (row,)
        value = codec.read(parts[:width])
        if isinstance(value, EnumValue):
            enumeration = objects[value.type]
            naming = enumeration.value(value.name) if isinstance(enumeration, Enumeration) else None
            return naming.label(language()) if naming else value.name
        if not isinstance(value, Ref):
            return scalar_presentation(value)
        o = objects[value.type]
        if not isinstance(o, Document):
            return str(parts[width])
        date = read_date(parts[-1]) if dated else None
        moment = f"{date:%d.%m.%Y %H:%M:%S}" if isinstance(date, dt.datetime) else ""
        return f"{o.naming.label(language())} {parts[width]} {text(ru='от', en='of')} {moment}".strip()

    return present


def scalar_presentation(value: Value) -> str:
    """A plain value as people write it."""
    if isinstance(value, dt.datetime):
        return f"{value:%d.%m.%Y %H:%M:%S}"
    if isinstance(value, bool):
        return text(ru="Да", en="Yes") if value else text(ru="Нет", en="No")
    return "" if value is None else str(value)


def decode_columns(outputs: Sequence[Output], rows: Sequence[Row]) -> list[dict[str, Value]]:
    """All rows at once: column by column, and values that come again and again - references, dates - read once."""
    if not rows:
        return []
    with _collector_resting():
        columns = list(zip(*rows, strict=True))
        decoded = [_decode_column(o, columns) for o in outputs]
        names = [o.name for o in outputs]
        return list(map(dict, map(zip, repeat(names), zip(*decoded, strict=True))))


@contextmanager
def _collector_resting() -> Iterator[None]:
    """Ten thousand rows are ten thousand dicts, and all of them stay: walking the heap in between takes longer than making them."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _decode_column(output: Output, columns: list[tuple[Any, ...]]) -> Sequence[Any]:
    if len(output.positions) == 1:
        values: Sequence[Any] = columns[output.positions[0]]
        if output.read is None:
            return values
    else:
        values = list(zip(*(columns[p] for p in output.positions), strict=True))
    assert output.read is not None
    if not _repeats(values):
        return list(map(output.read, values))
    read = {v: output.read(v) for v in set(values)}
    return [read[v] for v in values]


def _repeats(values: Sequence[Any]) -> bool:
    """Whether values are worth remembering: most of the first ones have been there before."""
    first = values[:_SAMPLE]
    return len(set(first)) * 2 <= len(first)
