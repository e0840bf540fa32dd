"""The loop of a worker process: interrupts asked for elsewhere, exclusive mode, the show of running calls, tidying."""

from __future__ import annotations

import logging
import threading
import time

from engine_server.application import logins
from engine_server.application.state import RunningCall, Worker
from infobase.errors import InfobaseError

BEAT_SECONDS = 0.5
SHOWN_AFTER = 0.3
"""Calls that last longer than so many seconds are shown in the list of sessions."""
TIDY_SECONDS = 60
_log = logging.getLogger("infobase.server")


class Loop:
    """One daemon thread. Trouble with the database is told once and passes with it."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="infobase-worker-loop", daemon=True)
        self._shown: set[object] = set()
        self._tidied = 0.0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            try:
                self.beat()
                self.worker.healthy = True
            except InfobaseError as e:
                if self.worker.healthy:
                    _log.error("cluster database: %s", e)
                self.worker.healthy = False
            except Exception:
                _log.exception("worker loop")

    def beat(self) -> None:
        worker = self.worker
        self._stop_wanted(worker.calls())
        rows = worker.cluster.rows("SELECT id FROM cluster.infobases WHERE exclusive_by <> ''")
        exclusive = {row[0] for row in rows}
        worker.bases.close_idle(exclusive)
        worker.direct.close_idle(exclusive)
        self._show(worker.calls())
        worker.show_pools()
        if time.monotonic() - self._tidied > TIDY_SECONDS:
            self._tidied = time.monotonic()
            logins.tidy(worker.cluster, worker.settings)

    def _stop_wanted(self, calls: list[RunningCall]) -> None:
        """Calls whose session has ended, or that an administrator wants stopped."""
        calls = [c for c in calls if c.server.number]  # a visitor of one request is in no table, and nobody ends him
        if not calls:
            return
        ids = [c.server.id for c in calls]
        rows = self.worker.cluster.rows("SELECT id, interrupt FROM cluster.sessions WHERE id = ANY(%s)", [ids])
        alive = {row[0]: row[1] for row in rows}
        for running in calls:
            reason = alive.get(running.server.id, "terminated")
            if reason and not running.interrupted:
                running.interrupt("terminated" if reason == "-" else reason)
        asked = [key for key, reason in alive.items() if reason]
        if asked:
            self.worker.cluster.run("UPDATE cluster.sessions SET interrupt = '' WHERE id = ANY(%s)", [asked])

    def _show(self, calls: list[RunningCall]) -> None:
        now, worker = time.monotonic(), self.worker
        long = [c for c in calls if now - c.started > SHOWN_AFTER]
        shown = {c.server.id for c in long}
        for c in long:
            worker.cluster.run(
                "UPDATE cluster.sessions SET call = %s, call_started = (now() AT TIME ZONE 'UTC') - make_interval(secs => %s), "
                "worker = %s, backend = %s WHERE id = %s",
                [c.name, now - c.started, worker.name, c.backend, c.server.id],
            )
        gone = list(self._shown - shown)
        if gone:
            worker.cluster.run(
                "UPDATE cluster.sessions SET call = '', call_started = NULL, backend = 0 WHERE id = ANY(%s) AND worker = %s",
                [gone, worker.name],
            )
        self._shown = set(shown)
