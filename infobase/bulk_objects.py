"""New catalog items by the thousand: coerced, checked and encoded like single ones, then loaded by the engine's bulk path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, cast

from infobase.errors import OperationForbidden, UnknownObject
from infobase.i18n import text
from infobase.kernel import new_uuid
from infobase.metadata.model import Catalog, Field
from infobase.metadata.types import Ref, RefType, simple_types
from infobase.object_store import ObjectStore, Record, Sections, store_of
from infobase.objects import READ_ONLY, ObjectType, State, make_object, object_type
from infobase.operations import Operation
from infobase.references import ExistenceCheck
from infobase.storage import Transaction, all_or_nothing

if TYPE_CHECKING:
    from infobase.session import Session

REFERENCES_AT_ONCE = 5000
ITEMS_AT_ONCE = 500
Given = tuple[Mapping[str, object], Mapping[str, object]]


def write(session: Session, full_name: str, objects: Iterable[Given]) -> int:
    """See `Session.bulk_write`."""
    with session.transaction() as tx, all_or_nothing(tx):
        load = BulkLoad(session, full_name, tx)
        load.take(objects)
        return load.finish()


class BulkLoad:
    """A load in parts, within one transaction: `take` any number of times, `finish` once before the commit. Until then references are unchecked,
    for they may point to items that come later. Memory holds ITEMS_AT_ONCE items, and a note of every object referred to. AccessDenied."""

    def __init__(self, session: Session, full_name: str, tx: Transaction) -> None:
        session.access.demand("Insert", full_name)
        if session.access.restriction("Insert", full_name) is not None:
            raise session.access.denied("Insert", full_name)
        if full_name not in session.kernel.layout.objects:
            raise UnknownObject(name=full_name, hint="")
        kind, store = object_type(session.kernel, full_name), store_of(session.kernel, full_name)
        if not isinstance(kind.meta, Catalog):
            detail = text(ru="списком загружаются только справочники", en="only catalogs are loaded in bulk")
            raise OperationForbidden(object=full_name, detail=detail)
        self._batch, self._session, self._tx, self._meta = _Batch(session, kind, store, tx), session, tx, kind.meta

    def take(self, objects: Iterable[Given]) -> int:
        """Load further items; how many they were."""
        batch, before = self._batch, self._batch.count
        for values, sections in objects:
            batch.add(values, sections)
            if len(batch.headers) == ITEMS_AT_ONCE:
                batch.load()
        batch.load()
        return batch.count - before

    def finish(self) -> int:
        """Check the references of everything taken, and log it; the count of all. ReferenceBroken."""
        self._batch.check_references()
        shown = text(ru=f"Загружено: {self._batch.count}", en=f"Loaded: {self._batch.count}")
        self._session.log(self._tx, "_$Data$_.New", self._meta, None, shown)
        return self._batch.count


class _Batch:
    """The next items as records, their section rows already in storage form; memory holds ITEMS_AT_ONCE of them."""

    def __init__(self, session: Session, kind: ObjectType, store: ObjectStore, tx: Transaction) -> None:
        self.session, self.kind, self.store, self.tx = session, kind, store, tx
        self.count = 0
        self.headers: list[Record] = []
        self.rows: dict[str, list[list[object]]] = {name: [] for name in kind.sections}
        self._own: set[Ref] = set()
        self._referred: dict[Ref, str] = {}
        self._empty = kind.fields.empty()
        self._sections = {name: (fields, fields.empty()) for name, fields in kind.sections.items()}
        self._refs = _may_refer(kind.meta.fields)
        self._row_refs = {s.name: _may_refer(s.fields) for s in kind.meta.tabular_sections}
        self._encoders = {name: session.kernel.codec(store.layout.sections[name]).encode for name in kind.sections}

    def add(self, values: Mapping[str, object], sections: Mapping[str, object]) -> None:
        header = self._header(values)
        ref = header["Ref"]
        assert isinstance(ref, Ref)
        made = {name: self._rows(name, cast("Iterable[Mapping[str, object]]", rows)) for name, rows in sections.items()}
        self._validate(header, made)
        self._own.add(ref)
        self._note(self._refs, header)
        self.headers.append(header)
        stored = self.store.ref(ref)
        for name, rows in made.items():
            encode, out, names = self._encoders[name], self.rows[name], self._row_refs[name]
            for row in rows:
                self._note(names, row)
                out.append([stored, *encode(row)])

    def _header(self, values: Mapping[str, object]) -> Record:
        record = dict(self._empty)
        record["DataVersion"] = Decimal(1)
        given = dict(values)
        ref = given.pop("Ref", None)
        record["Ref"] = ref if isinstance(ref, Ref) else Ref(self.kind.meta.full_name, new_uuid())
        record.update(self.kind.fields.coerce(name, value) for name, value in given.items())
        return record

    def _rows(self, section: str, given: Iterable[Mapping[str, object]]) -> list[Record]:
        fields, empty = self._sections[section]
        coercers = fields.coercers
        made = []
        for number, row in enumerate(given, 1):
            record = dict(empty)
            for name, value in row.items():
                if name in coercers and name not in READ_ONLY:
                    record[name] = coercers[name](value)
                else:
                    name, coerced = fields.coerce(name, value)
                    record[name] = coerced
            record["LineNumber"] = _line(number)
            made.append(record)
        return made

    def _validate(self, header: Record, sections: Sections) -> None:
        whole = {name: sections.get(name, []) for name in self._sections}
        Operation(self.session, make_object(self.session, self.kind, State(header, whole, None)))._validate()

    def _note(self, names: Sequence[str], record: Record) -> None:
        for name in names:
            value = record[name]
            if isinstance(value, Ref):
                self._referred.setdefault(value, name)

    def load(self) -> None:
        """Hand what has been gathered to the engine."""
        engine = self.session.kernel.engine
        if self.headers:
            self.count += engine.bulk_load(self.tx, self.store.layout.table, self.store.bulk_rows(self.headers))
            self.headers.clear()
        for name, rows in self.rows.items():
            if rows:
                engine.bulk_load(self.tx, self.store.layout.sections[name].table, rows)
                rows.clear()

    def check_references(self) -> None:
        """Every object referred to exists, those of this very load included."""
        pairs: Sequence[tuple[str, Ref]] = [(name, ref) for ref, name in self._referred.items() if ref not in self._own]
        for start in range(0, len(pairs), REFERENCES_AT_ONCE):
            existence = ExistenceCheck(self.session.kernel, pairs[start : start + REFERENCES_AT_ONCE])
            existence.verify(self.tx, self.tx.run(existence.statements()))


@cache
def _line(number: int) -> Decimal:
    return Decimal(number)


def _may_refer(fields: Iterable[Field]) -> tuple[str, ...]:
    """The fields whose values may be references, the item's own aside."""
    return tuple(
        f.name for f in fields if f.name != "Ref" and any(isinstance(t, RefType) for t in simple_types(f.type))
    )
