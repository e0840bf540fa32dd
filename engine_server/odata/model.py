"""What is published, as OData sees it: entity types with their properties, keys and collections, made from the configuration.

An attribute becomes one wire property or several, as 1C names them: a reference `X_Key`, a composite `X` and `X_Type`, a value storage
`X_Base64Data` and `X_Type`, everything else `X`. Standard fields keep 1C's English names, others their Russian identifier; on input every
name is accepted in either language.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from engine_server.odata.errors import no_property
from infobase.metadata.model import (
    AccumulationRegister,
    Catalog,
    Configuration,
    Constant,
    Document,
    Field,
    InformationRegister,
    MetadataObject,
    Naming,
    TabularSection,
)
from infobase.metadata.types import (
    CompositeType,
    NumberType,
    RefType,
    SimpleType,
    StringType,
    ValueStorageType,
    ValueType,
    simple_types,
)

NAMESPACE = "StandardODATA"
OBJECT, ROW, RECORD, RECORD_SET, CONSTANT, TOTAL = "object", "row", "record", "record set", "constant", "total"
PLAIN, REFERENCE, COMPOSITE, STORAGE, VERSION, PREDEFINED = (
    "plain",
    "reference",
    "composite",
    "storage",
    "version",
    "predefined",
)
KEY, TYPE, DATA = "_Key", "_Type", "_Base64Data"
PRESENTATION = "____Presentation"
PUBLISHABLE = ("Catalog", "Document", "Constant", "InformationRegister", "AccumulationRegister")


@dataclass(frozen=True, slots=True)
class Property:
    """`name`: OData name without suffix; `field`: the kernel's name; `aliases`: other names it answers to."""

    name: str
    field: str
    type: ValueType
    kind: str
    aliases: tuple[str, ...] = ()
    required: bool = False

    @property
    def key(self) -> str:
        """The wire property that holds the value."""
        return self.name + {REFERENCE: KEY, STORAGE: DATA}.get(self.kind, "")

    @property
    def wire_names(self) -> tuple[str, ...]:
        if self.kind in (COMPOSITE, STORAGE):
            return (self.key, self.name + TYPE)
        return (self.key,)

    @property
    def targets(self) -> tuple[str, ...]:
        """The objects it may refer to."""
        return tuple(t.target for t in simple_types(self.type) if isinstance(t, RefType))

    @property
    def simple(self) -> SimpleType:
        """The type of anything but a composite; a recorder of one kind of documents is a composite of one."""
        return simple_types(self.type)[0]


@dataclass(frozen=True)
class EntityType:
    """One entity type and its set. `source`: what the kernel's queries read; `object`: whose rights apply. `collections`: tabular sections
    (or the records of a recorder)."""

    name: str
    source: str
    object: str
    variety: str
    properties: tuple[Property, ...]
    keys: tuple[str, ...]
    collections: tuple[Collection, ...] = ()
    _found: dict[str, tuple[Property, str]] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for p in self.properties:
            for name in (*p.aliases, p.name):
                for suffix in ("", KEY) if p.kind == REFERENCE else ("", TYPE, DATA) if p.kind != PLAIN else ("",):
                    self._found[(name + suffix).casefold()] = (p, suffix)
        for p in self.properties:
            for wire in p.wire_names:
                self._found[wire.casefold()] = (p, wire.removeprefix(p.name))

    def find(self, name: str) -> tuple[Property, str] | None:
        """A property by wire name or bare name in either language, and the suffix it was given with."""
        return self._found.get(name.casefold())

    def demand(self, name: str) -> tuple[Property, str]:
        found = self.find(name)
        if found is None:
            raise no_property(self.name, name)
        return found

    def collection(self, name: str) -> Collection | None:
        wanted = name.casefold()
        return next((c for c in self.collections if wanted in (a.casefold() for a in (c.name, *c.aliases))), None)

    @property
    def row_type(self) -> str:
        """Name of the complex type of rows."""
        return f"{self.name.removesuffix('_RecordType')}_RowType"

    @property
    def addressable(self) -> bool:
        """Whether entities are addressed by one reference."""
        return self.variety == OBJECT


@dataclass(frozen=True)
class Collection:
    """A property that is a list of rows. `rows`: the entity type of one row."""

    name: str
    aliases: tuple[str, ...]
    rows: EntityType
    section: str
    """The kernel's name of the tabular section; "" for records of a register."""


class Model:
    """The published part of a configuration."""

    def __init__(self, configuration: Configuration, published: Iterable[str]) -> None:
        self.configuration = configuration
        self.published = frozenset(p for p in published if p in configuration.objects)
        self.types: dict[str, EntityType] = {}
        self._sets: dict[str, EntityType] = {}
        self._by_object: dict[str, EntityType] = {}
        for full_name, meta in configuration.objects.items():
            if full_name in self.published:
                for made, aliases in _entity_types(configuration, meta):
                    self._add(made, aliases)

    def _add(self, made: EntityType, aliases: Iterable[str]) -> None:
        self.types[made.name] = made
        for name in (made.name, *aliases):
            self._sets.setdefault(name.casefold(), made)
        if made.variety in (OBJECT, CONSTANT):
            self._by_object[made.object] = made

    def entity_set(self, name: str) -> EntityType | None:
        """By its name in either language."""
        return self._sets.get(name.casefold())

    def of_object(self, full_name: str) -> EntityType | None:
        """The entity type of a catalog or document, if it is published."""
        return self._by_object.get(full_name)

    def object_of_type(self, name: str) -> str | None:
        """ "StandardODATA.Catalog_X" or "Catalog_X", in either language -> full name of a published catalog or document."""
        found = self.entity_set(name.removeprefix(NAMESPACE + "."))
        return found.object if found is not None and found.variety == OBJECT else None

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(self.types)


def type_name(meta: MetadataObject) -> str:
    """ "Catalog_Контрагенты"."""
    return f"{meta.kind}_{meta.naming.ru}"


def english_name(meta: MetadataObject) -> str:
    return f"{meta.kind}_{meta.naming.name}"


# --- properties ---


def property_of(f: Field, *, owner_key: bool = False) -> Property:
    """A field of the configuration as a property; standard ones keep their English name."""
    name = f.naming.name if f.standard else f.naming.ru
    aliases = (f.naming.ru if f.standard else f.naming.name,)
    if f.standard and f.name == "DataVersion":
        return Property(name, f.name, StringType(12), VERSION, aliases)
    if f.standard and f.name == "LineNumber":
        return Property(name, f.name, NumberType(10, 0), PLAIN, aliases, required=True)
    parts = simple_types(f.type)
    if isinstance(f.type, CompositeType) and len(parts) > 1:
        kind = COMPOSITE
    elif isinstance(parts[0], RefType):
        kind = REFERENCE
    else:
        kind = STORAGE if isinstance(parts[0], ValueStorageType) else PLAIN
    return Property(name, f.name, f.type, kind, aliases, f.required or owner_key)


_PREDEFINED = Property("Predefined", "PredefinedDataName", StringType(100), PREDEFINED, ("Предопределенный",))


def _object_properties(meta: Catalog | Document) -> Iterator[Property]:
    for f in meta.fields:
        if f.standard and f.name == "PredefinedDataName":
            yield _PREDEFINED
        yield property_of(f, owner_key=f.name == "Ref")


def _rows_type(meta: Catalog | Document, section: TabularSection) -> EntityType:
    ref = Property("Ref", "Ref", RefType(meta.full_name), REFERENCE, ("Ссылка",), required=True)
    properties = (ref, *(property_of(f) for f in section.fields))
    name = f"{type_name(meta)}_{section.naming.ru}"
    return EntityType(
        name, f"{meta.full_name}.{section.name}", meta.full_name, ROW, properties, ("Ref_Key", "LineNumber")
    )


# --- entity types ---


def _entity_types(configuration: Configuration, meta: MetadataObject) -> Iterator[tuple[EntityType, list[str]]]:
    match meta:
        case Catalog() | Document():
            yield from _object_types(meta)
        case Constant():
            made = Field(Naming("Value", "Value"), meta.field.type, standard=True)
            value = property_of(made)
            yield (
                EntityType(type_name(meta), meta.full_name, meta.full_name, CONSTANT, (value,), ("SurrogateKey",)),
                [english_name(meta)],
            )
        case InformationRegister() | AccumulationRegister():
            yield from _register_types(meta)


def _object_types(meta: Catalog | Document) -> Iterator[tuple[EntityType, list[str]]]:
    collections = []
    for section in meta.tabular_sections:
        rows = _rows_type(meta, section)
        collections.append(Collection(section.naming.ru, (section.naming.name,), rows, section.name))
    made = EntityType(
        type_name(meta),
        meta.full_name,
        meta.full_name,
        OBJECT,
        tuple(_object_properties(meta)),
        ("Ref_Key",),
        tuple(collections),
    )
    yield made, [english_name(meta)]
    for c, section in zip(collections, meta.tabular_sections, strict=True):
        yield c.rows, [f"{english_name(meta)}_{section.naming.name}", f"{english_name(meta)}_{section.naming.ru}"]


def _register_types(meta: InformationRegister | AccumulationRegister) -> Iterator[tuple[EntityType, list[str]]]:
    properties = tuple(property_of(f) for f in meta.fields)
    by_field = {p.field: p for p in properties}
    name, english, full_name = type_name(meta), english_name(meta), meta.full_name
    if isinstance(meta, InformationRegister):
        fields = [*(("Period",) if meta.periodicity else ()), *(d.name for d in meta.dimensions)]
        keys = _wire(by_field[f] for f in fields)
    if isinstance(meta, AccumulationRegister) or meta.subordinate:
        recorder = by_field["Recorder"]
        if isinstance(meta, AccumulationRegister):
            keys = (recorder.key, "LineNumber", *recorder.wire_names[1:])
        records = EntityType(f"{name}_RecordType", full_name, full_name, RECORD, properties, keys)
        rows = Collection("RecordSet", ("НаборЗаписей",), records, "")
        yield EntityType(name, full_name, full_name, RECORD_SET, (recorder,), _wire([recorder]), (rows,)), [english]
        yield records, [f"{english}_RecordType"]
        return
    made = EntityType(name, full_name, full_name, RECORD, properties, keys or ("SurrogateKey",))
    yield made, [english, f"{name}_RecordType", f"{english}_RecordType"]


def _wire(properties: Iterable[Property]) -> tuple[str, ...]:
    return tuple(n for p in properties for n in p.wire_names)
