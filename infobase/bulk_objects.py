"""New catalog items by the thousand: coerced, checked and encoded like single ones, then loaded by the engine's bulk path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from infobase.i18n import text
from infobase.kernel import new_uuid
from infobase.metadata.model import Catalog
from infobase.metadata.types import Ref, Value
from infobase.object_store import ObjectStore, Record, Sections, store_of
from infobase.objects import FieldSet, ObjectType, State, make_object, object_type
from infobase.operations import Operation
from infobase.references import ExistenceCheck
from infobase.storage import Transaction

if TYPE_CHECKING:
    from infobase.session import Session

REFERENCES_AT_ONCE = 5000
Given = tuple[Mapping[str, object], Mapping[str, object]]


def write(session: Session, full_name: str, objects: Iterable[Given]) -> int:
    """See `Session.bulk_write`."""
    session.access.demand("Insert", full_name)
    if session.access.restriction("Insert", full_name) is not None:
        raise session.access.denied("Insert", full_name)
    kind, store = object_type(session.kernel, full_name), store_of(session.kernel, full_name)
    assert isinstance(kind.meta, Catalog)
    batch = _Batch(session, kind, store)
    for values, sections in objects:
        batch.add(values, sections)
    with session.transaction() as tx:
        batch.check_references(tx)
        count = session.kernel.engine.bulk_load(tx, store.layout.table, store.bulk_rows(batch.headers))
        for name, rows in batch.rows.items():
            session.kernel.engine.bulk_load(tx, store.layout.sections[name].table, rows)
        session.log(tx, "_$Data$_.New", kind.meta, None, text(ru=f"Загружено: {count}", en=f"Loaded: {count}"))
    return count


class _Batch:
    """The items as records, their section rows already in storage form."""

    def __init__(self, session: Session, kind: ObjectType, store: ObjectStore) -> None:
        self.session, self.kind, self.store = session, kind, store
        self.headers: list[Record] = []
        self.rows: dict[str, list[list[object]]] = {name: [] for name in kind.sections}
        self._own: set[Ref] = set()
        self._referred: dict[Ref, str] = {}
        self._empty = kind.fields.empty()
        self._sections = {name: (fields, fields.empty()) for name, fields in kind.sections.items()}
        self._encoders = {name: session.kernel.codec(store.layout.sections[name]).encode for name in kind.sections}

    def add(self, values: Mapping[str, object], sections: Mapping[str, object]) -> None:
        header = self._header(values)
        ref = header["Ref"]
        assert isinstance(ref, Ref)
        made = {name: self._rows(name, cast("Iterable[Mapping[str, object]]", rows)) for name, rows in sections.items()}
        self._validate(header, made)
        self._own.add(ref)
        self._note(header)
        self.headers.append(header)
        stored = self.store.ref(ref)
        for name, rows in made.items():
            encode, out = self._encoders[name], self.rows[name]
            for row in rows:
                self._note(row)
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
        made = []
        for number, row in enumerate(given, 1):
            record = dict(empty)
            record["LineNumber"] = Decimal(number)
            for name, value in row.items():
                _assign(fields, record, name, value)
            made.append(record)
        return made

    def _validate(self, header: Record, sections: Sections) -> None:
        whole = {name: sections.get(name, []) for name in self._sections}
        Operation(self.session, make_object(self.session, self.kind, State(header, whole, None)))._validate()

    def _note(self, record: Record) -> None:
        for name, value in record.items():
            if isinstance(value, Ref) and name != "Ref":
                self._referred.setdefault(value, name)

    def check_references(self, tx: Transaction) -> None:
        pairs: Sequence[tuple[str, Ref]] = [(name, ref) for ref, name in self._referred.items() if ref not in self._own]
        for start in range(0, len(pairs), REFERENCES_AT_ONCE):
            existence = ExistenceCheck(self.session.kernel, pairs[start : start + REFERENCES_AT_ONCE])
            existence.verify(tx, tx.run(existence.statements()))


def _assign(fields: FieldSet, record: dict[str, Value], identifier: str, value: object) -> None:
    coerce = fields.coercers.get(identifier)
    if coerce is None or identifier == "LineNumber":
        identifier, made = fields.coerce(identifier, value)
        record[identifier] = made
    else:
        record[identifier] = coerce(value)
