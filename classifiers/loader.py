"""One loader for every kind of classifier: recognise the file, read it, compare with what is loaded, write the difference, register the version.

All of it in one transaction, or nothing. What the file no longer names is marked closed, never deleted: documents refer to it.
Loading the same file again changes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from classifiers.closures import RECORDS, accepts_closures, demand_few_closures
from classifiers.kind import Changes, ClassifierFile, ClassifierKind, Format, Options, Progress, Work
from classifiers.kinds import KINDS, find_kind
from classifiers.model import FileWarning
from classifiers.recognise import find_format, find_kind_of
from classifiers.source import Member, Source, open_source
from infobase.errors import ClassifierUnwanted
from infobase.i18n import text
from infobase.metadata.model import ClassifierUse
from infobase.served import door_of
from infobase.settings import ClassifierVersion

if TYPE_CHECKING:
    from infobase.session import Session

__all__ = ["KINDS", "LoadReport", "find_kind", "load"]


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a load did. `warning_count` faults of the source were passed over, the first of them in `warnings`.
    `older`: a newer version had been loaded before this one. `remarks`: further lines for people."""

    kind: str
    version_date: dt.date
    added: int
    changed: int
    closed: int
    unchanged: int
    missing: int
    warning_count: int
    warnings: tuple[FileWarning, ...]
    counts: Mapping[str, int]
    sha256: str
    source: str = ""
    older: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def nothing_new(self) -> bool:
        """Whether the base already held exactly this."""
        return not (self.added or self.changed or self.closed)

    def __str__(self) -> str:
        version = f"{self.version_date:%d.%m.%Y}"
        if self.nothing_new:
            shown = text(
                ru=f"Классификатор {self.kind} от {version} уже загружен: изменений нет ({self.unchanged} записей)",
                en=f"The classifier {self.kind} of {version} is loaded already: nothing changed ({self.unchanged} items)",
            )
        else:
            shown = text(
                ru=f"Загружен классификатор {self.kind} от {version}: добавлено {self.added}, изменено {self.changed}, "
                f"закрыто {self.closed}, без изменений {self.unchanged}",
                en=f"Loaded the classifier {self.kind} of {version}: added {self.added}, changed {self.changed}, "
                f"closed {self.closed}, unchanged {self.unchanged}",
            )
        if self.missing:
            shown += text(ru=f"; в файле нет: {self.missing}", en=f"; not in the file: {self.missing}")
        if self.warning_count:
            shown += text(ru=f"; замечаний: {self.warning_count}", en=f"; warnings: {self.warning_count}")
        if self.older:
            shown += text(
                ru="; до этого была загружена более новая версия", en="; a newer version had been loaded before"
            )
        return shown


def load(
    session: Session,
    kind: str | None,
    source: Path | Source,
    progress: Progress | None = None,
    options: Options | None = None,
    name: str = "",
) -> LoadReport:
    """Load `source` (a file, folder or archive; or one that is open already) as the classifier `kind`, None: whichever its content says. All of it, or nothing.

    `name`: what to call the source in the registry, when its path says little. Raises ClassifierInvalid (the file), ClassifierUnknown,
    ClassifierAmbiguous, ClassifierUnwanted (the configuration has no place for it), ClosuresRefused (it would close too much, unless
    `options` has `accept_closures`), UnknownObject (the kind), AccessDenied."""
    wanted = find_kind(kind) if kind else None
    if wanted is not None:
        use_of(session, wanted)
    with nullcontext(source) if isinstance(source, Source) else open_source(source) as opened:
        found = wanted or find_kind_of(list(KINDS.values()), opened)
        form, members = find_format(found, opened, list(KINDS.values()))
        if found.beside_data and door_of(session.kernel.engine) is not None:
            from classifiers.afar import load_afar

            use_of(session, found)
            return load_afar(session, found, opened.path, members, progress, options or {}, name or opened.name)
        return _load(session, found, opened, form, members, progress or _silent, options or {}, name or opened.name)


def use_of(session: Session, kind: ClassifierKind) -> ClassifierUse:
    """Where the configuration wants a kind to go. ClassifierUnwanted."""
    use = session.kernel.configuration.classifiers.get(kind.name)
    if use is None or use.target.split(".")[0] != kind.target:
        raise ClassifierUnwanted(kind=kind.name, target=kind.target)
    return use


def _load(
    session: Session,
    kind: ClassifierKind,
    source: Source,
    form: Format,
    members: Sequence[Member],
    progress: Progress,
    options: Options,
    name: str,
) -> LoadReport:
    use = use_of(session, kind)
    sha256 = source.sha256(members)
    file = form.open(members, options)
    with session.transaction():
        before = session.classifiers.version(kind.name)
        changes = kind.write(Work(session, kind, use, file, options, progress, before))
        if not kind.accumulates and not accepts_closures(options):
            demand_few_closures(kind, members, changes, file.counts().get(RECORDS, 0), before)
        report = _report(kind, file, changes, sha256, name, before)
        if before is None or not report.nothing_new or before.sha256 != sha256:
            _register(session, kind, report, before)
    return report


def _report(
    kind: ClassifierKind,
    file: ClassifierFile,
    changes: Changes,
    sha256: str,
    name: str,
    before: ClassifierVersion | None,
) -> LoadReport:
    version = file.version_date()
    return LoadReport(
        kind=kind.name,
        version_date=version,
        added=changes.added,
        changed=changes.changed,
        closed=changes.closed,
        unchanged=changes.unchanged,
        missing=changes.missing,
        warning_count=file.warning_count(),
        warnings=tuple(file.warnings()),
        counts=dict(file.counts()),
        sha256=sha256,
        source=name,
        older=not kind.accumulates and before is not None and before.version_date > version.isoformat(),
        remarks=changes.remarks,
    )


def _register(session: Session, kind: ClassifierKind, report: LoadReport, before: ClassifierVersion | None) -> None:
    """The version of an accumulating kind is the latest day it has ever been given."""
    version = report.version_date.isoformat()
    if kind.accumulates and before is not None:
        version = max(version, before.version_date)
    session.classifiers.register(kind.name, version, report.source, report.sha256, _summary(report))


def _summary(report: LoadReport) -> dict[str, int]:
    own = {"added": report.added, "changed": report.changed, "closed": report.closed, "unchanged": report.unchanged}
    return {**report.counts, **own, "warnings": report.warning_count}


def _silent(_what: str, _done: int, _total: int) -> None:
    """Nobody watches."""
