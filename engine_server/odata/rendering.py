"""Records of the kernel -> entries: wire values, links and addresses, from which JSON and Atom are written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from engine_server.odata import edm
from engine_server.odata.model import (
    COMPOSITE,
    NAMESPACE,
    OBJECT,
    PRESENTATION,
    REFERENCE,
    TYPE,
    EntityType,
    Property,
    type_name,
)
from engine_server.odata.selection import Selection
from infobase.metadata.model import Catalog, Configuration, Document
from infobase.metadata.types import EnumType, EnumValue, Ref, Value

Record = Mapping[str, Value]
Convert = Callable[[Any], edm.Wire]
PRESENTED = "."
"""Begins the name under which a presentation is selected."""


@dataclass(slots=True)
class Entry:
    """`values`: wire values; lists of dicts for collections; entries for expanded references. `links`: references with a value."""

    entity: EntityType
    url: str
    values: dict[str, Any]
    links: list[str] = field(default_factory=list)


Column = tuple[str, str, Convert | None]
"""Wire name, the record's field, what makes the wire value of it (None: as it is)."""


def columns_of(configuration: Configuration, p: Property, wire: frozenset[str] | None = None) -> list[Column]:
    """The wire properties of one property; of those in `wire` only."""
    made: list[Column]
    match p.kind:
        case "composite":
            made = [
                (p.name, p.field, lambda v: composite_text(configuration, v)),
                (p.name + TYPE, p.field, lambda v: composite_type(configuration, v)),
            ]
        case "storage":
            made = [
                (p.key, p.field, edm.writer(configuration, p.simple)),
                (p.name + TYPE, p.field, lambda v: edm.BYTES if v else ""),
            ]
        case "version":
            made = [(p.name, p.field, edm.version_text)]
        case "predefined":
            made = [(p.name, p.field, bool)]
        case _:
            made = [(p.key, p.field, _plain_writer(configuration, p))]
    return [c for c in made if wire is None or c[0] in wire]


def _plain_writer(configuration: Configuration, p: Property) -> Convert | None:
    if p.field == "PredefinedDataName":
        return _predefined_names(configuration)
    return edm.writer(configuration, p.simple)


def _predefined_names(configuration: Configuration) -> Convert:
    """The Russian identifier of a predefined item, as 1C's language would name it."""
    known = {i.name: i.naming.ru for o in configuration.catalogs for i in o.predefined}
    return lambda v: known.get(v, v)


def composite_text(configuration: Configuration, value: Value) -> str:
    """A composite's value as text."""
    match value:
        case None:
            return ""
        case Ref():
            return str(value.uuid)
        case EnumValue():
            return edm.enum_text(configuration, value)
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{edm.number(value):f}" if value % 1 else str(int(value))
        case dt.datetime():
            return edm.date_text(value)
        case _:
            return str(value)


def composite_type(configuration: Configuration, value: Value) -> str:
    """What a composite holds: StandardODATA.Catalog_X, StandardODATA.<enumeration>, Edm.String..., StandardODATA.Undefined."""
    match value:
        case None:
            return f"{NAMESPACE}.Undefined"
        case Ref():
            return f"{NAMESPACE}.{type_name(configuration.objects[value.type])}"
        case EnumValue():
            return f"{NAMESPACE}.{configuration.objects[value.type].naming.ru}"
        case bool():
            return "Edm.Boolean"
        case Decimal():
            return "Edm.Double"
        case dt.datetime():
            return "Edm.DateTime"
        case UUID():
            return "Edm.Guid"
        case _:
            return "Edm.String"


class EntryMaker:
    """Makes entries of one selection; everything that does not depend on the record is worked out once."""

    def __init__(self, configuration: Configuration, selection: Selection) -> None:
        self.selection, self._configuration = selection, configuration
        entity = selection.entity
        self._columns = [c for p in selection.properties for c in columns_of(configuration, p, selection.wire)]
        self._links = [
            (p.name, p.field)
            for p in selection.properties
            if p.kind in (REFERENCE, COMPOSITE) and p.field != "Ref" and entity.keys
        ]
        self._keys = [c for k in entity.keys for c in self._key_columns(entity, k)]
        self._head = f"{entity.name}("

    def _key_columns(self, entity: EntityType, wire: str) -> list[Column]:
        found = entity.find(wire)
        return columns_of(self._configuration, found[0], frozenset({wire})) if found else []

    def entry(self, record: Record) -> Entry:
        values = {wire: record[f] if convert is None else convert(record[f]) for wire, f, convert in self._columns}
        for p in self.selection.presentations:
            values[p.name + PRESENTATION] = str(record.get(PRESENTED + p.name, "") or "")
        if self.selection.own:
            values["Presentation"] = str(record.get(PRESENTED, "") or "")
        links = [name for name, f in self._links if isinstance(record[f], Ref)]
        return Entry(self.selection.entity, self.url(record), values, links)

    def url(self, record: Record) -> str:
        """The canonical address relative to the service."""
        if self.selection.entity.variety == OBJECT:
            return f"{self._head}guid'{record['Ref'].uuid}')"  # type: ignore[union-attr]
        parts = []
        for wire, f, convert in self._keys:
            value = record[f] if convert is None else convert(record[f])
            parts.append(f"{wire}={_key_literal(record[f], wire, value)}")
        return f"{self._head}{', '.join(parts)})"


def _key_literal(value: Value, wire: str, shown: edm.Wire) -> str:
    if isinstance(value, Ref | UUID) and not wire.endswith(TYPE):
        return f"guid'{shown}'"
    if isinstance(value, dt.datetime):
        return f"datetime'{shown}'"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal | int):
        return str(shown)
    if value is None and wire.endswith("_Key"):
        return f"guid'{edm.ZERO_GUID}'"
    return "'" + str(shown).replace("'", "''") + "'"


def fields_of(selection: Selection) -> list[str]:
    """The kernel's fields that a selection needs."""
    entity = selection.entity
    fields = [p.field for p in selection.properties]
    fields += [p.field for k in entity.keys if (found := entity.find(k)) for p in (found[0],)]
    fields += [e.property.field for e in selection.expansions]
    return list(dict.fromkeys(fields))


def presentation_fields(configuration: Configuration, selection: Selection) -> list[tuple[str, str]]:
    """(the kernel's path, the name it is selected under) of the presentations a query can give."""
    made = [
        (f"{p.field}.Presentation", PRESENTED + p.name)
        for p in selection.presentations
        if p.kind in (REFERENCE, COMPOSITE) or isinstance(p.simple, EnumType)
    ]
    if selection.own and isinstance(configuration.objects[selection.entity.object], Catalog | Document):
        made.append(("Ref.Presentation", PRESENTED))
    return made


def rows_of(
    configuration: Configuration, properties: Sequence[Property], records: Sequence[Record]
) -> list[dict[str, Any]]:
    """Rows of a collection as wire values."""
    columns = [c for p in properties for c in columns_of(configuration, p)]
    return [{wire: r[f] if convert is None else convert(r[f]) for wire, f, convert in columns} for r in records]
