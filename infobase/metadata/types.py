"""Value types: what an attribute, dimension or resource may hold.

    parse_type("Number(15,2)")                    -> NumberType(15, 2)
    parse_type("CatalogRef.Counterparties")       -> RefType("Catalog.Counterparties")
    parse_type(["CatalogRef.A", "String(20)"])    -> CompositeType((RefType, StringType))

A stored value is never NULL: every type has an *empty* value, as in 1C (0, "", false, the empty date
0001-01-01, the empty reference). In Python the empty date and the empty reference are `None`.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Union

MAX_NUMBER_DIGITS = 18
"""A scaled integer of 18 digits fits a signed 64-bit column in every engine."""
MAX_STRING_LENGTH = 1024
"""A limited string is indexable; longer text is `String` without a length."""

EMPTY_DATE = dt.datetime(1, 1, 1)
EMPTY_UUID = uuid.UUID(int=0)

REF_KINDS = ("Catalog", "Document", "Enumeration", "BusinessProcess", "Task", "ExchangePlan")
"""Object kinds that can be referred to (`<Kind>Ref.<Name>` in type strings)."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference: the full name of the object's kind and name ("Catalog.Banks") and its UUID. Never empty:
    the empty reference is `None`."""

    type: str
    uuid: uuid.UUID

    def __str__(self) -> str:
        return f"{self.type}:{self.uuid}"


@dataclass(frozen=True, slots=True)
class EnumValue:
    """A value of an enumeration: "Enumeration.DealStates", "Won"."""

    type: str
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class StringType:
    """Text of at most `length` characters (code points); 0 = unlimited."""

    length: int = 0

    def __str__(self) -> str:
        return f"String({self.length})" if self.length else "String"


@dataclass(frozen=True, slots=True)
class NumberType:
    """Exact decimal of `digits` digits, `scale` of them after the point. `non_negative` forbids minus."""

    digits: int
    scale: int = 0
    non_negative: bool = False

    def __str__(self) -> str:
        tail = ",nonnegative" if self.non_negative else ""
        return f"Number({self.digits},{self.scale}{tail})"


@dataclass(frozen=True, slots=True)
class DateType:
    """Naive local business time to the second. `parts` is "Date", "Time" or "DateTime": what is kept."""

    parts: str = "DateTime"

    def __str__(self) -> str:
        return "Date" if self.parts == "DateTime" else f"Date({self.parts})"


@dataclass(frozen=True, slots=True)
class BooleanType:
    def __str__(self) -> str:
        return "Boolean"


@dataclass(frozen=True, slots=True)
class UUIDType:
    def __str__(self) -> str:
        return "UUID"


@dataclass(frozen=True, slots=True)
class ValueStorageType:
    """Opaque bytes."""

    def __str__(self) -> str:
        return "ValueStorage"


@dataclass(frozen=True, slots=True)
class RefType:
    """A reference to one object, by full English name ("Catalog.Banks"). Not used for enumerations."""

    target: str

    def __str__(self) -> str:
        kind, name = self.target.split(".", 1)
        return f"{kind}Ref.{name}"


@dataclass(frozen=True, slots=True)
class EnumType:
    """A value of one enumeration, by full English name ("Enumeration.DealStates")."""

    target: str

    def __str__(self) -> str:
        return f"EnumerationRef.{self.target.split('.', 1)[1]}"


SimpleType = Union[StringType, NumberType, DateType, BooleanType, UUIDType, ValueStorageType, RefType, EnumType]  # noqa: UP007


@dataclass(frozen=True, slots=True)
class CompositeType:
    """One of several simple types, at least two, at most one of each of String, Number, Date, Boolean, UUID;
    any number of references and enumerations; no ValueStorage."""

    types: tuple[SimpleType, ...]

    def __str__(self) -> str:
        return ", ".join(str(t) for t in self.types)


ValueType = Union[SimpleType, CompositeType]  # noqa: UP007

Value = Union[str, Decimal, dt.datetime, bool, uuid.UUID, bytes, Ref, EnumValue, None]  # noqa: UP007
"""What the kernel hands out and stores, besides `int` accepted for numbers and `date` for dates."""


def simple_types(value_type: ValueType) -> Sequence[SimpleType]:
    """The alternatives of a type: one for a simple type."""
    return value_type.types if isinstance(value_type, CompositeType) else (value_type,)


def empty_value(value_type: ValueType) -> Value:
    """The empty value as Python sees it: None for references, dates, enumerations and composites."""
    match value_type:
        case StringType():
            return ""
        case NumberType(_, scale):
            return Decimal(0).scaleb(-scale)
        case BooleanType():
            return False
        case ValueStorageType():
            return b""
        case _:
            return None
