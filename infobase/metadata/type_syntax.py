"""Types as people write them, in either language: "Number(15,2)", "Строка(50)", "CatalogRef.Banks", a list for composites."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from infobase.i18n import Bilingual
from infobase.metadata.types import (
    MAX_NUMBER_DIGITS,
    MAX_STRING_LENGTH,
    BooleanType,
    CompositeType,
    DateType,
    EnumType,
    NumberType,
    RefType,
    SimpleType,
    StringType,
    UUIDType,
    ValueStorageType,
    ValueType,
)

FindObject = Callable[[str], str | None]
"""Full name in either language -> full English name, None when there is no such object."""

_NAMES = {
    "String": ("String", "Строка"),
    "Number": ("Number", "Число"),
    "Date": ("Date", "Дата"),
    "Boolean": ("Boolean", "Булево"),
    "UUID": ("UUID", "УникальныйИдентификатор"),
    "ValueStorage": ("ValueStorage", "ХранилищеЗначения"),
    "Catalog": ("CatalogRef", "СправочникСсылка"),
    "Document": ("DocumentRef", "ДокументСсылка"),
    "Enumeration": ("EnumerationRef", "EnumRef", "ПеречислениеСсылка"),
}
_WORDS = {alias.casefold(): name for name, aliases in _NAMES.items() for alias in aliases}
_PARTS = {
    "date": "Date",
    "time": "Time",
    "datetime": "DateTime",
    "дата": "Date",
    "время": "Time",
    "датавремя": "DateTime",
}
_FORM = re.compile(r"\s*(\w+)\s*(?:\.\s*(\w+)|\(([^()]*)\))?\s*")
EXPECTED = Bilingual(
    "String(50), Number(15,2), Date, Boolean, UUID, ValueStorage, CatalogRef.Имя, DocumentRef.Имя или EnumerationRef.Имя",
    "String(50), Number(15,2), Date, Boolean, UUID, ValueStorage, CatalogRef.Name, DocumentRef.Name or EnumerationRef.Name",
)


class TypeFault(ValueError):
    """What is wrong with a type, for a `Problem`."""

    def __init__(self, ru: str, en: str) -> None:
        self.message = Bilingual(ru, en)
        super().__init__(en)


def parse_type(spec: str | Sequence[str], find: FindObject) -> ValueType:
    """One type, or several for a composite. TypeFault."""
    if isinstance(spec, str):
        return _parse_simple(spec, find)
    if not all(isinstance(s, str) for s in spec) or not spec:
        raise TypeFault("тип задаётся строкой или списком строк", "a type is a text or a list of texts")
    types = tuple(dict.fromkeys(_parse_simple(s, find) for s in spec))
    if len(types) == 1:
        return types[0]
    families = [type(t) for t in types if not isinstance(t, RefType | EnumType)]
    if ValueStorageType in families:
        raise TypeFault("ValueStorage не бывает частью составного типа", "ValueStorage cannot be part of a composite")
    if len(families) != len(set(families)):
        raise TypeFault(
            "в составном типе два типа одного вида (например, две строки)",
            "a composite has two types of one family (such as two strings)",
        )
    return CompositeType(types)


def _parse_simple(spec: str, find: FindObject) -> SimpleType:
    match = _FORM.fullmatch(spec)
    name = _WORDS.get(match[1].casefold()) if match else None
    if match is None or name is None:
        raise TypeFault(f"неизвестный тип «{spec}»", f"unknown type {spec!r}")
    target, inner = match[2], match[3]
    if name in ("Catalog", "Document", "Enumeration"):
        return _parse_ref(spec, name, target, find)
    if target is not None:
        raise TypeFault(f"неизвестный тип «{spec}»", f"unknown type {spec!r}")
    arguments = [a.strip() for a in inner.split(",")] if inner is not None and inner.strip() else []
    match name:
        case "String":
            return _string(spec, arguments)
        case "Number":
            return _number(spec, arguments)
        case "Date":
            return _date(spec, arguments)
    if arguments:
        raise TypeFault(f"у типа {name} нет параметров", f"the type {name} has no parameters")
    plain: dict[str, SimpleType] = {"Boolean": BooleanType(), "UUID": UUIDType(), "ValueStorage": ValueStorageType()}
    return plain[name]


def _parse_ref(spec: str, kind: str, target: str | None, find: FindObject) -> SimpleType:
    full_name = find(f"{kind}.{target}") if target else None
    if full_name is None:
        raise TypeFault(f"«{spec}»: такого объекта нет", f"{spec!r}: there is no such object")
    return EnumType(full_name) if kind == "Enumeration" else RefType(full_name)


def _integers(spec: str, arguments: list[str]) -> list[int]:
    if not all(a.isascii() and a.isdigit() and len(a) < 6 for a in arguments):
        raise TypeFault(f"«{spec}»: параметры типа - целые числа", f"{spec!r}: parameters of a type are whole numbers")
    return [int(a) for a in arguments]


def _string(spec: str, arguments: list[str]) -> SimpleType:
    numbers = _integers(spec, arguments)
    if len(numbers) > 1 or (numbers and not 1 <= numbers[0] <= MAX_STRING_LENGTH):
        raise TypeFault(
            f"«{spec}»: длина строки от 1 до {MAX_STRING_LENGTH}; длиннее - String без длины",
            f"{spec!r}: a string has 1 to {MAX_STRING_LENGTH} characters; for more, String without a length",
        )
    return StringType(numbers[0] if numbers else 0)


def _number(spec: str, arguments: list[str]) -> SimpleType:
    flag = bool(arguments) and arguments[-1].casefold() in ("nonnegative", "неотрицательное")
    numbers = _integers(spec, arguments[:-1] if flag else arguments)
    if len(numbers) not in (1, 2) or not 1 <= numbers[0] <= MAX_NUMBER_DIGITS:
        raise TypeFault(
            f"«{spec}»: число имеет от 1 до {MAX_NUMBER_DIGITS} знаков",
            f"{spec!r}: a number has 1 to {MAX_NUMBER_DIGITS} digits",
        )
    scale = numbers[1] if len(numbers) == 2 else 0
    if scale > numbers[0]:
        raise TypeFault(f"«{spec}»: дробных знаков больше, чем всех", f"{spec!r}: more decimals than digits")
    return NumberType(numbers[0], scale, flag)


def _date(spec: str, arguments: list[str]) -> SimpleType:
    if not arguments:
        return DateType()
    parts = _PARTS.get(arguments[0].casefold()) if len(arguments) == 1 else None
    if parts is None:
        raise TypeFault(
            f"«{spec}»: части даты - Date, Time или DateTime", f"{spec!r}: date parts are Date, Time or DateTime"
        )
    return DateType(parts)


def format_type(value_type: ValueType) -> str | list[str]:
    """The canonical English spelling; a list for composites."""
    if isinstance(value_type, CompositeType):
        return [str(t) for t in value_type.types]
    return str(value_type)
