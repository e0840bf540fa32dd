"""Shapes of conditions -> SQL of one dialect. Values appear as numbered parameters only."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from infobase.kernel import Kernel
from infobase.metadata.types import CompositeType, EnumType, EnumValue, Ref, simple_types
from infobase.query_computed_sql import ComputedSql, Spliced
from infobase.query_fields import FieldPath, FieldSql, Joiner, Limit, Sql, literal, sql_table
from infobase.query_patterns import (
    FOLD,
    LATIN_LOWER,
    LATIN_UPPER,
    LOWER,
    UPPER,
    glob_letter,
    glob_pattern,
    regular_expression,
)
from infobase.query_shape import Operand, Shape, operands_of
from infobase.query_sources import resolve_source
from infobase.schema.codec import TYPE_NAMES, value_codec
from infobase.schema.ddl import empty_literal
from infobase.schema.layout import FieldLayout
from infobase.schema.search import search_key
from infobase.storage import Column

Encode = Callable[[Any], object]

_ARRAYS: dict[str, Any] = {
    "uuid": postgresql.UUID(),
    "text": sa.Text(),
    "decimal": sa.Numeric(),
    "timestamp": postgresql.TIMESTAMP(),
    "bool": sa.Boolean(),
    "int": sa.BigInteger(),
}


CHAIN = 100
"""Parts of one AND or OR written side by side."""


class Parameters:
    """The parameters of one statement: which value each takes, and how it is encoded."""

    def __init__(self) -> None:
        self.slots: dict[str, tuple[int, Encode]] = {}
        self.nested = 0

    def add(self, position: int, encode: Encode) -> sa.BindParameter[Any]:
        name = f"v{len(self.slots)}"
        self.slots[name] = (position, encode)
        return sa.bindparam(name, type_=sa.types.NullType())


def _is_counter(layout: FieldLayout) -> bool:
    return layout.columns[0].kind == "int"


def encoder(kernel: Kernel, operand: Operand, kind: str) -> tuple[Column, Encode]:
    """The column a comparison looks at (`kind`: the type word in a composite), and its encoding of values."""
    layout = operand.layout
    if not isinstance(layout.field.type, CompositeType):
        column = layout.columns[0]
        if _is_counter(layout):
            return column, int
        return column, value_codec(column, layout.field.type, kernel.dialect.name)[0]
    base = layout.columns[0].name.removesuffix("__type")
    suffix = next((s for _, word, s in TYPE_NAMES if word == kind), "")
    if any(isinstance(t, EnumType) and t.target == kind for t in simple_types(layout.field.type)):
        suffix = "__string"
    column = next(c for c in layout.columns[1:] if c.name.removeprefix(base) == suffix)
    write = kernel.dialect.writer(column)

    def encode(value: Any) -> object:
        plain = value.uuid if isinstance(value, Ref) else value.name if isinstance(value, EnumValue) else value
        return plain if write is None else write(plain)

    return column, encode


def folded(text: str) -> str:
    """How a text without a search column is compared: basic Latin and Cyrillic letters in lower case, ё as е."""
    return text.translate(FOLD)


def _next_text(prefix: str) -> str:
    """The least text after all that begin with `prefix`."""
    for i in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[i])
        if code < 0x10FFFF:
            return prefix[:i] + chr(0xE000 if code == 0xD7FF else code + 1)
    return chr(0x10FFFF) * (len(prefix) + 1)


class ConditionSql:
    """Writes conditions over one FROM clause."""

    def __init__(
        self,
        kernel: Kernel,
        parameters: Parameters,
        operand: Callable[[tuple[str, ...]], Operand],
        sql: Callable[[Operand], FieldSql],
        platform: Callable[[Operand], FieldSql] | None = None,
        limit: Limit | None = None,
    ) -> None:
        """`platform`: gives a field without the user's rights, for the conditions of restrictions themselves. `limit`: see `Joiner`."""
        self.kernel, self.parameters, self._operand, self._sql = kernel, parameters, operand, sql
        self._platform, self._limit = platform or sql, limit
        self._sqlite = kernel.dialect.name == "sqlite"
        self.computed = ComputedSql(kernel.dialect, parameters.add, lambda key: sql(operand(key)).columns[0])

    def write(self, shape: Shape) -> Sql:
        match shape:
            case ("and", parts):
                return _joined(sa.and_, self._parts(parts)) if parts else self._constant(True)
            case ("or", parts):
                return _joined(sa.or_, self._parts(parts)) if parts else self._constant(False)
            case ("not", part):
                return sa.not_(self.write(part))
            case ("platform", part):
                return ConditionSql(self.kernel, self.parameters, self._operand, self._platform).write(part)
            case ("calc", *_):
                return self.computed.compare(shape)
            case ("rows", source, part):
                return self._rows(source, part)
            case _:
                return self._compare(shape)

    def _parts(self, parts: Sequence[Shape]) -> list[Sql]:
        """The deepest first: what stands left of an open bracket stays on the stack of SQLite's parser, which holds 100."""
        return [self.write(p) for p in sorted(parts, key=_depth, reverse=True)]

    @staticmethod
    def _constant(value: bool) -> Sql:
        return sa.literal_column("1 = 1" if value else "1 = 0")

    def _rows(self, name: str, part: Shape) -> Sql:
        """References of the objects that have such a row: uncorrelated, so that either engine may begin at either side."""
        source = resolve_source(self.kernel, name)
        self.parameters.nested += 1
        prefix = f"n{self.parameters.nested}"
        joiner = Joiner(self.kernel, source, sql_table(source.table, prefix), f"{prefix}j", self._limit)
        operands = operands_of(self.kernel, source)
        writer = ConditionSql(
            self.kernel, self.parameters, operands.of_key, lambda o: joiner.field(cast(FieldPath, o.path))
        )
        condition = writer.write(part)
        inner = sa.select(joiner.base.c["ref"]).select_from(joiner.clause).where(condition)
        return self._sql(self._operand(("Ref",))).columns[0].in_(inner)

    def _compare(self, shape: Shape) -> Sql:
        _, key, op, kind, position = shape
        operand = self._operand(key)
        sql = self._sql(operand)
        if op == "is_empty":
            return self._is_empty(operand.layout, sql)
        composite = isinstance(operand.layout.field.type, CompositeType)
        typed = sql.columns[0] == literal(kind) if composite else None
        if op == "is_type":
            assert typed is not None
            return typed
        column, encode = encoder(self.kernel, operand, kind)
        expression = sql.columns[operand.layout.columns.index(column)]
        search = sql.search if not composite else None
        found = self._simple(op, expression, column, encode, position, search, kind)
        if typed is None:
            return found
        if op == "!=":
            return sa.or_(sql.columns[0] != literal(kind), found)
        return sa.and_(typed, found)

    def _is_empty(self, layout: FieldLayout, sql: FieldSql) -> Sql:
        column = layout.columns[0]
        return sql.columns[0] == sa.literal_column(empty_literal(column, self.kernel.dialect))

    def _simple(
        self, op: str, expression: Sql, column: Column, encode: Encode, position: int, search: Sql | None, kind: str
    ) -> Sql:
        match op:
            case "in":
                return self._in(expression, column, encode, position)
            case "in_hierarchy":
                return self._in_hierarchy(expression, column, encode, position, kind)
            case "contains":
                return self._contains(expression, position, search)
            case "starts_with":
                return self._starts_with(expression, position, search)
            case "like":
                return self._like(expression, position)
            case _:
                return cast(Sql, expression.op(op, is_comparison=True)(self.parameters.add(position, encode)))

    def _in(self, expression: Sql, column: Column, encode: Encode, position: int) -> Sql:
        """One parameter however long the list is: one shape, and no limit of parameters is met."""
        if not self._sqlite:
            array = self.parameters.add(position, lambda values: [encode(v) for v in values])
            return expression == sa.func.any(sa.cast(array, postgresql.ARRAY(_ARRAYS[column.kind])))
        return expression.in_(self._listed(column, encode, position))

    def _listed(self, column: Column, encode: Encode, position: int) -> sa.Select[Any]:
        if column.kind != "uuid":
            text = self.parameters.add(position, lambda values: _json([encode(v) for v in values]))
            rows = sa.func.json_each(text).table_valued("value")
            return sa.select(rows.c.value)
        # JSON holds no blobs: the list travels as one blob, cut by the positions of an equally long JSON array.
        blob = self.parameters.add(position, lambda values: b"".join(cast(bytes, encode(v)) for v in values))
        places = self.parameters.add(position, lambda values: _json([0] * len(values)))
        rows = sa.func.json_each(places).table_valued("key")
        part: Sql = sa.literal_column("16")
        start: Sql = rows.c.key.op("*")(part).op("+")(sa.literal_column("1"))
        return sa.select(sa.func.substr(blob, start, part))

    def _in_hierarchy(self, expression: Sql, column: Column, encode: Encode, position: int, kind: str) -> Sql:
        layout = self.kernel.layout.objects[kind]
        parent = layout.field("Parent")
        assert parent is not None
        number = len(self.parameters.slots)
        top = sql_table(layout.table, f"h{number}t")
        tree = sa.select(top.c["ref"].label("ref")).where(self._in(top.c["ref"], column, encode, position))
        cte = tree.cte(f"h{number}", recursive=True)
        below = sql_table(layout.table, f"h{number}b")
        step = sa.select(below.c["ref"]).where(below.c[parent.column.name] == cte.c["ref"])
        cte = cte.union(step)
        return expression.in_(sa.select(cte.c["ref"]))

    def _contains(self, expression: Sql, position: int, search: Sql | None) -> Sql:
        if search is None and self._sqlite:
            return self._glob(expression, position, "*")
        find = sa.func.instr if self._sqlite else sa.func.strpos
        text = self.parameters.add(position, folded if search is None else search_key)
        return cast(Sql, find(_translated(expression) if search is None else search, text) > sa.literal_column("0"))

    def _starts_with(self, expression: Sql, position: int, search: Sql | None) -> Sql:
        if search is not None:
            low = self.parameters.add(position, search_key)
            high = self.parameters.add(position, lambda v: _next_text(search_key(v)))
            return sa.and_(search >= low, search < high)
        if self._sqlite:
            return self._glob(expression, position, "")
        text = self.parameters.add(position, folded)
        return sa.func.starts_with(_translated(expression), text)

    def _like(self, expression: Sql, position: int) -> Sql:
        if self._sqlite:
            return cast(Sql, expression.op("GLOB", is_comparison=True)(self.parameters.add(position, glob_pattern)))
        return cast(
            Sql, _translated(expression).op("~", is_comparison=True)(self.parameters.add(position, regular_expression))
        )

    def _glob(self, expression: Sql, position: int, head: str) -> Sql:
        """SQLite knows the case of Latin letters only; a pattern that lists both cases of each letter needs no help of it."""
        pattern = self.parameters.add(position, lambda v: f"{head}{''.join(map(glob_letter, v))}*")
        return cast(Sql, expression.op("GLOB", is_comparison=True)(pattern))


def _depth(shape: Shape) -> int:
    """Levels of AND, OR and NOT."""
    match shape:
        case ("and" | "or", parts):
            return 1 + max(map(_depth, parts), default=0)
        case ("not" | "platform", part):
            return 1 + _depth(part)
        case ("rows", _, part):
            return 2 + _depth(part)
        case _:
            return 0


def _joined(join: Callable[..., Sql], parts: Sequence[Sql]) -> Sql:
    """AND or OR of any number of parts: a long chain is cut into groups, for to SQLite its length is depth."""
    if len(parts) <= CHAIN:
        return join(*parts)
    groups = [Spliced("(", join(*parts[i : i + CHAIN]), ")") for i in range(0, len(parts), CHAIN)]
    return _joined(join, groups)


def _translated(expression: Sql) -> Sql:
    return sa.func.translate(expression, literal(UPPER + LATIN_UPPER), literal(LOWER + LATIN_LOWER))


def _json(values: Sequence[object]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))
