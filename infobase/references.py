"""Reference integrity: do the referred objects exist, and who refers to an object.

Existence is checked in the writing transaction, with the rows held against deletion, so a reference that was written stays whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from infobase.errors import ReferenceBroken
from infobase.kernel import Kernel
from infobase.metadata.types import Ref, RefType, Value, simple_types
from infobase.object_store import store_of
from infobase.schema.layout import FieldLayout
from infobase.storage import Row, Statement, Table, Transaction


def refs_in(values: Mapping[str, Value]) -> Iterator[tuple[str, Ref]]:
    """Every reference a record holds, with the field that holds it (its own Ref excepted)."""
    for name, value in values.items():
        if isinstance(value, Ref) and name != "Ref":
            yield name, value


class ExistenceCheck:
    """One statement that counts the referred objects, and the verdict over its answer."""

    def __init__(self, kernel: Kernel, references: Iterable[tuple[str, Ref]], own: Ref | None = None) -> None:
        self.kernel = kernel
        self.fields: dict[Ref, str] = {}
        for field, ref in references:
            if ref != own:
                self.fields.setdefault(ref, field)
        self._by_type: dict[str, list[Ref]] = {}
        for ref in self.fields:
            self._by_type.setdefault(ref.type, []).append(ref)

    def statements(self) -> list[Statement]:
        """None, or one that returns a row of counts."""
        if not self._by_type:
            return []
        mark, lock = self.kernel.dialect.placeholder, self.kernel.dialect.share_lock
        counts, params = [], []
        for full_name, refs in sorted(self._by_type.items()):
            store = store_of(self.kernel, full_name)
            marks = ", ".join([mark] * len(refs))
            inner = f'SELECT 1 FROM {store.table} WHERE "ref" IN ({marks}){lock}'
            counts.append(f"(SELECT count(*) FROM ({inner}) AS found)")
            params += [store.ref(r) for r in sorted(refs, key=lambda r: r.uuid)]
        return [Statement("SELECT " + ", ".join(counts), params)]

    def verify(self, tx: Transaction, results: Sequence[list[Row]]) -> None:
        """ReferenceBroken naming the first field whose object is missing."""
        if not self._by_type:
            return
        for (full_name, refs), count in zip(sorted(self._by_type.items()), results[0][0], strict=True):
            if count != len(refs):
                self._blame(tx, full_name, refs)

    def _blame(self, tx: Transaction, full_name: str, refs: list[Ref]) -> None:
        store = store_of(self.kernel, full_name)
        marks = ", ".join([self.kernel.dialect.placeholder] * len(refs))
        sql = f'SELECT "ref" FROM {store.table} WHERE "ref" IN ({marks})'
        there = {row[0] for row in tx.run([Statement(sql, [store.ref(r) for r in refs])])[0]}
        missing = next(r for r in refs if store.ref(r) not in there)
        raise ReferenceBroken(field=self.fields[missing], value=missing)


@dataclass(frozen=True)
class ReferencingColumn:
    """A column that may hold references to `target`. `owner`: the object or register whose data it is;
    `key`: the columns that name the referring row's object: ("ref",), (recorder type, recorder) or () for constants and independent registers."""

    owner: str
    field: str
    table: Table
    column: str
    type_column: str
    key: tuple[str, ...]


def referencing_columns(kernel: Kernel, target: str) -> tuple[ReferencingColumn, ...]:
    """All places where an object of type `target` may be referred to."""
    cache_key = ("referencing", target)
    found = kernel.cache.get(cache_key)
    if found is None:
        found = kernel.cache[cache_key] = tuple(_scan(kernel, target))
    return cast(tuple[ReferencingColumn, ...], found)


def _scan(kernel: Kernel, target: str) -> Iterator[ReferencingColumn]:
    layout = kernel.layout
    for name, o in layout.objects.items():
        yield from _of_table(name, o.table, o.fields, target, ("ref",))
        for section in o.sections.values():
            yield from _of_table(name, section.table, section.fields, target, ("ref",))
    for name, register in layout.registers.items():
        subordinate = any(f.name == "Recorder" for f in register.fields)
        key = ("recorder__type", "recorder") if subordinate else ()
        yield from _of_table(name, register.table, register.fields, target, key)
    yield from _of_table("Constants", layout.constants_table, layout.constants, target, ())


def _of_table(
    owner: str, table: Table, fields: Sequence[FieldLayout], target: str, key: tuple[str, ...]
) -> Iterator[ReferencingColumn]:
    for f in fields:
        if f.name in ("Ref", "Recorder"):
            continue
        if any(isinstance(t, RefType) and t.target == target for t in simple_types(f.field.type)):
            type_column = f.columns[0].name if len(f.columns) > 1 else ""
            yield ReferencingColumn(owner, f.name, table, f.column.name, type_column, key)


@dataclass(frozen=True)
class Usage:
    """One place that refers to `target`: `by` is the referring object, or None for constants and independent registers."""

    target: Ref
    owner: str
    field: str
    by: Ref | None


def usages(kernel: Kernel, tx: Transaction, refs: Sequence[Ref], limit: int = 1000) -> Iterator[Usage]:
    """Who refers to any of `refs` (all of one type), at most `limit` rows per place."""
    if not refs:
        return
    target = refs[0].type
    places = referencing_columns(kernel, target)
    store = store_of(kernel, target)
    by_stored = {store.ref(r): r for r in refs}
    for start in range(0, len(refs), 500):
        part = list(by_stored)[start : start + 500]
        statements = [_usage_statement(kernel, p, target, part, limit) for p in places]
        for place, rows in zip(places, tx.run(statements) if statements else [], strict=True):
            for row in rows:
                yield Usage(by_stored[row[0]], place.owner, place.field, _referrer(kernel, place, row))


def _usage_statement(
    kernel: Kernel, place: ReferencingColumn, target: str, stored: Sequence[object], limit: int
) -> Statement:
    dialect = kernel.dialect
    columns = dialect.columns([place.column, *place.key])
    marks = ", ".join([dialect.placeholder] * len(stored))
    sql = f"SELECT {columns} FROM {dialect.quote(place.table.name)} WHERE {dialect.quote(place.column)} IN ({marks})"
    params = list(stored)
    if place.type_column:
        sql += f" AND {dialect.quote(place.type_column)} = {dialect.placeholder}"
        params.append(target)
    return Statement(f"{sql} LIMIT {int(limit)}", params)


def _referrer(kernel: Kernel, place: ReferencingColumn, row: Row) -> Ref | None:
    if not place.key:
        return None
    reader = kernel.dialect.reader(place.table.column(place.key[-1]))
    raw = reader(row[-1]) if reader else row[-1]
    full_name = place.owner if len(place.key) == 1 else str(row[1])
    return Ref(full_name, raw)  # type: ignore[arg-type]
