"""Virtual tables of registers as subqueries: slices, balances, turnovers.

They are grouped by the dimensions a query uses and no others, and rows whose figures are all zero are left out.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import quoted_name

from infobase.kernel import Kernel
from infobase.metadata.model import EXPENSE, AccumulationRegister
from infobase.query_conditions import Parameters
from infobase.query_fields import Joiner, Limit, Sql, literal, sql_table
from infobase.query_segments import BALANCE, MOVEMENTS, OPENING, TOTALS, Segment
from infobase.query_shape import Shape
from infobase.query_sources import SLICES, Source, figure_column, figures_of, resolve_source
from infobase.schema.dialect import Dialect
from infobase.schema.layout import FieldLayout, RegisterLayout
from infobase.storage import Column, Table

WriteCondition = Callable[[Joiner, Source, Shape], Sql]
"""Writes a condition over the rows a joiner stands on."""

_ROW = "row__number"
_TRUNCATED = {"Day": "day", "Week": "week", "Month": "month", "Quarter": "quarter", "Year": "year"}
_PERIOD = Column("period", "timestamp")


class VirtualTable:
    """One virtual table of one statement. `roots`: the fields of it that the query uses."""

    def __init__(
        self,
        kernel: Kernel,
        source: Source,
        parameters: Parameters,
        write: WriteCondition,
        *,
        condition: Shape | None,
        roots: frozenset[str],
        limit: Limit | None = None,
    ) -> None:
        assert source.register is not None
        self.kernel, self.source, self.parameters, self._write = kernel, source, parameters, write
        self.register: RegisterLayout = source.register
        self.records = resolve_source(kernel, source.object)
        self.condition, self.roots, self._limit = condition, roots, limit
        meta = kernel.configuration.objects[source.object]
        self.has_balance = isinstance(meta, AccumulationRegister) and meta.has_balance
        self._joiners = 0

    # --- common ---

    def _rows(self, table: Table) -> tuple[sa.FromClause, Joiner]:
        self._joiners += 1
        rows = sql_table(table, f"r{self._joiners}")
        return rows, Joiner(self.kernel, self.records, rows, f"r{self._joiners}j", self._limit)

    def _moment(self, position: int) -> sa.BindParameter[Any]:
        write = self.kernel.dialect.writer(_PERIOD)
        return self.parameters.add(position, (lambda v: v) if write is None else write)

    def _active(self, rows: sa.FromClause) -> Iterator[Sql]:
        """Records switched off do not count."""
        if self.register.field("Active") is not None:
            yield rows.c["active"] == sa.literal_column("1" if self.kernel.dialect.name == "sqlite" else "true")

    # --- slices ---

    def slice(self, period: int) -> sa.FromClause:
        """The last (first) record of each key up to (from) a moment, that moment included."""
        rows, joiner = self._rows(self.register.table)
        last = self.source.variety == SLICES[0]
        keys = [rows.c[c.name] for c in self.register.dimension_columns]
        at = rows.c["period"]
        number = sa.func.row_number().over(partition_by=keys or None, order_by=at.desc() if last else at.asc())
        columns = [rows.c[c.name] for f in self.source.fields for c in (*f.columns, *((f.search,) if f.search else ()))]
        where = list(self._active(rows))
        if period >= 0:
            moment = self._moment(period)
            where.append(at <= moment if last else at >= moment)
        if self.condition is not None:
            where.append(self._write(joiner, self.records, self.condition))
        numbered = sa.select(*columns, number.label(_ROW)).select_from(joiner.clause).where(*where).subquery("n")
        kept = [numbered.c[str(c.name)] for c in columns]
        return sa.select(*kept).where(numbered.c[_ROW] == sa.literal_column("1")).subquery("s")

    # --- totals ---

    def used(self) -> list[FieldLayout]:
        """The fields rows are told apart by: dimensions and moments that the query uses."""
        figures = {c.name for r in self.register.resources for c in self._figure_columns(r)}
        return [f for f in self.source.fields if f.name in self.roots and f.columns[0].name not in figures]

    def _figure_columns(self, resource: FieldLayout) -> list[Column]:
        return [figure_column(resource, f) for f in figures_of(self.source.variety, self.has_balance)]

    def totals(self, segments: Sequence[Segment]) -> sa.FromClause:
        """The register's figures added up from the segments."""
        keys = [c for f in self.used() for c in f.columns]
        whole = {c.name for c in keys} == {c.name for c in self.register.dimension_columns}
        if whole and [s.table for s in segments] == [BALANCE] and self.source.variety == "Balance":
            return self._current(segments[0], keys)
        single = len(segments) == 1
        parts = [self._segment(s, keys, single=single) for s in segments]
        if single:
            return self._summed(parts[0].subquery("u"), keys)
        return self._summed(sa.union_all(*parts).subquery("u"), keys)

    def _current(self, segment: Segment, keys: Sequence[Column]) -> sa.FromClause:
        """All dimensions of the current balance: its rows as they are."""
        assert self.register.balance is not None
        rows, joiner = self._rows(self.register.balance)
        figures = [rows.c[c.name] for c in self.register.balance.columns[-len(self.register.resources) :]]
        labels = [self._figure_columns(r)[0].name for r in self.register.resources]
        where = [_any_not_zero(figures)]
        if self.condition is not None:
            where.append(self._write(joiner, self.records, self.condition))
        columns = [rows.c[c.name] for c in keys] + [f.label(n) for f, n in zip(figures, labels, strict=True)]
        return sa.select(*columns).select_from(joiner.clause).where(*where).subquery("s")

    def _segment(self, segment: Segment, keys: Sequence[Column], *, single: bool) -> sa.Select[Any]:
        """Keys and, per resource, its components (`_components`) of one table. Several segments are each summed first:
        the stored order of the totals makes that a single pass without sorting."""
        rows, joiner = self._rows(self._table(segment))
        groups = [self._key(rows, c, segment) for c in keys]
        amounts = []
        for i, resource in enumerate(self.register.resources):
            for component in self._components():
                found = self._amount(rows, segment, i, resource, component)
                if not single:
                    found = sa.func.sum(found)
                amounts.append(found.label(f"a{i}_{component}"))
        named = [g.label(f"k{n}") for n, g in enumerate(groups)]
        where = self._bounds(rows, joiner, segment)
        made = sa.select(*named, *amounts).select_from(joiner.clause).where(*where)
        return made if single or not groups else made.group_by(*groups)

    def _table(self, segment: Segment) -> Table:
        tables = {BALANCE: self.register.balance, TOTALS: self.register.turnovers, MOVEMENTS: self.register.table}
        found = tables[segment.table]
        assert found is not None
        return found

    def _components(self) -> tuple[str, ...]:
        if self.source.variety == "Balance":
            return ("o",)
        if self.source.variety == "Turnovers":
            return ("r", "e") if self.has_balance else ("t",)
        return ("o", "r", "e")

    def _bounds(self, rows: sa.FromClause, joiner: Joiner, segment: Segment) -> list[Sql]:
        where = list(self._active(rows)) if segment.table == MOVEMENTS else []
        if segment.low >= 0:
            where.append(rows.c["period"] >= self._moment(segment.low))
        if segment.high >= 0:
            where.append(rows.c["period"] < self._moment(segment.high))
        if self.condition is not None:
            where.append(self._write(joiner, self.records, self.condition))
        return where

    def _key(self, rows: sa.FromClause, column: Column, segment: Segment) -> Sql:
        found = rows.c[column.name]
        if column.name != "period" or self.source.periodicity not in _TRUNCATED:
            return found
        if segment.table == TOTALS and self.source.periodicity == "Month":
            return found
        return truncated(found, self.source.periodicity, self.kernel.dialect)

    def _amount(self, rows: sa.FromClause, segment: Segment, i: int, resource: FieldLayout, component: str) -> Sql:
        zero = self._zero()
        if (component == "o") != (segment.role == OPENING):
            return zero
        if segment.table == BALANCE:
            assert self.register.balance is not None
            found: Sql = rows.c[self.register.balance.columns[i - len(self.register.resources)].name]
        elif component == "t":
            assert self.register.turnovers is not None
            column = self.register.turnovers.columns[i - len(self.register.resources)]
            found = rows.c[column.name if segment.table == TOTALS else resource.column.name]
        else:
            found = self._with_sides(rows, segment, i, resource, component)
        return -found if segment.sign < 0 else found

    def _zero(self) -> Sql:
        """Of the type sums have, even when nothing else is summed."""
        return sa.literal_column("0" if self.kernel.dialect.name == "sqlite" else "CAST(0 AS NUMERIC)")

    def _with_sides(self, rows: sa.FromClause, segment: Segment, i: int, resource: FieldLayout, component: str) -> Sql:
        """Receipt, expense or their difference of a balance register."""
        zero = self._zero()
        if segment.table == TOTALS:
            assert self.register.turnovers is not None
            at = 2 * (i - len(self.register.resources))
            columns = self.register.turnovers.columns
            receipt, expense = rows.c[columns[at].name], rows.c[columns[at + 1].name]
            return {"o": receipt.op("-")(expense), "r": receipt, "e": expense}[component]
        amount = rows.c[resource.column.name]
        is_expense = rows.c["record_type"] == literal(EXPENSE)
        values = {"o": (-amount, amount), "r": (zero, amount), "e": (amount, zero)}[component]
        return sa.case((is_expense, values[0]), else_=values[1])

    def _summed(self, rows: sa.FromClause, keys: Sequence[Column]) -> sa.FromClause:
        groups = [rows.c[f"k{n}"] for n in range(len(keys))]
        named = [g.label(quoted_name(c.name, quote=True)) for g, c in zip(groups, keys, strict=True)]
        figures: list[Sql] = []
        labels: list[str] = []
        sums: list[Sql] = []
        for i, resource in enumerate(self.register.resources):
            parts = {c: sa.func.sum(rows.c[f"a{i}_{c}"]) for c in self._components()}
            sums += parts.values()
            for figure, column in zip(
                figures_of(self.source.variety, self.has_balance), self._figure_columns(resource), strict=True
            ):
                figures.append(_figure(figure, parts))
                labels.append(column.name)
        columns = [f.label(quoted_name(n, quote=True)) for f, n in zip(figures, labels, strict=True)]
        if groups:
            made = sa.select(*named, *columns).group_by(*groups).having(_any_not_zero(sums))
            return made.subquery("s")
        # Without keys there is one row, and no HAVING in older SQLite; NULLs of no rows at all fail the test too.
        one = sa.select(*columns, *(s.label(f"t{n}") for n, s in enumerate(sums))).subquery("o")
        tests = [one.c[f"t{n}"] for n in range(len(sums))]
        return sa.select(*(one.c[n] for n in labels)).where(_any_not_zero(tests)).subquery("s")


def _figure(figure: str, parts: dict[str, Any]) -> Sql:
    turnover = parts["t"] if "t" in parts else parts["r"].op("-")(parts["e"]) if "r" in parts else None
    made: dict[str, Any] = {
        "Balance": parts.get("o"),
        "OpeningBalance": parts.get("o"),
        "Receipt": parts.get("r"),
        "Expense": parts.get("e"),
        "Turnover": turnover,
    }
    if figure == "ClosingBalance":
        return parts["o"].op("+")(parts["r"]).op("-")(parts["e"])  # type: ignore[no-any-return]
    return made[figure]  # type: ignore[no-any-return]


def _any_not_zero(amounts: Sequence[Sql]) -> Sql:
    return reduce(operator.or_, [a != sa.literal_column("0") for a in amounts])


def truncated(period: Sql, periodicity: str, dialect: Dialect) -> Sql:
    """The beginning of the day, week (Monday), month, quarter or year of a moment."""
    if dialect.name == "postgresql":
        return sa.func.date_trunc(literal(_TRUNCATED[periodicity]), period)
    midnight, january = literal(" 00:00:00"), literal("-01-01 00:00:00")
    if periodicity == "Day":
        return sa.func.substr(period, _n(1), _n(10)).op("||")(midnight)
    if periodicity == "Week":
        return sa.func.date(period, literal("-6 days"), literal("weekday 1")).op("||")(midnight)
    if periodicity == "Month":
        return sa.func.substr(period, _n(1), _n(7)).op("||")(literal("-01 00:00:00"))
    if periodicity == "Year":
        return sa.func.substr(period, _n(1), _n(4)).op("||")(january)
    month = sa.func.substr(period, _n(6), _n(2))
    starts = [(month <= literal(last), literal(f"-{first} 00:00:00")) for last, first in _QUARTERS]
    return sa.func.substr(period, _n(1), _n(4)).op("||")(sa.case(*starts, else_=literal("-10-01 00:00:00")))


_QUARTERS = (("03", "01-01"), ("06", "04-01"), ("09", "07-01"))


def _n(value: int) -> Sql:
    return sa.literal_column(str(value))
