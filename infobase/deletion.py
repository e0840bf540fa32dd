"""«Удаление помеченных объектов»: delete what is marked and not referred to, with reference control as in 1C.

Marked objects may refer to each other; a marked object stays when anything outside the set that can be deleted refers to it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infobase import operations
from infobase.metadata.types import Ref
from infobase.object_store import store_of
from infobase.query_model import Compare, Query, SelectItem
from infobase.references import Usage, usages

if TYPE_CHECKING:
    from infobase.session import Session
    from infobase.storage import Transaction


@dataclass(frozen=True)
class Kept:
    """A marked object that could not be deleted, and what refers to it."""

    ref: Ref
    presentation: str
    used_by: tuple[str, ...]


@dataclass(frozen=True)
class DeletionReport:
    """What `delete_marked` did. `deleted`: how many objects; `kept`: those still in use."""

    deleted: int
    kept: tuple[Kept, ...]


def delete_marked(session: Session) -> DeletionReport:
    """One transaction: all deletable marked objects go, or none."""
    with session.transaction() as tx:
        marked = _marked(session)
        found = _usages(session, tx, marked)
        deletable = _deletable(marked, found)
        kept = tuple(_kept(session, ref, found[ref]) for ref in marked if ref not in deletable)
        for ref in marked:
            if ref in deletable:
                _remove(session, tx, ref)
    return DeletionReport(len(deletable), kept)


def _marked(session: Session) -> list[Ref]:
    refs: list[Ref] = []
    for full_name in session.kernel.layout.objects:
        where = Compare("DeletionMark", "=", True)
        rows = session.query(Query(full_name, select=(SelectItem("Ref"),), where=where))
        refs += (r["Ref"] for r in rows if isinstance(r["Ref"], Ref))
    return refs


def _usages(session: Session, tx: Transaction, marked: list[Ref]) -> dict[Ref, list[Usage]]:
    by_type: dict[str, list[Ref]] = defaultdict(list)
    for ref in marked:
        by_type[ref.type].append(ref)
    found: dict[Ref, list[Usage]] = defaultdict(list)
    for refs in by_type.values():
        tx.run([store_of(session.kernel, refs[0].type).lock(r) for r in refs])
        for usage in usages(session.kernel, tx, refs, limit=1_000_000):
            if usage.by != usage.target:
                found[usage.target].append(usage)
    return found


def _deletable(marked: list[Ref], found: dict[Ref, list[Usage]]) -> set[Ref]:
    """The greatest set whose members are referred to from within the set only."""
    deletable = set(marked)
    blocked = [r for r in marked if any(u.by is None or u.by not in deletable for u in found.get(r, ()))]
    referred: dict[Ref, list[Ref]] = defaultdict(list)
    for target, list_of in found.items():
        for usage in list_of:
            if usage.by is not None:
                referred[usage.by].append(target)
    while blocked:
        ref = blocked.pop()
        if ref in deletable:
            deletable.discard(ref)
            blocked += referred.get(ref, ())
    return deletable


def _kept(session: Session, ref: Ref, used: list[Usage]) -> Kept:
    shown = [session.presentation(u.by) if u.by else f"{u.owner}.{u.field}" for u in used[:5]]
    return Kept(ref, session.presentation(ref), tuple(shown))


def _remove(session: Session, tx: Transaction, ref: Ref) -> None:
    session.access.demand("Delete", ref.type)
    obj = session.load([ref])[0]
    operations.Operation(session, obj).remove(tx)
