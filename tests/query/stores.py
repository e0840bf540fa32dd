"""Bases for queries: a kernel over a bare driver connection, filled row by row through the codecs.

Queries need nothing of an engine but `run`, so these tests hold for any engine that runs what it is given.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import psycopg
from psycopg import sql

from infobase.kernel import Kernel
from infobase.metadata.model import Configuration
from infobase.metadata.types import Ref, Value, empty_value
from infobase.query import compile_query
from infobase.query_model import Condition, Query
from infobase.query_sources import resolve_source
from infobase.schema.ddl import create_statements
from infobase.schema.layout import FieldLayout, ObjectLayout, RegisterLayout
from infobase.schema.search import search_key
from infobase.storage import Row, Statement, StorageEngine, Traits


@dataclass
class Bare:
    """The part of an engine that a query meets."""

    connection: Any
    traits: Traits
    ran: list[str] = field(default_factory=list, repr=False)

    def run(self, statements: Sequence[Statement], *, last: bool = False) -> list[list[Row]]:
        results = []
        for s in statements:
            self.ran.append(s.sql)
            cursor = self.connection.execute(s.sql, tuple(s.params))
            results.append(cursor.fetchall() if cursor.description else [])
        return results


@dataclass
class Store:
    """A base and short ways to fill and ask it."""

    kernel: Kernel
    bare: Bare

    def ask(self, query: Query, restriction: Condition | None = None) -> list[dict[str, Value]]:
        own = resolve_source(self.kernel, query.source).object

        def applied(full_name: str, *, demand: bool = True) -> Condition | None:
            return restriction if full_name == own else None

        compiled = compile_query(self.kernel, query, applied)
        rows = self.bare.run([compiled.statement])[0]
        decoded = compiled.decode_all(rows)
        assert decoded == [compiled.decode(r) for r in rows]
        return decoded

    def pages(self, query: Query) -> list[list[dict[str, Value]]]:
        """Every page of a query with a limit."""
        from dataclasses import replace

        found = []
        while True:
            compiled = compile_query(self.kernel, query)
            rows = self.bare.run([compiled.statement])[0]
            if not rows:
                return found
            found.append(compiled.decode_all(rows))
            query = replace(query, after=compiled.page_key(rows[-1]))

    def insert(self, part: ObjectLayout | RegisterLayout, records: Iterable[Mapping[str, Value]]) -> None:
        full = ({f.name: _blank(f) for f in part.fields} | dict(r) for r in records)
        codec = self.kernel.codec(part)
        self._load(part.table.name, codec.columns, [codec.encode(r) for r in full])

    def objects(self, full_name: str, records: Iterable[Mapping[str, Value]]) -> None:
        self.insert(self.kernel.layout.objects[full_name], records)

    def records(self, full_name: str, records: Iterable[Mapping[str, Value]]) -> None:
        self.insert(self.kernel.layout.registers[full_name], records)

    def section(self, full_name: str, name: str, rows: Iterable[tuple[Ref, Mapping[str, Value]]]) -> None:
        section = self.kernel.layout.objects[full_name].sections[name]
        codec = self.kernel.codec(section)
        write = self.kernel.dialect.writer(section.table.column("ref")) or (lambda v: v)
        encoded = [[write(ref.uuid), *codec.encode(row)] for ref, row in rows]
        self._load(section.table.name, ("ref", *codec.columns), encoded)

    def clear(self) -> None:
        d = self.kernel.dialect
        self.bare.run([Statement(f"DELETE FROM {d.quote(t.name)}") for t in self.kernel.layout.tables])

    def _load(self, table: str, columns: Sequence[str], rows: list[list[object]]) -> None:
        d = self.kernel.dialect
        if rows:
            text = (
                f"INSERT INTO {d.quote(table)} ({d.columns(list(columns))}) VALUES {d.values(len(columns), len(rows))}"
            )
            self.bare.run([Statement(text, [v for row in rows for v in row])])


def _blank(f: FieldLayout) -> Value:
    if f.columns[0].kind == "int":
        return cast(Value, 0)
    if f.name == "Active":
        return True
    return empty_value(f.field.type)


def _store(configuration: Configuration, bare: Bare) -> Store:
    kernel = Kernel(configuration, cast(StorageEngine, bare))
    bare.run(create_statements(kernel.layout.tables, kernel.dialect))
    return Store(kernel, bare)


def sqlite_store(configuration: Configuration, path: Path | str = ":memory:") -> Store:
    connection = sqlite3.connect(str(path), isolation_level=None)
    return _store(configuration, Bare(connection, Traits("file", "sqlite", False, False, 0, 0)))


def postgres_store(configuration: Configuration, url: str) -> Store:
    """In a schema of its own of the scratch cluster."""
    connection = psycopg.connect(url, autocommit=True)
    schema = sql.Identifier(f"q_{uuid.uuid4().hex[:12]}")
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
    connection.execute(sql.SQL("SET search_path = {}").format(schema))
    return _store(configuration, Bare(connection, Traits("server", "postgresql", True, True, 0, 0)))


def key(text: str) -> str:
    return search_key(text)
