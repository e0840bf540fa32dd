"""The shape of a query: everything but its values, hashable, so that SQL is compiled once per shape.

Conditions become nested tuples that hold the *positions* of their values; the SQL is made from the shape alone, which is why no value
can ever become part of it.

    ("and", parts) ("or", parts) ("not", part) ("cmp", operand, op, type word, position)
    ("platform", part): a restriction's own condition, which follows references without the user's rights
    ("calc", ...): see `query_computed`   ("rows", source of a tabular section, shape)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from infobase.kernel import Kernel
from infobase.metadata.model import Catalog, Field, Naming
from infobase.metadata.types import (
    CompositeType,
    DateType,
    NumberType,
    Ref,
    RefType,
    SimpleType,
    StringType,
    Value,
    ValueStorageType,
    simple_types,
)
from infobase.query_computed import ComputedShaper
from infobase.query_fields import MAX_TEXT, FieldPath, Paths, paths_of
from infobase.query_model import (
    MAX_DEPTH,
    MAX_LIST,
    MAX_NODES,
    MAX_PATTERN,
    OPERATORS,
    And,
    AnyRow,
    Compare,
    Computed,
    Condition,
    Not,
    Or,
)
from infobase.query_names import AGGREGATES, DISTINCT, invalid, shown, unknown, word
from infobase.query_sources import Source, resolve_source
from infobase.query_values import Impossible, alternative, canonical_type, comparable, exact_number, unfit, word_of
from infobase.schema.layout import TOTAL_DIGITS, FieldLayout
from infobase.schema.search import search_key
from infobase.storage import Column

Shape = tuple[Any, ...]
TRUE: Shape = ("and", ())
FALSE: Shape = ("or", ())
ORDERED = ("<", "<=", ">", ">=", "between")
_AGGREGATE = re.compile(r"\s*(\w+)\s*\(\s*(?:(\w+)\s+)?([\w.]+|\*)\s*\)\s*\Z")


@dataclass(frozen=True, eq=False)
class Operand:
    """A field, or an aggregate over one. `key` identifies it within its source; `layout`: the type and columns of its value."""

    key: tuple[str, ...]
    layout: FieldLayout
    path: FieldPath | None
    function: str = ""
    distinct: bool = False


def _aggregate_layout(function: str, path: FieldPath | None, text: str) -> FieldLayout:
    naming = Naming(text, text)
    if function == "Count":
        return FieldLayout(Field(naming, NumberType(TOTAL_DIGITS)), (Column("f", "int"),))
    assert path is not None
    layout, value_type = path.layout, path.type
    column = layout.columns[0]
    if function in ("Sum", "Avg"):
        if not isinstance(value_type, NumberType):
            raise invalid(f"{text}: нужно числовое поле", f"{text}: a number field is needed")
        made = Field(naming, NumberType(TOTAL_DIGITS, value_type.scale))
        return FieldLayout(made, (Column("f", "decimal", TOTAL_DIGITS, value_type.scale),))
    if not isinstance(value_type, NumberType | DateType | StringType):
        raise invalid(
            f"{text}: нужно поле типа число, дата или строка", f"{text}: a number, date or string field is needed"
        )
    return FieldLayout(Field(naming, value_type, standard=layout.field.standard), (column,))


class Operands:
    """Expressions of one source -> operands, each resolved once."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self._found: dict[str, Operand] = {}

    def resolve(self, expression: object) -> Operand:
        """A field path or an aggregate. QueryInvalid."""
        if not isinstance(expression, str) or len(expression) > MAX_TEXT:
            raise invalid(f"«{shown(expression)}» - не выражение", f"{shown(expression)!r} is not an expression")
        found = self._found.get(expression)
        if found is None:
            if len(self._found) > MAX_TEXT:
                self._found.clear()
            found = self._found[expression] = self._resolve(expression)
        return found

    def _resolve(self, expression: str) -> Operand:
        if "(" not in expression:
            path = self.paths.resolve(expression)
            return Operand(path.names, path.layout, path)
        match = _AGGREGATE.match(expression)
        if match is None:
            raise invalid(
                f"«{shown(expression)}»: ожидается поле или Сумма(поле), Количество(*), Количество(различные поле), "
                "Минимум, Максимум, Среднее",
                f"{shown(expression)!r}: expected a field, or Sum(field), Count(*), Count(distinct field), Min, Max, Avg",
            )
        name, mark, argument = match.groups()
        function = word(AGGREGATES, name, "функции", "function")
        distinct = mark is not None
        if distinct and (mark.casefold() not in DISTINCT or function != "Count" or argument == "*"):
            raise unknown("слова", "word", mark, DISTINCT)
        if argument == "*" and function != "Count":
            raise invalid(f"{function}(*): укажите поле", f"{function}(*): name a field")
        path_or_none = None if argument == "*" else self.paths.resolve(argument)
        if path_or_none is not None and path_or_none.assembled:
            raise invalid(f"{shown(expression)}: представление", f"{shown(expression)}: a presentation")
        names = path_or_none.names if path_or_none is not None else ("*",)
        layout = _aggregate_layout(function, path_or_none, expression.strip())
        key = (f"{function}(", "distinct " if distinct else "", *names)
        return Operand(key, layout, path_or_none, function, distinct)

    def plain(self, expression: object) -> Operand:
        """A field: what rows, not groups, can be filtered by."""
        operand = self.resolve(expression)
        if operand.function:
            name = shown(expression)
            raise invalid(f"{name}: по итогам отбирает having", f"{name}: aggregates are filtered by having")
        return operand

    def of_key(self, key: tuple[str, ...]) -> Operand:
        """The operand a shape speaks of."""
        if not key[0].endswith("("):
            return self.resolve(".".join(key))
        return self.resolve(f"{key[0]}{key[1]}{'.'.join(key[2:])})")


def operands_of(kernel: Kernel, source: Source) -> Operands:
    """The resolver of a source's expressions, kept with the configuration version."""
    cache_key = ("query operands", source.name, source.periodicity)
    found = kernel.cache.get(cache_key)
    if found is None:
        found = kernel.cache[cache_key] = Operands(paths_of(kernel, source))
    return cast(Operands, found)


class ConditionShaper:
    """Conditions -> shapes; values are checked, made exact and appended to `values`."""

    def __init__(self, kernel: Kernel, operand: Callable[[str], Operand], values: list[object]) -> None:
        self.kernel, self.operand, self.values = kernel, operand, values
        self.roots: set[str] = set()
        """First names of the field paths met."""
        self.paths: list[FieldPath] = []
        """The field paths met."""
        self._nodes = 0

    def shape(self, condition: Condition, depth: int = 1) -> Shape:
        if depth > MAX_DEPTH:
            raise invalid(f"вложенность условия больше {MAX_DEPTH}", f"the condition is nested deeper than {MAX_DEPTH}")
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise invalid(
                f"в условии больше {MAX_NODES} сравнений", f"the condition has more than {MAX_NODES} comparisons"
            )
        match condition:
            case Compare():
                return self._compare(condition)
            case And(parts):
                return self._group("and", parts, depth)
            case Or(parts):
                return self._group("or", parts, depth)
            case Not(part):
                return ("not", self.shape(part, depth + 1))
            case Computed():
                return ComputedShaper(self._field, self.values).shape(condition)
            case AnyRow():
                return self._rows(condition, depth)
            case _:
                raise invalid(f"«{shown(condition)}» - не условие", f"{shown(condition)!r} is not a condition")

    def _group(self, kind: str, parts: Sequence[Condition], depth: int) -> Shape:
        made = tuple(self.shape(p, depth + 1) for p in parts)
        return made[0] if len(made) == 1 else (kind, made)

    def _rows(self, c: AnyRow, depth: int) -> Shape:
        own = self.operand("Ref").path
        if own is None or own.parent is not None or not isinstance(own.type, RefType):
            raise invalid("условие по строкам - для объектов", "a condition on rows is for objects")
        source = resolve_source(self.kernel, f"{own.type.target}.{c.section}")
        self.roots.add("Ref")
        if c.part is None:
            return ("rows", source.name, TRUE)
        inner = ConditionShaper(self.kernel, operands_of(self.kernel, source).plain, self.values)
        inner._nodes = self._nodes
        made = inner.shape(c.part, depth + 1)
        self._nodes = inner._nodes
        self.paths += inner.paths
        return ("rows", source.name, made)

    def _field(self, field: str) -> Operand:
        operand = self.operand(field)
        if operand.path is not None:
            self.roots.add(operand.path.root.names[0])
            self.paths.append(operand.path)
            if operand.path.assembled:
                raise invalid(
                    f"{shown(field)}: по собранному представлению отбирать нельзя, отбирайте по полям",
                    f"{shown(field)}: an assembled presentation cannot be compared, compare its fields",
                )
        return operand

    def _compare(self, c: Compare) -> Shape:
        if c.op not in OPERATORS:
            raise unknown("операции сравнения", "operator", str(c.op), OPERATORS)
        operand = self._field(c.field)
        if operand.function == "Avg":
            raise invalid("по среднему отбирать нельзя", "an average cannot be compared")
        return self._dispatch(operand, c)

    def _dispatch(self, operand: Operand, c: Compare) -> Shape:
        match c.op:
            case "is_empty":
                return self._is_empty(operand, c)
            case "in" | "not in":
                found = self._in(operand, c)
                return found if c.op == "in" else ("not", found)
            case "between":
                pair = c.value
                if not isinstance(pair, list | tuple) or len(pair) != 2:
                    raise invalid(
                        f"{shown(c.field)}: between ждёт две границы", f"{shown(c.field)}: between takes a pair"
                    )
                low, high = (self._single(operand, op, v, c.field) for op, v in zip((">=", "<="), pair, strict=True))
                return ("and", (low, high))
            case "contains" | "starts_with" | "like":
                return self._text(operand, c)
            case "is_type":
                return self._type(operand, c)
            case "in_hierarchy":
                return self._hierarchy(operand, c)
            case _:
                return self._single(operand, c.op, c.value, c.field)

    def _put(self, operand: Operand, op: str, word: str, value: object) -> Shape:
        self.values.append(value)
        return ("cmp", operand.key, op, word, len(self.values) - 1)

    def _is_empty(self, operand: Operand, c: Compare) -> Shape:
        if not (c.value is None or (isinstance(c.value, int) and c.value in (0, 1))):
            raise unfit(c.field, c.value, "Boolean")
        found = ("cmp", operand.key, "is_empty", "", -1)
        return ("not", found) if c.value is False else found

    def _single(self, operand: Operand, op: str, value: object, field: str) -> Shape:
        value_type = operand.layout.field.type
        try:
            if isinstance(value_type, CompositeType):
                kind, made = alternative(self.kernel, value_type, value, field)
                simple = _simple_of(value_type, kind)
            else:
                kind, simple, made = "", value_type, comparable(self.kernel, value_type, value, field)
        except Impossible:
            return TRUE if op == "!=" else FALSE
        if op in ORDERED and simple is not None and not isinstance(simple, NumberType | DateType | StringType):
            raise invalid(f"{field}: сравнение {op} не для этого типа", f"{field}: {op} is not for this type")
        if isinstance(simple, ValueStorageType):
            raise invalid(f"{field}: хранилище значения не сравнивается", f"{field}: a value storage is not compared")
        if simple is None and isinstance(value_type, CompositeType):
            if op in ORDERED:
                return FALSE
            empty = ("cmp", operand.key, "is_empty", "", -1)
            return empty if op == "=" else ("not", empty)
        if isinstance(simple, NumberType):
            exact = exact_number(op, cast(Decimal, made), simple.scale)
            if isinstance(exact, bool):
                return TRUE if op == "!=" else self._constant(operand, exact, kind)
            op, made = exact
        return self._put(operand, op, kind, made)

    def _constant(self, operand: Operand, holds: bool, kind: str) -> Shape:
        """`x < huge` of a composite holds for its numbers only."""
        if holds and kind:
            return ("cmp", operand.key, "is_type", kind, -1)
        return TRUE if holds else FALSE

    def _list(self, c: Compare) -> Sequence[object]:
        if isinstance(c.value, str | bytes) or not isinstance(c.value, list | tuple | set | frozenset):
            raise invalid(
                f"{shown(c.field)}: {c.op} ждёт список значений", f"{shown(c.field)}: {c.op} takes a list of values"
            )
        if len(c.value) > MAX_LIST:
            raise invalid(
                f"{shown(c.field)}: в списке больше {MAX_LIST} значений",
                f"{shown(c.field)}: more than {MAX_LIST} values",
            )
        return list(c.value)

    def _in(self, operand: Operand, c: Compare) -> Shape:
        value_type = operand.layout.field.type
        found: dict[str, list[Value]] = {}
        for value in self._list(c):
            try:
                if isinstance(value_type, CompositeType):
                    kind, made = alternative(self.kernel, value_type, value, c.field)
                else:
                    kind, made = "", comparable(self.kernel, value_type, value, c.field)
            except Impossible:
                continue
            simple = _simple_of(value_type, kind) if isinstance(value_type, CompositeType) else value_type
            if isinstance(simple, NumberType) and isinstance(
                exact_number("=", cast(Decimal, made), simple.scale), bool
            ):
                continue
            found.setdefault(kind, []).append(made)
        parts: list[Shape] = []
        for kind, values in sorted(found.items()):
            if kind == "" and isinstance(value_type, CompositeType):
                parts.append(("cmp", operand.key, "is_empty", "", -1))
            else:
                parts.append(self._put(operand, "in", kind, values))
        return parts[0] if len(parts) == 1 else ("or", tuple(parts))

    def _text(self, operand: Operand, c: Compare) -> Shape:
        types = [t for t in simple_types(operand.layout.field.type) if isinstance(t, StringType)]
        if not types:
            raise invalid(f"{shown(c.field)}: {c.op} - для строк", f"{shown(c.field)}: {c.op} is for strings")
        if not isinstance(c.value, str):
            raise unfit(c.field, c.value, "String")
        if len(c.value) > MAX_TEXT:
            raise invalid(
                f"{shown(c.field)}: образец длиннее {MAX_TEXT}", f"{shown(c.field)}: text longer than {MAX_TEXT}"
            )
        text = comparable(self.kernel, types[0], c.value, c.field)
        if c.op == "like" and len(c.value) > MAX_PATTERN:
            raise invalid(
                f"{shown(c.field)}: образец длиннее {MAX_PATTERN}",
                f"{shown(c.field)}: pattern longer than {MAX_PATTERN}",
            )
        kind = "String" if isinstance(operand.layout.field.type, CompositeType) else ""
        if c.op != "like" and not search_key(cast(str, text)):
            return ("cmp", operand.key, "is_type", kind, -1) if kind else TRUE
        return self._put(operand, c.op, kind, text)

    def _type(self, operand: Operand, c: Compare) -> Shape:
        if not isinstance(c.value, str):
            raise unfit(c.field, c.value, "type")
        found = self.kernel.configuration.find(c.value)
        wanted = c.value if found is None else found.full_name
        value_type = operand.layout.field.type
        if wanted not in {word_of(t) for t in simple_types(value_type)}:
            return FALSE
        return ("cmp", operand.key, "is_type", wanted, -1) if isinstance(value_type, CompositeType) else TRUE

    def _hierarchy(self, operand: Operand, c: Compare) -> Shape:
        given = self._list(c) if isinstance(c.value, list | tuple | set | frozenset) else [c.value]
        found: dict[str, list[Ref]] = {}
        plain: list[object] = []
        types = {t.target for t in simple_types(operand.layout.field.type) if isinstance(t, RefType)}
        if not types:
            raise invalid(
                f"{shown(c.field)}: in_hierarchy - для ссылок", f"{shown(c.field)}: in_hierarchy is for references"
            )
        for value in given:
            ref = value
            if isinstance(value, str) and len(types) == 1:
                ref = comparable(self.kernel, RefType(next(iter(types))), value, c.field)
            elif isinstance(value, Ref):
                ref = Ref(canonical_type(self.kernel, value.type), value.uuid)
            if isinstance(ref, Ref) and ref.type in types and self._is_tree(ref.type):
                found.setdefault(ref.type, []).append(ref)
            else:
                plain.append(value)
        parts = [self._put(operand, "in_hierarchy", target, refs) for target, refs in sorted(found.items())]
        if plain:
            parts.append(self._in(operand, Compare(c.field, "in", plain)))
        return parts[0] if len(parts) == 1 else ("or", tuple(parts))

    def _is_tree(self, target: str) -> bool:
        o = self.kernel.configuration.objects[target]
        return isinstance(o, Catalog) and bool(o.hierarchy)


def _simple_of(value_type: CompositeType, kind: str) -> SimpleType | None:
    return next((t for t in value_type.types if word_of(t) == kind), None)
