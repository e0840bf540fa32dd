"""Whole objects on the wire: header fields and rows of every section, each name once per section."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, cast

from engine_server.wire.values import decode, encode, refused
from infobase.metadata.types import Ref, Value
from infobase.object_store import Record, Sections
from infobase.objects import READ_ONLY, BusinessObject


def state_to_json(
    values: Mapping[str, Value], sections: Mapping[str, Sequence[Mapping[str, Value]]]
) -> dict[str, object]:
    """Everything the base holds of an object."""
    return {
        "values": {name: encode(value) for name, value in values.items()},
        "sections": {name: _rows(rows) for name, rows in sections.items() if rows},
    }


def _rows(rows: Sequence[Mapping[str, Value]]) -> dict[str, object]:
    names = list(rows[0])
    return {"names": names, "rows": [[encode(row[name]) for name in names] for row in rows]}


def state_from_json(data: Mapping[str, Any], section_names: Sequence[str]) -> tuple[Record, Sections]:
    values = {str(name): cast(Value, decode(value)) for name, value in _mapping(data.get("values")).items()}
    given = _mapping(data.get("sections"))
    return values, {name: rows_from_json(given[name]) if name in given else [] for name in section_names}


def rows_from_json(data: Any) -> list[Record]:
    if not isinstance(data, dict) or not isinstance(data.get("names"), list) or not isinstance(data.get("rows"), list):
        raise refused("rows")
    names = [str(n) for n in data["names"]]
    try:
        return [dict(zip(names, map(decode, row), strict=True)) for row in data["rows"]]
    except (ValueError, TypeError):
        raise refused("rows") from None


def change_to_json(obj: BusinessObject) -> dict[str, object]:
    """What a client wants written: its fields (those the platform sets are left out), its rows, and the version it saw."""
    state = obj._state
    version = state.stored.values["DataVersion"] if state.stored is not None else None
    made: dict[str, object] = {
        "ref": f"{obj.ref.type}:{obj.ref.uuid}",
        "version": None if version is None else int(cast(Any, version)),
        "folder": bool(state.values.get("IsFolder", False)),
        "values": {name: encode(v) for name, v in state.values.items() if name not in READ_ONLY},
        "sections": {name: _rows([_own(r) for r in rows]) for name, rows in state.sections.items() if rows},
    }
    return made


def _own(row: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in row.items() if name not in READ_ONLY}


def ref_from_json(given: Any) -> Ref:
    if not isinstance(given, str) or given.rpartition(":")[0].count(".") != 1:
        raise refused(str(given))
    head, _, tail = given.rpartition(":")
    try:
        return Ref(head, uuid.UUID(tail))
    except ValueError:
        raise refused(given) from None


def _mapping(given: Any) -> Mapping[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise refused(str(given))
    return given
