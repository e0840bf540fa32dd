"""Scheduled jobs of the cluster's infobases, run by whichever worker gets to them; and the jobs every base of a server has."""

from __future__ import annotations

import datetime as dt
import logging
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from engine_server.application import infobases
from engine_server.application.bases import OpenBase
from engine_server.application.infobases import InfobaseRecord
from engine_server.application.state import Worker
from infobase.backups.keys import BackupKey, make_key
from infobase.errors import InfobaseError
from infobase.infobase import system_session
from infobase.job_runner import JobRunner
from infobase.rights import Access
from infobase.session import Session
from infobase.standard_jobs import BACKUP_KEEP, BackupParameters, add_usual_jobs
from infobase.storage import SessionInfo

APPLICATION = "BackgroundJob"
_log = logging.getLogger("infobase.server")


@dataclass(eq=False)
class _Runner:
    """A runner's session is registered with the base for as long as the base is open here: its claims live as long."""

    base: OpenBase
    runner: JobRunner
    resources: ExitStack = field(default_factory=ExitStack)


class JobsLoop:
    """One thread per worker. Which worker runs a job is decided in the base's own table, so any number of them may look."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="infobase-jobs", daemon=True)
        self._runners: dict[uuid.UUID, _Runner] = {}

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """A running job is finished first, within reason."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        for runner in self._runners.values():
            runner.resources.close()

    def _run(self) -> None:
        while not self._stop.wait(self.worker.settings.jobs_seconds):
            try:
                self.cycle()
            except InfobaseError as e:
                _log.warning("jobs: %s", type(e).__name__)
            except Exception:
                _log.exception("jobs")

    def cycle(self) -> None:
        """Every base whose jobs are allowed, once."""
        for record in infobases.everything(self.worker.cluster):
            if self._stop.is_set():
                return
            if record.scheduled_jobs_deny or record.exclusive_by:
                continue
            try:
                self._of(record)
            except InfobaseError as e:
                self._forget(record.id)
                _log.warning("jobs of an infobase: %s", type(e).__name__)

    def _of(self, record: InfobaseRecord) -> None:
        with self.worker.direct.use(record, counts=False) as base:
            known = self._runners.get(record.id)
            if known is None or known.base is not base:
                self._forget(record.id)
                known = self._runners[record.id] = self._new(base)
            for run in known.runner.run_due():
                self.worker.metrics.jobs.labels(run.outcome).inc()

    def _new(self, base: OpenBase) -> _Runner:
        stack = ExitStack()
        return _Runner(base, stack.enter_context(runner_of(base)), stack)

    def _forget(self, infobase: uuid.UUID) -> None:
        old = self._runners.pop(infobase, None)
        if old is not None:
            old.resources.close()


@contextmanager
def runner_of(base: OpenBase, user: str = "") -> Iterator[JobRunner]:
    """A runner whose session is registered with the base: what it claims is its own while the session lives. `user`: on whose behalf."""
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
    asked = SessionInfo(uuid.uuid4(), 0, user, APPLICATION, socket.gethostname(), 0, now)
    with base.engine.open_session(asked, permission_code="", limit=0) as info:
        kernel = base.base.kernel
        yield JobRunner(base.base, Session(kernel, Access.full(kernel.configuration), info))


def backup_key(worker: Worker, name: str) -> BackupKey:
    """The key of a base's backups at this server, made on first need."""
    return make_key(worker.home.folder / "keys" / f"{name}.key")


def add_standard_jobs(worker: Worker, record: InfobaseRecord) -> None:
    """What a base of a server has from its first day, see `infobase.standard_jobs.usual_jobs`. The key of its backups lies in the server's
    folder, outside the base and its backups."""
    home, key = worker.home.folder, backup_key(worker, record.name)
    backup = BackupParameters(str(home / "backups" / record.name), BACKUP_KEEP, str(key.place))
    with worker.bases.use(record) as base:
        add_usual_jobs(system_session(base.base.kernel), backup)
