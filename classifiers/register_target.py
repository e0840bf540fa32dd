"""Writing a classifier into an independent information register: compare by period and dimensions, write what is new or differs.

A file speaks of its own period only; records of other periods are left alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from classifiers.kind import Changes, Item, Row, Work
from infobase.metadata.model import InformationRegister
from infobase.metadata.types import Value
from infobase.query_model import And, Compare, Query

PROGRESS_STEP = 500
WRITE_BATCH = 1000
Key = tuple[Value, ...]


def into_register(work: Work) -> Changes:
    """A `ClassifierKind.write` for registers whose items name every dimension (and the period) by the kind's field names."""
    return write_records(work, _counted(work))


def write_records(work: Work, items: Iterable[Item]) -> Changes:
    """The same for items made elsewhere, such as those whose references had to be found first."""
    meta = work.session.kernel.configuration.objects[work.use.target]
    assert isinstance(meta, InformationRegister)
    names = {f: work.use.fields.get(f, f) for f in work.kind.fields}
    own = {f.name for f in meta.fields}
    taken = {f: name for f, name in names.items() if name in own}
    keys = [f.name for f in (*meta.standard_fields, *meta.dimensions)]
    records = [{name: item.values[f] for f, name in taken.items()} for item in items]
    loaded = _loaded(work, meta, keys, records)
    return _write(work, meta, keys, records, loaded)


def _counted(work: Work) -> Iterable[Item]:
    title = str(work.kind.title)
    for done, item in enumerate(work.file.items(), 1):
        if done % PROGRESS_STEP == 0:
            work.progress(title, done, 0)
        yield item


def _key(record: Mapping[str, Value], keys: Sequence[str]) -> Key:
    return tuple(record[k] for k in keys)


def _loaded(work: Work, meta: InformationRegister, keys: Sequence[str], records: Sequence[Row]) -> dict[Key, Row]:
    """What the register holds within the dates of the file."""
    if not records:
        return {}
    where: And | None = None
    dated = next((k for k in keys if all(isinstance(r[k], dt.datetime) for r in records)), "")
    if dated:
        days = [cast(dt.datetime, r[dated]) for r in records]
        where = And((Compare(dated, ">=", min(days)), Compare(dated, "<=", max(days))))
    rows = work.session.query(Query(meta.full_name, where=where))
    return {_key(row, keys): row for row in rows}


def _write(
    work: Work,
    meta: InformationRegister,
    keys: Sequence[str],
    records: Sequence[Row],
    loaded: Mapping[Key, Row],
) -> Changes:
    added: list[Row] = []
    changed: list[Row] = []
    unchanged = 0
    for record in records:
        found = loaded.get(_key(record, keys))
        if found is None:
            added.append(record)
        elif any(found[name] != value for name, value in record.items()):
            changed.append({**found, **record})
        else:
            unchanged += 1
    manager = work.session.information_registers[meta.name]
    pending = [*added, *changed]
    for start in range(0, len(pending), WRITE_BATCH):
        manager.write(pending[start : start + WRITE_BATCH])
        work.progress(str(work.kind.title), min(start + WRITE_BATCH, len(pending)), len(pending))
    return Changes(len(added), len(changed), 0, unchanged)
