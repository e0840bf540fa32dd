"""Field paths ("Customer.Region.Description") -> their type, and the columns and joins that give them.

A path goes through references, of one type or of several (`Recorder.Date`). `FieldPath` is what the configuration alone tells;
`Joiner` writes the SQL of one FROM clause, each reference joined once. No NULL comes out: what is not there has its type's empty value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.sql import quoted_name

from infobase.kernel import Kernel
from infobase.metadata.model import Catalog, Field, Naming
from infobase.metadata.types import (
    CompositeType,
    DateType,
    EnumType,
    NumberType,
    RefType,
    SimpleType,
    StringType,
    ValueStorageType,
    ValueType,
    simple_types,
)
from infobase.query_model import MAX_PATH
from infobase.query_names import PRESENTATION, REF, invalid, shown, unknown
from infobase.query_sources import OBJECT, Source
from infobase.schema.codec import TYPE_NAMES
from infobase.schema.ddl import empty_literal
from infobase.schema.layout import FieldLayout, ObjectLayout, columns_of
from infobase.storage import Column, Table

Sql = sa.ColumnElement[Any]

MAX_TEXT = 1000
"""Characters of a field path or an expression."""
_SCALAR_WORDS = {"StringType": "String", "NumberType": "Number", "DateType": "Date", "BooleanType": "Boolean"}
_FAMILY = {word: suffix for _, word, suffix in TYPE_NAMES}


@dataclass(frozen=True, eq=False)
class FieldPath:
    """`names`: canonical English names. `layout`: type and columns of the value (made up where several objects give it).
    `parent`: the reference gone through; `options`: for each object it may lead to, the field there.
    `presentation`: how people see the reference; `assembled`: put together when rows are read, it can be selected only."""

    names: tuple[str, ...]
    layout: FieldLayout
    parent: FieldPath | None = None
    options: tuple[tuple[str, FieldLayout], ...] = ()
    assembled: bool = False
    presentation: bool = False

    @property
    def type(self) -> ValueType:
        return self.layout.field.type

    @cached_property
    def text(self) -> str:
        return ".".join(self.names)

    @property
    def dated(self) -> bool:
        """Whether an assembled presentation may be a document's, which names its date."""
        return any(f.name == "Number" for _, f in self.options)

    @property
    def root(self) -> FieldPath:
        return self if self.parent is None else self.parent.root


class Paths:
    """The paths of one source, each resolved once."""

    def __init__(self, kernel: Kernel, source: Source) -> None:
        self.kernel, self.source = kernel, source
        self._found: dict[str, FieldPath] = {}

    def resolve(self, identifier: object) -> FieldPath:
        """QueryInvalid with the nearest names; names may be English or Russian."""
        if not isinstance(identifier, str) or len(identifier) > MAX_TEXT:
            raise invalid(f"«{shown(identifier)}» - не имя поля", f"{shown(identifier)!r} is not a field name")
        found = self._found.get(identifier)
        if found is None:
            if len(self._found) > MAX_TEXT:
                self._found.clear()
            found = self._found[identifier] = self._resolve(identifier)
        return found

    def _resolve(self, identifier: str) -> FieldPath:
        names = identifier.split(".")
        if len(names) > MAX_PATH + 1:
            raise invalid(
                f"«{shown(identifier)}»: больше {MAX_PATH} переходов по ссылкам",
                f"{shown(identifier)!r}: more than {MAX_PATH} references followed",
            )
        path = self._first(names[0])
        for i, name in enumerate(names[1:], 1):
            if self._is_own_ref(path) and name.casefold() not in REF:
                path = self._first(name)
            else:
                path = self._step(path, name, last=i == len(names) - 1)
        return path

    def _is_own_ref(self, path: FieldPath) -> bool:
        return self.source.variety == OBJECT and path.names == ("Ref",)

    def _first(self, name: str) -> FieldPath:
        found = self.source.by_name.get(name.casefold())
        if found is not None:
            return FieldPath((found.name,), found)
        if name.casefold() in PRESENTATION and self.source.variety == OBJECT:
            return self._presentation(self._first("Ref"))
        raise unknown(f"поля в {self.source.name}", f"field of {self.source.name}", name, self.source.names)

    def _step(self, path: FieldPath, name: str, *, last: bool) -> FieldPath:
        if name.casefold() in PRESENTATION and last:
            return self._presentation(path)
        targets = [t.target for t in simple_types(path.type) if isinstance(t, RefType)]
        if not targets or path.assembled:
            raise invalid(
                f"«{path.text}» - не ссылка, «{shown(name)}» у него нет",
                f"{path.text!r} is not a reference and has no {shown(name)!r}",
            )
        if name.casefold() in REF:
            return path
        objects = [self.kernel.layout.objects[t] for t in targets if t in self.kernel.layout.objects]
        options = [(o.full_name, f) for o in objects if (f := o.field(name)) is not None]
        if not options:
            known = [n for o in objects for f in o.fields for n in (f.field.naming.name, f.field.naming.ru)]
            place = ", ".join(targets[:3])
            raise unknown(f"поля в {place}", f"field of {place}", name, known)
        return FieldPath((*path.names, options[0][1].name), _unified(options), path, tuple(options))

    def _presentation(self, path: FieldPath) -> FieldPath:
        parts = simple_types(path.type)
        if path.assembled or not any(isinstance(t, RefType | EnumType) for t in parts):
            raise invalid(f"у «{path.text}» нет представления", f"{path.text!r} has no presentation")
        objects = [self.kernel.layout.objects[t.target] for t in parts if isinstance(t, RefType)]
        options = tuple((o.full_name, _shown_field(o)) for o in objects)
        names = (*path.names, "Presentation")
        described = all(self._is_catalog(o) for o in objects) and len(objects) == len(parts)
        if described and not self._is_own_ref(path):
            return FieldPath(names, _unified(list(options)), path, options, presentation=True)
        if described:
            return FieldPath(("Description",), options[0][1])
        made = Field(Naming("Presentation", "Представление"), StringType())
        return FieldPath(
            names, FieldLayout(made, (Column("f", "text"),)), path, options, assembled=True, presentation=True
        )

    def _is_catalog(self, o: ObjectLayout) -> bool:
        return isinstance(self.kernel.configuration.objects[o.full_name], Catalog)


def _shown_field(o: ObjectLayout) -> FieldLayout:
    found = o.field("Description") or o.field("Number")
    assert found is not None
    return found


def paths_of(kernel: Kernel, source: Source) -> Paths:
    """The resolver of a source's paths, kept with the configuration version."""
    cache_key = ("query paths", source.name, source.periodicity)
    found = kernel.cache.get(cache_key)
    if found is None:
        found = kernel.cache[cache_key] = Paths(kernel, source)
    return cast(Paths, found)


def _unified(options: Sequence[tuple[str, FieldLayout]]) -> FieldLayout:
    """One type for the same field of several objects."""
    layouts = [f for _, f in options]
    first = layouts[0]
    if len(layouts) == 1:
        return first
    if all(f.columns[0].kind == "int" for f in layouts):
        return FieldLayout(first.field, (Column("f", "int"),))
    made = Field(first.field.naming, _common_type([f.field.type for f in layouts]), standard=first.field.standard)
    searchable = all(f.search is not None for f in layouts)
    return FieldLayout(made, columns_of("f", made), Column("f__search", "text") if searchable else None)


def _common_type(types: Sequence[ValueType]) -> ValueType:
    parts = list(dict.fromkeys(s for t in types for s in simple_types(t)))
    merged: list[SimpleType] = [t for t in parts if not isinstance(t, StringType | NumberType | DateType)]
    texts = [t for t in parts if isinstance(t, StringType)]
    if texts:
        merged.append(StringType(0 if any(t.length == 0 for t in texts) else max(t.length for t in texts)))
    numbers = [t for t in parts if isinstance(t, NumberType)]
    if numbers:
        scale = max(n.scale for n in numbers)
        merged.append(NumberType(max(n.digits - n.scale for n in numbers) + scale, scale))
    if any(isinstance(t, DateType) for t in parts):
        merged.append(DateType())
    if len(merged) > 1 and any(isinstance(t, ValueStorageType) for t in merged):
        raise invalid("поле имеет несовместимые типы", "the field has types that do not go together")
    return merged[0] if len(merged) == 1 else CompositeType(tuple(merged))


def sql_table(table: Table, alias: str) -> sa.FromClause:
    """A stored table as plain names: values bound to it are in storage form, so no SQL types are wanted."""
    columns: list[sa.ColumnClause[Any]] = [sa.column(quoted_name(c.name, quote=True)) for c in table.columns]
    return sa.table(quoted_name(table.name, quote=True), *columns).alias(alias)


def literal(text: str) -> Sql:
    """A text constant of the configuration's own (a type name) inside SQL."""
    return sa.literal_column("'" + text.replace("'", "''") + "'")


@dataclass(frozen=True, eq=False)
class FieldSql:
    """Expressions parallel to the path's `layout.columns`, and of its search companion."""

    columns: tuple[Sql, ...]
    search: Sql | None = None


Limit = Callable[[str, sa.FromClause], Sql | None]
"""What the rows of an object, joined under an alias, must satisfy to be seen; None: all are seen."""


class Joiner:
    """One FROM clause: the base rows and the references followed from them. Rows that `limit` hides are as if they were not there."""

    def __init__(
        self, kernel: Kernel, source: Source, base: sa.FromClause, prefix: str = "j", limit: Limit | None = None
    ) -> None:
        self.kernel, self.source, self.base, self._prefix, self._limit = kernel, source, base, prefix, limit
        self.clause: sa.FromClause = base
        self._joined: dict[tuple[tuple[str, ...], str, bool], sa.FromClause] = {}

    def field(self, path: FieldPath, *, platform: bool = False) -> FieldSql:
        """The value's columns, empty where there is nothing. `platform`: without the user's rights."""
        raw = self._raw(path, platform)
        if path.parent is None:
            return raw
        columns = tuple(self.filled(e, c) for e, c in zip(raw.columns, path.layout.columns, strict=True))
        return FieldSql(columns, None if raw.search is None else self.filled(raw.search, Column("f", "text")))

    def presentation(self, path: FieldPath) -> tuple[Sql, ...]:
        """For an assembled presentation, besides the reference's own columns: the text, and the date of documents."""
        assert path.parent is not None
        texts: list[Sql] = []
        dates: list[Sql] = []
        for target, f in path.options:
            alias = self._target(path.parent, target, platform=False)
            column = alias.c[f.column.name]
            texts.append(column if f.column.kind == "text" else sa.cast(column, sa.Text()))
            if f.name == "Number":
                dates.append(alias.c["date"])
        parts = [(texts, "text"), (dates, "timestamp")]
        return tuple(sa.func.coalesce(*found, self._empty(kind)) for found, kind in parts if found)

    def filled(self, expression: Sql, column: Column) -> Sql:
        return sa.func.coalesce(expression, self._empty(column.kind))

    def _empty(self, kind: str) -> Sql:
        text = empty_literal(Column("f", kind), self.kernel.dialect)  # type: ignore[arg-type]
        if kind == "timestamp" and self.kernel.dialect.name == "postgresql":
            text = f"TIMESTAMP {text}"
        return sa.literal_column(text)

    def _raw(self, path: FieldPath, platform: bool) -> FieldSql:
        """The columns, NULL where a reference leads nowhere."""
        if path.parent is None:
            return self._of(self.base, path.layout)
        found = [(self._of(self._target(path.parent, target, platform), f), f) for target, f in path.options]
        if len(found) == 1:
            return found[0][0]
        columns = tuple(
            self._merged(path.layout, i, [self._fitted(sql, f, path.layout, i) for sql, f in found])
            for i in range(len(path.layout.columns))
        )
        searches = [sql.search for sql, _ in found if sql.search is not None]
        return FieldSql(columns, sa.func.coalesce(*searches) if path.layout.search is not None else None)

    @staticmethod
    def _of(rows: sa.FromClause, layout: FieldLayout) -> FieldSql:
        search = rows.c.get(layout.search.name) if layout.search is not None else None
        return FieldSql(tuple(rows.c[c.name] for c in layout.columns), search)

    @staticmethod
    def _merged(layout: FieldLayout, i: int, parts: list[Sql | None]) -> Sql:
        given = [p for p in parts if p is not None]
        return given[0] if len(given) == 1 else sa.func.coalesce(*given)

    def _fitted(self, sql: FieldSql, given: FieldLayout, wanted: FieldLayout, i: int) -> Sql | None:
        """Column `i` of the common layout out of one object's field; None where that field has no such part."""
        target = wanted.columns[i]
        if len(wanted.columns) == 1:
            return self._rescaled(sql.columns[0], given.columns[0], target)
        if len(given.columns) > 1:
            if i == 0:
                return sql.columns[0]
            base = given.columns[0].name.removesuffix("__type")
            for expression, column in zip(sql.columns[1:], given.columns[1:], strict=True):
                if column.name.removeprefix(base) == target.name.removeprefix("f"):
                    return self._rescaled(expression, column, target)
            return None
        word = _type_word(given.field.type)
        if i == 0:
            return self._type_case(sql.columns[0], given.columns[0], word)
        return self._rescaled(sql.columns[0], given.columns[0], target) if _family(word) == target.name[1:] else None

    def _rescaled(self, expression: Sql, given: Column, wanted: Column) -> Sql:
        if given.kind != "decimal" or given.scale == wanted.scale or self.kernel.dialect.name != "sqlite":
            return expression
        return expression * sa.literal_column(str(10 ** (wanted.scale - given.scale)))

    def _type_case(self, expression: Sql, column: Column, word: str) -> Sql:
        """The type word of a simple field as a composite would store it; NULL where there is no row."""
        absent: list[tuple[Sql, Sql]] = [(expression.is_(None), sa.null())]
        if "." in word:
            absent.append((expression == self._empty(column.kind), literal("")))
        made: Sql = sa.case(*absent, else_=literal(word))
        return made if self.kernel.dialect.name == "sqlite" else sa.collate(made, "C")

    def _target(self, parent: FieldPath, target: str, platform: bool) -> sa.FromClause:
        """The joined rows of `target` that the reference `parent` leads to."""
        if self.source.variety == OBJECT and parent.names == ("Ref",):
            return self.base
        platform = platform or self._limit is None
        found = self._joined.get((parent.names, target, platform))
        if found is not None:
            return found
        columns = self._raw(parent, platform).columns
        alias = sql_table(self.kernel.layout.objects[target].table, f"{self._prefix}{len(self._joined) + 1}")
        on: Sql = alias.c["ref"] == (columns[0] if len(columns) == 1 else self._uuid_part(parent, columns))
        if len(columns) > 1:
            on = sa.and_(on, columns[0] == literal(target))
        seen = self._limit(target, alias) if self._limit is not None and not platform else None
        if seen is not None:
            on = sa.and_(on, seen)
        self._joined[parent.names, target, platform] = alias
        self.clause = self.clause.outerjoin(alias, on)
        return alias

    @staticmethod
    def _uuid_part(path: FieldPath, columns: Sequence[Sql]) -> Sql:
        base = path.layout.columns[0].name.removesuffix("__type")
        at = next(i for i, c in enumerate(path.layout.columns) if c.name == base)
        return columns[at]


def _type_word(value_type: ValueType) -> str:
    if isinstance(value_type, RefType | EnumType):
        return value_type.target
    return _SCALAR_WORDS.get(type(value_type).__name__, "UUID")


def _family(word: str) -> str:
    """The column suffix a type's values have in a composite."""
    if word.startswith("Enumeration."):
        return "__string"
    return _FAMILY.get(word, "")
