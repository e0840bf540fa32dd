"""Values of the kernel and of the wire: EDM types, JSON primitives, and back.

As 1C has it: whole numbers of up to 4, up to 9 and more digits are Edm.Int16, Edm.Int32 and Edm.Int64 (a string in JSON), others Edm.Double
(written exactly); enumeration values are strings; the empty date is 0001-01-01T00:00:00, the empty reference the zero GUID.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import uuid
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from engine_server.odata.errors import BAD_VALUE, ODataError, refuse
from infobase.metadata.model import Configuration, Enumeration
from infobase.metadata.types import (
    EMPTY_UUID,
    BooleanType,
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
)

Wire = Any
"""What JSON has: None, bool, int, Decimal, str."""
EMPTY_DATE_TEXT = "0001-01-01T00:00:00"
ZERO_GUID = str(EMPTY_UUID)
BYTES = "application/octet-stream"
VERSION_BYTES = 8


def edm_type(value_type: SimpleType) -> str:
    """The EDM type of a simple type."""
    match value_type:
        case NumberType(digits, 0):
            return "Edm.Int16" if digits <= 4 else "Edm.Int32" if digits <= 9 else "Edm.Int64"
        case NumberType():
            return "Edm.Double"
        case DateType():
            return "Edm.DateTime"
        case BooleanType():
            return "Edm.Boolean"
        case UUIDType() | RefType():
            return "Edm.Guid"
        case ValueStorageType():
            return "Edm.Binary"
        case _:
            return "Edm.String"


# --- to the wire ---


def version_text(version: object) -> str:
    """DataVersion: eight bytes in Base64, as 1C shows it."""
    return base64.b64encode(int(version or 0).to_bytes(VERSION_BYTES, "big")).decode("ascii")  # type: ignore[call-overload]


def date_text(value: Value) -> str:
    return value.isoformat("T", "seconds") if isinstance(value, dt.datetime) else EMPTY_DATE_TEXT


def number(value: Value) -> Wire:
    """Exactly, without needless zeros."""
    made = Decimal(value or 0)  # type: ignore[arg-type]
    whole = int(made)
    return whole if whole == made else made.normalize()


def _int64(value: Value) -> Wire:
    return str(int(value or 0))  # type: ignore[arg-type]


def _guid(value: Value) -> Wire:
    return str(value.uuid) if isinstance(value, Ref) else ZERO_GUID if value is None else str(value)


def enum_text(configuration: Configuration, value: EnumValue) -> str:
    """The Russian name of an enumeration's value."""
    meta = configuration.objects[value.type]
    naming = meta.value(value.name) if isinstance(meta, Enumeration) else None
    return naming.ru if naming else value.name


def writer(configuration: Configuration, value_type: SimpleType) -> Callable[[Value], Wire] | None:
    """Value -> wire; None where they are the same."""
    match value_type:
        case NumberType():
            return _int64 if edm_type(value_type) == "Edm.Int64" else number
        case DateType():
            return date_text
        case UUIDType() | RefType():
            return _guid
        case EnumType():
            return lambda v: enum_text(configuration, v) if isinstance(v, EnumValue) else ""
        case ValueStorageType():
            return lambda v: base64.b64encode(v).decode("ascii") if isinstance(v, bytes) else ""
        case _:
            return None


# --- from the wire ---


def unfit(name: str, value: object, expected: str) -> ODataError:
    shown = str(value)[:80]
    return refuse(
        400,
        BAD_VALUE,
        f"Неверное значение свойства {name}: «{shown}», нужно {expected}",
        f"{name}: {shown!r} is not {expected}",
    )


def parse_guid(name: str, value: object) -> uuid.UUID:
    try:
        return uuid.UUID(str(value))
    except ValueError:
        raise unfit(name, value, "Edm.Guid") from None


def parse_date(name: str, value: object) -> dt.datetime | None:
    """Local time; a zone in the text is refused but for Z, which clients add to what they mean as local."""
    text = str(value).removesuffix("Z")
    try:
        made = dt.datetime.fromisoformat(text)
    except ValueError:
        raise unfit(name, value, "Edm.DateTime") from None
    if made.tzinfo is not None:
        raise unfit(name, value, "Edm.DateTime")
    made = made.replace(microsecond=0)
    return None if made == dt.datetime(1, 1, 1) else made


def parse_number(name: str, value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str | float):
        raise unfit(name, value, "Edm.Double")
    try:
        made = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise unfit(name, value, "Edm.Double") from None
    if not made.is_finite():
        raise unfit(name, value, "Edm.Double")
    return made


def parse_bool(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise unfit(name, value, "Edm.Boolean")


def parse_version(name: str, value: object) -> Decimal:
    """DataVersion back to the number."""
    try:
        return Decimal(int.from_bytes(base64.b64decode(str(value), validate=True), "big"))
    except (binascii.Error, ValueError):
        raise unfit(name, value, "Edm.String") from None


def parse(configuration: Configuration, name: str, value_type: SimpleType, value: Wire) -> Value:
    """Wire -> value; null is the empty value. ODataError 400 code 4."""
    if value is None:
        return None
    match value_type:
        case NumberType():
            return parse_number(name, value)
        case DateType():
            return parse_date(name, value)
        case BooleanType():
            return parse_bool(name, value)
        case UUIDType():
            made = parse_guid(name, value)
            return None if made == EMPTY_UUID else made
        case RefType(target):
            made = parse_guid(name, value)
            return None if made == EMPTY_UUID else Ref(target, made)
        case EnumType(target):
            return parse_enum(configuration, name, target, value)
        case ValueStorageType():
            return _bytes(name, value)
        case StringType():
            if not isinstance(value, str):
                raise unfit(name, value, "Edm.String")
            return value


def parse_enum(configuration: Configuration, name: str, target: str, value: object) -> Value:
    """A value's name in either language; "" is the empty one."""
    if value == "" or value is None:
        return None
    meta = configuration.objects[target]
    naming = meta.value(str(value)) if isinstance(meta, Enumeration) else None
    if naming is None:
        raise unfit(name, value, target)
    return EnumValue(target, naming.name)


def _bytes(name: str, value: object) -> bytes:
    try:
        return base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError):
        raise unfit(name, value, "Edm.Binary") from None
