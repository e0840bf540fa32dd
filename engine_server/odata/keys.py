"""Entity keys: what stands in the parentheses of a canonical URL -> a condition, or the values of key fields."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import cast

from engine_server.odata import edm
from engine_server.odata.errors import MISSING_KEY, ODataError, no_property, refuse
from engine_server.odata.literals import Constant
from engine_server.odata.model import COMPOSITE, CONSTANT, NAMESPACE, TYPE, EntityType, Model, Property
from engine_server.odata.urls import key_values
from infobase.metadata.types import EMPTY_UUID, EnumType, NumberType, Ref, SimpleType, StringType, Value, simple_types
from infobase.query_model import Compare, Condition, all_of


def key_of(model: Model, entity: EntityType, inside: str) -> dict[str, Value]:
    """Kernel field -> value. ODataError 400: code 7 when a part is missing, 1 and 4 for what does not parse."""
    given = key_values(inside)
    if entity.variety == CONSTANT:
        return {}
    named = _named(entity, given)
    values: dict[str, Value] = {}
    for wire in entity.keys:
        found = entity.find(wire)
        if found is None or wire.endswith(TYPE) and found[0].kind == COMPOSITE:
            continue
        values[found[0].field] = _value(model, entity, found[0], named)
    return values


def _named(entity: EntityType, given: Mapping[str, Constant]) -> dict[str, Constant]:
    """By wire name in lower case; the name of a single key may be left out."""
    main = [k for k in entity.keys if not (k.endswith(TYPE) and k.removesuffix(TYPE) in entity.keys)]
    if "" in given:
        if len(given) > 1 or len(main) != 1:
            raise _missing(", ".join(entity.keys))
        return {main[0].casefold(): given[""]}
    made: dict[str, Constant] = {}
    for name, value in given.items():
        found = entity.find(name)
        if found is None and name != "SurrogateKey":
            raise no_property(entity.name, name)
        wire = name if found is None else found[0].name + found[1] if found[1] else found[0].key
        made[wire.casefold()] = value
    known = {k.casefold() for k in (*entity.keys, "SurrogateKey")}
    for name in made:
        if name not in known:
            raise refuse(
                400, MISSING_KEY, f"{name} не входит в ключ {entity.name}", f"{name} is not in the key of {entity.name}"
            )
    return made


def _missing(name: str) -> ODataError:
    return refuse(
        400, MISSING_KEY, f"Не хватает элемента ключа сущности: {name}", f"A part of the key is missing: {name}"
    )


def _value(model: Model, entity: EntityType, p: Property, named: Mapping[str, Constant]) -> Value:
    wire = p.key.casefold()
    if wire not in named:
        raise _missing(p.key)
    value = named[wire]
    if p.kind == COMPOSITE:
        return composite(model, p, value, named.get((p.name + TYPE).casefold()))
    if isinstance(value, uuid.UUID | Decimal):
        value = str(value)
    elif value is not None and not isinstance(value, bool | str):
        value = edm.date_text(value)
    return edm.parse(model.configuration, p.key, p.simple, value)


def composite(model: Model, p: Property, value: object, type_name: object) -> Value:
    """A composite's value out of its text and the name of its type; without a name the only type that suits. ODataError 400 code 4."""
    if value is None or value == "" and type_name is None:
        return None
    name = str(type_name or "").removeprefix(f"{NAMESPACE}.")
    if name == "Undefined":
        return None
    if name:
        return _of_type(model, p, name, value)
    if isinstance(value, uuid.UUID) or (isinstance(value, str) and _is_guid(value) and p.targets):
        if len(p.targets) != 1:
            raise refuse(
                400,
                4,
                f"{p.name}: укажите {p.name}{TYPE} - тип ссылки",
                f"{p.name}: give {p.name}{TYPE}, the type referred to",
            )
        made = uuid.UUID(str(value))
        return Ref(p.targets[0], made) if made != EMPTY_UUID else None
    return cast(Value, value)


def _is_guid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def _of_type(model: Model, p: Property, name: str, value: object) -> Value:
    parts = simple_types(p.type)
    target = next((t for t in p.targets if _is_called(model, t, name)), None)
    if target is not None:
        made = edm.parse_guid(p.name, value)
        return Ref(target, made) if made != EMPTY_UUID else None
    chosen: list[SimpleType] = [t for t in parts if isinstance(t, EnumType) and _is_called(model, t.target, name)]
    chosen = chosen or [t for t in parts if edm.edm_type(t) == name or (_is_number(name) and isinstance(t, NumberType))]
    if not chosen:
        raise edm.unfit(f"{p.name}{TYPE}", name, ", ".join(str(t) for t in parts))
    text = str(value) if isinstance(chosen[0], StringType) else value
    return edm.parse(model.configuration, p.name, chosen[0], text)


def _is_number(name: str) -> bool:
    return name in ("Edm.Double", "Edm.Decimal", "Edm.Int16", "Edm.Int32", "Edm.Int64")


def _is_called(model: Model, full_name: str, name: str) -> bool:
    """ "Catalog_X" of a catalog, the bare name (or "Enum_X") of an enumeration, in either language."""
    meta = model.configuration.objects[full_name]
    prefix = "" if meta.kind == "Enumeration" else f"{meta.kind}_"
    bare = name.removeprefix("Enum_") if not prefix else name
    return bare.casefold() in {f"{prefix}{n}".casefold() for n in (meta.naming.ru, meta.naming.name)}


def condition_of_key(model: Model, entity: EntityType, inside: str) -> Condition:
    """The condition that one entity satisfies."""
    values = key_of(model, entity, inside)
    parts = [Compare(f, "=", int(v) if f == "LineNumber" and isinstance(v, Decimal) else v) for f, v in values.items()]
    found = all_of(*parts)
    if found is None:
        raise _missing(", ".join(entity.keys))
    return found
