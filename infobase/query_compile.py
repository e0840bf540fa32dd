"""The shape of a query -> one SQL statement of the base's dialect, compiled once and kept."""

from __future__ import annotations

import datetime as dt
import operator
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import reduce
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import quoted_name

from infobase.kernel import Kernel
from infobase.metadata.types import CompositeType, RefType
from infobase.query_computed import keys_of, kind_of, scale_of
from infobase.query_conditions import ConditionSql, Encode, Parameters
from infobase.query_decode import Output, ResultColumn, reader
from infobase.query_fields import FieldPath, FieldSql, Joiner, Sql, sql_table
from infobase.query_names import invalid, shown
from infobase.query_plan import COMPUTED, Key, OrderKey, QueryShape
from infobase.query_shape import Operand, Operands, Shape, operands_of
from infobase.query_sources import SLICES, Source, resolve_source
from infobase.query_virtual import VirtualTable
from infobase.schema.layout import TOTAL_DIGITS
from infobase.storage import Column, Statement

_COMPILERS: dict[str, Any] = {
    "sqlite": sqlite.dialect(paramstyle="qmark"),
    "postgresql": postgresql.dialect(paramstyle="format"),  # type: ignore[no-untyped-call]
}
_COMPUTED_COLUMNS = {
    "number": Column("f", "decimal", TOTAL_DIGITS, 0),
    "text": Column("f", "text"),
    "date": Column("f", "timestamp"),
}
_KINDS: dict[str, type | tuple[type, ...]] = {
    "uuid": uuid.UUID,
    "text": str,
    "decimal": Decimal,
    "timestamp": dt.datetime,
    "bool": bool,
    "binary": bytes,
    "int": int,
}


@dataclass(frozen=True, slots=True)
class SortColumn:
    """One column of the total order. `id` tells expressions apart."""

    id: tuple[object, ...]
    expression: Sql
    column: Column
    descending: bool


@dataclass(frozen=True)
class Prepared:
    """A compiled shape: SQL, which value goes where, and how rows are read. `page`: positions and columns of the page key."""

    sql: str
    slots: tuple[tuple[int, Encode], ...]
    columns: tuple[ResultColumn, ...]
    outputs: tuple[Output, ...]
    page: tuple[tuple[int, Column], ...]

    def statement(self, values: Sequence[object]) -> Statement:
        return Statement(self.sql, [encode(values[position]) for position, encode in self.slots])


def prepare(kernel: Kernel, shape: QueryShape) -> Prepared:
    """Compile a shape; the caller keeps the result."""
    return _Compilation(kernel, shape).prepare()


def render(
    kernel: Kernel, statement: sa.Select[Any], parameters: Parameters
) -> tuple[str, tuple[tuple[int, Encode], ...]]:
    """SQL text of the dialect, and its parameters in order."""
    compiled = statement.compile(dialect=_COMPILERS[kernel.dialect.name])
    return str(compiled), tuple(parameters.slots[name] for name in compiled.positiontup or ())


class _Compilation:
    def __init__(self, kernel: Kernel, shape: QueryShape) -> None:
        self.kernel, self.shape = kernel, shape
        self.source: Source = resolve_source(kernel, shape.source, shape.periodicity)
        self.operands = operands_of(kernel, self.source)
        self.parameters = Parameters()
        self.virtual: VirtualTable | None = None
        self._limits = dict(shape.limits)
        self._limited = 0
        limit = self._limit if self._limits else None
        self.joiner = Joiner(kernel, self.source, self._base(), limit=limit)
        self.conditions = ConditionSql(
            kernel, self.parameters, self.operands.of_key, self._operand_sql, self._platform_sql, limit
        )
        self.out: list[sa.Label[Any]] = []
        self._places: dict[tuple[object, ...], int] = {}

    # --- rows ---

    def _base(self) -> sa.FromClause:
        if not self.source.virtual:
            return sql_table(self.source.table, "s")
        self.virtual = VirtualTable(
            self.kernel,
            self.source,
            self.parameters,
            self._inner_condition,
            condition=self.shape.condition,
            roots=self.shape.roots,
            limit=self._limit if self._limits else None,
        )
        if self.source.variety in SLICES:
            return self.virtual.slice(self.shape.period)
        return self.virtual.totals(self.shape.segments)

    def _inner_condition(self, joiner: Joiner, records: Source, shape: Shape) -> Sql:
        operands = operands_of(self.kernel, records)
        writer = _conditions(self.kernel, self.parameters, operands, joiner)
        # Joins are made while the condition is written; the caller reads `joiner.clause` after it.
        return writer.write(shape)

    def _limit(self, target: str, alias: sa.FromClause) -> Sql | None:
        """That the user may see the row of `target` joined as `alias`."""
        shape = self._limits.get(target)
        if shape is None:
            return None
        self._limited += 1
        source = resolve_source(self.kernel, target)
        rows = sql_table(source.table, f"x{self._limited}")
        joiner = Joiner(self.kernel, source, rows, f"x{self._limited}j")
        seen = _conditions(self.kernel, self.parameters, operands_of(self.kernel, source), joiner).write(shape)
        found: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(joiner.clause)
        return found.where(rows.c["ref"] == alias.c["ref"], seen).correlate(alias).exists()

    def _platform_sql(self, operand: Operand) -> FieldSql:
        return self.joiner.field(cast(FieldPath, operand.path), platform=True)

    def _operand_sql(self, operand: Operand) -> FieldSql:
        if not operand.function:
            return self.joiner.field(cast(FieldPath, operand.path))
        return FieldSql((self._aggregate(operand),))

    def _aggregate(self, operand: Operand) -> Sql:
        if operand.path is None:
            return sa.func.count()
        columns = self.joiner.field(operand.path).columns
        if operand.function == "Count":
            if not operand.distinct:
                return sa.func.count()
            return sa.func.count(sa.distinct(self._identity(operand.path, columns)))
        column = operand.layout.columns[0]
        name = {"Sum": "sum", "Avg": "sum", "Min": "min", "Max": "max"}[operand.function]
        found: Sql = getattr(sa.func, name)(columns[0])
        return self.joiner.filled(found, column)

    def _identity(self, path: FieldPath, columns: Sequence[Sql]) -> Sql:
        """One expression that is different for different values."""
        if len(columns) == 1:
            return columns[0]
        if isinstance(path.type, CompositeType) and all(isinstance(t, RefType) for t in path.type.types):
            return columns[1]
        parts: list[Sql] = []
        for expression, column in zip(columns, path.layout.columns, strict=True):
            binary = column.kind == "uuid" and self.kernel.dialect.name == "sqlite"
            parts.append(sa.func.hex(expression) if binary else sa.cast(expression, sa.Text()))
        return reduce(lambda a, b: a.op("||")(sa.literal_column("'|'")).op("||")(b), parts)

    # --- the statement ---

    def prepare(self) -> Prepared:
        columns, outputs = self._outputs()
        order = self._order()
        page = tuple((self._place(c.id, c.expression), c.column) for c in order) if self.shape.limit >= 0 else ()
        statement = self._filtered(order)
        statement = statement.order_by(*(self._direction(c) for c in order))
        sql, slots = render(self.kernel, statement, self.parameters)
        if self.shape.limit >= 0:
            # SQLAlchemy would add an OFFSET of its own for SQLite.
            sql, slots = f"{sql}\n LIMIT {self.kernel.dialect.placeholder}", (*slots, (self.shape.limit, int))
        if self.shape.offset >= 0:
            sql, slots = f"{sql} OFFSET {self.kernel.dialect.placeholder}", (*slots, (self.shape.offset, int))
        return Prepared(sql, slots, columns, outputs, page)

    def _filtered(self, order: Sequence[SortColumn]) -> sa.Select[Any]:
        where = [] if self.shape.where is None else [self.conditions.write(self.shape.where)]
        having = [] if self.shape.having is None else [self.conditions.write(self.shape.having)]
        groups = self._groups()
        if self.shape.after >= 0:
            (where if self.shape.groups is None else having).append(self._keyset(order))
        made = sa.select(*self.out).select_from(self.joiner.clause)
        if where:
            made = made.where(*where)
        if groups:
            made = made.group_by(*groups)
        if having:
            made = made.having(*having)
        return made.distinct() if self.shape.distinct else made

    def _outputs(self) -> tuple[tuple[ResultColumn, ...], tuple[Output, ...]]:
        columns, outputs = [], []
        for key, name in self.shape.select:
            operand = self.operands.of_key(key)
            positions = self._output_positions(operand)
            outputs.append(Output(name, positions, reader(self.kernel, operand)))
            columns.append(ResultColumn(name, operand.layout.field.type))
        return tuple(columns), tuple(outputs)

    def _output_positions(self, operand: Operand) -> tuple[int, ...]:
        if operand.function == "Avg":
            assert operand.path is not None
            total = self._place(("Sum(", "", *operand.path.names, 0), self._aggregate(operand))
            return total, self._place(("Count(", "", "*", 0), sa.func.count())
        return tuple(self._place(identity, e) for identity, e in self._expressions(operand))

    def _expressions(self, operand: Operand) -> list[tuple[tuple[object, ...], Sql]]:
        """The columns an operand is read from; their identities are shared with other operands that need the same."""
        path = operand.path
        if path is None or path.parent is None or not self._assembled(operand):
            return [((*operand.key, i), e) for i, e in enumerate(self._operand_sql(operand).columns)]
        found = [((*path.parent.names, i), e) for i, e in enumerate(self.joiner.field(path.parent).columns)]
        return found + [((*path.names, i), e) for i, e in enumerate(self.joiner.presentation(path))]

    @staticmethod
    def _assembled(operand: Operand) -> bool:
        return operand.path is not None and operand.path.assembled and not operand.function

    def _place(self, identity: tuple[object, ...], expression: Sql) -> int:
        """The position of an expression in the row; each is selected once."""
        found = self._places.get(identity)
        if found is None:
            found = self._places[identity] = len(self.out)
            self.out.append(expression.label(f"c{found}"))
        return found

    # --- grouping ---

    def _groups(self) -> list[Sql]:
        """Expressions to group by: the groups, and what is selected or ordered by that hangs on them."""
        if self.shape.groups is None:
            return []
        made: dict[tuple[object, ...], Sql] = {}
        keys = [*self.shape.groups, *(k for k, _ in self.shape.select), *(k for k, _ in self.shape.order)]
        keys += _keys_in(self.shape.having)
        for key in keys:
            operand = self.operands.of_key(key)
            if operand.function:
                continue
            made.update(self._expressions(operand))
            search = None if self._assembled(operand) else self._operand_sql(operand).search
            if search is not None:
                made[*key, "search"] = search
        return list(made.values())

    # --- order and pages ---

    def _order(self) -> list[SortColumn]:
        made: dict[tuple[object, ...], SortColumn] = {}
        descending = False
        for key, descending in self.shape.order:
            for c in self._sorted_by(key, descending):
                made.setdefault(c.id, c)
        for c in self._unique_key():
            made.setdefault(c.id, replace(c, descending=descending))
        if self.shape.distinct:
            self._demand_selected(made)
        return list(made.values())

    def _sorted_by(self, key: OrderKey, descending: bool) -> list[SortColumn]:
        """Searchable texts by their search form alone: case and ё decide nothing, as in 1C, and one index gives this order with the key's."""
        if key[0] != COMPUTED:
            found = self._sort_columns(self.operands.of_key(key), descending)
            return found[:1] if found[0].id[-1] == "search" else found
        shape = key[1]
        column = _COMPUTED_COLUMNS[kind_of(shape)]
        if column.kind == "decimal":
            column = replace(column, scale=scale_of(shape))
        filled = self.joiner.filled(self.conditions.computed.value(shape), column)
        return [SortColumn((*key, 0), filled, column, descending)]

    def _demand_selected(self, order: dict[tuple[object, ...], SortColumn]) -> None:
        """DISTINCT rows can be told apart and ordered only by what is in them."""
        for c in order.values():
            plain = c.id[:-1] if c.id[-1] == "search" else None
            if plain is not None and (*plain, 0) in self._places:
                self._place(c.id, c.expression)
            elif c.id not in self._places:
                raise invalid(
                    f"distinct: упорядочить можно только по выбранным полям, а не по {'.'.join(map(str, c.id[:-1]))}",
                    f"distinct: only selected fields can be ordered by, not {'.'.join(map(str, c.id[:-1]))}",
                )

    def _sort_columns(self, operand: Operand, descending: bool) -> list[SortColumn]:
        key = operand.key
        if self._assembled(operand):
            return self._sort_presentation(cast(FieldPath, operand.path), descending)
        sql = self._operand_sql(operand)
        columns = zip(sql.columns, operand.layout.columns, strict=True)
        made = [SortColumn((*key, i), e, self._sort_kind(operand, c), descending) for i, (e, c) in enumerate(columns)]
        if sql.search is not None and operand.layout.search is not None:
            made.insert(0, SortColumn((*key, "search"), sql.search, operand.layout.search, descending))
        return made

    def _sort_presentation(self, path: FieldPath, descending: bool) -> list[SortColumn]:
        """Documents by date and number, others by their text, and what has neither (enumerations, plain values) by itself."""
        kinds = [Column("f", "text"), Column("f", "timestamp")]
        found = [((*path.names, i), e) for i, e in enumerate(self.joiner.presentation(path))]
        made = [SortColumn(i, e, c, descending) for (i, e), c in zip(found, kinds, strict=False)]
        assert path.parent is not None
        own = self._sort_columns(self.operands.of_key(path.parent.names), descending)
        return [*reversed(made), *own]

    @staticmethod
    def _sort_kind(operand: Operand, column: Column) -> Column:
        if operand.function == "Sum" and column.kind != "decimal":
            return Column("f", "decimal", TOTAL_DIGITS, 0)
        return column

    def _unique_key(self) -> list[SortColumn]:
        if self.shape.groups is not None:
            keys: Sequence[Key] = self.shape.groups
        elif self.shape.distinct:
            keys = [k for k, _ in self.shape.select]
        elif self.virtual is None:
            return self._stored_key()
        else:
            names = [d.name for d in self.virtual.register.dimensions]
            keys = [(n,) for n in names] if self.source.variety in SLICES else [(f.name,) for f in self.virtual.used()]
        return [c for k in keys for c in self._sort_columns(self.operands.of_key(k), False) if c.id[-1] != "search"]

    def _stored_key(self) -> list[SortColumn]:
        ids = {c.name: (f.name, i) for f in self.source.fields for i, c in enumerate(f.columns)}
        base = self.joiner.base
        return [SortColumn(ids[c.name], base.c[c.name], c, False) for c in self.source.key]

    def _direction(self, c: SortColumn) -> sa.ColumnElement[Any]:
        place = self._places.get(c.id)
        expression: Sql = c.expression if place is None else self.out[place]
        return expression.desc() if c.descending else expression.asc()

    def _keyset(self, order: Sequence[SortColumn]) -> Sql:
        """Rows after the key: one row comparison when all directions agree, which an index can serve; else its expansion."""
        if len(order) != self.shape.after_count:
            raise invalid(
                f"after: нужно значений {len(order)}, а дано {self.shape.after_count}",
                f"after: {len(order)} values are needed, {self.shape.after_count} given",
            )
        if not order:
            return sa.literal_column("1 = 0")
        if len({c.descending for c in order}) == 1:
            left = sa.tuple_(*(c.expression for c in order))
            right = sa.tuple_(*(self._after(i, c) for i, c in enumerate(order)))
            return left < right if order[0].descending else left > right
        bound = order[0].expression <= self._after(0, order[0])
        if not order[0].descending:
            bound = order[0].expression >= self._after(0, order[0])
        return sa.and_(bound, self._beyond(order, 0))

    def _beyond(self, order: Sequence[SortColumn], i: int) -> Sql:
        c = order[i]
        compare = operator.lt if c.descending else operator.gt
        strictly: Sql = compare(c.expression, self._after(i, c))
        if i == len(order) - 1:
            return strictly
        return sa.or_(strictly, sa.and_(c.expression == self._after(i, c), self._beyond(order, i + 1)))

    def _after(self, i: int, c: SortColumn) -> sa.BindParameter[Any]:
        return self.parameters.add(self.shape.after + i, _key_encoder(self.kernel, c.column))


def _conditions(kernel: Kernel, parameters: Parameters, operands: Operands, joiner: Joiner) -> ConditionSql:
    """The writer of conditions over the plain fields of a FROM clause."""

    def own(operand: Operand) -> FieldSql:
        return joiner.field(cast(FieldPath, operand.path))

    def platform(operand: Operand) -> FieldSql:
        return joiner.field(cast(FieldPath, operand.path), platform=True)

    return ConditionSql(kernel, parameters, operands.of_key, own, platform)


def _keys_in(shape: Shape | None) -> list[Key]:
    """The operands a condition speaks of."""
    if shape is None:
        return []
    if shape[0] == "cmp":
        return [shape[1]]
    if shape[0] == "calc":
        return [k for side in (shape[1], shape[3]) for k in keys_of(side)]
    if shape[0] == "rows":
        return [("Ref",)]
    parts = (shape[1],) if shape[0] == "not" else shape[1]
    return [k for p in parts for k in _keys_in(p)]


def _key_encoder(kernel: Kernel, column: Column) -> Callable[[Any], object]:
    write = kernel.dialect.writer(column)
    wanted = _KINDS[column.kind]

    def encode(value: Any) -> object:
        good = isinstance(value, wanted) and not (isinstance(value, bool) and column.kind == "int")
        if not good or (isinstance(value, str) and not _is_text(value)):
            raise invalid(
                f"after: значение «{shown(value)}» не подходит", f"after: the value {shown(value)!r} does not fit"
            )
        return value if write is None else write(value)

    return encode


def _is_text(value: str) -> bool:
    return "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)


def keys_statement(kernel: Kernel, source: Source, condition: Shape | None, values: Sequence[object]) -> Statement:
    """SELECT of the source's key columns of the rows that satisfy the condition, unordered."""
    parameters, operands = Parameters(), operands_of(kernel, source)
    joiner = Joiner(kernel, source, sql_table(source.table, "s"))
    writer = _conditions(kernel, parameters, operands, joiner)
    where = [] if condition is None else [writer.write(condition)]
    columns = [joiner.base.c[quoted_name(c.name, quote=True)] for c in source.key]
    sql, slots = render(kernel, sa.select(*columns).select_from(joiner.clause).where(*where), parameters)
    return Statement(sql, [encode(values[position]) for position, encode in slots])
