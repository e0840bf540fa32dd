"""The SQL of one register's records and totals, made once per configuration version and kept in `kernel.cache`.

PostgreSQL takes whole columns as arrays, `INSERT ... SELECT * FROM unnest($1::uuid[], ...)`: the text does not depend on the number of rows, so one
prepared statement serves every document, and a document of thousands of rows needs no more parameters than one of a single row. The arrays travel
as literals built here, which costs a fifth of what the driver's own dumping of lists does. Records and both totals go in one statement.
SQLite takes multi-row VALUES, one statement per table and per at most `SQLITE_ROWS` rows.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, partial
from itertools import chain
from typing import Any, cast

from infobase.kernel import Kernel
from infobase.metadata.model import AccumulationRegister, InformationRegister
from infobase.metadata.types import (
    EMPTY_DATE,
    BooleanType,
    CompositeType,
    NumberType,
    StringType,
    Value,
    empty_value,
)
from infobase.schema.codec import RowCodec, field_codec, value_codec
from infobase.schema.dialect import Dialect
from infobase.schema.layout import TOTAL_DIGITS, FieldLayout, RegisterLayout
from infobase.schema.search import search_key
from infobase.storage import Column, Statement, Table

SQLITE_ROWS = 250
"""Rows per statement: more gains nothing, and bounds the number of different texts."""
SQLITE_PARAMETERS = 30_000
"""SQLite allows 32,766 parameters."""

Rows = Sequence[Sequence[object]]
Columns = list[Sequence[Any]]
EncodeColumns = Callable[[Sequence[Value]], Columns]
_NONE_GIVEN: Mapping[str, Sequence[Value]] = {}


@dataclass(frozen=True, slots=True)
class Part:
    """A statement of a register's work. Those that add to the balance return its keys and new values, the others nothing."""

    statement: Statement
    returns_balance: bool = False


@dataclass(eq=False)
class RegisterSql:
    """A register's layout with everything the writing side derives from it. `register.fields` of a record are keyed by English names."""

    kernel: Kernel
    register: AccumulationRegister | InformationRegister
    layout: RegisterLayout
    codec: RowCodec
    _texts: dict[tuple[object, ...], str] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        return self.register.full_name

    @cached_property
    def has_balance(self) -> bool:
        return self.layout.balance is not None

    @cached_property
    def key_positions(self) -> tuple[int, ...]:
        """Places of the dimensions' columns among the columns of records."""
        return tuple(self.codec.columns.index(c.name) for c in self.layout.dimension_columns)

    @cached_property
    def resource_positions(self) -> tuple[int, ...]:
        return tuple(self.codec.columns.index(r.column.name) for r in self.layout.resources)

    @cached_property
    def _encoders(self) -> tuple[tuple[str, Value, EncodeColumns], ...]:
        """Per field: its name, its empty value, and what makes storage columns of values of many records."""
        dialect = self.kernel.dialect
        return tuple((f.name, empty_value(f.field.type), columns_encoder(f, dialect)) for f in self.layout.fields)

    def encode(
        self, records: Sequence[Mapping[str, Value]], given: Mapping[str, Sequence[Value]] = _NONE_GIVEN
    ) -> Columns:
        """Records -> their table's columns, ready for `write_parts`. Missing fields are empty; `given`: values of fields that are not
        in the records."""
        columns: Columns = []
        for name, empty, encode in self._encoders:
            columns += encode(given[name] if name in given else [r.get(name, empty) for r in records])
        return columns

    @cached_property
    def write_period(self) -> Callable[[dt.datetime | None], object]:
        """A date in storage form."""
        write = self.kernel.dialect.writer(Column("period", "timestamp")) or _iso
        return lambda value: write(EMPTY_DATE if value is None else value)

    @cached_property
    def limits(self) -> tuple[Any, ...]:
        """Per resource: the first total, in storage form, that no longer has its place in the table."""
        return tuple(_limit(self.kernel, c) for c in self.total_columns)

    @cached_property
    def safe_rows(self) -> int:
        """So many records cannot, together, make a change that has no room in its column."""
        digits = max((c.columns[0].digits for c in self.layout.resources), default=0)
        return int(10 ** (TOTAL_DIGITS - digits))

    @cached_property
    def total_columns(self) -> tuple[Column, ...]:
        """Per resource a column of the totals."""
        assert self.layout.turnovers is not None
        return self.resources_of(self.layout.balance or self.layout.turnovers)

    def resources_of(self, table: Table) -> tuple[Column, ...]:
        """The resources' columns of a totals table."""
        return tuple(c for c in table.columns if c.name not in table.primary_key)

    @cached_property
    def resource_readers(self) -> tuple[Callable[[object], Decimal], ...]:
        """Per resource: storage form of a total -> Decimal."""
        return tuple(_reader(self.kernel, c) for c in self.total_columns)

    @cached_property
    def delete_text(self) -> str:
        return f"DELETE FROM {self._quote(self.layout.table.name)} WHERE recorder = {self.kernel.dialect.placeholder}"

    @cached_property
    def select_text(self) -> str:
        d = self.kernel.dialect
        table = d.quote(self.layout.table.name)
        columns = d.columns(self.codec.select_columns)
        return f"SELECT {columns} FROM {table} WHERE recorder = {d.placeholder} ORDER BY line_number"

    def write_parts(self, records: Columns, balance: Rows, turnovers: Rows) -> Iterator[Part]:
        """Statements that insert encoded records and add sorted changes to the totals; the balance before turnovers, in every statement."""
        if self.kernel.dialect.name == "postgresql":
            tables = (("records", records), ("turnovers", _turned(turnovers)), ("balance", _turned(balance)))
            present = tuple((kind, columns) for kind, columns in tables if columns)
            if present:
                yield Part(self._one_statement(present), returns_balance=bool(balance))
            return
        for kind, rows in (("records", _turned(records)), ("balance", balance), ("turnovers", turnovers)):
            for statement in self._multi_row(kind, rows):
                yield Part(statement, returns_balance=kind == "balance")

    def insert(self, records: Columns, *, replace: bool) -> list[Statement]:
        """Encoded records into an independent information register; `replace`: over those with the same key."""
        kind = "replace" if replace else "records"
        if self.kernel.dialect.name == "postgresql":
            return [self._one_statement(((kind, records),))] if records else []
        return list(self._multi_row(kind, _turned(records)))

    # --- SQLite ---

    def _multi_row(self, kind: str, rows: Rows) -> Iterator[Statement]:
        if not rows:
            return
        table = self._table(kind)
        size = min(SQLITE_ROWS, SQLITE_PARAMETERS // len(table.columns))
        for start in range(0, len(rows), size):
            chunk = rows[start : start + size]
            text = self._cached((kind, len(chunk)), partial(self._values_text, table, len(chunk), kind))
            yield Statement(text, list(chain.from_iterable(chunk)))

    def _values_text(self, table: Table, rows: int, kind: str) -> str:
        d = self.kernel.dialect
        columns = [c.name for c in table.columns]
        head = f"INSERT INTO {d.quote(table.name)} AS t ({d.columns(columns)}) VALUES {d.values(len(columns), rows)}"
        return head + self._tail(table, kind)

    # --- PostgreSQL ---

    def _one_statement(self, present: Sequence[tuple[str, Columns]]) -> Statement:
        kinds = tuple(kind for kind, _ in present)
        text = self._cached(kinds, partial(self._one_text, kinds))
        params: list[object] = []
        for kind, columns in present:
            table = self._table(kind)
            params += [_LITERALS[c.kind](values) for c, values in zip(table.columns, columns, strict=True)]
        return Statement(text, params)

    def _one_text(self, kinds: tuple[str, ...]) -> str:
        """The balance is the main statement, for its keys and values are wanted back. PostgreSQL runs the main one first and the rest of
        them in one fixed order, so that row locks are always taken in the same order."""
        texts = [self._array_insert(self._table(k), k) for k in kinds]
        before = ", ".join(f"new_{k} AS ({t})" for k, t in zip(kinds[:-1], texts[:-1], strict=True))
        return f"WITH {before} {texts[-1]}" if before else texts[-1]

    def _array_insert(self, table: Table, kind: str) -> str:
        d = self.kernel.dialect
        arrays = ", ".join(f"{d.placeholder}::{_ARRAY_TYPES[c.kind]}[]" for c in table.columns)
        columns = d.columns([c.name for c in table.columns])
        head = f"INSERT INTO {d.quote(table.name)} AS t ({columns}) SELECT * FROM unnest({arrays})"
        return head + self._tail(table, kind)

    # --- both ---

    def _table(self, kind: str) -> Table:
        table = {"balance": self.layout.balance, "turnovers": self.layout.turnovers}.get(kind, self.layout.table)
        assert table is not None
        return table

    def _tail(self, table: Table, kind: str) -> str:
        d = self.kernel.dialect
        quote, key = d.quote, table.primary_key
        rest = [c.name for c in table.columns if c.name not in key]
        if kind == "records":
            return ""
        conflict = f" ON CONFLICT ({d.columns(key)}) DO "
        if kind == "replace":
            changes = ", ".join(f"{quote(n)} = excluded.{quote(n)}" for n in rest)
            return conflict + (f"UPDATE SET {changes}" if changes else "NOTHING")
        changes = ", ".join(f"{quote(n)} = t.{quote(n)} + excluded.{quote(n)}" for n in rest)
        upsert = f"{conflict}UPDATE SET {changes}"
        if kind == "turnovers":
            return upsert
        # In SQLite RETURNING knows the table's name only, in PostgreSQL a bare name could be the excluded row's.
        mark = "t." if d.name == "postgresql" else ""
        return f"{upsert} RETURNING " + ", ".join(mark + quote(n) for n in (*key, *rest))

    def _cached(self, key: tuple[object, ...], make: Callable[[], str]) -> str:
        found = self._texts.get(key)
        if found is None:
            found = self._texts[key] = make()
        return found

    def _quote(self, name: str) -> str:
        return self.kernel.dialect.quote(name)


def register_sql(kernel: Kernel, full_name: str) -> RegisterSql:
    """The register's SQL, compiled on first use."""
    key = ("register_sql", full_name)
    found = kernel.cache.get(key)
    if found is None:
        layout = kernel.layout.registers[full_name]
        register = kernel.configuration.objects[full_name]
        assert isinstance(register, AccumulationRegister | InformationRegister)
        found = kernel.cache[key] = RegisterSql(kernel, register, layout, kernel.codec(layout))
    return cast(RegisterSql, found)


def _turned(rows_or_columns: Rows) -> Columns:
    """Rows as columns, or columns as rows."""
    return list(zip(*rows_or_columns, strict=True))


def columns_encoder(layout: FieldLayout, dialect: Dialect) -> EncodeColumns:
    """Values of one field -> its columns (its search companion too). UUIDs and dates for PostgreSQL become text at once: that is what goes
    into array literals, and as keys of totals they hash and compare many times faster, in the same order."""
    shown = [_shown_as_text(c, dialect) for c in layout.columns]
    if len(layout.columns) > 1:
        encode = _repeating(_composite_columns(layout, dialect, shown))
    else:
        encode = _simple_columns(layout, dialect, shown[0])
    if layout.search is None:
        return encode
    return lambda values: [*encode(values), [search_key(cast(str, v)) for v in values]]


def _shown_as_text(column: Column, dialect: Dialect) -> Callable[[Any], str] | None:
    return _AS_TEXT.get(column.kind) if dialect.writer(column) is None else None


def _hex(value: uuid.UUID) -> str:
    return value.hex


def _iso(value: dt.datetime) -> str:
    return value.isoformat(" ")


_AS_TEXT: Mapping[str, Callable[[Any], str]] = {"uuid": _hex, "timestamp": _iso}


def _composite_columns(
    layout: FieldLayout, dialect: Dialect, shown: Sequence[Callable[[Any], str] | None]
) -> EncodeColumns:
    write = field_codec(layout, dialect).write

    def encode(values: Sequence[Value]) -> Columns:
        columns = _turned([write(v) for v in values])
        return [[show(v) for v in c] if show else c for c, show in zip(columns, shown, strict=True)]

    return encode


def _simple_columns(layout: FieldLayout, dialect: Dialect, show: Callable[[Any], str] | None) -> EncodeColumns:
    column, value_type = layout.columns[0], layout.field.type
    assert not isinstance(value_type, CompositeType)
    as_it_is = dialect.writer(column) is None and isinstance(value_type, StringType | NumberType | BooleanType)
    if as_it_is or column.kind == "int":
        return lambda values: [values]
    write = value_codec(column, value_type, dialect.name)[0]
    if show:
        return _repeating(lambda values: [[show(write(v)) for v in values]])
    return _repeating(lambda values: [[write(v) for v in values]])


def _repeating(encode: EncodeColumns) -> EncodeColumns:
    """Most columns of a document's records hold one value (its date, its warehouse): then that is encoded once."""

    def encode_all(values: Sequence[Value]) -> Columns:
        first = values[0]
        for v in values:
            if v is not first:
                return encode(values)
        return [list(column) * len(values) for column in encode(values[:1])]

    return encode_all


def _limit(kernel: Kernel, column: Column) -> object:
    limit = Decimal(10) ** (column.digits - column.scale)
    write = kernel.dialect.writer(column)
    return write(limit) if write else limit


def _reader(kernel: Kernel, column: Column) -> Callable[[object], Decimal]:
    read = kernel.dialect.reader(column)
    return cast(Callable[[object], Decimal], read or (lambda v: v))


# --- array literals of PostgreSQL ---

_ARRAY_TYPES: Mapping[str, str] = {
    "uuid": "uuid",
    "text": "text",
    "decimal": "numeric",
    "timestamp": "timestamp",
    "bool": "boolean",
    "binary": "bytea",
    "int": "bigint",
}


def _plain(values: Sequence[Any]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _joined(values: Sequence[Any]) -> str:
    return "{" + ",".join(values) + "}"


def _texts(values: Sequence[Any]) -> str:
    everything = "".join(values)
    if '"' in everything or "\\" in everything:
        values = [v.replace("\\", "\\\\").replace('"', '\\"') for v in values]
    return '{"' + '","'.join(values) + '"}'


def _binaries(values: Sequence[Any]) -> str:
    return '{"' + '","'.join(["\\\\x" + v.hex() for v in values]) + '"}'


_LITERALS: Mapping[str, Callable[[Sequence[Any]], str]] = {
    "uuid": _joined,
    "text": _texts,
    "decimal": _plain,
    "timestamp": _joined,
    "bool": _plain,
    "binary": _binaries,
    "int": _plain,
}
