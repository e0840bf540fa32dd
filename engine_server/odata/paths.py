"""Property paths (`Контрагент/ИНН`, `cast(Договор, 'Document_Договор')/Дата`) -> fields of the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine_server.odata.errors import BAD_FUNCTION, NO_TYPE, no_property, refuse
from engine_server.odata.model import COMPOSITE, REFERENCE, EntityType, Model, Property
from infobase.query_model import Compare, Condition

MAX_STEPS = 7
"""References one path goes through."""


@dataclass(frozen=True, slots=True)
class FoundPath:
    """`field`: the kernel's path; `property`, `suffix`: what stands at its end; `guards`: that composites on the way hold the type meant."""

    field: str
    property: Property
    suffix: str
    guards: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a path stands: an entity type and the kernel's path to it."""

    entity: EntityType
    prefix: str
    guards: tuple[Condition, ...]


def resolve(model: Model, entity: EntityType, names: Sequence[str]) -> FoundPath:
    """ODataError 404 code 10 names what is not there."""
    return _walk(model, _Place(entity, "", ()), names)


def resolve_from(model: Model, found: FoundPath, target: str, names: Sequence[str]) -> FoundPath:
    """The path going on from a composite taken as a reference to `target`."""
    return _walk(model, _inside(model, found, target), names)


def _walk(model: Model, place: _Place, names: Sequence[str]) -> FoundPath:
    if len(names) > MAX_STEPS + 1:
        raise refuse(400, BAD_FUNCTION, f"больше {MAX_STEPS} переходов", f"more than {MAX_STEPS} references followed")
    rest = list(names)
    while True:
        name = rest.pop(0)
        p, suffix = place.entity.demand(name)
        found = FoundPath(place.prefix + p.field, p, suffix, place.guards)
        if not rest:
            return found
        if p.kind not in (REFERENCE, COMPOSITE) or suffix:
            raise no_property(place.entity.name, "/".join((name, rest[0])))
        target = p.targets[0] if len(p.targets) == 1 else ""
        named = model.object_of_type(rest[0])
        if p.kind == COMPOSITE and named is not None and len(rest) > 1:
            target = named
            rest.pop(0)
        if not target:
            raise refuse(
                400,
                BAD_FUNCTION,
                f"{name} - составного типа: укажите тип, cast({name}, 'Catalog_X')/...",
                f"{name} is of several types: name one, cast({name}, 'Catalog_X')/...",
            )
        place = _inside(model, found, target)


def _inside(model: Model, found: FoundPath, target: str) -> _Place:
    entity = model.of_object(target)
    if entity is None or target not in found.property.targets:
        raise refuse(404, NO_TYPE, f"Тип сущности не найден: {target}", f"No such entity type: {target}")
    guards = found.guards
    if found.property.kind == COMPOSITE:
        guards = (*guards, Compare(found.field, "is_type", target))
    return _Place(entity, f"{found.field}.", guards)
