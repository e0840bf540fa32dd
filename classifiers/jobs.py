"""The job that looks for stale classifiers once a day and says in the event log which command renews each."""

from __future__ import annotations

from classifiers.status import ClassifierStatus, stale_classifiers
from infobase.i18n import Bilingual, text
from infobase.job_kinds import JobContext, JobKind, Registry

EVENT = "Classifiers.Stale"


def register(kinds: Registry) -> None:
    """Entry point of the group `infobase.jobs`."""
    kinds.add(JobKind("classifiers", Bilingual("Проверка классификаторов", "A look at classifiers"), _run))


def _run(context: JobContext) -> str:
    session = context.session
    stale = stale_classifiers(session, session.now().date())
    if not stale:
        return text(ru="устаревших нет", en="none is stale")
    log = context.base.kernel.engine.event_log()
    log.append([session.log_entry(EVENT, severity="Warning", comment=_shown(s)) for s in stale])
    names = ", ".join(s.kind for s in stale)
    return text(ru=f"пора обновить: {names}", en=f"to be renewed: {names}")


def _shown(line: ClassifierStatus) -> str:
    return f"{line.title} ({line.version_date or '-'}): {line.command}"
