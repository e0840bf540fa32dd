"""Dataclasses -> plain tables, the form that TOML files and canonical JSON share; defaults are left out. The inverse of `build`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

from infobase.metadata.model import (
    AccumulationRegister,
    BalanceCheck,
    Catalog,
    ClassifierUse,
    Configuration,
    Constant,
    Document,
    Enumeration,
    Field,
    InformationRegister,
    MetadataObject,
    Naming,
    Numbering,
    PredefinedItem,
    RegisterRecords,
    Report,
    Right,
    Role,
    Subsystem,
    TabularSection,
)
from infobase.metadata.type_syntax import format_type
from infobase.metadata.types import EnumValue, Value

Raw = dict[str, object]


def head_of(configuration: Configuration) -> Raw:
    """The head: what Configuration.toml says."""
    return {
        "kind": "Configuration",
        **_naming(configuration.naming),
        "version": configuration.version,
        **_given(vendor=configuration.vendor, settings=dict(configuration.settings)),
        "default_language": configuration.default_language,
        **_given(classifiers={use.kind: _classifier(use) for use in configuration.classifiers.values()}),
    }


def _classifier(use: ClassifierUse) -> Raw:
    days = {} if use.fresh_days is None else {"fresh_days": use.fresh_days}
    return {"target": use.target, **_given(chosen=use.chosen, parts=dict(use.parts), fields=dict(use.fields)), **days}


def raw_of(o: MetadataObject) -> Raw:
    """One object: what its file says."""
    body: Raw
    match o:
        case Catalog():
            body = _catalog(o)
        case Document():
            body = _document(o)
        case Enumeration():
            body = {"values": {v.name: _inner(v) for v in o.values}}
        case Constant():
            body = _field(o.field)
        case InformationRegister():
            body = _given(periodicity=o.periodicity, write_mode="" if not o.subordinate else o.write_mode) | _parts(o)
        case AccumulationRegister():
            body = {"register_type": o.register_type} | _parts(o)
        case Role():
            body = _given(all_rights=o.all_rights, rights=[_right(r) for r in o.rights])
        case Subsystem():
            body = _given(content=list(o.content))
        case Report():
            body = _given(procedure=o.procedure)
    return {"kind": o.kind, **_naming(o.naming), **{k: v for k, v in body.items() if k not in ("ru", "synonym")}}


def _given(**values: object) -> Raw:
    """Only what differs from nothing."""
    return {k: v for k, v in values.items() if v not in ("", None, False, (), [], {})}


def _inner(naming: Naming) -> Raw:
    """A naming whose English name is the table's key."""
    synonym = _given(ru=naming.synonym_ru, en=naming.synonym_en)
    return {"ru": naming.ru, **_given(synonym=synonym)}


def _naming(naming: Naming) -> Raw:
    return {"name": naming.name, **_inner(naming)}


def _default(value: Value) -> object:
    if isinstance(value, EnumValue):
        return value.name
    if isinstance(value, Decimal):
        return str(value)
    return value


def _field(f: Field) -> Raw:
    made: Raw = {**_inner(f.naming), "type": format_type(f.type)}
    made |= _given(required=f.required, indexed=f.indexed, check=f.check, searchable=f.searchable)
    if f.default is not None:
        made["default"] = _default(f.default)
    return made


def _fields(fields: tuple[Field, ...]) -> Raw:
    return {f.name: _field(f) for f in fields}


def _parts(o: InformationRegister | AccumulationRegister) -> Raw:
    return _given(dimensions=_fields(o.dimensions), resources=_fields(o.resources), attributes=_fields(o.attributes))


def _section(s: TabularSection) -> Raw:
    return {**_inner(s.naming), **_given(attributes=_fields(s.attributes))}


def _numbering(n: Numbering, *, document: bool) -> Raw:
    made: Raw = {"length": n.length, "kind": n.kind, "prefix": n.prefix, "autonumber": n.autonumber, "unique": n.unique}
    return made | ({"periodicity": n.periodicity} if document else {"series": n.series})


def _catalog(o: Catalog) -> Raw:
    return {
        "code": _numbering(o.code, document=False),
        "description_length": o.description_length,
        **_given(
            hierarchy=o.hierarchy,
            owners=list(o.owners),
            attributes=_fields(o.attributes),
            tabular_sections={s.name: _section(s) for s in o.tabular_sections},
            predefined={p.name: _predefined(p) for p in o.predefined},
        ),
    }


def _predefined(p: PredefinedItem) -> Raw:
    plain = _given(
        code=p.code,
        description=p.description,
        is_folder=p.is_folder,
        parent=p.parent,
        owner=p.owner,
        values=_values(p.values),
    )
    return {**_inner(p.naming), **plain}


def _values(values: Mapping[str, object]) -> Raw:
    return dict(values)


def _document(o: Document) -> Raw:
    return {
        "number": _numbering(o.number, document=True),
        "posting": o.posting,
        **_given(
            attributes=_fields(o.attributes),
            tabular_sections={s.name: _section(s) for s in o.tabular_sections},
            register_records=[_records(r) for r in o.register_records],
            balance_checks=[_check(c) for c in o.balance_checks],
        ),
    }


def _records(r: RegisterRecords) -> Raw:
    made: Raw = {"register": r.register, "set": dict(r.set), "period": r.period}
    return made | _given(each=r.each, when=r.when, record_type=r.record_type)


def _check(c: BalanceCheck) -> Raw:
    return {"register": c.register, "require": c.require, **_given(when=c.when)}


def _right(r: Right) -> Raw:
    made: Raw = {"object": r.object, "rights": list(r.rights)}
    return made | _given(restriction=r.restriction, restricted_rights=list(r.restricted_rights))


def jsonable(value: object) -> object:
    """TOML's dates inside `values`, `settings` and defaults, as JSON carries them."""
    if isinstance(value, Mapping):
        return {k: jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(v) for v in value]
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return {"$date": value.isoformat()}
    if isinstance(value, float):
        return {"$number": repr(value)}
    return value


def from_jsonable(value: object) -> object:
    if isinstance(value, Mapping):
        if set(value) == {"$date"}:
            return dt.datetime.fromisoformat(str(value["$date"]))
        if set(value) == {"$number"}:
            return float(str(value["$number"]))
        return {k: from_jsonable(v) for k, v in value.items()}
    if isinstance(value, list):
        return [from_jsonable(v) for v in value]
    return value
