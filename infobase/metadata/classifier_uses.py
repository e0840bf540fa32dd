"""`[classifiers]` of Configuration.toml: which national classifiers a configuration wants, and where each of them goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from infobase.i18n import Bilingual
from infobase.metadata.model import (
    CLASSIFIER_KINDS,
    Catalog,
    ClassifierUse,
    InformationRegister,
    MetadataObject,
    find_field,
)
from infobase.metadata.tables import Table

_TARGET = Bilingual("справочник или независимый регистр сведений", "a catalog or an independent information register")
MAX_FRESH_DAYS = 36_500
Find = Callable[[str], str | None]


def classifier_uses(table: Table, objects: Mapping[str, MetadataObject], find: Find) -> dict[str, ClassifierUse]:
    """The uses by kind. `find`: a full name in either language -> the English one. Faults are noted at their keys."""
    found: dict[str, ClassifierUse] = {}
    for kind, written in table.data.items():
        if kind not in CLASSIFIER_KINDS:
            ru, en = f"неизвестный классификатор «{kind}»", f"unknown classifier {kind!r}"
            table.fault(kind, ru, en, ", ".join(CLASSIFIER_KINDS))
        elif isinstance(written, str):
            target = _target(table, kind, written, objects, find)
            found[kind] = ClassifierUse(kind, target)
        else:
            found[kind] = _use(kind, table.table(kind), objects, find)
    return {kind: found[kind] for kind in CLASSIFIER_KINDS if kind in found}


def _use(kind: str, table: Table, objects: Mapping[str, MetadataObject], find: Find) -> ClassifierUse:
    target = _target(table, "target", table.text("target", required=True), objects, find)
    chosen = _catalog(table, table.text("chosen"), objects, find)
    written = table.table("parts")
    parts = {name: _target(written, name, written.text(name), objects, find) for name in written.data}
    fields = _fields(table.table("fields"), objects.get(target))
    fresh_days = table.number("fresh_days", 0, 0, MAX_FRESH_DAYS) if table.has("fresh_days") else None
    table.finish()
    return ClassifierUse(kind, target, parts, fields, chosen, fresh_days)


def _target(table: Table, key: str, written: str, objects: Mapping[str, MetadataObject], find: Find) -> str:
    if not written:
        return ""
    full_name = find(written) or written
    o = objects.get(full_name)
    if not isinstance(o, Catalog | InformationRegister) or (isinstance(o, InformationRegister) and o.subordinate):
        table.fault(key, f"«{written}» не подходит", f"{written!r} does not fit", _TARGET)
    return full_name


def _catalog(table: Table, written: str, objects: Mapping[str, MetadataObject], find: Find) -> str:
    full_name = find(written) or written
    if written and not isinstance(objects.get(full_name), Catalog):
        ru, en = f"«{written}»: такого справочника нет", f"{written!r}: there is no such catalog"
        table.fault("chosen", ru, en, "Catalog.Name")
    return full_name


def _fields(table: Table, target: MetadataObject | None) -> dict[str, str]:
    """Field of the classifier -> English name of the target's field."""
    made: dict[str, str] = {}
    for name in table.data:
        written = table.text(name)
        owner = target if isinstance(target, Catalog | InformationRegister) else None
        found = find_field(owner.fields, written) if owner is not None else None
        if owner is not None and found is None:
            ru, en = f"у {owner.full_name} нет поля «{written}»", f"{owner.full_name} has no field {written!r}"
            table.fault(name, ru, en)
        made[name] = found.name if found is not None else written
    return made
