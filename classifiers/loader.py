"""One loader for every kind of classifier: read the file, compare with what is loaded by code, write the difference in one transaction.

A kind is data (`ClassifierKind`) and one function that opens a file as a `ClassifierFile`; the rest is shared. What the file no longer
names is marked closed, never deleted: documents refer to it. Loading the same file again changes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from classifiers.banks import BANKS
from classifiers.kind import ClassifierFile, ClassifierKind, Item, Row
from classifiers.model import FileWarning
from classifiers.source import sha256_of
from infobase.errors import UnknownObject
from infobase.i18n import text
from infobase.metadata.types import Ref
from infobase.query_model import OrderItem, Query, SelectItem

if TYPE_CHECKING:
    from infobase.session import Session

Progress = Callable[[str, int, int], None]
"""(what is being done, done, total) records; total 0: not known."""

PROGRESS_STEP = 100
WRITE_BATCH = 200


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a load did. `warning_count` faults of the source were passed over, the first of them in `warnings`.
    `older`: a newer version had been loaded before this one."""

    kind: str
    version_date: dt.date
    added: int
    changed: int
    closed: int
    unchanged: int
    warning_count: int
    warnings: tuple[FileWarning, ...]
    counts: Mapping[str, int]
    sha256: str
    older: bool = False

    @property
    def nothing_new(self) -> bool:
        """Whether the catalog already held exactly this."""
        return not (self.added or self.changed or self.closed)

    def __str__(self) -> str:
        version = f"{self.version_date:%d.%m.%Y}"
        if self.nothing_new:
            shown = text(
                ru=f"Классификатор от {version} уже загружен: изменений нет ({self.unchanged} записей)",
                en=f"The classifier of {version} is loaded already: nothing changed ({self.unchanged} items)",
            )
        else:
            shown = text(
                ru=f"Загружен классификатор от {version}: добавлено {self.added}, изменено {self.changed}, "
                f"закрыто {self.closed}, без изменений {self.unchanged}",
                en=f"Loaded the classifier of {version}: added {self.added}, changed {self.changed}, "
                f"closed {self.closed}, unchanged {self.unchanged}",
            )
        if self.warning_count:
            shown += text(ru=f"; замечаний: {self.warning_count}", en=f"; warnings: {self.warning_count}")
        if self.older:
            shown += text(
                ru="; до этого была загружена более новая версия", en="; a newer version had been loaded before"
            )
        return shown


KINDS: Mapping[str, ClassifierKind] = {k.name: k for k in (BANKS,)}
"""The kinds this version loads, by name."""


def find_kind(name: str) -> ClassifierKind:
    """A kind by its name. UnknownObject lists those there are."""
    if name not in KINDS:
        options = ", ".join(KINDS)
        raise UnknownObject(
            name=name, hint=text(ru=f"Виды классификаторов: {options}", en=f"Kinds of classifiers: {options}")
        )
    return KINDS[name]


def load(session: Session, kind: str, source: Path, progress: Progress | None = None) -> LoadReport:
    """Load `source` as the classifier `kind`: all of it in one transaction, or nothing.

    Raises ClassifierInvalid (the file), UnknownObject (the kind, or a configuration without its catalog), AccessDenied.
    """
    wanted = find_kind(kind)
    if wanted.target not in session.kernel.configuration.objects:
        hint = text(ru="Классификатор некуда загружать.", en="There is nowhere to load the classifier into.")
        raise UnknownObject(name=wanted.target, hint=hint)
    sha256 = sha256_of(source)
    file = wanted.open(source)
    with session.transaction():
        difference = _compare(session, wanted, file.items(), progress)
        before = session.classifiers.version(kind)
        _write(session, wanted, difference)
        report = _report(wanted, file, difference, sha256)
        if before is None or not report.nothing_new or before.sha256 != sha256:
            session.classifiers.register(kind, report.version_date.isoformat(), source.name, sha256, _summary(report))
    return replace(report, older=before is not None and before.version_date > report.version_date.isoformat())


@dataclass
class _Difference:
    """`changed`: items that are there but differ; `missing`: references of items the file does not name and that are not closed yet."""

    added: list[Item] = field(default_factory=list)
    changed: list[tuple[Ref, Item]] = field(default_factory=list)
    missing: list[Ref] = field(default_factory=list)
    unchanged: int = 0


def _compare(session: Session, kind: ClassifierKind, items: Iterable[Item], progress: Progress | None) -> _Difference:
    found = _loaded(session, kind)
    result = _Difference()
    for done, item in enumerate(items, 1):
        ref, values, sections = found.pop(item.code, (None, {}, {}))
        if ref is None:
            result.added.append(item)
        elif values != item.values or sections != {name: list(rows) for name, rows in item.sections.items()}:
            result.changed.append((ref, item))
        else:
            result.unchanged += 1
        if progress is not None and done % PROGRESS_STEP == 0:
            progress(str(kind.title), done, 0)
    for ref, values, _ in found.values():
        if ref is not None and values[kind.closed_field]:
            result.unchanged += 1
        elif ref is not None:
            result.missing.append(ref)
    return result


Loaded = tuple[Ref | None, Row, Mapping[str, list[Row]]]


def _loaded(session: Session, kind: ClassifierKind) -> dict[str, Loaded]:
    """What the catalog holds, by code, with the fields and sections the loader owns."""
    names = ("Ref", "Code", *kind.fields)
    rows = session.query(Query(kind.target, select=tuple(SelectItem(n) for n in names)))
    sections = {name: _loaded_rows(session, kind, name) for name in kind.sections}
    found: dict[str, Loaded] = {}
    for row in rows:
        ref = cast(Ref, row.pop("Ref"))
        own = {name: by_owner.get(ref, []) for name, by_owner in sections.items()}
        found[cast(str, row.pop("Code"))] = (ref, row, own)
    return found


def _loaded_rows(session: Session, kind: ClassifierKind, section: str) -> dict[Ref, list[Row]]:
    names = ("Ref", "LineNumber", *kind.sections[section])
    order = (OrderItem("Ref"), OrderItem("LineNumber"))
    rows = session.query(Query(f"{kind.target}.{section}", select=tuple(SelectItem(n) for n in names), order_by=order))
    found: dict[Ref, list[Row]] = {}
    for row in rows:
        del row["LineNumber"]
        found.setdefault(cast(Ref, row.pop("Ref")), []).append(row)
    return found


def _write(session: Session, kind: ClassifierKind, difference: _Difference) -> None:
    if difference.added:
        new = (({"Code": item.code, **item.values}, item.sections) for item in difference.added)
        session.bulk_write(kind.target, new)
    for start in range(0, len(difference.changed), WRITE_BATCH):
        part = difference.changed[start : start + WRITE_BATCH]
        for obj, (_, item) in zip(session.load([ref for ref, _ in part]), part, strict=True):
            obj.fill(**item.values, **item.sections)
            obj.write()
    for start in range(0, len(difference.missing), WRITE_BATCH):
        for obj in session.load(difference.missing[start : start + WRITE_BATCH]):
            obj[kind.closed_field] = True
            obj.write()


def _report(kind: ClassifierKind, file: ClassifierFile, difference: _Difference, sha256: str) -> LoadReport:
    return LoadReport(
        kind=kind.name,
        version_date=file.version_date(),
        added=len(difference.added),
        changed=len(difference.changed),
        closed=len(difference.missing),
        unchanged=difference.unchanged,
        warning_count=file.warning_count(),
        warnings=tuple(file.warnings()),
        counts=dict(file.counts()),
        sha256=sha256,
    )


def _summary(report: LoadReport) -> dict[str, int]:
    own = {"added": report.added, "changed": report.changed, "closed": report.closed, "unchanged": report.unchanged}
    return {**report.counts, **own, "warnings": report.warning_count}
