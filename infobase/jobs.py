"""Scheduled jobs of a base, kept in the base itself: what runs how often, who runs it now, and what earlier runs came to.

Any number of runners may look at once; exactly one wins a due job. The winner writes the id of its session into the row, in one write
transaction (`SKIP LOCKED` where writers are many, the writer gate where there is one). The claim lives as long as that session does, so
that a killed runner's job is free again at once, and no heartbeat is written.

Clocks. The next run is the start of the last one plus the interval, never further ahead than one interval: when the clock was set back, the
job is put off to one interval from now instead of to a distant day; when it was set forward, missed runs are not caught up. A runner
also measures by its own monotonic clock and holds back what ran too short a time ago (`held`). So neither change stops or doubles a job.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from infobase.errors import JobInvalid
from infobase.i18n import text
from infobase.kernel import Kernel, new_uuid
from infobase.metadata.types import EMPTY_DATE, EMPTY_UUID
from infobase.schema.ddl import create_statements
from infobase.schema.layout import JOB_TABLES, SYSTEM_TABLES
from infobase.served import served
from infobase.storage import LockKey, Row, Statement, Transaction

if TYPE_CHECKING:
    from infobase.session import Session

MAX_NAME = 100
LEAST_EVERY = 60
"""Seconds between two runs of one job."""
CLOCK_SLACK = 60
"""Seconds by which the clocks of two runners may differ."""
KEPT_RUNS = 200
"""Runs remembered per job."""
_JOBS, _RUNS = (SYSTEM_TABLES[name] for name in JOB_TABLES)


@dataclass(frozen=True, slots=True)
class Job:
    """`kind`: the registered name of what runs; `parameters`: its own; `every`: seconds; times are UTC, naive. `runner`: the session that
    runs it now, None when none does."""

    name: str
    kind: str
    parameters: Mapping[str, object]
    every: int
    enabled: bool = True
    next_run: dt.datetime = EMPTY_DATE
    last_start: dt.datetime = EMPTY_DATE
    runner: uuid.UUID | None = None
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class JobRun:
    """`outcome`: "running" | "succeeded" | "failed" | "abandoned" (its runner died)."""

    id: uuid.UUID
    job: str
    kind: str
    started: dt.datetime
    finished: dt.datetime
    outcome: str
    message: str
    runner: str

    @property
    def seconds(self) -> float:
        return max((self.finished - self.started).total_seconds(), 0.0)


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)


class Jobs:
    """The jobs of one base. Rights are the caller's to check."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._dialect = kernel.dialect

    # --- tables ---

    def exist(self, tx: Transaction) -> bool:
        return bool(tx.run([Statement(self._dialect.has_table, [_JOBS.name])])[0])

    def ensure(self, tx: Transaction) -> None:
        """Make the tables in a base that was created before there were jobs."""
        if self.exist(tx):
            return
        self._kernel.engine.lock(tx, [LockKey(_JOBS.name)])
        if not self.exist(tx):
            tx.run(create_statements([_JOBS, _RUNS], self._dialect))

    # --- the schedule ---

    def all(self, tx: Transaction) -> list[Job]:
        if not self.exist(tx):
            return []
        return [self._job(row) for row in tx.run([Statement(f"{self._select()} ORDER BY name")])[0]]

    def get(self, tx: Transaction, name: str) -> Job:
        """JobInvalid when there is none."""
        found = next((j for j in self.all(tx) if j.name == name), None)
        if found is None:
            names = ", ".join(j.name for j in self.all(tx)) or "-"
            raise JobInvalid(
                name=name, detail=text(ru=f"такого нет; есть: {names}", en=f"there is none; there are: {names}")
            )
        return found

    def put(self, tx: Transaction, job: Job, now: dt.datetime) -> Job:
        """Add a job, or change the one of that name; it runs for the first time at once. JobInvalid."""
        if not 0 < len(job.name) <= MAX_NAME or job.name != job.name.strip() or not job.name.isprintable():
            raise JobInvalid(name=job.name, detail=text(ru="имя не годится", en="the name does not do"))
        if job.every < LEAST_EVERY:
            ru, en = f"интервал меньше {LEAST_EVERY} с", f"the interval is below {LEAST_EVERY} s"
            raise JobInvalid(name=job.name, detail=text(ru=ru, en=en))
        self.ensure(tx)
        made = replace(job, next_run=now, last_start=EMPTY_DATE, runner=None)
        known = [c.name for c in _JOBS.columns]
        kept = ("name", "last_start", "runner")
        changes = ", ".join(f"{c} = excluded.{c}" for c in known if c not in kept)
        sql = (
            f"INSERT INTO sys_jobs ({self._dialect.columns(known)}) VALUES {self._dialect.values(len(known))} "
            f"ON CONFLICT (name) DO UPDATE SET {changes}"
        )
        parameters = json.dumps(dict(job.parameters), ensure_ascii=False, sort_keys=True)
        values = [
            made.name, made.kind, parameters, made.every, made.enabled, made.next_run, made.last_start, EMPTY_UUID, made.created_by,
        ]  # fmt: skip
        tx.run([Statement(sql, self._written(_JOBS.columns, values))])
        return made

    def enable(self, tx: Transaction, name: str, *, enabled: bool, now: dt.datetime) -> None:
        self.get(tx, name)
        self._update(tx, name, {"enabled": enabled, "next_run": now})

    def remove(self, tx: Transaction, name: str) -> None:
        """With its history."""
        self.get(tx, name)
        mark = self._dialect.placeholder
        tx.run(
            [
                Statement(f"DELETE FROM sys_jobs WHERE name = {mark}", [name]),
                Statement(f"DELETE FROM sys_job_runs WHERE job = {mark}", [name]),
            ]
        )

    def clear(self, tx: Transaction) -> int:
        """Remove every job with its history, as for a base that becomes another one; how many jobs there were."""
        if not self.exist(tx):
            return 0
        count = len(self.all(tx))
        tx.run([Statement("DELETE FROM sys_jobs"), Statement("DELETE FROM sys_job_runs")])
        return count

    # --- running ---

    def due(self, tx: Transaction, now: dt.datetime) -> bool:
        """Whether a look with `claim` is worth a write transaction."""
        return any(j.enabled and (j.next_run <= now or _too_far(j, now)) for j in self.all(tx))

    def claim(
        self,
        tx: Transaction,
        now: dt.datetime,
        runner: uuid.UUID,
        alive: Callable[[], Collection[uuid.UUID]],
        *,
        held: Mapping[str, int] | None = None,
        only: str = "",
        runner_name: str = "",
    ) -> tuple[Job, JobRun] | None:
        """Take the next due job for the session `runner`, or None. `alive`: ids of the sessions that live, asked inside the transaction.
        A runner runs one job at a time: one it still holds was left behind by a failure of the store, and is free again.

        `held`: jobs that ran too short a time ago by the runner's own clock -> seconds they must still wait. `only`: that job, due or not.
        """
        if not self.exist(tx):
            return None
        rows = tx.run([Statement(f"{self._select()} ORDER BY next_run, name{self._dialect.skip_locked}")])[0]
        found = [self._job(row) for row in rows]
        living = set(alive()) if any(j.runner for j in found) else set()
        for job in found:
            if job.runner is not None and job.runner in living and job.runner != runner:
                continue
            if job.runner is not None:
                self._abandon(tx, job, now)
            if job.name == only or (not only and job.enabled and self._is_due(tx, job, now, held or {})):
                return self._take(tx, job, now, runner, runner_name)
        return None

    def _is_due(self, tx: Transaction, job: Job, now: dt.datetime, held: Mapping[str, int]) -> bool:
        if _too_far(job, now):
            self._update(tx, job.name, {"next_run": now + dt.timedelta(seconds=job.every)})
            return False
        if job.next_run > now:
            return False
        wait = held.get(job.name, 0)
        if wait > 0:
            self._update(tx, job.name, {"next_run": now + dt.timedelta(seconds=wait)})
        return wait <= 0

    def _take(self, tx: Transaction, job: Job, now: dt.datetime, runner: uuid.UUID, who: str) -> tuple[Job, JobRun]:
        after = now + dt.timedelta(seconds=job.every)
        self._update(tx, job.name, {"runner": runner, "last_start": now, "next_run": after})
        run = JobRun(new_uuid(), job.name, job.kind, now, EMPTY_DATE, "running", "", who)
        columns = [c.name for c in _RUNS.columns]
        values = [run.id, run.job, run.kind, run.started, run.finished, run.outcome, run.message, run.runner]
        sql = f"INSERT INTO sys_job_runs ({self._dialect.columns(columns)}) VALUES {self._dialect.values(len(columns))}"
        tx.run([Statement(sql, self._written(_RUNS.columns, values))])
        return replace(job, runner=runner, last_start=now, next_run=after), run

    def finish(self, tx: Transaction, run: JobRun, now: dt.datetime, *, outcome: str, message: str) -> JobRun:
        """Write down what the run came to and free the job. `now` before the start (a clock set back) counts as no time at all."""
        made = replace(run, finished=max(now, run.started), outcome=outcome, message=message[:2000])
        mark = self._dialect.placeholder
        changes = self._written(
            [_RUNS.column(c) for c in ("finished", "outcome", "message", "id")],
            [made.finished, made.outcome, made.message, made.id],
        )
        sql = f"UPDATE sys_job_runs SET finished = {mark}, outcome = {mark}, message = {mark} WHERE id = {mark}"
        tx.run([Statement(sql, changes)])
        self._update(tx, run.job, {"runner": EMPTY_UUID})
        self._forget_old(tx, run.job)
        return made

    def _abandon(self, tx: Transaction, job: Job, now: dt.datetime) -> None:
        mark = self._dialect.placeholder
        message = text(ru="исполнитель прервался", en="its runner died")
        values = self._written([_RUNS.column("finished")], [now])
        sql = (
            f"UPDATE sys_job_runs SET finished = {mark}, outcome = 'abandoned', message = {mark} "
            f"WHERE job = {mark} AND outcome = 'running'"
        )
        tx.run([Statement(sql, [*values, message, job.name])])
        self._update(tx, job.name, {"runner": EMPTY_UUID})

    def _forget_old(self, tx: Transaction, job: str) -> None:
        mark = self._dialect.placeholder
        sql = (
            f"DELETE FROM sys_job_runs WHERE job = {mark} AND id NOT IN "
            f"(SELECT id FROM sys_job_runs WHERE job = {mark} ORDER BY started DESC, id DESC LIMIT {KEPT_RUNS})"
        )
        tx.run([Statement(sql, [job, job])])

    def history(self, tx: Transaction, name: str = "", limit: int = 50) -> list[JobRun]:
        """The latest runs first."""
        if not self.exist(tx):
            return []
        where = f" WHERE job = {self._dialect.placeholder}" if name else ""
        columns = self._dialect.columns([c.name for c in _RUNS.columns])
        sql = f"SELECT {columns} FROM sys_job_runs{where} ORDER BY started DESC, id DESC LIMIT {int(limit)}"
        rows = tx.run([Statement(sql, [name] if name else [])])[0]
        return [JobRun(*self._read(_RUNS.columns, row)) for row in rows]

    # --- plumbing ---

    def _select(self) -> str:
        return f"SELECT {self._dialect.columns([c.name for c in _JOBS.columns])} FROM sys_jobs"

    def _job(self, row: Row) -> Job:
        name, kind, parameters, every, enabled, next_run, last_start, runner, created_by = self._read(
            _JOBS.columns, row
        )
        return Job(
            name, kind, _parameters(parameters), every, enabled, next_run, last_start, runner if runner != EMPTY_UUID else None, created_by,
        )  # fmt: skip

    def _update(self, tx: Transaction, name: str, values: Mapping[str, object]) -> None:
        mark = self._dialect.placeholder
        sets = ", ".join(f"{self._dialect.quote(c)} = {mark}" for c in values)
        written = self._written([_JOBS.column(c) for c in values], list(values.values()))
        tx.run([Statement(f"UPDATE sys_jobs SET {sets} WHERE name = {mark}", [*written, name])])

    def _written(self, columns: Collection[Any], values: Collection[object]) -> list[object]:
        writers = [self._dialect.writer(c) for c in columns]
        return [w(v) if w else v for w, v in zip(writers, values, strict=True)]

    def _read(self, columns: Collection[Any], row: Row) -> list[Any]:
        readers = [self._dialect.reader(c) for c in columns]
        return [r(v) if r else v for r, v in zip(readers, row, strict=True)]


def _too_far(job: Job, now: dt.datetime) -> bool:
    """The clock was set back: the next run would be further away than one interval."""
    return (job.next_run - now).total_seconds() > job.every + CLOCK_SLACK


def _parameters(written: object) -> dict[str, object]:
    try:
        found = json.loads(str(written))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


# --- what an administrator does with them, from afar too ---


@served("Administration")
def jobs_of(session: Session) -> list[Job]:
    """Every job, by name."""
    with session.reading() as tx:
        return Jobs(session.kernel).all(tx)


@served("Administration")
def history_of(session: Session, name: str = "", limit: int = 50) -> list[JobRun]:
    """The latest runs first, of one job or of all."""
    with session.reading() as tx:
        return Jobs(session.kernel).history(tx, name, limit)


@served("Administration")
def switch_job(session: Session, name: str, enabled: bool) -> None:
    """Enable a job (it runs at once) or disable it. JobInvalid."""
    with session.transaction() as tx:
        Jobs(session.kernel).enable(tx, name, enabled=enabled, now=utc_now())
        tx.log([session.log_entry("_$Job$_.Scheduled", comment=f"{name}: enabled = {enabled}")])


@served("Administration")
def remove_job(session: Session, name: str) -> None:
    """With its history. JobInvalid."""
    with session.transaction() as tx:
        Jobs(session.kernel).remove(tx, name)
        tx.log([session.log_entry("_$Job$_.Scheduled", comment=f"{name}: removed")])
