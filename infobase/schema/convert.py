"""SQL expressions that carry a field's stored values to a changed type: what fits is kept, the rest becomes empty, and the loss is told."""

from __future__ import annotations

from dataclasses import dataclass

from infobase.i18n import Bilingual
from infobase.metadata.types import (
    BooleanType,
    CompositeType,
    DateType,
    EnumType,
    NumberType,
    RefType,
    SimpleType,
    StringType,
    UUIDType,
    simple_types,
)
from infobase.schema.ddl import empty_literal
from infobase.schema.dialect import Dialect
from infobase.schema.layout import FieldLayout
from infobase.storage import Column

_QUARTERS = "010101040404070707101010"
"""Two digits per month: the first month of its quarter."""
_REFUSED = 2**63 - 1
"""More than any decimal column of 18 digits takes."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """`expressions`: one per column of the new field, over the old table; `copied`: every value stays as it is; `loss`: what cannot be kept."""

    expressions: tuple[str, ...]
    copied: bool
    loss: Bilingual | None = None


def stored_name(simple: SimpleType) -> str:
    """What the `__type` column of a composite says for this alternative."""
    match simple:
        case RefType(target) | EnumType(target):
            return target
        case StringType():
            return "String"
        case NumberType():
            return "Number"
        case DateType():
            return "Date"
        case BooleanType():
            return "Boolean"
        case UUIDType():
            return "UUID"
        case _:
            return "ValueStorage"


def _family_suffix(simple: SimpleType) -> str:
    match simple:
        case RefType():
            return ""
        case StringType() | EnumType():
            return "__string"
        case NumberType():
            return "__number"
        case DateType():
            return "__date"
        case BooleanType():
            return "__boolean"
        case _:
            return "__uuid"


def _column_for(layout: FieldLayout, simple: SimpleType) -> Column:
    """The column that holds values of this alternative."""
    if not isinstance(layout.field.type, CompositeType):
        return layout.columns[0]
    name = layout.columns[0].name.removesuffix("__type") + _family_suffix(simple)
    return next(c for c in layout.columns[1:] if c.name == name)


def _survivors(old: FieldLayout, new: FieldLayout) -> list[tuple[SimpleType, SimpleType]]:
    """Alternatives of the old type that the new one still has: references and enumerations by target, the others by kind."""
    new_types = {stored_name(t): t for t in simple_types(new.field.type)}
    return [(t, new_types[stored_name(t)]) for t in simple_types(old.field.type) if stored_name(t) in new_types]


def rescaled(expression: str, old: Column, new: Column, dialect: Dialect) -> str:
    """A decimal of another scale; halves go away from zero. Values that do not fit are refused by the column itself."""
    if dialect.name != "sqlite":
        return expression if (old.digits, old.scale) == (new.digits, new.scale) else f"round({expression}, {new.scale})"
    step = 10 ** abs(new.scale - old.scale)
    if new.scale == old.scale:
        return expression
    if new.scale > old.scale:
        # Beyond 64 bits SQLite would go on with floating point: what does not fit becomes a number the column's check refuses.
        most = (10**new.digits - 1) // step
        return f"(CASE WHEN {expression} BETWEEN -{most} AND {most} THEN {expression} * {step} ELSE {_REFUSED} END)"
    return f"(({expression} + sign({expression}) * {step // 2}) / {step})"


def _carried(old: Column, new: Column, dialect: Dialect) -> str:
    name = dialect.quote(old.name)
    return rescaled(name, old, new, dialect) if new.kind == "decimal" else name


def _narrowed(old: SimpleType, new: SimpleType) -> Bilingual | None:
    """What is lost though the kind stays. Text longer than the new length is kept until it is next written."""
    if isinstance(old, NumberType) and isinstance(new, NumberType) and new.scale < old.scale:
        return Bilingual("дробные знаки округляются", "fraction digits are rounded")
    return None


def convert(old: FieldLayout, new: FieldLayout, dialect: Dialect) -> Conversion:
    """How the old field's values become the new field's."""
    if old.columns == new.columns and old.field.type == new.field.type:
        return Conversion(tuple(dialect.quote(c.name) for c in old.columns), copied=True)
    kept = _survivors(old, new)
    lost = [str(t) for t in simple_types(old.field.type) if t not in [a for a, _ in kept]]
    loss = None
    if lost:
        names = ", ".join(lost)
        loss = Bilingual(f"значения типов {names} теряются", f"values of {names} are lost")
    loss = loss or next((n for n in (_narrowed(a, b) for a, b in kept) if n is not None), None)
    old_composite = isinstance(old.field.type, CompositeType)
    if isinstance(new.field.type, CompositeType):
        expressions = _to_composite(old, new, kept, old_composite, dialect)
    else:
        expressions = (_to_simple(old, new, kept, old_composite, dialect),)
    same = tuple(dialect.quote(c.name) for c in new.columns)
    return Conversion(expressions, not lost and expressions == same and old.columns == new.columns, loss)


def lost_condition(old: FieldLayout, new: FieldLayout | None, dialect: Dialect) -> str:
    """Over the old table: whether a row's value does not survive the change to `new`; to None: whether there is a value at all."""
    filled = _filled(old, dialect)
    if new is None:
        return filled
    narrowed = _rounded(old, new, dialect)
    if narrowed:
        return narrowed
    emptied = [
        f"{expression} = {empty_literal(column, dialect)}"
        for column, expression in zip(new.columns, convert(old, new, dialect).expressions, strict=True)
    ]
    return f"{filled} AND {' AND '.join(emptied)}"


def _filled(field: FieldLayout, dialect: Dialect) -> str:
    columns = field.columns[:1] if isinstance(field.field.type, CompositeType) else field.columns
    return " OR ".join(f"{dialect.quote(c.name)} <> {empty_literal(c, dialect)}" for c in columns)


def _rounded(old: FieldLayout, new: FieldLayout, dialect: Dialect) -> str:
    """Where only fraction digits are lost: which rows have them."""
    if not isinstance(old.field.type, NumberType) or not isinstance(new.field.type, NumberType):
        return ""
    name, digits = dialect.quote(old.columns[0].name), old.field.type.scale - new.field.type.scale
    if dialect.name == "sqlite":
        return f"{name} % {10 ** max(digits, 0)} <> 0"
    return f"round({name}, {new.field.type.scale}) <> {name}"


def _to_simple(
    old: FieldLayout, new: FieldLayout, kept: list[tuple[SimpleType, SimpleType]], old_composite: bool, dialect: Dialect
) -> str:
    target = new.columns[0]
    if not kept:
        return empty_literal(target, dialect)
    ((alternative, _),) = kept
    value = _carried(_column_for(old, alternative), target, dialect)
    if not old_composite:
        return value
    return f"CASE WHEN {_is(old, [alternative], dialect)} THEN {value} ELSE {empty_literal(target, dialect)} END"


def _is(old: FieldLayout, alternatives: list[SimpleType], dialect: Dialect) -> str:
    names = ", ".join(f"'{stored_name(a)}'" for a in alternatives)
    return f"{dialect.quote(old.columns[0].name)} IN ({names})"


def _to_composite(
    old: FieldLayout, new: FieldLayout, kept: list[tuple[SimpleType, SimpleType]], old_composite: bool, dialect: Dialect
) -> tuple[str, ...]:
    made = [_type_expression(old, kept, old_composite, dialect)]
    for column in new.columns[1:]:
        empty = empty_literal(column, dialect)
        sources = [a for a, b in kept if _column_for(new, b) == column]
        if not sources:
            made.append(empty)
            continue
        value = _carried(_column_for(old, sources[0]), column, dialect)
        made.append(f"CASE WHEN {_is(old, sources, dialect)} THEN {value} ELSE {empty} END" if old_composite else value)
    return tuple(made)


def _type_expression(
    old: FieldLayout, kept: list[tuple[SimpleType, SimpleType]], old_composite: bool, dialect: Dialect
) -> str:
    if not kept:
        return "''"
    if old_composite:
        name = dialect.quote(old.columns[0].name)
        if len(kept) == len(simple_types(old.field.type)):
            return name
        return f"CASE WHEN {_is(old, [a for a, _ in kept], dialect)} THEN {name} ELSE '' END"
    alternative = kept[0][0]
    literal = f"'{stored_name(alternative)}'"
    if isinstance(alternative, StringType | NumberType | BooleanType):
        return literal
    column = old.columns[0]
    # An empty reference, enumeration, date or UUID has no type; an empty text or number is still one.
    return f"CASE WHEN {dialect.quote(column.name)} = {empty_literal(column, dialect)} THEN '' ELSE {literal} END"


def period_expression(date: str, periodicity: str, dialect: Dialect) -> str:
    """`period_start` of a date column, in SQL. `date`: the quoted column."""
    if not periodicity:
        return "'0001-01-01 00:00:00'" if dialect.name == "sqlite" else "TIMESTAMP '0001-01-01 00:00:00'"
    if dialect.name != "sqlite":
        return f"date_trunc('{periodicity.lower()}', {date})"
    match periodicity:
        case "Day":
            return f"substr({date}, 1, 10) || ' 00:00:00'"
        case "Month":
            return f"substr({date}, 1, 7) || '-01 00:00:00'"
        case "Quarter":
            month = f"substr('{_QUARTERS}', 2 * CAST(substr({date}, 6, 2) AS INTEGER) - 1, 2)"
            return f"substr({date}, 1, 5) || {month} || '-01 00:00:00'"
        case _:
            return f"substr({date}, 1, 4) || '-01-01 00:00:00'"
