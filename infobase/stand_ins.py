"""Objects in place of lost ones (1C: -BadRefCreate): a reference that points to nothing gets an object of that very reference.

Nothing is known of the lost object but its reference, so the stand-in is empty but for a number of its own and a description that says what it
is. A lost document whose records are still there is dated by the earliest of them and counts as posted, or they would belong to nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from decimal import Decimal

from infobase import numbering
from infobase.check import Probe
from infobase.i18n import text
from infobase.kernel import Kernel
from infobase.metadata.model import Catalog, Document
from infobase.metadata.types import Ref, StringType, Value
from infobase.object_store import store_of
from infobase.objects import new_object, object_type
from infobase.session import Session
from infobase.storage import Column, Statement, Transaction

RECORDER, PARENT = "Recorder", "Parent"
_FIRST = {RECORDER: 0, PARENT: 1}


def in_order(probes: Sequence[Probe]) -> list[Probe]:
    """Those about lost objects, and first those that tell most of them."""
    return sorted((p for p in probes if p.refers), key=lambda p: _FIRST.get(p.refers.role, 2) if p.refers else 2)


def create(session: Session, tx: Transaction, probe: Probe) -> int:
    """Make an object for every lost one the probe finds; how many."""
    assert probe.refers is not None
    made = 0
    for ref, date in _lost(session.kernel, tx, probe):
        _write(session, tx, ref, probe.refers.role, date)
        made += 1
    return made


def _lost(kernel: Kernel, tx: Transaction, probe: Probe) -> Iterator[tuple[Ref, dt.datetime | None]]:
    """References to nothing, each once, with the earliest date of the records that name it."""
    assert probe.refers is not None
    d, column = kernel.dialect, probe.refers.column
    name = f"t.{d.quote(column.name)}"
    period = _period(probe)
    date = f", MIN(t.{d.quote(period.name)})" if period else ""
    sql = f"SELECT {name}{date} FROM {d.quote(probe.table.name)} AS t WHERE {probe.where} GROUP BY {name}"
    read, read_date = d.reader(column), d.reader(period) if period else None
    for row in tx.run([Statement(sql)])[0]:
        found = read(row[0]) if read else row[0]
        when = row[1] if len(row) > 1 else None
        yield Ref(probe.refers.target, found), read_date(when) if read_date else when  # type: ignore[arg-type, misc]


def _period(probe: Probe) -> Column | None:
    if probe.refers is None or probe.refers.role != RECORDER:
        return None
    return next((c for c in probe.table.columns if c.name == "period"), None)


def _write(session: Session, tx: Transaction, ref: Ref, role: str, date: dt.datetime | None) -> None:
    kernel = session.kernel
    kind = object_type(kernel, ref.type)
    obj = new_object(session, kind, is_folder=role == PARENT)
    values = obj._state.values
    values.update({"Ref": ref, "DataVersion": Decimal(1)})
    when = date or session.now()
    if isinstance(kind.meta, Document):
        values.update({"Date": when, "Posted": role == RECORDER})
    _name(kind.meta, values, ref)
    key = "Number" if isinstance(kind.meta, Document) else "Code"
    if key in values:
        values[key] = numbering.next_number(kernel, tx, kind.meta, when, session.on_rollback)
    tx.run(store_of(kernel, ref.type).insert(values, {}))


def _name(meta: Catalog | Document, values: dict[str, Value], ref: Ref) -> None:
    """The description as far as there is room for it; a document has none."""
    field = next((f for f in meta.fields if f.name == "Description"), None)
    if field is not None and isinstance(field.type, StringType):
        said = text(ru=f"Восстановлен: {ref.uuid}", en=f"Restored: {ref.uuid}")
        values["Description"] = said[: field.type.length or None]
