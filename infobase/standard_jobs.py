"""The kernel's own kinds of jobs - backups, upkeep of totals, trimming of the event log - and the jobs every base should have."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from infobase.backups.keys import read_key
from infobase.backups.logged import logged_backup
from infobase.backups.make import demand_place
from infobase.backups.retention import parse_rules
from infobase.durations import DAY, seconds_of, shown
from infobase.errors import JobInvalid
from infobase.i18n import Bilingual, text
from infobase.infobase import Infobase
from infobase.job_kinds import JobContext, JobKind, Registry
from infobase.jobs import Job, Jobs, utc_now
from infobase.maintenance import maintain_totals
from infobase.served import door_of, served
from infobase.session import Session

Parameters = TypeVar("Parameters")


def register(kinds: Registry) -> None:
    kinds.add(JobKind("backup", Bilingual("Резервное копирование", "Backup"), _run_backup, _check_backup))
    kinds.add(JobKind("totals", Bilingual("Обслуживание итогов", "Totals maintenance"), _run_totals))
    kinds.add(JobKind("log_trim", Bilingual("Сокращение журнала", "Trimming of the event log"), _run_trim, _check_trim))


@dataclass(frozen=True)
class BackupParameters:
    """`folder`: an absolute path; `keep`: retention rules; `key_file` and `plain`: as the command takes them."""

    folder: str
    keep: str = ""
    key_file: str = ""
    plain: bool = False

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class TrimParameters:
    """`older_than`: how long entries are kept, such as 90d."""

    older_than: str = "90d"


def typed(kind: type[Parameters], given: Mapping[str, object], name: str) -> Parameters:
    """Parameters of a dataclass whose fields are texts and flags. JobInvalid for unknown, missing and ill-typed ones."""
    known: dict[str, Any] = {f.name: f.type for f in fields(kind)}  # type: ignore[arg-type]
    for key, value in given.items():
        if key not in known or type(value).__name__ != known[key]:
            ru, en = f"параметр {key} не подходит", f"the parameter {key} does not fit"
            raise JobInvalid(name=name, detail=text(ru=ru, en=en))
    try:
        return kind(**given)
    except TypeError as e:
        raise JobInvalid(name=name, detail=str(e)) from e


# --- backup ---


def _check_backup(given: Mapping[str, object]) -> None:
    found = typed(BackupParameters, given, "backup")
    parse_rules(found.keep)
    if not Path(found.folder).is_absolute():
        ru, en = "папка копий - абсолютный путь", "the folder of backups is an absolute path"
        raise JobInvalid(name="backup", detail=text(ru=ru, en=en))


def schedule_backup(base: Infobase, session: Session, wanted: BackupParameters, every: int, name: str) -> Job:
    """Add or change a job that makes backups. `every`: seconds. Behind an application server the folder and the key are on its computer, so the
    cluster's administrator is needed too. JobInvalid, TargetUnfit, KeyFileInvalid."""
    door = door_of(base.kernel.engine)
    if door is not None:
        given = {"parameters": wanted.as_json(), "every": every, "name": name}
        return cast(Job, door.whole("backup_schedule", given))
    _check_backup(wanted.as_json())
    demand_place(base, Path(wanted.folder), read_key(Path(wanted.key_file)) if wanted.key_file else None)
    job = Job(name, "backup", wanted.as_json(), every, created_by=session.info.user)
    with session.transaction() as tx:
        made = Jobs(base.kernel).put(tx, job, utc_now())
        comment = f"{name}: {wanted.folder}, {shown(every)}, {wanted.keep or '-'}"
        tx.log([session.log_entry("_$Job$_.Scheduled", comment=comment)])
    return made


def _run_backup(context: JobContext) -> str:
    wanted = typed(BackupParameters, context.parameters, "backup")
    made = logged_backup(
        context.base,
        context.session,
        Path(wanted.folder),
        key_file=Path(wanted.key_file) if wanted.key_file else None,
        plain=wanted.plain,
        keep=wanted.keep,
        progress=context.progress,
    )
    removed = text(ru=f", удалено старых: {len(made.removed)}", en=f", old ones removed: {len(made.removed)}")
    return f"{made.backup.place}" + (removed if made.removed else "")


# --- totals ---


def _run_totals(context: JobContext) -> str:
    done = maintain_totals(context.session)
    rebuilt = ", ".join(done.rebuilt) or "-"
    return text(
        ru=f"регистров: {done.registers}, пересчитаны: {rebuilt}, удалено пустых строк: {done.removed}",
        en=f"registers: {done.registers}, summed anew: {rebuilt}, empty rows removed: {done.removed}",
    )


# --- what every base should have ---

BACKUP_EVERY = 30 * 60
BACKUP_KEEP = "48,30d:1d"
"""The last day of half-hourly backups, and one a day for a month."""
TRIM_AFTER = "90d"


def usual_jobs(backup: BackupParameters | None) -> list[Job]:
    """Backups every 30 minutes, where a place for them is known; once a day the totals, a look for stale classifiers, a shorter event log.
    A kind no installed package provides is left out."""
    from infobase.job_kinds import registry

    made = [
        Job("totals", "totals", {}, DAY),
        Job("classifiers", "classifiers", {}, DAY),
        Job("log_trim", "log_trim", {"older_than": TRIM_AFTER}, DAY),
    ]
    if backup is not None:
        made.insert(0, Job("backup", "backup", backup.as_json(), BACKUP_EVERY))
    return [j for j in made if j.kind in registry().kinds]


def add_usual_jobs(session: Session, backup: BackupParameters | None) -> list[str]:
    """Add those that are missing; jobs of these names stay as they are. What was added, by name."""
    jobs = Jobs(session.kernel)
    with session.transaction() as tx:
        jobs.ensure(tx)
        there = {j.name for j in jobs.all(tx)}
        added = [j for j in usual_jobs(backup) if j.name not in there]
        for job in added:
            jobs.put(tx, replace(job, created_by=session.info.user), utc_now())
        if added:
            tx.log([session.log_entry("_$Job$_.Scheduled", comment=", ".join(j.name for j in added))])
    return [j.name for j in added]


@served("Administration")
def add_usual_jobs_without_backups(session: Session) -> list[str]:
    """From afar too: a place for backups is the computer's of the server, and its own jobs have one."""
    return add_usual_jobs(session, None)


# --- event log ---


def _check_trim(given: Mapping[str, object]) -> None:
    seconds_of(typed(TrimParameters, given, "log_trim").older_than, bare=DAY)


def _run_trim(context: JobContext) -> str:
    wanted = typed(TrimParameters, context.parameters, "log_trim")
    seconds = seconds_of(wanted.older_than, bare=DAY)
    before = context.session.now() - dt.timedelta(seconds=seconds)
    count = context.base.kernel.engine.event_log().trim(before)
    return text(ru=f"удалено записей: {count}", en=f"entries removed: {count}")


@served("Administration")
def schedule_log_trim(session: Session, older_than: str, every: int) -> None:
    """Add or change the job that trims the event log. `every`: seconds. JobInvalid."""
    parameters = {"older_than": older_than}
    _check_trim(parameters)
    job = Job("log_trim", "log_trim", parameters, every, created_by=session.info.user)
    with session.transaction() as tx:
        Jobs(session.kernel).put(tx, job, utc_now())
        tx.log([session.log_entry("_$Job$_.Scheduled", comment=f"log_trim: {older_than}, {shown(every)}")])
