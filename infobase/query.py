"""Queries: data in, one SQL statement out, rows back as values.

    compiled = compile_query(kernel, Query("Catalog.Products", select=(SelectItem("Description"),), limit=20))
    rows = compiled.decode_all(tx.run([compiled.statement])[0])

The SQL is compiled once per shape (everything but the values) and kept with the configuration version, because lists are hot. Values
travel as bound parameters only. Strings are ordered by their search key where the field has one (case and ё aside), else by code points,
alike on every engine; every order ends with the unique key, so pages by key neither repeat nor lose a row.

`Count(field)` counts rows, as in 1C, for no field is ever NULL; `Count(distinct field)` counts different values, the empty one included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from infobase.kernel import Kernel
from infobase.metadata.types import Value
from infobase.query_compile import Prepared, keys_statement, prepare
from infobase.query_decode import ResultColumn, decode_columns
from infobase.query_model import Condition, Query
from infobase.query_names import invalid
from infobase.query_plan import QueryShape, Restriction, plan, source_of
from infobase.query_shape import ConditionShaper, operands_of
from infobase.query_sources import resolve_source
from infobase.storage import Row, Statement

KEPT_SHAPES = 1000
"""Compiled shapes kept; beyond that all are forgotten, so that invented queries cannot fill the memory."""


def unrestricted(full_name: str, *, demand: bool = True) -> Condition | None:
    """No record-level restriction."""
    return None


@dataclass(frozen=True)
class CompiledQuery:
    """`statement`: the one statement to run. `columns`: names and types of the values of each row."""

    statement: Statement
    columns: tuple[ResultColumn, ...]
    _prepared: Prepared
    _readers: tuple[Callable[[object], object] | None, ...]

    def decode(self, row: Row) -> dict[str, Value]:
        """One row as values by name."""
        return {o.name: o.of(row) for o in self._prepared.outputs}

    def decode_all(self, rows: Sequence[Row]) -> list[dict[str, Value]]:
        """Many rows, faster than one by one."""
        return decode_columns(self._prepared.outputs, rows)

    @property
    def has_page_key(self) -> bool:
        """Whether there is something to tell pages apart by: a limit, and more than one row possible."""
        return bool(self._prepared.page)

    def page_key(self, row: Row) -> tuple[object, ...]:
        """What `Query.after` takes to go on behind this row. Only of queries with a limit."""
        if not self._prepared.page:
            raise invalid("ключ страницы есть только у запроса с limit", "only a query with a limit has page keys")
        pairs = zip(self._prepared.page, self._readers, strict=True)
        return tuple([row[at] if read is None else read(row[at]) for (at, _), read in pairs])


def compile_query(kernel: Kernel, query: Query, restriction: Restriction = unrestricted) -> CompiledQuery:
    """The query as one statement. `restriction` gives the record-level condition of an object: of the one that the source belongs to,
    whose other rows are left out, and of those whose fields are reached through references, whose other rows are as if they were
    not there. Errors: QueryInvalid, and whatever `restriction` raises."""
    source = source_of(kernel, query)
    shape, values = plan(kernel, query, restriction, source)
    prepared = _prepared(kernel, shape)
    readers = tuple(kernel.dialect.reader(c) for _, c in prepared.page)
    return CompiledQuery(prepared.statement(values), prepared.columns, prepared, readers)


def _prepared(kernel: Kernel, shape: QueryShape) -> Prepared:
    kept = cast(dict[QueryShape, Prepared], kernel.cache.setdefault("query shapes", {}))
    found = kept.get(shape)
    if found is None:
        found = prepare(kernel, shape)
        if len(kept) >= KEPT_SHAPES:
            kept.clear()
        kept[shape] = found
    return found


def condition_sql(kernel: Kernel, source: str, condition: Condition | None) -> Statement:
    """A SELECT of the key columns of a stored source's rows that satisfy the condition, unordered: for counting and for `IN (...)`."""
    found = resolve_source(kernel, source)
    if found.virtual:
        raise invalid(f"{found.name} - виртуальная таблица", f"{found.name} is a virtual table")
    values: list[object] = []
    operands = operands_of(kernel, found)
    shape = None if condition is None else ConditionShaper(kernel, operands.plain, values).shape(condition)
    return keys_statement(kernel, found, shape, values)
