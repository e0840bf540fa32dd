"""Predefined items: the same references in every base of every configuration, so that two bases made alike are alike."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from infobase.errors import ConfigurationInvalid, Problem
from infobase.i18n import Bilingual
from infobase.metadata.model import Catalog, Configuration, PredefinedItem
from infobase.metadata.refs import predefined_ref
from infobase.metadata.types import EMPTY_UUID, EnumType, NumberType, RefType, simple_types
from infobase.object_store import store_of
from infobase.objects import BusinessObject, new_object, object_type

if TYPE_CHECKING:
    from infobase.session import Session


def write_predefined(session: Session) -> int:
    """Write the predefined items that the base does not have yet; returns how many. Existing ones keep what users made of them."""
    made = 0
    with session.transaction():
        for catalog, item in _in_order(session.kernel.configuration):
            if not _exists(session, catalog, item):
                _item_object(session, catalog, item).write()
                made += 1
    return made


def _exists(session: Session, catalog: Catalog, item: PredefinedItem) -> bool:
    store = store_of(session.kernel, catalog.full_name)
    with session.reading() as tx:
        return bool(tx.run([store.lock(predefined_ref(catalog.full_name, item.name))])[0])


def _in_order(configuration: Configuration) -> Iterator[tuple[Catalog, PredefinedItem]]:
    """Parents, owners and referred items before those that need them."""
    waiting = {(c.full_name, i.name): (c, i) for c in configuration.catalogs for i in c.predefined}
    while waiting:
        ready = [k for k, (c, i) in waiting.items() if not any(n in waiting and n != k for n in _needs(c, i))]
        if not ready:
            names = ", ".join(".".join(k) for k in waiting)
            message = Bilingual(
                "предопределённые элементы ссылаются друг на друга по кругу", "predefined items refer in a circle"
            )
            raise ConfigurationInvalid([Problem("", 0, names, message)])
        for key in ready:
            yield waiting.pop(key)


def _needs(catalog: Catalog, item: PredefinedItem) -> Iterator[tuple[str, str]]:
    if item.parent:
        yield _target(item.parent, catalog.full_name)
    if item.owner:
        yield _target(item.owner, catalog.full_name)
    for name, value in item.values.items():
        field = next((f for f in catalog.attributes if f.naming.answers_to(name)), None)
        if field and isinstance(value, str) and any(isinstance(t, RefType) for t in simple_types(field.type)):
            yield _target(value, catalog.full_name)


def _target(written: str, home: str) -> tuple[str, str]:
    """ "Catalog.Pipelines.Main" -> its catalog and item; a bare name is of the same catalog."""
    full_name, _, item = written.rpartition(".")
    return (full_name or home, item)


def _item_object(session: Session, catalog: Catalog, item: PredefinedItem) -> BusinessObject:
    kind = object_type(session.kernel, catalog.full_name)
    obj = new_object(session, kind, is_folder=item.is_folder)
    values = obj._state.values
    values["Ref"] = predefined_ref(catalog.full_name, item.name)
    values["PredefinedDataName"] = item.name
    obj["Description"] = item.description or item.naming.label(session.kernel.configuration.default_language)
    if item.code:
        code = next(f for f in catalog.fields if f.name == "Code")
        obj["Code"] = Decimal(item.code) if isinstance(code.type, NumberType) else item.code
    if item.parent:
        obj["Parent"] = predefined_ref(*_target(item.parent, catalog.full_name))
    if item.owner:
        obj["Owner"] = predefined_ref(*_target(item.owner, catalog.full_name))
    for name, value in item.values.items():
        obj[name] = _value(catalog, name, value)
    assert obj.ref.uuid != EMPTY_UUID
    return obj


def _value(catalog: Catalog, name: str, value: object) -> object:
    field = next(f for f in catalog.attributes if f.naming.answers_to(name))
    types = simple_types(field.type)
    if isinstance(value, str) and any(isinstance(t, RefType) for t in types):
        return predefined_ref(*_target(value, catalog.full_name))
    if isinstance(value, str) and any(isinstance(t, EnumType) for t in types):
        return value.rpartition(".")[2]
    if (
        isinstance(value, float | int | str)
        and not isinstance(value, bool)
        and any(isinstance(t, NumberType) for t in types)
    ):
        return Decimal(str(value))
    return value
