"""The SQL of one register's records and totals, made once per configuration version and kept in `kernel.cache`.

PostgreSQL takes whole columns as arrays, `INSERT ... SELECT * FROM unnest($1::uuid[], ...)`: the text does not depend on the number of rows, so one
prepared statement serves every document, and a document of thousands of rows needs no more parameters than one of a single row. The arrays travel
as literals built here, which costs a fifth of what the driver's own dumping of lists does. Records and both totals go in one statement.
SQLite takes multi-row VALUES, one statement per table and per at most `SQLITE_ROWS` rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, partial
from typing import cast

from infobase.kernel import Kernel
from infobase.metadata.model import AccumulationRegister, InformationRegister
from infobase.metadata.types import EMPTY_DATE, Value, empty_value
from infobase.schema.codec import RowCodec
from infobase.schema.layout import RegisterLayout
from infobase.storage import Column, Statement, Table

SQLITE_ROWS = 250
"""Rows per statement: more gains nothing, and bounds the number of different texts."""
SQLITE_PARAMETERS = 30_000
"""SQLite allows 32,766 parameters."""

Rows = Sequence[Sequence[object]]


@dataclass(frozen=True, slots=True)
class Part:
    """A statement of a register's work and what it returns: "delete" and "records" nothing, "totals" rows of balance keys and new
    balances (or nothing), "balance" the same, "turnovers" rows of new turnovers."""

    kind: str
    statement: Statement


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
    def empties(self) -> dict[str, Value]:
        """A record of empty values, to be filled."""
        return {f.name: empty_value(f.field.type) for f in self.layout.fields}

    @cached_property
    def has_balance(self) -> bool:
        return self.layout.balance is not None

    @cached_property
    def key_positions(self) -> tuple[int, ...]:
        """Places of the dimensions' columns in an encoded record."""
        return tuple(self.codec.columns.index(c.name) for c in self.layout.dimension_columns)

    @cached_property
    def resource_positions(self) -> tuple[int, ...]:
        return tuple(self.codec.columns.index(r.column.name) for r in self.layout.resources)

    @cached_property
    def write_period(self) -> Callable[[dt.datetime | None], object]:
        """A date in storage form."""
        write = self.kernel.dialect.writer(Column("period", "timestamp")) or (lambda v: v)
        return lambda value: write(EMPTY_DATE if value is None else value)

    @cached_property
    def limits(self) -> tuple[object, ...]:
        """Per resource: the first total, in storage form, that no longer has its place in the table."""
        return tuple(_limit(self.kernel, c) for c in self.total_columns)

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

    def write_parts(self, records: Rows, balance: Rows, turnovers: Rows) -> Iterator[Part]:
        """Statements that insert encoded records and add sorted deltas to the totals; balance before turnovers, everywhere in the same order."""
        if self.kernel.dialect.name == "postgresql":
            if records or balance or turnovers:
                yield Part("totals", self._one_statement(records, balance, turnovers))
            return
        yield from (Part("records", s) for s in self._multi_row(self.layout.table, records, "records"))
        for kind, table, rows in (
            ("balance", self.layout.balance, balance),
            ("turnovers", self.layout.turnovers, turnovers),
        ):
            if table is not None:
                yield from (Part(kind, s) for s in self._multi_row(table, rows, kind))

    def insert(self, records: Rows, *, replace: bool) -> list[Statement]:
        """Encoded records into an independent information register; `replace`: over those with the same key."""
        kind = "replace" if replace else "records"
        if self.kernel.dialect.name == "postgresql":
            text = self._cached((kind, 0), partial(self._array_insert, self.layout.table, kind))
            return [Statement(text, self._arrays(self.layout.table, records))] if records else []
        return list(self._multi_row(self.layout.table, records, kind))

    # --- SQLite ---

    def _multi_row(self, table: Table, rows: Rows, kind: str) -> Iterator[Statement]:
        size = min(SQLITE_ROWS, SQLITE_PARAMETERS // len(table.columns))
        for start in range(0, len(rows), size):
            chunk = rows[start : start + size]
            text = self._cached((kind, len(chunk)), partial(self._values_text, table, len(chunk), kind))
            yield Statement(text, [value for row in chunk for value in row])

    def _values_text(self, table: Table, rows: int, kind: str) -> str:
        d = self.kernel.dialect
        columns = _names(table)
        head = f"INSERT INTO {d.quote(table.name)} AS t ({d.columns(columns)}) VALUES {d.values(len(columns), rows)}"
        return head + self._tail(table, kind)

    # --- PostgreSQL ---

    def _one_statement(self, records: Rows, balance: Rows, turnovers: Rows) -> Statement:
        # The order of the text, which is the order of its parameters.
        wanted = (("records", records), ("turnovers", turnovers), ("balance", balance))
        present = tuple((kind, rows) for kind, rows in wanted if rows)
        kinds = tuple(kind for kind, _ in present)
        text = self._cached(kinds, partial(self._one_text, kinds))
        return Statement(text, [a for kind, rows in present for a in self._arrays(self._table(kind), rows)])

    def _table(self, kind: str) -> Table:
        table = {"balance": self.layout.balance, "turnovers": self.layout.turnovers}.get(kind, self.layout.table)
        assert table is not None
        return table

    def _one_text(self, kinds: tuple[str, ...]) -> str:
        """The balance is the main statement, for its keys and values are wanted back. PostgreSQL runs the main one first and the rest of
        them in one fixed order, so that row locks are always taken in the same order."""
        texts = [self._array_insert(self._table(k), k) for k in kinds]
        before = ", ".join(f"new_{k} AS ({t})" for k, t in zip(kinds[:-1], texts[:-1], strict=True))
        return f"WITH {before} {texts[-1]}" if before else texts[-1]

    def _array_insert(self, table: Table, kind: str) -> str:
        d = self.kernel.dialect
        arrays = ", ".join(f"{d.placeholder}::{_ARRAY_TYPES[c.kind]}[]" for c in table.columns)
        head = f"INSERT INTO {d.quote(table.name)} AS t ({d.columns(_names(table))}) SELECT * FROM unnest({arrays})"
        return head + self._tail(table, kind)

    def _arrays(self, table: Table, rows: Rows) -> list[object]:
        columns = zip(*rows, strict=True)
        return [_LITERALS[c.kind](values) for c, values in zip(table.columns, columns, strict=True)]

    # --- both ---

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
            # PostgreSQL's numeric(18,s) refuses an overflow by itself; SQLite's integers must be looked at.
            return upsert if d.name == "postgresql" else f"{upsert} RETURNING {d.columns(rest)}"
        return f"{upsert} RETURNING " + ", ".join(
            f"t.{quote(n)}" if d.name == "postgresql" else quote(n) for n in (*key, *rest)
        )

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


def _names(table: Table) -> tuple[str, ...]:
    return tuple(c.name for c in table.columns)


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


def _plain(values: Sequence[object]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _hex(values: Sequence[object]) -> str:
    return "{" + ",".join([v.hex for v in values]) + "}"  # type: ignore[attr-defined]


def _quoted(values: Sequence[object]) -> str:
    return '{"' + '","'.join(map(str, values)) + '"}'


def _texts(values: Sequence[object]) -> str:
    escaped = [v.replace("\\", "\\\\").replace('"', '\\"') for v in values]  # type: ignore[attr-defined]
    return '{"' + '","'.join(escaped) + '"}'


def _binaries(values: Sequence[object]) -> str:
    return '{"' + '","'.join(["\\\\x" + v.hex() for v in values]) + '"}'  # type: ignore[attr-defined]


_LITERALS: Mapping[str, Callable[[Sequence[object]], str]] = {
    "uuid": _hex,
    "text": _texts,
    "decimal": _plain,
    "timestamp": _quoted,
    "bool": _plain,
    "binary": _binaries,
    "int": _plain,
}
