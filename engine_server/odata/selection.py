"""$select and $expand: which properties, rows, presentations and related entities a response holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine_server.odata.errors import NO_TYPE, bad_option, no_property, refuse
from engine_server.odata.model import (
    COMPOSITE,
    PRESENTATION,
    REFERENCE,
    STORAGE,
    Collection,
    EntityType,
    Model,
    Property,
)

MAX_EXPANSIONS = 3
"""Levels of $expand."""
_OWN = "presentation"


@dataclass(frozen=True)
class Rows:
    """A collection of a response and the properties of its rows."""

    collection: Collection
    properties: tuple[Property, ...]


@dataclass(frozen=True)
class Expansion:
    """A related entity in place of a reference. `target`: full name of the object, "" for a composite's any."""

    property: Property
    inner: dict[str, Selection]
    """Selection by full name of the object referred to."""


@dataclass(frozen=True)
class Selection:
    """`wire`: wire names shown, None: all. `presentations`: properties shown with their presentation; `own`: the entity's own one."""

    entity: EntityType
    properties: tuple[Property, ...]
    wire: frozenset[str] | None = None
    rows: tuple[Rows, ...] = ()
    presentations: tuple[Property, ...] = ()
    own: bool = False
    expansions: tuple[Expansion, ...] = ()


@dataclass
class _Wanted:
    """What a $select asks of one level, before it is matched with the entity type."""

    everything: bool = False
    without_rows: bool = False
    names: list[str] = field(default_factory=list)
    deeper: dict[str, list[str]] = field(default_factory=dict)


def select(model: Model, entity: EntityType, names: Sequence[str], expand: Sequence[str]) -> Selection:
    """ODataError 404 names the property that is not there."""
    return _select(model, entity, names, expand, 0)


def _select(model: Model, entity: EntityType, names: Sequence[str], expand: Sequence[str], depth: int) -> Selection:
    wanted = _wanted(names)
    meant = [key for key in wanted.deeper if _is_reference(model, entity, key)]
    expansions, used = _expansions(model, entity, [*expand, *meant], wanted, depth)
    presentations, own = _presentations(entity, wanted)
    if _everything(wanted, used):
        rows = () if wanted.without_rows else tuple(Rows(c, c.rows.properties) for c in entity.collections)
        return Selection(entity, entity.properties, None, rows, presentations, own, expansions)
    properties, wire = _properties(entity, wanted)
    return Selection(
        entity, tuple(properties), frozenset(wire), _rows(entity, wanted, used), presentations, own, expansions
    )


def _wanted(names: Sequence[str]) -> _Wanted:
    made = _Wanted()
    for name in names:
        head, slash, tail = name.partition("/")
        if name == "*":
            made.everything = True
        elif name == "**":
            made.without_rows = True
        elif slash:
            made.deeper.setdefault(head, []).append(tail)
        else:
            made.names.append(name)
    made.without_rows = made.without_rows and not made.everything
    return made


def _everything(wanted: _Wanted, used: set[str]) -> bool:
    """No properties named: all are meant. Names inside an expanded reference name none of this level."""
    if wanted.everything or wanted.without_rows:
        return True
    return not wanted.names and not set(wanted.deeper) - used


def _presentations(entity: EntityType, wanted: _Wanted) -> tuple[tuple[Property, ...], bool]:
    shown: list[Property] = []
    own, rest = False, []
    for name in wanted.names:
        if name.lower() == _OWN and entity.find(name) is None:
            own = True
        elif name == "*" + PRESENTATION:
            shown += (p for p in entity.properties if p.kind != STORAGE)
        elif name.endswith(PRESENTATION):
            shown.append(entity.demand(name.removesuffix(PRESENTATION))[0])
        else:
            rest.append(name)
    if not rest and not (wanted.everything or wanted.without_rows) and (shown or own):
        wanted.deeper.setdefault("", [])
    wanted.names = rest
    return tuple(dict.fromkeys(shown)), own


def _properties(entity: EntityType, wanted: _Wanted) -> tuple[list[Property], set[str]]:
    properties: dict[str, Property] = {}
    wire: set[str] = set()
    for name in wanted.names:
        if entity.collection(name) is not None and entity.find(name) is None:
            continue
        p, suffix = entity.demand(name)
        properties[p.name] = p
        wire |= set(p.wire_names) if not suffix else {p.name + suffix}
    return list(properties.values()), wire


def _rows(entity: EntityType, wanted: _Wanted, used: set[str]) -> tuple[Rows, ...]:
    made = []
    for c in entity.collections:
        names = [n for key, tails in wanted.deeper.items() if entity.collection(key) is c for n in tails]
        whole = any(entity.collection(n) is c and entity.find(n) is None for n in wanted.names) or "*" in names
        if whole:
            made.append(Rows(c, c.rows.properties))
        elif names:
            made.append(Rows(c, tuple(dict.fromkeys(c.rows.demand(n)[0] for n in names))))
    for key in wanted.deeper:
        if key and key not in used and entity.collection(key) is None:
            raise no_property(entity.name, key)
    return tuple(made)


# --- $expand ---


def _expansions(
    model: Model, entity: EntityType, expand: Sequence[str], wanted: _Wanted, depth: int
) -> tuple[tuple[Expansion, ...], set[str]]:
    if not expand:
        return (), set()
    if depth >= MAX_EXPANSIONS:
        raise bad_option(f"$expand глубже {MAX_EXPANSIONS}", f"$expand deeper than {MAX_EXPANSIONS}")
    tails: dict[str, list[str]] = {}
    for item in expand:
        head, _, tail = item.partition("/")
        for p in _expanded(model, entity, head):
            tails.setdefault(p.name, []).append(tail)
    made, used = [], set()
    for name, rests in tails.items():
        p = entity.demand(name)[0]
        keys = {k for k in wanted.deeper if entity.find(k) is not None and entity.demand(k)[0] is p}
        used |= keys
        names = [n for k in keys for n in wanted.deeper[k]]
        made.append(Expansion(p, _inner(model, p, [r for r in rests if r], names, depth)))
    return tuple(made), used


def _expanded(model: Model, entity: EntityType, name: str) -> list[Property]:
    if name == "*":
        return [p for p in entity.properties if p.kind == REFERENCE and p.field != "Ref" and _published(model, p)]
    found = entity.find(name)
    if found is None and entity.collection(name) is not None:
        return []
    p, suffix = entity.demand(name)
    if p.kind not in (REFERENCE, COMPOSITE) or suffix or not p.targets:
        raise bad_option(f"$expand: {name} - не ссылка", f"$expand: {name} is not a reference")
    if not _published(model, p):
        raise refuse(404, NO_TYPE, f"Тип сущности {name} не опубликован", f"The entity type of {name} is not published")
    return [p]


def _is_reference(model: Model, entity: EntityType, name: str) -> bool:
    """Whether `$select=name/...` means the related entity: clients leave out the `$expand` that goes with it."""
    found = entity.find(name)
    return (
        found is not None and not found[1] and found[0].kind in (REFERENCE, COMPOSITE) and _published(model, found[0])
    )


def _published(model: Model, p: Property) -> bool:
    return any(model.of_object(t) is not None for t in p.targets)


def _inner(model: Model, p: Property, tails: Sequence[str], names: Sequence[str], depth: int) -> dict[str, Selection]:
    made: dict[str, Selection] = {}
    for target in p.targets:
        entity = model.of_object(target)
        if entity is not None:
            own = [_of_type(model, p, target, t) for t in tails]
            chosen = [_of_type(model, p, target, n) for n in names]
            made[target] = _select(model, entity, [n for n in chosen if n], [t for t in own if t], depth + 1)
    return made


def _of_type(model: Model, p: Property, target: str, path: str) -> str:
    """`Document_X/Поле` of a composite -> `Поле` for that type, nothing for others."""
    head, _, tail = path.partition("/")
    named = model.object_of_type(head) if p.kind == COMPOSITE else None
    if named is None:
        return path if p.kind == REFERENCE else ""
    return tail if named == target else ""
