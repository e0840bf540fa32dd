"""A configuration as canonical JSON with a digest: the form inside an infobase, a `.cf` and a `.dt`.

UTF-8, no insignificant whitespace, keys sorted except where order means something: lists of fields keep their declared order,
so those tables are written as lists of [name, table] pairs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from infobase.errors import ConfigurationUnreadable
from infobase.i18n import text
from infobase.metadata.build import build
from infobase.metadata.model import KINDS, Configuration
from infobase.metadata.raw import from_jsonable, head_of, jsonable, raw_of
from infobase.metadata.tables import Source

MAX_BYTES = 64 * 1024 * 1024
MAX_NESTING = 40
_ORDERED = frozenset({"attributes", "dimensions", "resources", "tabular_sections", "values", "predefined", "set"})


def to_json(configuration: Configuration) -> bytes:
    """The canonical bytes: equal configurations give equal bytes."""
    whole = {"head": head_of(configuration), "objects": [raw_of(o) for o in configuration.objects.values()]}
    made = _listed(jsonable(whole))
    return json.dumps(made, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def digest(configuration: Configuration) -> str:
    """SHA-256 of the canonical bytes, hexadecimal."""
    return hashlib.sha256(to_json(configuration)).hexdigest()


def from_json(data: bytes) -> Configuration:
    """Back from bytes, through the same validation as a folder. ConfigurationUnreadable, ConfigurationInvalid."""
    whole = _loads(data)
    if (
        not isinstance(whole, dict)
        or not isinstance(whole.get("head"), dict)
        or not isinstance(whole.get("objects"), list)
    ):
        raise _unreadable(text(ru="не та структура JSON", en="not the structure of a configuration"))
    objects = []
    for raw in whole["objects"]:
        kind = raw.get("kind") if isinstance(raw, dict) else None
        if not isinstance(kind, str) or kind not in KINDS:
            raise _unreadable(text(ru=f"неизвестный вид объекта {kind!r}", en=f"unknown kind of object {kind!r}"))
        objects.append((kind, Source(f"{KINDS[kind].folder}/{raw.get('name')}", raw)))
    return build(Source("Configuration", whole["head"]), objects)


def _loads(data: bytes) -> object:
    if len(data) > MAX_BYTES:
        raise _unreadable(text(ru="слишком велика", en="too large"))
    if _depth(data) > MAX_NESTING:
        raise _unreadable(text(ru="слишком глубокая вложенность", en="nested too deeply"))
    try:
        whole = json.loads(data.decode("utf-8"), object_pairs_hook=_no_twins, parse_constant=_no_constant)
        return _unlisted(from_jsonable(whole))
    except (ValueError, TypeError, RecursionError) as e:
        raise _unreadable(e) from e


def _unreadable(detail: object) -> ConfigurationUnreadable:
    return ConfigurationUnreadable(place="configuration.json", detail=detail)


def _depth(data: bytes) -> int:
    depth = deepest = 0
    inside, escaped = False, False
    for c in data:
        if inside:
            if escaped:
                escaped = False
            elif c == 0x5C:
                escaped = True
            elif c == 0x22:
                inside = False
        elif c == 0x22:
            inside = True
        elif c in (0x5B, 0x7B):
            depth += 1
            deepest = max(deepest, depth)
        elif c in (0x5D, 0x7D):
            depth -= 1
    return deepest


def _no_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("duplicate keys")
    return made


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not allowed")


def _listed(value: object) -> object:
    """Tables whose order matters, as lists of pairs."""
    if isinstance(value, Mapping):
        return {
            k: [[n, _listed(v)] for n, v in inner.items()]
            if k in _ORDERED and isinstance(inner, Mapping)
            else _listed(inner)
            for k, inner in value.items()
        }
    if isinstance(value, list):
        return [_listed(v) for v in value]
    return value


def _unlisted(value: object) -> object:
    if isinstance(value, Mapping):
        return {
            k: _from_pairs(inner) if k in _ORDERED and isinstance(inner, list) else _unlisted(inner)
            for k, inner in value.items()
        }
    if isinstance(value, list):
        return [_unlisted(v) for v in value]
    return value


def _from_pairs(pairs: list[object]) -> dict[str, object]:
    made: dict[str, object] = {}
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str) or pair[0] in made:
            raise ValueError("a list of [name, table] pairs is needed")
        made[pair[0]] = _unlisted(pair[1])
    return made
