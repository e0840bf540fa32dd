"""Values in conditions: what a comparison with a field may be given, made exact; and their way into statements.

A value that no row can equal (a number with more decimals than the column, a reference of another type) turns the comparison into a
constant instead of reaching the store, so both engines answer alike.
"""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from infobase.kernel import Kernel
from infobase.metadata.model import Enumeration
from infobase.metadata.types import (
    EMPTY_DATE,
    EMPTY_UUID,
    BooleanType,
    CompositeType,
    DateType,
    EnumType,
    EnumValue,
    NumberType,
    Ref,
    RefType,
    SimpleType,
    StringType,
    UUIDType,
    Value,
    ValueStorageType,
    empty_value,
)
from infobase.query_names import invalid, shown, unknown
from infobase.schema.codec import type_name

LARGEST = 2**63 - 1
"""Of a scaled integer."""


class Impossible(Exception):
    """The value is of the field's kind, but no row can hold it."""


def comparable(kernel: Kernel, value_type: SimpleType, value: object, field: str) -> Value:
    """The value as the field holds it. `Impossible` for a reference or enumeration of another type; QueryInvalid for another kind of value."""
    if value is None:
        return empty_value(value_type)
    made: Value = None
    match value_type:
        case StringType():
            made = _string(value, field) if isinstance(value, str) else None
        case NumberType():
            made = _number(value, field)
        case DateType():
            return _date(value, field)
        case BooleanType():
            made = value if isinstance(value, bool) else None
        case UUIDType():
            return _uuid(value, field)
        case RefType(target):
            return _ref(kernel, target, value, field)
        case EnumType(target):
            return _enum(kernel, target, value, field)
        case ValueStorageType():
            made = value if isinstance(value, bytes) else None
    if made is None:
        raise unfit(field, value, str(value_type))
    return made


def unfit(field: str, value: object, expected: str) -> Exception:
    return invalid(
        f"поле {field} ({expected}) нельзя сравнить со значением «{shown(value)}»",
        f"the field {field} ({expected}) cannot be compared with {shown(value)!r}",
    )


def _string(value: str, field: str) -> str:
    if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise invalid(
            f"{field}: недопустимые символы в строке «{shown(value)}»",
            f"{field}: characters that no text has: {shown(value)!r}",
        )
    return value


def _number(value: object, field: str) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        return None
    made = Decimal(value)
    if not made.is_finite():
        raise unfit(field, value, "Number")
    return made


def _date(value: object, field: str) -> Value:
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            raise unfit(field, value, "Date") from None
    if isinstance(value, dt.datetime) and value.tzinfo is None:
        made = value.replace(microsecond=0)
    elif isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        made = dt.datetime(value.year, value.month, value.day)
    else:
        raise unfit(field, value, "Date")
    return None if made == EMPTY_DATE else made


def as_date(value: object, name: str) -> dt.datetime | None:
    """A moment given as a parameter: `None` for none."""
    if value is None:
        return None
    made = _date(value, name)
    return made if isinstance(made, dt.datetime) else EMPTY_DATE


def _uuid(value: object, field: str) -> Value:
    made = value if isinstance(value, uuid.UUID) else parse_uuid(value)
    if made is None:
        raise unfit(field, value, "UUID")
    return None if made == EMPTY_UUID else made


def parse_uuid(value: object) -> uuid.UUID | None:
    """A UUID written the usual way; None when it is not one."""
    if not isinstance(value, str):
        return None
    try:
        return uuid.UUID(value)
    except ValueError:
        return None


def parse_ref(kernel: Kernel, value: str) -> Ref | None:
    """ "Catalog.X:uuid" in either language; None when it is not one."""
    head, _, tail = value.rpartition(":")
    o, made = kernel.configuration.find(head), parse_uuid(tail)
    return Ref(o.full_name, made) if o is not None and made is not None else None


def canonical_type(kernel: Kernel, name: str) -> str:
    """The full English name of an object named in either language; QueryInvalid when the configuration has none."""
    if name in kernel.configuration.objects:
        return name
    found = kernel.configuration.find(name)
    if found is None:
        raise unknown("объекта", "object", name, kernel.configuration.objects)
    return found.full_name


def _ref(kernel: Kernel, target: str, value: object, field: str) -> Value:
    made: object = value
    if isinstance(value, str):
        plain = parse_uuid(value)
        made = Ref(target, plain) if plain is not None else parse_ref(kernel, value)
    if isinstance(made, uuid.UUID):
        made = Ref(target, made)
    if isinstance(made, EnumValue):
        raise Impossible
    if not isinstance(made, Ref):
        raise unfit(field, value, target)
    if made.uuid == EMPTY_UUID:
        return None
    if canonical_type(kernel, made.type) != target:
        raise Impossible
    return Ref(target, made.uuid)


def _enum(kernel: Kernel, target: str, value: object, field: str) -> Value:
    if isinstance(value, Ref) or (isinstance(value, EnumValue) and canonical_type(kernel, value.type) != target):
        raise Impossible
    name = value.name if isinstance(value, EnumValue) else value
    if name == "":
        return None
    enumeration = kernel.configuration.objects[target]
    assert isinstance(enumeration, Enumeration)
    if not isinstance(name, str):
        raise unfit(field, value, target)
    found = enumeration.value(name.rpartition(".")[2])
    if found is None:
        known = [n for v in enumeration.values for n in (v.name, v.ru)]
        raise unknown(f"значения у {target}", f"value of {target}", name, known)
    return EnumValue(target, found.name)


def alternative(kernel: Kernel, composite: CompositeType, value: object, field: str) -> tuple[str, Value]:
    """The type word and the value of one alternative of a composite ("" and None for the empty one). Impossible, QueryInvalid."""
    if value is None:
        return "", None
    plain: object = value
    if isinstance(value, int) and not isinstance(value, bool):
        plain = Decimal(value)
    elif isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        plain = dt.datetime(value.year, value.month, value.day)
    texts = any(isinstance(t, StringType) for t in composite.types)
    if isinstance(plain, str) and not texts:
        plain = parse_ref(kernel, plain)
    if not isinstance(plain, str | bool | Decimal | dt.datetime | uuid.UUID | Ref | EnumValue):
        raise unfit(field, value, str(composite))
    word = type_name(plain)
    if isinstance(plain, Ref | EnumValue):
        word = canonical_type(kernel, word)
    for simple in composite.types:
        if word_of(simple) == word:
            made = comparable(kernel, simple, plain, field)
            return ("", None) if made is None and isinstance(simple, RefType | EnumType) else (word, made)
    if isinstance(plain, Ref | EnumValue):
        raise Impossible
    raise unfit(field, value, str(composite))


def word_of(simple: SimpleType) -> str:
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
        case _:
            return "UUID"


def exact_number(op: str, value: Decimal, scale: int) -> tuple[str, Decimal] | bool:
    """The comparison with a number the column can hold exactly, or the constant it comes to.

    `x < 1.005` of a column of two decimals is `x <= 1.00`; `x = 1.005` never holds.
    """
    if value.adjusted() > 40:
        value = Decimal(10) ** 40 if value > 0 else -(Decimal(10) ** 40)
    if value.adjusted() < -60 and value:
        value = Decimal("1e-60") if value > 0 else Decimal("-1e-60")
    scaled = value.scaleb(scale)
    if scaled == scaled.to_integral_value() and abs(scaled) <= LARGEST:
        return op, value
    if op in ("=", "!="):
        return op == "!="
    if abs(scaled) > LARGEST:
        return (op in ("<", "<=")) == (scaled > 0)
    down = op in ("<", "<=")
    whole = scaled.to_integral_value(ROUND_FLOOR if down else ROUND_CEILING)
    return ("<=" if down else ">="), whole.scaleb(-scale)
