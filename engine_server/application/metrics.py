"""Prometheus metrics of one worker. With several workers each answers for itself; the label `worker` tells them apart."""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)


class Metrics:
    """Counters without names of people or bases."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.calls = Counter("infobase_calls_total", "Business calls", ["call"], registry=r)
        self.seconds = Histogram("infobase_call_seconds", "Duration of calls", ["call"], buckets=_BUCKETS, registry=r)
        self.failures = Counter("infobase_call_failures_total", "Failed calls by class of error", ["error"], registry=r)
        self.lock_timeouts = Counter("infobase_lock_timeouts_total", "Waits for a lock given up", registry=r)
        self.repeats = Counter("infobase_call_repeats_total", "Calls repeated by the server", ["error"], registry=r)
        self.duplicates = Counter("infobase_duplicate_calls_total", "Changes asked for twice and done once", registry=r)
        self.logins = Counter("infobase_logins_total", "Logins", ["outcome"], registry=r)
        self.running = Gauge("infobase_running_calls", "Calls at work", registry=r)
        self.queue = Gauge("infobase_waiting_calls", "Calls waiting for a thread", registry=r)
        self.transactions = Gauge("infobase_interactive_transactions", "Open interactive transactions", registry=r)
        self.bases = Gauge("infobase_open_infobases", "Infobases this worker has open", registry=r)
        self.pool = Gauge("infobase_pool_connections", "Idle connections to PostgreSQL", registry=r)
        self.jobs = Counter("infobase_jobs_total", "Runs of jobs", ["outcome"], registry=r)
        Gauge("infobase_worker", "This worker", ["worker"], registry=r).labels(str(os.getpid())).set(1)

    def call(self, name: str, seconds: float) -> None:
        self.calls.labels(name).inc()
        self.seconds.labels(name).observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self.registry)
