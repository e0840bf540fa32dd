"""A query -> its shape and its values: every name resolved, every value checked, nothing of SQL yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from infobase.kernel import Kernel
from infobase.metadata.types import ValueStorageType
from infobase.query_computed import ComputedShaper
from infobase.query_fields import FieldPath
from infobase.query_model import (
    CONDITIONS,
    MAX_LIMIT,
    MAX_NODES,
    And,
    AnyRow,
    Call,
    Compare,
    Computed,
    Condition,
    Expression,
    FieldValue,
    Not,
    Or,
    Query,
)
from infobase.query_names import PARAMETERS, PERIODICITIES, invalid, shown, word
from infobase.query_segments import Segment, Segments, after
from infobase.query_shape import ConditionShaper, Operand, Shape, operands_of
from infobase.query_sources import OBJECT, SECTION, SLICES, Source, resolve_source
from infobase.query_values import as_date


class Restriction(Protocol):
    """Which records of an object the user may see."""

    def __call__(self, full_name: str, *, demand: bool = True) -> Condition | None:
        """The record-level condition, None where there is none. Without the right to read at all: AccessDenied, or, unless `demand`,
        the condition that no record satisfies."""


Key = tuple[str, ...]
OrderKey = tuple[Any, ...]
"""The key of an operand, or (COMPUTED, the shape of an expression)."""
COMPUTED = "="

ALLOWED = {
    "SliceLast": ("period", "condition"),
    "SliceFirst": ("period", "condition"),
    "Balance": ("period", "condition"),
    "Turnovers": ("start", "end", "periodicity", "condition"),
    "BalanceAndTurnovers": ("start", "end", "condition"),
}
MAX_OFFSET = 2**62
MAX_COLUMNS = 500
"""Selected expressions, groups and orders."""


@dataclass(frozen=True)
class QueryShape:
    """All that decides the SQL. `groups` None: not grouped. `limit`, `offset`, `after`, `period`: positions of values, -1 when absent."""

    source: str
    periodicity: str
    select: tuple[tuple[Key, str], ...]
    groups: tuple[Key, ...] | None
    where: Shape | None
    having: Shape | None
    order: tuple[tuple[OrderKey, bool], ...]
    distinct: bool
    limit: int
    after: int
    after_count: int
    period: int
    segments: tuple[Segment, ...]
    condition: Shape | None
    roots: frozenset[str]
    limits: tuple[tuple[str, Shape], ...] = ()
    """Objects reached through references of which not every row may be seen, and which may."""
    offset: int = -1


def rebased(condition: Condition, prefix: str, depth: int = 0) -> Condition:
    """The condition with every field seen through a reference."""
    if depth > MAX_NODES:
        raise invalid("слишком сложное условие", "the condition is too complex")
    match condition:
        case Compare(field, op, value):
            return Compare(prefix + field, op, value)
        case And(parts):
            return And(tuple(rebased(p, prefix, depth + 1) for p in parts))
        case Or(parts):
            return Or(tuple(rebased(p, prefix, depth + 1) for p in parts))
        case Not(part):
            return Not(rebased(part, prefix, depth + 1))
        case Computed(left, op, right):
            return Computed(_rebased_value(left, prefix), op, _rebased_value(right, prefix))
        case AnyRow(section):
            raise invalid(
                f"условие по строкам {section} через ссылку", f"a condition on rows of {section} by reference"
            )


def _rebased_value(expression: Expression, prefix: str) -> Expression:
    match expression:
        case FieldValue(path):
            return FieldValue(prefix + path)
        case Call(function, arguments):
            return Call(function, tuple(_rebased_value(a, prefix) for a in arguments))
        case _:
            return expression


def plan(kernel: Kernel, query: Query, restriction: Restriction, source: Source) -> tuple[QueryShape, list[object]]:
    """The shape and the values it speaks of. QueryInvalid, and what `restriction` raises."""
    planner = _Planner(kernel, query, source)
    return planner.limited(*planner.plan(restriction(source.object)), restriction)


def source_of(kernel: Kernel, query: Query) -> Source:
    """The source of a query, with the periodicity its parameters ask for."""
    if not isinstance(query.parameters, Mapping):
        raise invalid("параметры должны быть словарём", "the parameters must be a mapping")
    for name, value in query.parameters.items():
        if PARAMETERS.find(name) == "periodicity":
            found = word(PERIODICITIES, value or "", "периодичности", "periodicity")
            return resolve_source(kernel, query.source, found)
    return resolve_source(kernel, query.source)


class _Planner:
    def __init__(self, kernel: Kernel, query: Query, source: Source) -> None:
        self.kernel, self.query, self.source = kernel, query, source
        self.operands = operands_of(kernel, source)
        self.values: list[object] = []
        self.roots: set[str] = set()
        self.paths: list[FieldPath] = []
        self.aliases: dict[str, Operand] = {}

    def plan(self, restriction: Condition | None) -> tuple[QueryShape, list[object]]:
        query = self.query
        if len(query.select) + len(query.group_by) + len(query.order_by) > MAX_COLUMNS:
            raise invalid(f"больше {MAX_COLUMNS} полей", f"more than {MAX_COLUMNS} fields")
        select = self._select()
        order = tuple((self._ordered(o.expression), bool(o.descending)) for o in query.order_by)
        groups = self._groups(select, order)
        where, inner = self._conditions(restriction)
        shape = QueryShape(
            source=self.source.name,
            periodicity=self.source.periodicity,
            select=tuple((o.key, name) for o, name in select),
            groups=groups,
            where=where,
            having=self._having(groups),
            order=order,
            distinct=bool(query.distinct),
            limit=self._limit(),
            offset=self._offset(),
            after=-1,
            after_count=0,
            period=-1,
            segments=(),
            condition=inner,
            roots=frozenset(),
        )
        shape = replace(self._with_moments(shape, restriction), roots=frozenset(self.roots))
        return self._with_after(shape), self.values

    # --- what is wanted ---

    def _select(self) -> list[tuple[Operand, str]]:
        items = [(i.expression, i.key) for i in self.query.select]
        if not items:
            items = [(g, g) for g in self.query.group_by] or [(f.name, f.name) for f in self.source.fields]
        made: list[tuple[Operand, str]] = []
        for expression, name in items:
            operand = self._use(self.operands.resolve(expression))
            if not isinstance(name, str) or name in self.aliases:
                raise invalid(f"имя «{shown(name)}» выбрано дважды", f"the name {shown(name)!r} is selected twice")
            self.aliases[name] = operand
            made.append((operand, name))
        return made

    def _use(self, operand: Operand) -> Operand:
        if operand.path is not None:
            self.roots.add(operand.path.root.names[0])
            self.paths.append(operand.path)
        return operand

    def _named(self, expression: str) -> Operand:
        """An alias of `select`, else an expression."""
        found = self.aliases.get(expression)
        return found if found is not None else self._use(self.operands.resolve(expression))

    def _ordered(self, expression: str | Call) -> OrderKey:
        if isinstance(expression, Call):
            if self.query.distinct:
                raise invalid("distinct: по вычисленному не упорядочить", "distinct: computed values order nothing")
            return COMPUTED, ComputedShaper(lambda p: self._use(self.operands.plain(p)), self.values).value(expression)
        operand = self._named(expression)
        if operand.function == "Avg":
            raise invalid("по среднему упорядочить нельзя", "an average cannot be ordered by")
        return operand.key

    def _groups(
        self, select: list[tuple[Operand, str]], order: tuple[tuple[OrderKey, bool], ...]
    ) -> tuple[Key, ...] | None:
        aggregated = [o for o, _ in select if o.function] + [k for k, _ in order if k[0].endswith("(")]
        if not self.query.group_by and not aggregated:
            return None
        if any(k[0] == COMPUTED for k, _ in order):
            raise invalid("итоги по вычисленному не упорядочить", "computed values do not order groups")
        groups = [self._group(self._named(g)) for g in self.query.group_by]
        keys = {p.names for p in groups}
        for operand in [*(o for o, _ in select), *(self.operands.of_key(k) for k, _ in order)]:
            if not operand.function:
                self._demand_grouped(cast(FieldPath, operand.path), keys)
        return tuple(dict.fromkeys(p.names for p in groups))

    def _group(self, operand: Operand) -> FieldPath:
        path = operand.path
        if operand.function or path is None or path.assembled:
            raise invalid(
                f"группировать по «{'.'.join(operand.key)}» нельзя, укажите поле", "only fields can be grouped by"
            )
        if isinstance(path.type, ValueStorageType):
            raise invalid(f"по «{path.text}» группировать нельзя", f"{path.text!r} cannot be grouped by")
        return path

    def _demand_grouped(self, path: FieldPath, keys: set[Key]) -> None:
        own = self.source.variety == OBJECT and ("Ref",) in keys
        if not own and not any(path.names[:n] in keys for n in range(1, len(path.names) + 1)):
            raise invalid(
                f"поле «{path.text}» не входит в группировку (group_by) и не под агрегатной функцией",
                f"the field {path.text!r} is neither in group_by nor under an aggregate",
            )

    # --- conditions ---

    def _conditions(self, restriction: Condition | None) -> tuple[Shape | None, Shape | None]:
        """The condition on the rows, and the one inside a virtual table."""
        where = self._row_condition(self.query.where)
        if restriction is not None and not self.source.virtual:
            through = rebased(restriction, "Ref.") if self.source.variety == SECTION else restriction
            where = _both(("platform", self._row_condition(through, own=False)), where)
        return where, None

    def _row_condition(self, condition: Condition | None, *, own: bool = True) -> Shape | None:
        """`own`: the user's condition, not a restriction's."""
        if condition is None:
            return None
        shaper = ConditionShaper(self.kernel, self.operands.plain, self.values)
        made = shaper.shape(condition)
        self.roots |= shaper.roots
        self.paths += shaper.paths if own else ()
        return made

    def _having(self, groups: tuple[Key, ...] | None) -> Shape | None:
        if self.query.having is None:
            return None
        if groups is None:
            raise invalid("having без группировки", "having without grouping")
        keys = set(groups)

        def grouped(expression: str) -> Operand:
            operand = self._named(expression) if isinstance(expression, str) else self.operands.resolve(expression)
            if not operand.function and operand.path is not None:
                self._demand_grouped(operand.path, keys)
            return operand

        shaper = ConditionShaper(self.kernel, grouped, self.values)
        made = shaper.shape(self.query.having)
        self.paths += shaper.paths
        return made

    # --- references followed ---

    def limited(
        self, shape: QueryShape, values: list[object], restriction: Restriction
    ) -> tuple[QueryShape, list[object]]:
        """The shape with the restrictions of the objects that its fields are reached through."""
        limits: dict[str, Shape] = {}
        for target, shown_only in _targets(self.source, self.paths).items():
            # A presentation of what may not be read is empty; a field of it is refused.
            condition = restriction(target, demand=not shown_only)
            if condition is not None:
                operands = operands_of(self.kernel, resolve_source(self.kernel, target))
                limits[target] = ConditionShaper(self.kernel, operands.plain, values).shape(condition)
        return replace(shape, limits=tuple(sorted(limits.items(), key=lambda pair: pair[0]))), values

    # --- paging ---

    def _limit(self) -> int:
        limit = self.query.limit
        if limit is None:
            return -1
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
            raise invalid(
                f"limit: от 1 до {MAX_LIMIT}, а не {shown(limit)}", f"limit: 1 to {MAX_LIMIT}, not {shown(limit)}"
            )
        self.values.append(limit)
        return len(self.values) - 1

    def _offset(self) -> int:
        offset = self.query.offset
        if isinstance(offset, bool) or not isinstance(offset, int) or not 0 <= offset <= MAX_OFFSET:
            raise invalid(f"offset: от 0, а не {shown(offset)}", f"offset: 0 and more, not {shown(offset)}")
        if offset and self.query.limit is None:
            raise invalid("offset без limit", "offset without limit")
        if not offset:
            return -1
        self.values.append(offset)
        return len(self.values) - 1

    def _with_after(self, shape: QueryShape) -> QueryShape:
        given = self.query.after
        if given is None:
            return shape
        if not isinstance(given, list | tuple):
            raise invalid("after: ключ предыдущей страницы", "after: the key of the page before")
        position = len(self.values)
        self.values += given
        return replace(shape, after=position, after_count=len(given))

    # --- virtual tables ---

    def _with_moments(self, shape: QueryShape, restriction: Condition | None) -> QueryShape:
        given = self._parameters()
        if not self.source.virtual:
            return shape
        condition, movements_only = self._inner(given.get("condition"), restriction)
        shape = replace(shape, condition=condition)
        if self.source.variety in SLICES:
            moment = as_date(given.get("period"), "period")
            if moment is None:
                return shape
            self.values.append(moment)
            return replace(shape, period=len(self.values) - 1)
        segments = Segments(self.values, movements_only=movements_only)
        self._segments(segments, given)
        return replace(shape, segments=tuple(segments.made))

    def _parameters(self) -> dict[str, object]:
        allowed = ALLOWED.get(self.source.variety, ())
        made: dict[str, object] = {}
        for name, value in self.query.parameters.items():
            found = word(PARAMETERS, name, "параметра", "parameter")
            if found not in allowed or found in made:
                raise invalid(
                    f"параметр {shown(name)} не для {self.source.name}",
                    f"the parameter {shown(name)} is not for {self.source.name}",
                )
            made[found] = value
        return made

    def _segments(self, segments: Segments, given: dict[str, object]) -> None:
        if self.source.variety == "Balance":
            segments.balance(as_date(given.get("period"), "period"))
            return
        low = as_date(given.get("start"), "start")
        end = as_date(given.get("end"), "end")
        high = None if end is None else after(end)
        if self.source.variety == "BalanceAndTurnovers" and low is not None:
            segments.balance(low)
            # A period that ends before it starts has no turnovers.
            high = max(low, high) if high is not None else None
        segments.turnovers(low, high, self.source.periodicity)

    def _inner(self, condition: object, restriction: Condition | None) -> tuple[Shape | None, bool]:
        """The condition on the records of a register, and whether totals cannot apply it."""
        assert self.source.register is not None
        records = operands_of(self.kernel, resolve_source(self.kernel, self.source.object))
        dimensions = {d.name for d in self.source.register.dimensions}
        own = None
        if condition is not None:
            if not isinstance(condition, CONDITIONS):
                raise invalid("condition: нужно условие", "condition: a condition is needed")
            shaper = ConditionShaper(self.kernel, records.plain, self.values)
            own = shaper.shape(condition)
            self.paths += shaper.paths
            if self.source.variety not in SLICES and not shaper.roots <= dimensions:
                extra = ", ".join(sorted(shaper.roots - dimensions))
                raise invalid(f"condition: {extra} - не измерения", f"condition: {extra}: not dimensions")
        if restriction is None:
            return own, False
        shaper = ConditionShaper(self.kernel, records.plain, self.values)
        limit = shaper.shape(restriction)
        return _both(("platform", limit), own), not shaper.roots <= dimensions


def _targets(source: Source, paths: Sequence[FieldPath]) -> dict[str, bool]:
    """The objects that paths go through, and whether only presentations are taken of them."""
    found: dict[str, bool] = {}
    for path in paths:
        at: FieldPath | None = path
        while at is not None and at.parent is not None:
            own = source.variety == OBJECT and at.parent.names == ("Ref",)
            for target, _ in () if own else at.options:
                found[target] = found.get(target, True) and at.presentation
            at = at.parent
    return found


def _both(first: Shape | None, second: Shape | None) -> Shape | None:
    if first is None or second is None:
        return first if second is None else second
    return ("and", (first, second))
