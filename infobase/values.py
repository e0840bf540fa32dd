"""Coercion: what a user may assign to a field -> the exact Value that is stored, or a clear refusal.

One closure per field, made once per configuration version; assignment in Python, web forms, loaders and posting all pass here.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from infobase.errors import NumberOverflow, ValueInvalid
from infobase.i18n import text
from infobase.metadata.model import Configuration, Enumeration, Field
from infobase.metadata.types import (
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
    ValueType,
    empty_value,
)

Coercer = Callable[[object], Value]

MAX_TEXT = 16 * 1024 * 1024
"""Characters of an unlimited string; more belongs into a ValueStorage."""


def coercer(configuration: Configuration, field: Field) -> Coercer:
    """The coercer of one field. Errors carry the field's name: ValueInvalid, NumberOverflow."""
    return coercer_of_type(configuration, field.type, field.name)


def coercer_of_type(configuration: Configuration, value_type: ValueType, name: str) -> Coercer:
    """The coercer of a type, for a place called `name`."""
    if isinstance(value_type, CompositeType):
        return _composite(configuration, value_type, name)
    return _simple(configuration, value_type, name)


def round_to(value: Decimal, scale: int) -> Decimal:
    """Half up, as 1C rounds a number assigned to a field of fewer decimals."""
    return value.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)


def _simple(configuration: Configuration, value_type: SimpleType, name: str) -> Coercer:
    match value_type:
        case StringType(length):
            return _string(name, length)
        case NumberType():
            return _number(name, value_type)
        case DateType(parts):
            return _date(name, parts)
        case BooleanType():
            return _boolean(name)
        case UUIDType():
            return _uuid(name)
        case ValueStorageType():
            return _bytes(name)
        case RefType(target):
            return _ref(name, target)
        case EnumType(target):
            return _enum(configuration, name, target)


def _refuse(name: str, value: object, ru: str, en: str) -> ValueInvalid:
    shown = repr(value) if not isinstance(value, str) else value
    return ValueInvalid(field=name, value=shown[:80], detail=text(ru=ru, en=en))


def _string(name: str, length: int) -> Coercer:
    limit = length or MAX_TEXT

    def coerce(value: object) -> Value:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise _refuse(name, value, "нужна строка", "a string is needed")
        if len(value) > limit:
            raise _refuse(name, value, f"длиннее {limit} символов", f"longer than {limit} characters")
        if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            raise _refuse(name, ascii(value), "недопустимые символы (суррогаты)", "lone surrogates")
        if "\0" in value:
            raise _refuse(name, ascii(value), "содержит нулевой символ", "contains a NUL character")
        return value

    return coerce


def _number(name: str, number: NumberType) -> Coercer:
    unit = Decimal(1).scaleb(-number.scale)
    limit = Decimal(10) ** (number.digits - number.scale)
    zero = empty_value(number)

    def coerce(value: object) -> Value:
        if value is None:
            return zero
        if isinstance(value, bool) or not isinstance(value, Decimal | int):
            raise _refuse(name, value, "нужно число (Decimal или int)", "a number (Decimal or int) is needed")
        try:
            exact = Decimal(value)
            result = exact.quantize(unit)
        except InvalidOperation:
            raise _overflow(name, value, number) from None
        if result != exact:
            ru, en = f"больше {number.scale} знаков после запятой", f"more than {number.scale} decimals"
            raise _refuse(name, value, ru, en)
        if abs(result) >= limit:
            raise _overflow(name, value, number)
        if number.non_negative and result < 0:
            raise _refuse(name, value, "не может быть отрицательным", "must not be negative")
        return result + 0 if result == 0 else result

    return coerce


def _overflow(name: str, value: object, number: NumberType) -> NumberOverflow:
    return NumberOverflow(field=name, value=str(value)[:80], digits=number.digits, scale=number.scale)


def _date(name: str, parts: str) -> Coercer:
    def coerce(value: object) -> Value:
        if value is None:
            return None
        if isinstance(value, dt.datetime):
            if value.tzinfo is not None:
                raise _refuse(name, value, "нужно местное время без часового пояса", "naive local time is needed")
            made = value.replace(microsecond=0)
        elif isinstance(value, dt.date):
            made = dt.datetime(value.year, value.month, value.day)
        else:
            raise _refuse(name, value, "нужна дата (datetime или date)", "a date (datetime or date) is needed")
        if parts == "Date":
            made = made.replace(hour=0, minute=0, second=0)
        elif parts == "Time":
            made = made.replace(year=1, month=1, day=1)
        return None if made == dt.datetime(1, 1, 1) else made

    return coerce


def _boolean(name: str) -> Coercer:
    def coerce(value: object) -> Value:
        if value is None:
            return False
        if not isinstance(value, bool):
            raise _refuse(name, value, "нужно True или False", "True or False is needed")
        return value

    return coerce


def _uuid(name: str) -> Coercer:
    def coerce(value: object) -> Value:
        if value is None or value == uuid.UUID(int=0):
            return None
        if not isinstance(value, uuid.UUID):
            raise _refuse(name, value, "нужен UUID", "a UUID is needed")
        return value

    return coerce


def _bytes(name: str) -> Coercer:
    def coerce(value: object) -> Value:
        if value is None:
            return b""
        if not isinstance(value, bytes):
            raise _refuse(name, value, "нужны байты", "bytes are needed")
        return value

    return coerce


def _ref(name: str, target: str) -> Coercer:
    def coerce(value: object) -> Value:
        if value is None:
            return None
        ref = getattr(value, "ref", value)
        if not isinstance(ref, Ref):
            raise _refuse(name, value, f"нужна ссылка {target}", f"a reference to {target} is needed")
        if ref.type != target:
            raise _refuse(
                name, value, f"ссылка на {ref.type}, нужна на {target}", f"refers to {ref.type}, not {target}"
            )
        return None if ref.uuid.int == 0 else ref

    return coerce


def _enum(configuration: Configuration, name: str, target: str) -> Coercer:
    enumeration = configuration.objects[target]
    assert isinstance(enumeration, Enumeration)

    def coerce(value: object) -> Value:
        if value is None or value == "":
            return None
        if isinstance(value, EnumValue):
            if value.type != target:
                raise _refuse(name, value, f"значение {value.type}, нужно {target}", f"of {value.type}, not {target}")
            value = value.name
        found = enumeration.value(value) if isinstance(value, str) else None
        if found is None:
            options = ", ".join(v.name for v in enumeration.values)
            raise _refuse(name, value, f"нет такого значения; есть: {options}", f"no such value; there are: {options}")
        return EnumValue(target, found.name)

    return coerce


def _family(value: object) -> type:
    if isinstance(value, bool):
        return BooleanType
    for classes, family in (
        (str, StringType),
        (Decimal | int, NumberType),
        (dt.date, DateType),
        (uuid.UUID, UUIDType),
        (EnumValue, EnumType),
    ):
        if isinstance(value, classes):
            return family
    return RefType


def _composite(configuration: Configuration, value_type: CompositeType, name: str) -> Coercer:
    by_family = {type(t): _simple(configuration, t, name) for t in value_type.types}
    by_target = {
        t.target: _simple(configuration, t, name) for t in value_type.types if isinstance(t, RefType | EnumType)
    }

    def coerce(value: object) -> Value:
        if value is None:
            return None
        value = getattr(value, "ref", value)
        if isinstance(value, Ref | EnumValue):
            chosen = by_target.get(value.type)
        else:
            chosen = by_family.get(_family(value))
        if chosen is None:
            raise _refuse(name, value, f"разрешены типы: {value_type}", f"allowed types: {value_type}")
        return chosen(value)

    return coerce
