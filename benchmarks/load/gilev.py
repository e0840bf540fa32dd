"""A test in the spirit of the well-known ones for 1C: one user alone on an otherwise empty base, then ever more users until more of them bring no
more work. It runs beside the base that is asked about, on the same disk or server, and leaves nothing behind.

A cycle is one order posted, read and posted again. The speed index is cycles a second of one user; recommended users are those whose ordinary work
(`PER_USER` postings a second at the busy hour) fills at most `FILLED` of what all sessions together reach.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from statistics import median, quantiles

from benchmarks.load import scratch
from benchmarks.load.deeds import User
from benchmarks.load.fill import new_base
from benchmarks.load.worker import Task, serve
from infobase.connection import connect, engine_of
from infobase.connection_string import ConnectionString, parse
from infobase.i18n import text

Progress = Callable[[str, int, int], None]
PER_USER = 1 / 30
"""Postings a second of a user at the busy hour: one in half a minute."""
FILLED = 0.5
GAIN = 1.05
"""More sessions must bring at least so much more; when two steps in turn do not, the base is saturated."""
STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
DEEDS = ("post", "read", "repost")
GRADES = (
    (100.0, "отлично", "excellent"),
    (40.0, "хорошо", "good"),
    (15.0, "приемлемо", "fair"),
    (0.0, "плохо", "poor"),
)
"""Speed index from which a grade is given: cycles a second."""


@dataclass(frozen=True)
class Step:
    """So many sessions posting at once: postings a second in all, seconds of one (half, 95 %, the longest), refusals."""

    sessions: int
    rate: float
    median: float
    p95: float
    longest: float
    errors: int


@dataclass(frozen=True)
class Score:
    """Times in seconds. `single`: median of each deed of the user alone. `users`: recommended."""

    place: str
    mode: str
    single: dict[str, float]
    index: float
    grade: str
    steps: tuple[Step, ...]
    throughput: float
    saturated: bool
    users: int


def measure(connection: str | ConnectionString, seconds: float, progress: Progress) -> Score:
    """`seconds`: of each part and step. The scratch base is removed whatever happens, and what a killed run has left too."""
    where = parse(connection) if isinstance(connection, str) else connection
    with scratch.beside(where) as made:
        with closing(engine_of(made.connection)) as engine:
            mode, told, advised = engine.traits.mode, engine.place, engine.traits.max_users
            progress(text(ru="пустая база", en="an empty base"), 0, 0)
            new_base(engine, 0, name=made.name)
        single = _alone(made.connection, seconds, progress)
        steps = tuple(_steps(made.connection, seconds, progress))
    index = 1 / sum(single.values())
    best = max(s.rate for s in steps)
    users = int(best * FILLED / PER_USER)
    grade = next(text(ru=ru, en=en) for least, ru, en in GRADES if index >= least)
    saturated = len(steps) < len(STEPS)
    return Score(told, mode, single, index, grade, steps, best, saturated, min(users, advised) if advised else users)


def _alone(place: str, seconds: float, progress: Progress) -> dict[str, float]:
    made: dict[str, float] = {}
    with connect(place, application="Bench") as session:
        user = User(session, 1)
        for n, deed in enumerate(DEEDS):
            progress(text(ru=f"один пользователь: {deed}", en=f"one user: {deed}"), n, len(DEEDS))
            work = getattr(user, deed)
            work()
            taken: list[float] = []
            end = time.perf_counter() + seconds
            while time.perf_counter() < end or len(taken) < 3:
                started = time.perf_counter()
                work()
                taken.append(time.perf_counter() - started)
            made[deed] = median(taken)
    return made


def _steps(place: str, seconds: float, progress: Progress) -> Iterator[Step]:
    best, idle = 0.0, 0
    for n, sessions in enumerate(STEPS):
        progress(text(ru=f"сеансов: {sessions}", en=f"sessions: {sessions}"), n, len(STEPS))
        served = serve(Task(place, "post", sessions, seconds))
        taken = [t for s in served for t in s.latencies] or [seconds]
        cuts = quantiles(taken, n=20) if len(taken) > 1 else taken * 19
        rate = sum(s.count for s in served) / seconds
        errors = sum(sum(s.errors.values()) for s in served)
        yield Step(sessions, rate, cuts[9], cuts[18], max(s.longest for s in served), errors)
        idle = idle + 1 if rate < best * GAIN else 0
        if idle == 2:
            return
        best = max(best, rate)
