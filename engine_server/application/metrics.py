"""Prometheus metrics of all worker processes of a host: whichever of them is asked answers for all.

With several workers the counts lie in files of the data folder, one set per process (`prometheus_client.multiprocess`); `share` chooses that
before the workers start. A worker alone keeps them in its memory.
"""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)


def share(folder: Path) -> None:
    """Let the processes started from now on count together in this folder, from zero."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for old in folder.glob("*.db"):
        old.unlink()
    os.environ[FOLDER_VARIABLE] = str(folder)


class Metrics:
    """Counters without names of people or bases. Gauges are the sums over the workers that live."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._folder = os.environ.get(FOLDER_VARIABLE, "")
        r = self.registry
        self.calls = Counter("infobase_calls_total", "Business calls", ["call"], registry=r)
        self.seconds = Histogram("infobase_call_seconds", "Duration of calls", ["call"], buckets=_BUCKETS, registry=r)
        self.failures = Counter("infobase_call_failures_total", "Failed calls by class of error", ["error"], registry=r)
        self.lock_timeouts = Counter("infobase_lock_timeouts_total", "Waits for a lock given up", registry=r)
        self.repeats = Counter("infobase_call_repeats_total", "Calls repeated by the server", ["error"], registry=r)
        self.duplicates = Counter("infobase_duplicate_calls_total", "Changes asked for twice and done once", registry=r)
        self.logins = Counter("infobase_logins_total", "Logins", ["outcome"], registry=r)
        self.running = self._gauge("infobase_running_calls", "Calls at work")
        self.queue = self._gauge("infobase_waiting_calls", "Calls waiting for a thread")
        self.transactions = self._gauge("infobase_interactive_transactions", "Open interactive transactions")
        self.bases = self._gauge("infobase_open_infobases", "Infobases the workers have open, each counted in each")
        self.pool = self._gauge("infobase_pool_connections", "Idle connections to PostgreSQL")
        self.jobs = Counter("infobase_jobs_total", "Runs of jobs", ["outcome"], registry=r)
        self._gauge("infobase_workers", "Worker processes at work").set(1)

    def _gauge(self, name: str, documentation: str) -> Gauge:
        return Gauge(name, documentation, multiprocess_mode="livesum", registry=self.registry)

    def call(self, name: str, seconds: float) -> None:
        self.calls.labels(name).inc()
        self.seconds.labels(name).observe(seconds)

    def text(self) -> bytes:
        if not self._folder:
            return generate_latest(self.registry)
        self._bury()
        whole = CollectorRegistry()
        MultiProcessCollector(whole, path=self._folder)  # type: ignore[no-untyped-call]
        return generate_latest(whole)

    def _bury(self) -> None:
        """Gauges of processes that were killed are nobody's; their counts remain."""
        for file in Path(self._folder).glob("gauge_livesum_*.db"):
            pid = int(file.stem.rpartition("_")[2])
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                mark_process_dead(pid, self._folder)  # type: ignore[no-untyped-call]
            except PermissionError:
                continue
