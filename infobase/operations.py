"""What changes objects: write, post, undo posting, mark, delete. Each is one transaction, one rights check, one version check, one log entry.

All statements of an operation travel in one batch (two when old movements must be read first), so that a posting costs the server
two round trips: the work, and the commit.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from infobase import numbering, posting, registers
from infobase.errors import (
    NotUnique,
    ObjectReferenced,
    OperationForbidden,
    PeriodLocked,
    RequiredFieldsEmpty,
    ValueInvalid,
    VersionConflict,
)
from infobase.i18n import language, text
from infobase.metadata.model import Catalog, Document, Field
from infobase.metadata.types import EMPTY_DATE, Ref, Value
from infobase.object_store import ObjectStore, Record, Sections, Stored, store_of
from infobase.objects import BusinessObject, ObjectType, freeze
from infobase.procedures import check as named_check
from infobase.references import ExistenceCheck, refs_in, usages
from infobase.storage import Row, Statement, Transaction

if TYPE_CHECKING:
    from infobase.session import Session

Finish = Callable[[list[list[Row]]], None]
PERIOD_LOCK = "period_closed_until"
_PERIOD_SQL = f"SELECT value FROM sys_settings WHERE key = '{PERIOD_LOCK}'"


@dataclass
class Batch:
    """Statements collected with the verdicts over their answers; run in one round trip."""

    parts: list[tuple[Sequence[Statement], Finish | None]] = field(default_factory=list)

    def add(self, statements: Sequence[Statement], finish: Finish | None = None) -> None:
        if statements:
            self.parts.append((statements, finish))

    def run(self, tx: Transaction) -> None:
        results = tx.run([s for statements, _ in self.parts for s in statements])
        start = 0
        for statements, finish in self.parts:
            own = results[start : start + len(statements)]
            start += len(statements)
            if finish is not None:
                finish(own)


class Operation:
    """One change of one object inside a transaction."""

    def __init__(self, session: Session, obj: BusinessObject) -> None:
        self.session, self.obj = session, obj
        self.kernel = session.kernel
        self.kind: ObjectType = obj._type
        self.meta: Catalog | Document = obj._type.meta
        self.store: ObjectStore = store_of(self.kernel, self.meta.full_name)
        self.stored: Stored | None = obj._state.stored
        self.values: Record = dict(obj._state.values)
        self.sections: Sections = obj._state.sections
        self._title = ""

    @property
    def ref(self) -> Ref:
        return self.obj.ref

    @property
    def was_posted(self) -> bool:
        return self.stored is not None and bool(self.stored.values.get("Posted", False))

    def save(self, tx: Transaction, *, event: str) -> None:
        """Write header, changed sections and movements as `self.values` says; refresh the object."""
        batch = Batch()
        changed = not self._as_stored()
        if changed:
            self._number(tx)
            self._number_lines()
            self._validate()
        old = self._old_records(tx)
        if changed:
            self._guard_references(tx, batch)
            self._guard_hierarchy(batch)
        self._guard_period(batch)
        self._write(batch, changed)
        self._move(batch, old)
        try:
            batch.run(tx)
        except NotUnique as e:
            raise self._not_unique(e) from e
        self.values["DataVersion"] = self._next_version()
        self.session.log(tx, event, self.meta, self.ref, self.title())
        self._refresh()

    def remove(self, tx: Transaction) -> None:
        """Delete header, sections and movements; the caller has checked references."""
        assert self.stored is not None
        old = self._old_records(tx)
        batch = Batch()
        self._guard_period(batch)
        batch.add(self.store.delete(self.ref, self._version()), self._demand_version)
        self.values["Posted"] = False
        self._move(batch, old)
        batch.run(tx)
        self.session.log(tx, "_$Data$_.Delete", self.meta, self.ref, self.title())

    # --- preparation ---

    def _as_stored(self) -> bool:
        """Whether nothing but the posted state differs from what the base holds: there is nothing new to check."""
        stored = self.stored
        if stored is None or stored.sections != self.sections:
            return False
        return all(self.values[name] == value for name, value in stored.values.items() if name != "Posted")

    def _number(self, tx: Transaction) -> None:
        name = "Code" if isinstance(self.meta, Catalog) else "Number"
        how = self.meta.code if isinstance(self.meta, Catalog) else self.meta.number
        if name not in self.values or not how.autonumber or self.values[name]:
            return
        date = self.values.get("Date", EMPTY_DATE)
        if isinstance(date, dt.datetime):
            self._title = ""
            own = self.session.number_prefix() if numbering.PREFIX in self.session.changed_settings else None
            self.values[name] = numbering.next_number(
                self.kernel, tx, self.meta, date, self.session.on_rollback, prefix=own
            )

    def _number_lines(self) -> None:
        for rows in self.sections.values():
            for n, row in enumerate(rows, 1):
                row["LineNumber"] = Decimal(n)

    def _validate(self) -> None:
        if self.values.get("IsFolder"):
            return
        empty = [self._label(f) for f in self.kind.required if is_empty(self.values[f.name])]
        for name, fields in self.kind.required_rows.items():
            for n, row in enumerate(self.sections[name], 1):
                empty += [f"{name}[{n}].{self._label(f)}" for f in fields if is_empty(row[f.name])]
        if empty:
            raise RequiredFieldsEmpty(object=self.title(), fields_listing=", ".join(empty[:20]))
        self._named_checks(self.kind.checked, self.values)
        for name, fields in self.kind.checked_rows.items():
            for row in self.sections[name] if fields else ():
                self._named_checks(fields, row)

    def _named_checks(self, fields: Sequence[Field], values: Mapping[str, Value]) -> None:
        for f in fields:
            value = values[f.name]
            reason = named_check(f.check)(value) if isinstance(value, str) and value else None
            if reason is not None:
                raise ValueInvalid(field=self._label(f), value=value, detail=reason)

    def _label(self, f: Field) -> str:
        return f.naming.label(language())

    # --- guards ---

    def _guard_references(self, tx: Transaction, batch: Batch) -> None:
        known = set() if self.stored is None else set(all_refs(self.stored.values, self.stored.sections))
        fresh = [pair for pair in all_refs(self.values, self.sections) if pair not in known]
        if fresh:
            existence = ExistenceCheck(self.kernel, fresh, own=self.ref)
            batch.add(existence.statements(), lambda results: existence.verify(tx, results))

    def _guard_period(self, batch: Batch) -> None:
        if isinstance(self.meta, Document):
            batch.add([Statement(_PERIOD_SQL)], self._demand_open_period)

    def _demand_open_period(self, results: list[list[Row]]) -> None:
        if not results[0] or not results[0][0][0]:
            return
        until = dt.datetime.fromisoformat(str(results[0][0][0]))
        dates = [self.values["Date"]] + ([self.stored.values["Date"]] if self.stored else [])
        for date in dates:
            if isinstance(date, dt.datetime) and date.date() <= until.date():
                raise PeriodLocked(until=f"{until:%d.%m.%Y}", object=self.title(), date=f"{date:%d.%m.%Y}")

    def _guard_hierarchy(self, batch: Batch) -> None:
        parent = self.values.get("Parent")
        if not isinstance(parent, Ref) or (self.stored and self.stored.values["Parent"] == parent):
            return
        mark, table = self.kernel.dialect.placeholder, self.store.table
        folder = f'SELECT "is_folder" FROM {table} WHERE "ref" = {mark}'
        sql = (
            f'WITH RECURSIVE up(ref, parent) AS (SELECT "ref", "parent" FROM {table} WHERE "ref" = {mark} '
            f'UNION SELECT t."ref", t."parent" FROM {table} t JOIN up ON t."ref" = up.parent) '
            f"SELECT count(*) FROM up WHERE ref = {mark}"
        )
        stored = self.store.ref(parent)
        statements = [Statement(sql, [stored, self.store.ref(self.ref)])]
        if self.meta.hierarchy == "FoldersAndItems":  # type: ignore[union-attr]
            statements.append(Statement(folder, [stored]))
        batch.add(statements, self._demand_hierarchy)

    def _demand_hierarchy(self, results: list[list[Row]]) -> None:
        if results[0][0][0]:
            detail = text(
                ru="родитель не может быть подчинён самому элементу", en="the parent lies below the item itself"
            )
            raise OperationForbidden(object=self.title(), detail=detail)
        if len(results) > 1 and results[1] and not results[1][0][0]:
            detail = text(ru="родителем может быть только группа", en="only a folder can be the parent")
            raise OperationForbidden(object=self.title(), detail=detail)

    # --- writing ---

    def _write(self, batch: Batch, changed: bool) -> None:
        if self.stored is None:
            first = {**self.values, "DataVersion": Decimal(1)}
            batch.add(self.store.insert(first, self.sections))
            return
        if not changed and "Posted" in self.values:
            posted = bool(self.values["Posted"])
            batch.add([self.store.set_posted(self.ref, self._version(), posted)], self._demand_version)
            return
        before = self.stored.sections
        sections = {n: rows for n, rows in self.sections.items() if rows != before[n]}
        row = {**self.values, "DataVersion": self._next_version()}
        batch.add(self.store.update(row, self._version(), sections), self._demand_version)

    def _demand_version(self, results: list[list[Row]]) -> None:
        if not results[0]:
            raise VersionConflict(object=self.title())

    def _version(self) -> int:
        assert self.stored is not None
        return int(self.stored.values["DataVersion"])  # type: ignore[arg-type]

    def _next_version(self) -> Decimal:
        return Decimal(1 if self.stored is None else self._version() + 1)

    def _old_records(self, tx: Transaction) -> dict[str, list[Record]]:
        if not self.was_posted:
            return {}
        assert isinstance(self.meta, Document)
        names = posting.registers_of(self.meta)
        results = tx.run([self.store.lock(self.ref), *registers.load_statements(self.kernel, self.ref, names)])
        if not results[0] or results[0][0][0] != self._version():
            raise VersionConflict(object=self.title())
        return registers.parse_records(self.kernel, names, results[1:])

    def _move(self, batch: Batch, old: dict[str, list[Record]]) -> None:
        posted = bool(self.values.get("Posted", False))
        if not isinstance(self.meta, Document) or not (posted or old):
            return
        new = (
            posting.movements(self.kernel, self.meta, self.values, self.sections, self.session.dereference)
            if posted
            else {}
        )
        checks = posting.active_checks(self.kernel, self.meta, self.values, self.session.dereference)
        work = registers.write_work(self.kernel, self.ref, old, new, checks, self.title(), self.session.presentation)
        batch.add(work.statements, work.finish)

    def _not_unique(self, e: NotUnique) -> NotUnique | VersionConflict:
        index = str(e.fields.get("field", ""))
        if self.stored is not None and self._is_own_record(str(e.fields.get("object", "")), index):
            # Another posting of this very version was first: its records stand where ours would.
            return VersionConflict(object=self.title())
        name = "Number" if isinstance(self.meta, Document) else "Code"
        if index.endswith(name.lower()) and name in self.values:
            naming = next(f for f in self.kind.fields.fields if f.name == name).naming
            return NotUnique(field=naming.label(language()), value=self.values[name], object=self.title())
        return e

    def _is_own_record(self, table: str, index: str) -> bool:
        """Whether the violated key is that of a recorder's records: recorder and line."""
        tables = {r.table.name for r in self.kernel.layout.registers.values() if r.table.primary_key[0] == "recorder"}
        return table in tables and index == f"pk_{table}"

    def _refresh(self) -> None:
        state = self.obj._state
        self.session.remember(self.obj)
        state.values.update(self.values)
        state.stored = freeze(state.values, state.sections)

    def title(self) -> str:
        """How people know the object: «Контрагенты: Ромашка», «Заказ покупателя 00001 от 01.02.2026»."""
        if not self._title:
            self._title = describe(self.meta, self.values)
        return self._title


def describe(meta: Catalog | Document, values: Mapping[str, Value]) -> str:
    shown_in = language()
    label = meta.naming.label(shown_in)
    if isinstance(meta, Document):
        date = values.get("Date")
        shown = f"{date:%d.%m.%Y %H:%M:%S}" if isinstance(date, dt.datetime) else ""
        return f"{label} {values.get('Number') or ''!s} {'of' if shown_in == 'en' else 'от'} {shown}".strip()
    return f"{label}: {values.get('Description') or ''!s}"


def is_empty(value: Value) -> bool:
    """Not filled, in 1C's sense: empty reference or date, blank text, zero."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (not isinstance(value, bool) and value in (0, b""))


def all_refs(values: Mapping[str, Value], sections: Mapping[str, Sequence[Record]]) -> Iterator[tuple[str, Ref]]:
    yield from refs_in(values)
    for name, rows in sections.items():
        for row in rows:
            for f, ref in refs_in(row):
                yield f"{name}.{f}", ref


def demand_no_usages(session: Session, tx: Transaction, ref: Ref, title: str) -> None:
    """ObjectReferenced naming the first few that refer to `ref`."""
    found = []
    for usage in usages(session.kernel, tx, [ref], limit=20):
        if usage.by == ref:
            continue
        found.append(session.presentation(usage.by) if usage.by else f"{usage.owner}.{usage.field}")
        if len(found) == 5:
            break
    if found:
        raise ObjectReferenced(object=title, users="; ".join(found))
