"""Catalog items and documents as users of the kernel hold them: attribute access by either name, tabular sections, write, post, delete.

    order = session.documents.SalesOrder.new(Customer=customer)
    order.Goods.add(Product=table, Quantity=2, Price=Decimal("10.00"))
    order.post()

Values are coerced on assignment, so a wrong type, an over-long string or too many digits fail at the line that made the mistake.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from infobase.errors import OperationForbidden, UnknownObject
from infobase.i18n import text
from infobase.kernel import Kernel, new_uuid
from infobase.metadata.model import Catalog, Document, Field, TabularSection
from infobase.metadata.types import Ref, Value, empty_value
from infobase.object_store import Record, Sections, Stored
from infobase.values import Coercer, coercer

if TYPE_CHECKING:
    from infobase.query_model import Condition
    from infobase.session import Session

Manager = TypeVar("Manager")

READ_ONLY = frozenset({"Ref", "DataVersion", "Posted", "DeletionMark", "LineNumber", "IsFolder", "PredefinedDataName"})
"""Fields the platform sets itself."""


class FieldSet:
    """The fields of one object or section: aliases in both languages, coercers, empty values."""

    def __init__(self, kernel: Kernel, title: str, fields: Sequence[Field]) -> None:
        self.title = title
        self.fields = tuple(fields)
        self.names: dict[str, str] = {}
        self.coercers: dict[str, Coercer] = {}
        for f in fields:
            self.names[f.naming.name.casefold()] = self.names[f.naming.ru.casefold()] = f.name
            self.coercers[f.name] = coercer(kernel.configuration, f)

    def resolve(self, identifier: str) -> str:
        """The English name of a field given by either name."""
        found = self.names.get(identifier) or self.names.get(identifier.casefold())
        if found is None:
            options = ", ".join(f.name for f in self.fields)
            raise UnknownObject(
                name=f"{self.title}.{identifier}", hint=text(ru=f"Есть: {options}", en=f"There are: {options}")
            )
        return found

    def coerce(self, identifier: str, value: object) -> tuple[str, Value]:
        name = self.resolve(identifier)
        if name in READ_ONLY:
            ru, en = f"поле {name} устанавливает платформа", f"the field {name} is set by the platform"
            raise OperationForbidden(object=self.title, detail=text(ru=ru, en=en))
        return name, self.coercers[name](value)

    def empty(self) -> Record:
        return {f.name: (empty_value(f.type) if f.default is None else f.default) for f in self.fields}


class ObjectType:
    """What all objects of one catalog or document share; kept in the kernel's cache."""

    def __init__(self, kernel: Kernel, meta: Catalog | Document) -> None:
        self.meta = meta
        self.fields = FieldSet(kernel, meta.full_name, meta.fields)
        self.sections: dict[str, FieldSet] = {
            s.name: FieldSet(kernel, f"{meta.full_name}.{s.name}", s.fields) for s in meta.tabular_sections
        }
        self.section_names = _section_aliases(meta.tabular_sections)
        self.required = tuple(f for f in meta.fields if f.required)
        self.required_rows = {s.name: tuple(f for f in s.attributes if f.required) for s in meta.tabular_sections}
        self.checked = tuple(f for f in meta.fields if f.check)
        self.checked_rows = {s.name: tuple(f for f in s.attributes if f.check) for s in meta.tabular_sections}


def _section_aliases(sections: Iterable[TabularSection]) -> dict[str, str]:
    names: dict[str, str] = {}
    for s in sections:
        names[s.naming.name.casefold()] = names[s.naming.ru.casefold()] = s.name
    return names


def object_type(kernel: Kernel, full_name: str) -> ObjectType:
    key = ("object type", full_name)
    found = kernel.cache.get(key)
    if found is None:
        meta = kernel.configuration.objects[full_name]
        assert isinstance(meta, Catalog | Document)
        found = kernel.cache[key] = ObjectType(kernel, meta)
    return cast(ObjectType, found)


class SectionRow:
    """One row of a tabular section."""

    __slots__ = ("_fields", "values")

    def __init__(self, fields: FieldSet, values: Record) -> None:
        object.__setattr__(self, "_fields", fields)
        object.__setattr__(self, "values", values)

    values: Record
    _fields: FieldSet

    def __getattr__(self, identifier: str) -> Value:
        if identifier.startswith("_"):
            raise AttributeError(identifier)
        return self.values[self._fields.resolve(identifier)]

    def __setattr__(self, identifier: str, value: object) -> None:
        name, coerced = self._fields.coerce(identifier, value)
        self.values[name] = coerced

    __getitem__ = __getattr__
    __setitem__ = __setattr__


class Section:
    """A tabular section of one object: a list of rows, numbered from 1 in their order."""

    def __init__(self, fields: FieldSet, records: list[Record]) -> None:
        self._fields, self.records = fields, records

    def add(self, **values: object) -> SectionRow:
        row = SectionRow(self._fields, self._fields.empty())
        for name, value in values.items():
            row[name] = value
        self.records.append(row.values)
        return row

    def clear(self) -> None:
        self.records.clear()

    def remove(self, row: SectionRow | int) -> None:
        """Remove a row, or the row at an index from 0."""
        at = row if isinstance(row, int) else next(i for i, r in enumerate(self.records) if r is row.values)
        del self.records[at]

    def load(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Replace all rows."""
        self.records.clear()
        for row in rows:
            self.add(**row)

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[SectionRow]:
        return (SectionRow(self._fields, r) for r in self.records)

    def __getitem__(self, index: int) -> SectionRow:
        return SectionRow(self._fields, self.records[index])


@dataclass
class State:
    """The changing part of an object. `stored` is what the base is known to hold (None: not written yet)."""

    values: Record
    sections: Sections
    stored: Stored | None

    def copy(self) -> State:
        sections = {name: [dict(r) for r in rows] for name, rows in self.sections.items()}
        return State(dict(self.values), sections, self.stored)


def freeze(values: Record, sections: Sections) -> Stored:
    """A private copy of what was just written or read."""
    return Stored(dict(values), {name: [dict(r) for r in rows] for name, rows in sections.items()})


class BusinessObject:
    """An item of a catalog or a document. Fields by attribute or index in either language; `obj.Goods` is a Section."""

    _session: Session
    _type: ObjectType
    _state: State

    def __init__(self, session: Session, kind: ObjectType, state: State) -> None:
        object.__setattr__(self, "_session", session)
        object.__setattr__(self, "_type", kind)
        object.__setattr__(self, "_state", state)

    @property
    def ref(self) -> Ref:
        return cast(Ref, self._state.values["Ref"])

    @property
    def is_new(self) -> bool:
        return self._state.stored is None

    @property
    def modified(self) -> bool:
        stored = self._state.stored
        return stored is None or stored.values != self._state.values or stored.sections != self._state.sections

    @property
    def values(self) -> Record:
        """A copy of the field values by English name."""
        return dict(self._state.values)

    def section(self, identifier: str) -> Section:
        """A tabular section by either name."""
        name = self._type.section_names.get(identifier.casefold())
        if name is None:
            raise UnknownObject(name=f"{self._type.meta.full_name}.{identifier}", hint="")
        return Section(self._type.sections[name], self._state.sections[name])

    def __getattr__(self, identifier: str) -> object:
        if identifier.startswith("_"):
            raise AttributeError(identifier)
        if identifier.casefold() in self._type.section_names:
            return self.section(identifier)
        return self._state.values[self._type.fields.resolve(identifier)]

    def __setattr__(self, identifier: str, value: object) -> None:
        name, coerced = self._type.fields.coerce(identifier, value)
        self._state.values[name] = coerced

    __getitem__ = __getattr__
    __setitem__ = __setattr__

    def fill(self, **values: object) -> None:
        """Assign several fields; a list of mappings given for a tabular section replaces its rows."""
        for name, value in values.items():
            if name.casefold() in self._type.section_names:
                self.section(name).load(cast(Iterable[Mapping[str, object]], value))
            else:
                self[name] = value

    def write(self) -> None:
        """Save; a posted document is posted anew. VersionConflict when somebody else has changed it since it was read."""
        self._session.write(self)

    def delete(self) -> None:
        """Remove physically, unless something refers to it (ObjectReferenced)."""
        self._session.delete(self)

    def set_deletion_mark(self, mark: bool = True) -> None:
        """Mark for deletion, or take the mark off; marking a posted document undoes its posting."""
        self._session.set_deletion_mark(self, mark)

    def copy(self) -> BusinessObject:
        """A new unwritten object with the same data, without code or number, predefined name and mark."""
        made = new_object(self._session, self._type, is_folder=bool(self._state.values.get("IsFolder", False)))
        kept = READ_ONLY | {"Code", "Number"}
        made._state.values.update({k: v for k, v in self._state.values.items() if k not in kept})
        for name, rows in self._state.sections.items():
            made._state.sections[name].extend(dict(r) for r in rows)
        return made


class DocumentObject(BusinessObject):
    """A document: what every object does, and posting."""

    def post(self) -> None:
        """Write and make the declared movements; BalanceShortage or PeriodLocked leave everything as it was."""
        self._session.post(self)

    def undo_post(self) -> None:
        """Remove the movements; the document stays."""
        self._session.undo_post(self)


def new_object(session: Session, kind: ObjectType, *, is_folder: bool = False) -> BusinessObject:
    values = kind.fields.empty()
    values["Ref"] = Ref(kind.meta.full_name, new_uuid())
    if "IsFolder" in values:
        values["IsFolder"] = is_folder
    sections: Sections = {name: [] for name in kind.sections}
    return make_object(session, kind, State(values, sections, None))


def make_object(session: Session, kind: ObjectType, state: State) -> BusinessObject:
    cls = DocumentObject if isinstance(kind.meta, Document) else BusinessObject
    return cls(session, kind, state)


class ObjectManager:
    """`session.catalogs.X` or `session.documents.X`."""

    def __init__(self, session: Session, meta: Catalog | Document) -> None:
        self._session = session
        self.meta = meta
        self._type = object_type(session.kernel, meta.full_name)

    def new(self, **values: object) -> BusinessObject:
        """An unwritten object; a document is dated now unless a Date is given."""
        made = new_object(self._session, self._type)
        if isinstance(self.meta, Document):
            made._state.values["Date"] = self._session.now()
        made.fill(**values)
        return made

    def new_folder(self, **values: object) -> BusinessObject:
        if not isinstance(self.meta, Catalog) or self.meta.hierarchy != "FoldersAndItems":
            detail = text(ru="групп не бывает", en="has no folders")
            raise OperationForbidden(object=self.meta.full_name, detail=detail)
        made = new_object(self._session, self._type, is_folder=True)
        made.fill(**values)
        return made

    def ref(self, value: uuid.UUID | str) -> Ref:
        return Ref(self.meta.full_name, value if isinstance(value, uuid.UUID) else uuid.UUID(value))

    def get(self, ref: Ref | uuid.UUID | str) -> BusinessObject:
        """The object as it is stored. ObjectNotFound, AccessDenied."""
        return self._session.load([ref if isinstance(ref, Ref) else self.ref(ref)])[0]

    def find(self, **values: object) -> Ref | None:
        """The first object whose fields equal the given values, or None."""
        found = self._session.find_refs(self.meta.full_name, self._equal(values), limit=1)
        return found[0] if found else None

    def find_by_code(self, code: object) -> Ref | None:
        return self.find(Code=code)

    def find_by_description(self, description: str) -> Ref | None:
        return self.find(Description=description)

    def predefined(self, name: str) -> Ref:
        """The reference of a predefined item by either of its names."""
        items = self.meta.predefined if isinstance(self.meta, Catalog) else ()
        item = next((i for i in items if i.naming.answers_to(name)), None)
        if item is None:
            raise UnknownObject(name=f"{self.meta.full_name}.{name}", hint="")
        return self._session.predefined_ref(self.meta.full_name, item.name)

    def select(
        self,
        where: Condition | Mapping[str, object] | None = None,
        order_by: Sequence[str] = (),
        limit: int | None = None,
    ) -> Iterator[BusinessObject]:
        """Whole objects, loaded in batches."""
        refs = self._session.find_refs(self.meta.full_name, where, order_by=order_by, limit=limit)
        for start in range(0, len(refs), 200):
            yield from self._session.load(refs[start : start + 200])

    def _equal(self, values: Mapping[str, object]) -> Mapping[str, object]:
        fields = self._type.fields
        return {fields.resolve(n): fields.coercers[fields.resolve(n)](v) for n, v in values.items()}


class Managers(Generic[Manager]):
    """`session.catalogs`: managers by attribute or index, in either language."""

    def __init__(self, kind: str, names: Mapping[str, str], make: Callable[[str], Manager]) -> None:
        self._kind, self._names, self._make = kind, names, make
        self._made: dict[str, Manager] = {}

    def __getitem__(self, identifier: str) -> Manager:
        full_name = self._names.get(identifier.casefold())
        if full_name is None:
            raise UnknownObject(name=f"{self._kind}.{identifier}", hint="")
        if full_name not in self._made:
            self._made[full_name] = self._make(full_name)
        return self._made[full_name]

    def __getattr__(self, identifier: str) -> Manager:
        if identifier.startswith("_"):
            raise AttributeError(identifier)
        return self[identifier]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(self._names.values()))
