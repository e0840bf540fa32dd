"""Eight processes posting to one file base: errors, fairness of service, the longest wait."""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.harness import Bench, Figure
from benchmarks.writing import CRM, new_order, sample
from infobase.connection import SESSION_LIMIT, connect
from infobase.errors import InfobaseError
from infobase.infobase import create, open_base, system_session
from infobase.metadata.reader import read_folder

PROCESSES = 8


@dataclass(frozen=True)
class Served:
    """What one process got done: postings, errors, the longest single one in seconds."""

    count: int
    errors: int
    longest: float


_start: Any = None
"""In a child: where all of them meet before they begin."""


def _meet_at(barrier: Any) -> None:
    global _start
    _start = barrier


def _work(connection: str, seconds: float) -> Served:
    count = errors = 0
    longest = 0.0
    with connect(connection) as session:
        order = new_order(session)
        _start.wait(120)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            started = time.perf_counter()
            try:
                made = order.copy()
                made._state.values["Date"] = order._state.values["Date"]
                session.post(made)
                count += 1
            except InfobaseError:
                errors += 1
            longest = max(longest, time.perf_counter() - started)
    return Served(count, errors, longest)


def jain(counts: list[int]) -> float:
    """Jain's fairness index: 1 when all are served alike, 1/n when one takes all."""
    total = sum(counts)
    return total * total / (len(counts) * sum(c * c for c in counts)) if total else 0.0


def contention(bench: Bench, kind: str) -> list[Figure]:
    engine = bench.engine(kind, "contention")
    create(engine, read_folder(CRM), name="contention")
    session = system_session(open_base(engine).kernel)
    sample(session)
    session.settings.set(SESSION_LIMIT, "0")
    engine.close()
    connection = bench.connection(kind, "contention")
    context = multiprocessing.get_context("spawn")
    with context.Pool(PROCESSES, _meet_at, (context.Barrier(PROCESSES),)) as pool:
        served = pool.starmap(_work, [(connection, bench.seconds)] * PROCESSES, chunksize=1)
    counts = [s.count for s in served]
    return [
        Figure(
            "contention",
            kind,
            "errors",
            sum(s.errors for s in served),
            "",
            "<= 0",
            f"{PROCESSES} processes, {bench.seconds:g} s",
        ),
        Figure("contention", kind, "Jain fairness", jain(counts), "", ">= 0.95", f"{min(counts)}..{max(counts)} each"),
        Figure("contention", kind, "longest", max(s.longest for s in served), "s", "<= 2.0"),
        Figure("contention", kind, "postings per second", sum(counts) / bench.seconds, "/s"),
    ]
