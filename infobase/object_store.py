"""Catalog items and documents as rows: the statements that insert, update, load and delete one object with its tabular sections.

SQL text is built once per object kind and row count and kept in `Kernel.cache`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from infobase.kernel import Kernel
from infobase.metadata.model import Catalog, Document
from infobase.metadata.types import Ref, Value
from infobase.schema.layout import NUMBER_PERIOD, ObjectLayout, SectionLayout
from infobase.schema.periods import period_start
from infobase.storage import Row, Statement

Record = dict[str, Value]
Sections = dict[str, list[Record]]

PARAMETER_LIMIT = 30_000
"""Placeholders in one statement; SQLite takes 32,766, PostgreSQL 65,535."""


@dataclass(frozen=True)
class Stored:
    """An object as it lies in the store."""

    values: Record
    sections: Sections


class ObjectStore:
    """Statements for one catalog or document. Stateless but for the kernel's cache."""

    def __init__(self, kernel: Kernel, meta: Catalog | Document) -> None:
        self.kernel, self.meta = kernel, meta
        self.layout: ObjectLayout = kernel.layout.objects[meta.full_name]
        self.dialect = kernel.dialect
        self.codec = kernel.codec(self.layout)
        self.table = self.dialect.quote(self.layout.table.name)
        self._columns = list(self.codec.columns)
        if isinstance(meta, Document):
            self._columns.append(NUMBER_PERIOD)
            self._period_writer = self.dialect.writer(self.layout.table.column(NUMBER_PERIOD))
            self._posted_writer = self.dialect.writer(self.layout.table.column("posted")) or bool
        self._ref_writer = self.dialect.writer(self.layout.table.column("ref"))
        self._insert_sql = (
            f"INSERT INTO {self.table} ({self.dialect.columns(self._columns)}) "
            f"VALUES {self.dialect.values(len(self._columns))}"
        )
        self._update_sql = self._make_update()
        self._select_columns = self.dialect.columns(self.codec.select_columns)

    def _make_update(self) -> str:
        mark, quote = self.dialect.placeholder, self.dialect.quote
        sets = ", ".join(f"{quote(c)} = {mark}" for c in self._columns if c != "ref")
        return (
            f'UPDATE {self.table} SET {sets} WHERE "ref" = {mark} AND "data_version" = {mark} RETURNING "data_version"'
        )

    def set_posted(self, ref: Ref, version: int, posted: bool) -> Statement:
        """A document whose data stay as they are: no other column, and so no index, is written. No row when `version` is no longer the stored one."""
        mark = self.dialect.placeholder
        sql = (
            f'UPDATE {self.table} SET "posted" = {mark}, "data_version" = {mark} '
            f'WHERE "ref" = {mark} AND "data_version" = {mark} RETURNING "data_version"'
        )
        return Statement(sql, [self._posted_writer(posted), version + 1, self.ref(ref), version])

    def ref(self, ref: Ref) -> object:
        """The reference in storage form."""
        return self._ref_writer(ref.uuid) if self._ref_writer else ref.uuid

    def _encode(self, values: Mapping[str, Value]) -> list[object]:
        row = self.codec.encode(values)
        if isinstance(self.meta, Document):
            start = period_start(values["Date"], self.meta.number.periodicity)  # type: ignore[arg-type]
            row.append(self._period_writer(start) if self._period_writer else start)
        return row

    def insert(self, values: Mapping[str, Value], sections: Mapping[str, Sequence[Record]]) -> list[Statement]:
        made = [Statement(self._insert_sql, self._encode(values))]
        ref = self.ref(cast(Ref, values["Ref"]))
        for name, rows in sections.items():
            made += self._insert_rows(self.layout.sections[name], ref, rows)
        return made

    def update(
        self, values: Mapping[str, Value], version: int, sections: Mapping[str, Sequence[Record]]
    ) -> list[Statement]:
        """The first statement returns no row when `version` is no longer the stored one. `sections`: only the changed ones."""
        row = self._encode(values)
        ref = self.ref(cast(Ref, values["Ref"]))
        params = [v for c, v in zip(self._columns, row, strict=True) if c != "ref"]
        made = [Statement(self._update_sql, [*params, ref, version])]
        for name, rows in sections.items():
            section = self.layout.sections[name]
            table = self.dialect.quote(section.table.name)
            made.append(Statement(f'DELETE FROM {table} WHERE "ref" = {self.dialect.placeholder}', [ref]))
            made += self._insert_rows(section, ref, rows)
        return made

    def _insert_rows(self, section: SectionLayout, ref: object, rows: Sequence[Record]) -> list[Statement]:
        if not rows:
            return []
        codec = self.kernel.codec(section)
        width = len(codec.columns) + 1
        step = max(1, PARAMETER_LIMIT // width)
        made = []
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            params: list[object] = []
            for row in part:
                params.append(ref)
                params += codec.encode(row)
            made.append(Statement(self._rows_sql(section, width, len(part)), params))
        return made

    def _rows_sql(self, section: SectionLayout, width: int, count: int) -> str:
        key = ("section rows", section.table.name, count)
        sql = self.kernel.cache.get(key)
        if sql is None:
            columns = self.dialect.columns(["ref", *self.kernel.codec(section).columns])
            table = self.dialect.quote(section.table.name)
            sql = f"INSERT INTO {table} ({columns}) VALUES {self.dialect.values(width, count)}"
            self.kernel.cache[key] = sql
        return cast(str, sql)

    def load(self, refs: Sequence[Ref]) -> list[Statement]:
        """The header rows, then the rows of each section, for `parse`."""
        marks = ", ".join([self.dialect.placeholder] * len(refs))
        params = [self.ref(r) for r in refs]
        made = [Statement(f'SELECT {self._select_columns} FROM {self.table} WHERE "ref" IN ({marks})', params)]
        for section in self.layout.sections.values():
            columns = self.dialect.columns(["ref", *self.kernel.codec(section).select_columns])
            table = self.dialect.quote(section.table.name)
            sql = f'SELECT {columns} FROM {table} WHERE "ref" IN ({marks}) ORDER BY "ref", "line_number"'
            made.append(Statement(sql, params))
        return made

    def parse(self, results: Sequence[list[Row]]) -> dict[Ref, Stored]:
        """What the statements of `load` returned, by reference."""
        found: dict[object, Stored] = {}
        at = self.codec.select_columns.index("ref")
        for row in results[0]:
            sections: Sections = {name: [] for name in self.layout.sections}
            found[row[at]] = Stored(self.codec.decode(row), sections)
        for section, rows in zip(self.layout.sections.values(), results[1:], strict=True):
            codec = self.kernel.codec(section)
            for row in rows:
                if row[0] in found:
                    found[row[0]].sections[section.name].append(codec.decode(row[1:]))
        return {cast(Ref, s.values["Ref"]): s for s in found.values()}

    def delete(self, ref: Ref, version: int) -> list[Statement]:
        """The first statement returns no row when `version` is no longer the stored one."""
        mark, stored = self.dialect.placeholder, self.ref(ref)
        sql = f'DELETE FROM {self.table} WHERE "ref" = {mark} AND "data_version" = {mark} RETURNING "ref"'
        made = [Statement(sql, [stored, version])]
        for section in self.layout.sections.values():
            table = self.dialect.quote(section.table.name)
            made.append(Statement(f'DELETE FROM {table} WHERE "ref" = {mark}', [stored]))
        return made

    def lock(self, ref: Ref) -> Statement:
        """Version and (for documents) whether it is posted; the row is held against other writers until the transaction ends."""
        posted = ', "posted"' if isinstance(self.meta, Document) else ""
        sql = f'SELECT "data_version"{posted} FROM {self.table} WHERE "ref" = {self.dialect.placeholder}'
        return Statement(sql + self.dialect.row_lock, [self.ref(ref)])

    def bulk_rows(self, objects: Iterable[Mapping[str, Value]]) -> Iterable[list[object]]:
        """Rows for `StorageEngine.bulk_load`, all columns of the table in its order."""
        names = [c.name for c in self.layout.table.columns]
        order = [self._columns.index(n) for n in names]
        for values in objects:
            row = self._encode(values)
            yield [row[i] for i in order]


def store_of(kernel: Kernel, full_name: str) -> ObjectStore:
    """The store of a catalog or document, one per kernel."""
    key = ("object store", full_name)
    found = kernel.cache.get(key)
    if found is None:
        meta = kernel.configuration.objects[full_name]
        assert isinstance(meta, Catalog | Document)
        found = kernel.cache[key] = ObjectStore(kernel, meta)
    return cast(ObjectStore, found)
