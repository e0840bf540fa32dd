"""Writing a classifier into a catalog: compare by code, insert what is new in bulk, rewrite what differs, close what is gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from classifiers.kind import Changes, Item, Row, Work
from infobase.i18n import Bilingual
from infobase.kernel import new_uuid
from infobase.metadata.model import Catalog, ClassifierUse
from infobase.metadata.types import Ref, Value
from infobase.query_model import OrderItem, Query, SelectItem

if TYPE_CHECKING:
    from infobase.session import Session

WRITING = Bilingual("запись", "writing")
PROGRESS_STEP = 500
WRITE_BATCH = 200


@dataclass(frozen=True)
class _Target:
    """What of a kind this catalog takes: field of the kind -> field of the catalog, likewise for rows of sections."""

    meta: Catalog
    fields: Mapping[str, str]
    initial: Mapping[str, str]
    sections: Mapping[str, tuple[str, ...]]
    closed_field: str
    has_parent: bool


@dataclass(slots=True)
class _Loaded:
    """An item the catalog holds."""

    ref: Ref
    values: dict[str, Value]
    closed: bool


@dataclass
class _Difference:
    """`changed`: items that are there but differ; `gone`: those the file does not name and that are not closed yet."""

    added: list[tuple[Ref, Item]] = field(default_factory=list)
    changed: list[tuple[Ref, Item]] = field(default_factory=list)
    gone: list[Ref] = field(default_factory=list)
    unchanged: int = 0
    missing: int = 0


def into_catalog(work: Work) -> Changes:
    """A `ClassifierKind.write` for catalogs. Items are known by their code; a hierarchical catalog gets the parents the file names."""
    target = _target(work)
    items = list(_counted(work))
    loaded = _loaded(work.session, target)
    held = sum(not found.closed for found in loaded.values()) if target.closed_field else 0
    refs = {code: found.ref for code, found in loaded.items()}
    refs.update((i.code, Ref(target.meta.full_name, new_uuid())) for i in items if i.code not in refs)
    difference = _compare(work.session, target, items, loaded, refs)
    _write(work, target, difference, refs)
    return Changes(
        added=len(difference.added),
        changed=len(difference.changed),
        closed=len(difference.gone),
        unchanged=difference.unchanged,
        missing=difference.missing,
        held=held,
    )


def _target(work: Work) -> _Target:
    meta = work.session.kernel.configuration.objects[work.use.target]
    assert isinstance(meta, Catalog)
    names = {f.name for f in meta.fields}
    kind, use = work.kind, work.use
    sections = {s.name: {f.name for f in s.fields} for s in meta.tabular_sections}
    closed = use.fields.get(kind.closed_field, kind.closed_field)
    return _Target(
        meta,
        _taken(kind.fields, use, names),
        _taken(kind.initial, use, names),
        {s: tuple(f for f in fields if f in sections[s]) for s, fields in kind.sections.items() if s in sections},
        closed if closed in names else "",
        bool(meta.hierarchy),
    )


def _taken(fields: Iterable[str], use: ClassifierUse, names: set[str]) -> dict[str, str]:
    renamed = {f: use.fields.get(f, f) for f in fields}
    return {f: own for f, own in renamed.items() if own in names}


def _counted(work: Work) -> Iterable[Item]:
    title = str(work.kind.title)
    for done, item in enumerate(work.file.items(), 1):
        if done % PROGRESS_STEP == 0:
            work.progress(title, done, 0)
        yield item


# --- what is loaded ---


def _loaded(session: Session, target: _Target) -> dict[str, _Loaded]:
    own = list(dict.fromkeys(target.fields.values()))
    extra = [n for n in (target.closed_field, "Parent" if target.has_parent else "") if n and n not in own]
    select = tuple(SelectItem(n) for n in ("Ref", "Code", *own, *extra))
    found: dict[str, _Loaded] = {}
    for row in session.stream(Query(target.meta.full_name, select=select)):
        ref, code = cast(Ref, row.pop("Ref")), str(row.pop("Code"))
        found[code] = _Loaded(ref, row, bool(row.get(target.closed_field, False)))
    return found


def _loaded_rows(session: Session, target: _Target, section: str) -> dict[Ref, list[tuple[Value, ...]]]:
    names = target.sections[section]
    order = (OrderItem("Ref"), OrderItem("LineNumber"))
    select = (SelectItem("Ref"), *(SelectItem(n) for n in names))
    found: dict[Ref, list[tuple[Value, ...]]] = {}
    wanted = Query(f"{target.meta.full_name}.{section}", select=select, order_by=order)
    for row in session.stream(wanted):
        ref, *values = row.values()
        found.setdefault(cast(Ref, ref), []).append(tuple(values))
    return found


# --- comparing ---


def _compare(
    session: Session,
    target: _Target,
    items: Sequence[Item],
    loaded: dict[str, _Loaded],
    refs: Mapping[str, Ref],
) -> _Difference:
    result = _Difference()
    rows = {name: _loaded_rows(session, target, name) for name in target.sections} if loaded else {}
    for item in items:
        found = loaded.pop(item.code, None)
        if found is None:
            result.added.append((refs[item.code], item))
        elif _differs(target, item, found, rows, refs):
            result.changed.append((found.ref, item))
        else:
            result.unchanged += 1
    for found in loaded.values():
        if not target.closed_field:
            result.missing += 1
        elif found.closed:
            result.unchanged += 1
        else:
            result.gone.append(found.ref)
    return result


def _differs(
    target: _Target,
    item: Item,
    found: _Loaded,
    rows: Mapping[str, Mapping[Ref, list[tuple[Value, ...]]]],
    refs: Mapping[str, Ref],
) -> bool:
    values = item.values
    if any(name in values and found.values[own] != values[name] for name, own in target.fields.items()):
        return True
    if target.has_parent and found.values["Parent"] != _parent(item, refs):
        return True
    for section, names in target.sections.items():
        if section not in item.sections:
            continue
        wanted = [tuple(row[n] for n in names) for row in item.sections[section]]
        if rows[section].get(found.ref, []) != wanted:
            return True
    return False


def _parent(item: Item, refs: Mapping[str, Ref]) -> Ref | None:
    return refs.get(item.parent) if item.parent else None


# --- writing ---


def _write(work: Work, target: _Target, difference: _Difference, refs: Mapping[str, Ref]) -> None:
    session, full_name = work.session, target.meta.full_name
    if difference.added:
        new = ((_new_values(target, ref, item, refs), _rows(target, item)) for ref, item in difference.added)
        session.bulk_write(full_name, new)
    step = f"{work.kind.title}: {WRITING}"
    for start in range(0, len(difference.changed), WRITE_BATCH):
        part = difference.changed[start : start + WRITE_BATCH]
        for obj, (_, item) in zip(session.load([ref for ref, _ in part]), part, strict=True):
            obj.fill(**_values(target, item, refs), **_rows(target, item))
            obj.write()
        work.progress(step, start, len(difference.changed))
    for start in range(0, len(difference.gone), WRITE_BATCH):
        for obj in session.load(difference.gone[start : start + WRITE_BATCH]):
            obj[target.closed_field] = True
            obj.write()


def _values(target: _Target, item: Item, refs: Mapping[str, Ref]) -> dict[str, Value]:
    made = {own: item.values[name] for name, own in target.fields.items() if name in item.values}
    if target.has_parent:
        made["Parent"] = _parent(item, refs)
    return made


def _new_values(target: _Target, ref: Ref, item: Item, refs: Mapping[str, Ref]) -> dict[str, Value]:
    first = {own: item.initial[name] for name, own in target.initial.items() if name in item.initial}
    return {"Ref": ref, "Code": item.code, **first, **_values(target, item, refs)}


def _rows(target: _Target, item: Item) -> dict[str, list[Row]]:
    return {
        section: [{n: row[n] for n in names} for row in item.sections[section]]
        for section, names in target.sections.items()
        if section in item.sections
    }
