"""Runs the due jobs of a base, one after another, and tells the event log. Any number of runners may work on one base.

runner = JobRunner(base, session)
runner.run_due()                  once
runner.run(stop)                  until `stop` is set
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable

from infobase.durations import shown
from infobase.errors import (
    CommitOutcomeUnknown,
    Deadlock,
    DiskFull,
    EngineUnavailable,
    InfobaseError,
    InfobaseLockedExclusively,
    LockTimeout,
)
from infobase.infobase import Infobase
from infobase.job_kinds import JobContext, Progress, kind_of
from infobase.jobs import Job, JobRun, Jobs, utc_now
from infobase.session import Session

POLL_SECONDS = 10.0
PASSING = (LockTimeout, Deadlock, EngineUnavailable, InfobaseLockedExclusively, DiskFull, CommitOutcomeUnknown)
"""Troubles of the store that may be over at the next look."""
_EARLY = 0.9
"""A job is held back when less than this share of its interval has passed by the runner's own clock."""
_log = logging.getLogger("infobase.jobs")


def run_jobs(runner: JobRunner, name: str = "") -> list[JobRun]:
    """Those that are due, or the one named, due or not. JobInvalid."""
    if not name:
        return runner.run_due()
    made = runner.run_now(name)
    return [made] if made else []


class JobRunner:
    """One session's runner. `clock`: seconds that never go back; `now`: the wall clock, UTC."""

    def __init__(
        self,
        base: Infobase,
        session: Session,
        progress: Progress | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], dt.datetime] = utc_now,
    ) -> None:
        self.base, self.session, self.jobs = base, session, Jobs(base.kernel)
        self._progress, self._clock, self._now = progress, clock, now
        self._started: dict[str, float] = {}

    def run_due(self) -> list[JobRun]:
        """Every job that is due now, once; what became of each. A failed job does not stop the others."""
        made: list[JobRun] = []
        while (claimed := self._claim()) is not None:
            made.append(self._run(*claimed))
        return made

    def run_now(self, name: str) -> JobRun | None:
        """One job, due or not; None when another runner has it. JobInvalid."""
        with self.session.reading() as tx:
            self.jobs.get(tx, name)
        claimed = self._claim(name)
        return None if claimed is None else self._run(*claimed)

    def run(self, stop: threading.Event, tell: Callable[[JobRun], None] | None = None) -> None:
        """Until `stop` is set; a running job is finished first. Where the store is busy or away for a while, the runner looks again later."""
        while not stop.is_set():
            try:
                for run in self.run_due():
                    if tell is not None:
                        tell(run)
            except PASSING as e:
                _log.warning("%s: %s", self.base.kernel.engine.place, e)
            stop.wait(POLL_SECONDS)

    # --- one job ---

    def _claim(self, only: str = "") -> tuple[Job, JobRun] | None:
        now = self._now()
        if not only:
            with self.session.reading() as tx:
                if not self.jobs.due(tx, now):
                    return None
        with self.session.transaction() as tx:
            return self.jobs.claim(
                tx,
                now,
                self.session.info.id,
                lambda: [s.id for s in self.base.kernel.engine.sessions()],
                held=self._held(self.jobs.all(tx)),
                only=only,
                runner_name=str(self.session.info),
            )

    def _held(self, jobs: list[Job]) -> dict[str, int]:
        passed = [(j, self._clock() - self._started[j.name]) for j in jobs if j.name in self._started]
        return {j.name: int(j.every - p) + 1 for j, p in passed if p < j.every * _EARLY}

    def _run(self, job: Job, run: JobRun) -> JobRun:
        started = self._started[job.name] = self._clock()
        self._log("_$Job$_.Start", f"{job.name} ({job.kind})")
        try:
            kind = kind_of(job.kind)
            context = JobContext(self.base, self.session, job.parameters, self._progress)
            message = kind.run(context)
        except Exception as e:
            seconds = self._clock() - started
            said = str(e) if isinstance(e, InfobaseError) else f"{type(e).__name__}: {e}"
            self._log("_$Job$_.Fail", f"{job.name}, {shown(seconds)}: {said}", severity="Error")
            return self._finish(run, "failed", said)
        except BaseException:
            self._log("_$Job$_.Cancel", job.name, severity="Warning")
            self._finish(run, "abandoned", "")
            raise
        self._log("_$Job$_.Succeed", f"{job.name}, {shown(self._clock() - started)}: {message}")
        return self._finish(run, "succeeded", message)

    def _finish(self, run: JobRun, outcome: str, message: str) -> JobRun:
        with self.session.transaction() as tx:
            return self.jobs.finish(tx, run, self._now(), outcome=outcome, message=message)

    def _log(self, event: str, comment: str, severity: str = "Information") -> None:
        log = self.base.kernel.engine.event_log()
        log.append([self.session.log_entry(event, comment=comment, severity=severity)])
