"""Values <-> storage: per field and dialect, a pair of closures; per table, whole rows.

`FieldCodec.write(value)` gives a tuple as long as the field's columns; `read(values)` takes such a tuple back.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import cast

from infobase.metadata.types import (
    EMPTY_DATE,
    EMPTY_UUID,
    CompositeType,
    DateType,
    EnumType,
    EnumValue,
    NumberType,
    Ref,
    RefType,
    Value,
    ValueType,
    simple_types,
)
from infobase.schema.dialect import DIALECTS, Convert, Dialect
from infobase.schema.layout import FieldLayout
from infobase.schema.search import search_key
from infobase.storage import Column


@dataclass(frozen=True, slots=True)
class FieldCodec:
    write: Callable[[Value], tuple[object, ...]]
    read: Callable[[Sequence[object]], Value]


def empty_of(column: Column) -> object:
    """The canonical empty value of a column."""
    return {
        "uuid": EMPTY_UUID,
        "text": "",
        "decimal": Decimal(0),
        "timestamp": EMPTY_DATE,
        "bool": False,
        "binary": b"",
        "int": 0,
    }[column.kind]


def _chain(first: Convert | None, second: Convert | None) -> Convert:
    if first is None:
        return second or (lambda v: v)
    if second is None:
        return first
    return lambda v: second(first(v))


def _canonical_writer(value_type: ValueType) -> Convert | None:
    """Python value -> canonical value of its column."""
    match value_type:
        case RefType():
            return lambda v: EMPTY_UUID if v is None else v.uuid  # type: ignore[attr-defined]
        case EnumType():
            return lambda v: "" if v is None else v.name  # type: ignore[attr-defined]
        case DateType():
            return lambda v: EMPTY_DATE if v is None else v
        case _:
            return None if value_type.__class__.__name__ != "UUIDType" else (lambda v: EMPTY_UUID if v is None else v)


def _canonical_reader(value_type: ValueType) -> Convert | None:
    match value_type:
        case EnumType(target):
            return lambda v: None if v == "" else EnumValue(target, v)  # type: ignore[arg-type]
        case DateType():
            return lambda v: None if v == EMPTY_DATE else v
        case NumberType(_, scale):
            unit = Decimal(1).scaleb(-scale)
            return lambda v: v if v.same_quantum(unit) else v.quantize(unit)  # type: ignore[attr-defined]
        case _:
            return None if value_type.__class__.__name__ != "UUIDType" else (lambda v: None if v == EMPTY_UUID else v)


def _ref_reader(target: str, convert: Convert | None) -> Convert:
    """In one step, for there are more references than anything else."""
    if convert is None:
        return lambda v: Ref(target, v) if v.int else None  # type: ignore[attr-defined,arg-type]

    def read(stored: object) -> object:
        value = convert(stored)
        return Ref(target, value) if value.int else None  # type: ignore[attr-defined,arg-type]

    return read


@cache
def value_codec(column: Column, value_type: ValueType, dialect_name: str) -> tuple[Convert, Convert]:
    """(write, read) for one column holding values of one simple type; also right for totals of a Number field."""
    dialect = DIALECTS[dialect_name]
    if isinstance(value_type, RefType):
        read = _ref_reader(value_type.target, dialect.reader(column))
        return _chain(_canonical_writer(value_type), dialect.writer(column)), read
    write = _chain(_canonical_writer(value_type), dialect.writer(column))
    convert = dialect.reader(column)
    if convert is not None and isinstance(value_type, NumberType) and column.scale == value_type.scale:
        return write, convert  # a scaled integer has the field's scale already
    return write, _chain(convert, _canonical_reader(value_type))


def field_codec(layout: FieldLayout, dialect: Dialect) -> FieldCodec:
    if isinstance(layout.field.type, CompositeType):
        return _composite_codec(layout, layout.field.type, dialect)
    if layout.columns[0].kind == "int":
        return FieldCodec(lambda v: (int(v or 0),), lambda row: cast(Value, row[0]))  # type: ignore[arg-type]
    write, read = value_codec(layout.columns[0], layout.field.type, dialect.name)
    return FieldCodec(lambda v: (write(v),), lambda row: cast(Value, read(row[0])))


TYPE_NAMES: tuple[tuple[type, str, str], ...] = (
    (str, "String", "__string"),
    (bool, "Boolean", "__boolean"),
    (Decimal, "Number", "__number"),
    (dt.datetime, "Date", "__date"),
    (uuid.UUID, "UUID", "__uuid"),
)
"""Python class, the word in the `__type` column, the suffix of the family's column."""


def type_name(value: Value) -> str:
    """What the `__type` column of a composite says of a value: "" | "Catalog.X" | "Enumeration.X" | "String" ..."""
    if value is None:
        return ""
    if isinstance(value, Ref | EnumValue):
        return value.type
    return next(name for cls, name, _ in TYPE_NAMES if isinstance(value, cls))


def _composite_codec(layout: FieldLayout, value_type: CompositeType, dialect: Dialect) -> FieldCodec:
    columns = layout.columns[1:]
    base = layout.columns[0].name.removesuffix("__type")
    position = {c.name.removeprefix(base): i for i, c in enumerate(columns)}
    writers = [_chain(None, dialect.writer(c)) for c in columns]
    readers = [_chain(None, dialect.reader(c)) for c in columns]
    blank = [w(empty_of(c)) for w, c in zip(writers, columns, strict=True)]
    enumerations = {t.target for t in simple_types(value_type) if isinstance(t, EnumType)}
    suffixes = {name: suffix for _, name, suffix in TYPE_NAMES}

    def write(value: Value) -> tuple[object, ...]:
        name = type_name(value)
        if not name:
            return ("", *blank)
        row = list(blank)
        if isinstance(value, Ref):
            at, plain = position[""], value.uuid
        elif isinstance(value, EnumValue):
            at, plain = position["__string"], value.name  # type: ignore[assignment]
        else:
            at, plain = position[suffixes[name]], value  # type: ignore[assignment]
        row[at] = writers[at](plain)
        return (name, *row)

    def read(row: Sequence[object]) -> Value:
        name = row[0]
        if not name:
            return None
        assert isinstance(name, str)
        if name in suffixes:
            at = position[suffixes[name]]
            return readers[at](row[at + 1])  # type: ignore[return-value]
        if name in enumerations:
            return EnumValue(name, str(row[position["__string"] + 1]))
        return Ref(name, readers[position[""]](row[position[""] + 1]))  # type: ignore[arg-type]

    return FieldCodec(write, read)


class RowCodec:
    """Whole rows of a list of fields: `encode(values)` gives every column in table order (search companions included),
    `decode(row)` takes the columns of `select_columns` in order."""

    def __init__(self, fields: Sequence[FieldLayout], dialect: Dialect) -> None:
        self.fields = tuple(fields)
        self.codecs = tuple(field_codec(f, dialect) for f in self.fields)
        self._names = tuple(f.name for f in self.fields)
        self._search = tuple(f.search is not None for f in self.fields)
        self.columns = tuple(c.name for f in self.fields for c in (*f.columns, *((f.search,) if f.search else ())))
        self.select_columns = tuple(c.name for f in self.fields for c in f.columns)
        widths = [len(f.columns) for f in self.fields]
        self._starts = tuple(sum(widths[:i]) for i in range(len(widths)))
        self._ends = tuple(s + w for s, w in zip(self._starts, widths, strict=True))

    def encode(self, values: Mapping[str, Value]) -> list[object]:
        out: list[object] = []
        for name, codec, search in zip(self._names, self.codecs, self._search, strict=True):
            value = values[name]
            out.extend(codec.write(value))
            if search:
                out.append(search_key(value))  # type: ignore[arg-type]
        return out

    def decode(self, row: Sequence[object]) -> dict[str, Value]:
        return {
            name: codec.read(row[start:end])
            for name, codec, start, end in zip(self._names, self.codecs, self._starts, self._ends, strict=True)
        }
