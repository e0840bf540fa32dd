"""`$metadata`: the published part of the configuration as EDMX, in the shape 1C gives it."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

from engine_server.odata import virtual
from engine_server.odata.edm import edm_type
from engine_server.odata.model import (
    COMPOSITE,
    CONSTANT,
    DATA,
    NAMESPACE,
    OBJECT,
    PREDEFINED,
    RECORD,
    RECORD_SET,
    REFERENCE,
    ROW,
    STORAGE,
    TYPE,
    EntityType,
    Model,
    Property,
)
from infobase.metadata.model import Document, Enumeration
from infobase.metadata.types import EnumType, StringType, simple_types

_OPENING = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<edmx:Edmx xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx" Version="1.0">'
    '<edmx:DataServices xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata" '
    'm:DataServiceVersion="3.0" m:MaxDataServiceVersion="3.0">'
    f'<Schema xmlns="http://schemas.microsoft.com/ado/2009/11/edm" Namespace="{NAMESPACE}">'
)
_CLOSING = "</Schema></edmx:DataServices></edmx:Edmx>"


def metadata_document(model: Model) -> bytes:
    """The whole document in UTF-8."""
    parts = [_OPENING]
    for entity in model.types.values():
        parts += _entity_type(model, entity)
    for entity in model.types.values():
        parts += _row_types(entity)
    parts += _totals_types(model)
    parts += _enumerations(model)
    associations = [a for entity in model.types.values() for a in _associations(model, entity)]
    parts += (a.definition for a in associations)
    parts.append(f'<EntityContainer Name="{NAMESPACE}" m:IsDefaultEntityContainer="true">')
    parts += (f'<EntitySet Name="{n}" EntityType="{NAMESPACE}.{n}"/>' for n in model.types)
    parts += (a.set for a in associations)
    for entity in model.types.values():
        parts += _functions(model, entity)
    parts.append("</EntityContainer>")
    return "".join([*parts, _CLOSING]).encode()


# --- types ---


def _entity_type(model: Model, entity: EntityType) -> Iterator[str]:
    is_open = ' OpenType="true"' if any(p.kind == COMPOSITE for p in entity.properties) else ""
    yield f'<EntityType Name="{entity.name}"{is_open}><Key>'
    yield from (f'<PropertyRef Name="{k}"/>' for k in entity.keys)
    yield "</Key>"
    if "SurrogateKey" in entity.keys:
        yield '<Property Name="SurrogateKey" Type="Edm.Int32" Nullable="false"/>'
    for p in entity.properties:
        yield from _properties(p, entity)
    for c in entity.collections:
        yield _property(c.name, f"Collection({NAMESPACE}.{c.rows.row_type})", nullable=entity.variety != RECORD_SET)
    for a in _associations(model, entity):
        yield a.navigation
    yield "</EntityType>"


def _properties(p: Property, entity: EntityType) -> Iterator[str]:
    """As 1C has it, everything but the key may be null."""
    nullable = p.key not in entity.keys
    if p.kind == COMPOSITE:
        yield _property(p.name, "Edm.String", nullable=nullable)
        yield _property(p.name + TYPE, "Edm.String", nullable=nullable)
    elif p.kind == STORAGE:
        yield _property(p.name, "Edm.Stream")
        yield _property(p.name + DATA, "Edm.Binary")
        yield _property(p.name + TYPE, "Edm.String")
    elif p.kind == PREDEFINED:
        yield _property(p.name, "Edm.Boolean")
    else:
        length = p.simple.length if isinstance(p.simple, StringType) else 0
        yield _property(p.key, edm_type(p.simple), nullable=nullable, length=length)


def _property(name: str, type_name: str, *, nullable: bool = True, length: int = 0) -> str:
    limit = f' MaxLength="{length}"' if length else ""
    return f'<Property Name="{name}" Type="{type_name}" Nullable="{"true" if nullable else "false"}"{limit}/>'


def _row_types(entity: EntityType) -> Iterator[str]:
    for c in entity.collections:
        yield f'<ComplexType Name="{c.rows.row_type}">'
        for p in c.rows.properties:
            yield from _properties(p, c.rows)
        yield "</ComplexType>"


def _totals_types(model: Model) -> Iterator[str]:
    for entity in model.types.values():
        if entity.variety != RECORD_SET:
            continue
        for function in virtual.functions_of(model.configuration.objects[entity.object]):
            if function in virtual.TYPE_SUFFIXES:
                made = virtual.totals_type(model, entity.object, function)
                yield f'<ComplexType Name="{made.name}">'
                for p in made.properties:
                    yield from _properties(p, made)
                yield "</ComplexType>"


def _enumerations(model: Model) -> Iterator[str]:
    """The enumerations that published properties hold; their values travel as strings."""
    used: dict[str, None] = {}
    for entity in model.types.values():
        for p in (*entity.properties, *(p for c in entity.collections for p in c.rows.properties)):
            used |= {t.target: None for t in simple_types(p.type) if isinstance(t, EnumType)}
    for target in used:
        meta = model.configuration.objects[target]
        assert isinstance(meta, Enumeration)
        yield f'<EnumType Name="{meta.naming.ru}" UnderlyingType="Edm.Int32">'
        yield from (f'<Member Name="{v.ru}" Value="{i}"/>' for i, v in enumerate(meta.values))
        yield "</EnumType>"


# --- references ---


class _Association:
    """One reference of an entity type to another published one."""

    def __init__(self, entity: EntityType, name: str, target: EntityType) -> None:
        self._name, self._role = f"{entity.name}_{name}", name
        self._entity, self._target = entity.name, target.name

    @property
    def navigation(self) -> str:
        relationship = quoteattr(f"{NAMESPACE}.{self._name}")
        return f'<NavigationProperty Name="{self._role}" Relationship={relationship} FromRole="Begin" ToRole="End"/>'

    @property
    def definition(self) -> str:
        return (
            f'<Association Name="{self._name}">'
            f'<End Role="Begin" Type="{NAMESPACE}.{self._entity}" Multiplicity="*"/>'
            f'<End Role="End" Type="{NAMESPACE}.{self._target}" Multiplicity="0..1"/></Association>'
        )

    @property
    def set(self) -> str:
        return (
            f'<AssociationSet Name="{self._name}" Association="{NAMESPACE}.{self._name}">'
            f'<End Role="Begin" EntitySet="{self._entity}"/><End Role="End" EntitySet="{self._target}"/></AssociationSet>'
        )


def _associations(model: Model, entity: EntityType) -> Iterator[_Association]:
    if entity.variety not in (OBJECT, ROW, RECORD, CONSTANT):
        return
    for p in entity.properties:
        if p.kind == REFERENCE and p.field != "Ref":
            target = model.of_object(p.targets[0])
            if target is not None:
                yield _Association(entity, p.name, target)


# --- functions ---


def _functions(model: Model, entity: EntityType) -> Iterator[str]:
    meta = model.configuration.objects[entity.object]
    if entity.variety == OBJECT and isinstance(meta, Document) and meta.posting == "Allow":
        yield _import("Post", entity, "", {"PostingModeOperational": "Edm.Boolean"}, effects=True)
        yield _import("Unpost", entity, "", {"PostingModeOperational": "Edm.Boolean"}, effects=True)
    if entity.variety not in (RECORD, RECORD_SET):
        return
    for function in virtual.functions_of(meta):
        totals = function in virtual.TYPE_SUFFIXES
        if totals != (entity.variety == RECORD_SET):
            continue
        result = f"{entity.name}_{virtual.TYPE_SUFFIXES[function]}" if totals else entity.name
        arguments = {n: _argument(n) for n in sorted(virtual.PARAMETERS[function])}
        yield _import(function, entity, result, arguments, effects=False)


def _argument(name: str) -> str:
    return "Edm.DateTime" if name in ("Period", "StartPeriod", "EndPeriod") else "Edm.String"


def _import(name: str, entity: EntityType, result: str, arguments: dict[str, str], *, effects: bool) -> str:
    returned = f' ReturnType="Collection({NAMESPACE}.{result})"' if result else ""
    parameters = "".join(f'<Parameter Name="{n}" Type="{t}"/>' for n, t in arguments.items())
    return (
        f'<FunctionImport Name="{name}"{returned} m:HttpMethod="{"POST" if effects else "GET"}" IsBindable="true" '
        f'IsSideEffecting="{"true" if effects else "false"}" EntitySetPath="{entity.name}">'
        f'<Parameter Name="bindingParameter" Type="{NAMESPACE}.{entity.name}"/>{parameters}</FunctionImport>'
    )
