"""Kernel values <-> JSON without loss, in the form of `infobase.query_json`: plain scalars, or one tag.

    Decimal("1.50") <-> {"number": "1.50"}          Ref <-> {"ref": "Catalog.Banks:<uuid>"}
    datetime        <-> {"date": "2026-02-01T10:00:00"}    EnumValue <-> {"enum": "Enumeration.States.Won"}
    UUID <-> {"uuid": ...}   bytes <-> {"bytes": base64}   tuple <-> {"tuple": [...]}   dict <-> {"map": [[key, value], ...]}
    a dataclass of those the sides agreed upon <-> {"object": ["User", {field: value}]}

What arrives is data only: classes are chosen from a fixed table, and nothing is ever executed.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from infobase.balance_checks import Shortage
from infobase.deletion import DeletionReport, Kept
from infobase.dump_format import DumpSummary
from infobase.errors import RequestInvalid
from infobase.i18n import Bilingual, text
from infobase.infobase import InfobaseInfo
from infobase.jobs import Job, JobRun
from infobase.metadata import canonical
from infobase.metadata.model import Configuration
from infobase.metadata.types import EnumValue, Ref
from infobase.prepare import Stripped, Wanted
from infobase.repair import Mended
from infobase.session_block import SessionBlock
from infobase.settings import ClassifierVersion
from infobase.storage import Finding, LockInfo, LogEntry, LogFilter, SessionInfo
from infobase.users import User

CLASSES: dict[str, type[Any]] = {
    c.__name__: c
    for c in (
        Bilingual,
        ClassifierVersion,
        DeletionReport,
        DumpSummary,
        Finding,
        InfobaseInfo,
        Job,
        JobRun,
        Kept,
        LockInfo,
        LogEntry,
        LogFilter,
        Mended,
        SessionBlock,
        SessionInfo,
        Shortage,
        Stripped,
        User,
        Wanted,
    )
}
"""The dataclasses that may travel."""


def carries(*classes: type[Any]) -> None:
    """Let more dataclasses travel; both sides must say so."""
    CLASSES.update({c.__name__: c for c in classes})


# --- to JSON ---


def encode(value: object) -> object:
    """TypeError for what cannot travel."""
    kind = type(value)
    if kind is str or kind is bool or kind is int or value is None:
        return value
    made = _ENCODERS.get(kind)
    if made is not None:
        return made(value)
    if is_dataclass(value) and CLASSES.get(kind.__name__) is kind:
        return {"object": [kind.__name__, {f.name: encode(getattr(value, f.name)) for f in fields(value)}]}
    if isinstance(value, Mapping):
        return _map(value)
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"a value of {kind.__qualname__} does not travel")


def _map(value: Mapping[Any, object]) -> dict[str, object]:
    return {"map": [[encode(k), encode(v)] for k, v in value.items()]}


_ENCODERS: dict[type, Callable[[Any], object]] = {
    Decimal: lambda v: {"number": str(v)},
    dt.datetime: lambda v: {"date": v.isoformat()},
    dt.date: lambda v: {"day": v.isoformat()},
    uuid.UUID: lambda v: {"uuid": str(v)},
    bytes: lambda v: {"bytes": base64.b64encode(v).decode("ascii")},
    Ref: lambda v: {"ref": f"{v.type}:{v.uuid}"},
    EnumValue: lambda v: {"enum": f"{v.type}.{v.name}"},
    list: lambda v: [encode(x) for x in v],
    tuple: lambda v: {"tuple": [encode(x) for x in v]},
    frozenset: lambda v: {"tuple": [encode(x) for x in v]},
    set: lambda v: {"tuple": [encode(x) for x in v]},
    dict: _map,
    Configuration: lambda v: {"configuration": canonical.to_json(v).decode()},
}


# --- from JSON ---


def decode(data: object) -> Any:
    """What `encode` made. RequestInvalid."""
    kind = type(data)
    if kind is str or kind is bool or kind is int or data is None:
        return data
    if kind is list:
        return [decode(x) for x in cast("list[object]", data)]
    if kind is dict and len(cast("dict[str, object]", data)) == 1:
        ((tag, inside),) = cast("dict[str, object]", data).items()
        parse = _DECODERS.get(tag)
        if parse is not None:
            try:
                return parse(inside)
            except (ValueError, InvalidOperation, binascii.Error, TypeError, AttributeError):
                raise refused(tag) from None
    raise refused(str(data)[:60])


def refused(what: str) -> RequestInvalid:
    shown = what[:60]
    return RequestInvalid(detail=text(ru=f"значение «{shown}» не разобрано", en=f"cannot parse the value {shown!r}"))


def _ref(given: Any) -> Ref:
    head, _, tail = given.rpartition(":")
    if head.count(".") != 1:
        raise ValueError(given)
    return Ref(head, uuid.UUID(tail))


def _enum(given: Any) -> EnumValue:
    head, _, name = given.rpartition(".")
    if head.count(".") != 1 or not name:
        raise ValueError(given)
    return EnumValue(head, name)


def _number(given: Any) -> Decimal:
    if not isinstance(given, str) or len(given) > 100:
        raise ValueError(given)
    made = Decimal(given)
    if not made.is_finite():
        raise ValueError(given)
    return made


def _pairs(given: Any) -> dict[Any, Any]:
    return {decode(key): decode(value) for key, value in given}


def _object(given: Any) -> object:
    name, values = given
    cls = CLASSES.get(name)
    if cls is None or not isinstance(values, dict):
        raise ValueError(name)
    known = {f.name for f in fields(cls)}
    # A field the other side has and this one does not know yet is left out.
    return cls(**{key: decode(value) for key, value in values.items() if key in known})


_DECODERS: dict[str, Callable[[Any], object]] = {
    "number": _number,
    "date": dt.datetime.fromisoformat,
    "day": dt.date.fromisoformat,
    "uuid": uuid.UUID,
    "bytes": lambda given: base64.b64decode(given, validate=True),
    "ref": _ref,
    "enum": _enum,
    "tuple": lambda given: tuple(decode(x) for x in given),
    "map": _pairs,
    "object": _object,
    "configuration": lambda given: canonical.from_json(given.encode()),
}


# --- rows ---


def rows_to_json(rows: list[dict[str, Any]]) -> dict[str, object]:
    """Rows of one shape: the names once."""
    names = list(rows[0]) if rows else []
    return {"names": names, "rows": [[encode(v) for v in row.values()] for row in rows]}


def rows_from_json(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = data["names"]
    return [dict(zip(names, map(decode, row), strict=True)) for row in data["rows"]]
