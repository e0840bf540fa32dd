"""Scheduled jobs on both engines: exactly one runner wins, the dead are succeeded, clocks may jump."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infobase import job_runner
from infobase.connection import SESSION_LIMIT
from infobase.errors import JobInvalid
from infobase.i18n import Bilingual
from infobase.infobase import open_base
from infobase.job_kinds import JobContext, JobKind, kind_of, registry
from infobase.job_runner import JobRunner
from infobase.jobs import Job, JobRun, Jobs
from infobase.schema.layout import JOB_TABLES
from infobase.session import Session
from infobase.storage import LogFilter, Statement
from tests.bases import Place

T0 = dt.datetime(2026, 3, 1, 12, 0)
HALF_HOUR = 1800


@pytest.fixture(autouse=True)
def ran() -> Iterator[list[str]]:
    """What the test kind has done; a job with the parameter `fail` fails."""
    done: list[str] = []

    def run(context: JobContext) -> str:
        done.append(str(context.parameters.get("mark", "")))
        if context.parameters.get("fail"):
            raise ValueError("it failed")
        return "done"

    registry().add(JobKind("test", Bilingual("Проба", "Trial"), run, lambda parameters: None))
    yield done
    del registry().kinds["test"]


class Time:
    """Both clocks of a runner, moved by the test."""

    def __init__(self) -> None:
        self.wall, self.steady = T0, 1000.0

    def pass_by(self, seconds: float) -> None:
        self.wall += dt.timedelta(seconds=seconds)
        self.steady += seconds

    def set_wall(self, moment: dt.datetime) -> None:
        self.wall = moment


def runner_of(session: Session, place: Place, stack: ExitStack, time: Time) -> JobRunner:
    base = open_base(place.engine())
    stack.callback(base.kernel.engine.close)
    return JobRunner(base, session, clock=lambda: time.steady, now=lambda: time.wall)


def put(
    session: Session, name: str = "job", every: int = HALF_HOUR, now: dt.datetime = T0, **parameters: object
) -> None:
    with session.transaction() as tx:
        Jobs(session.kernel).put(tx, Job(name, "test", parameters, every), now)


def history(session: Session) -> list[JobRun]:
    with session.reading() as tx:
        return Jobs(session.kernel).history(tx)


def test_a_job_runs_when_it_is_due(place: Place, ran: list[str]) -> None:
    time = Time()
    with ExitStack() as stack:
        session = stack.enter_context(place.session())
        put(session, mark="a")
        runner = runner_of(session, place, stack, time)
        assert [r.outcome for r in runner.run_due()] == ["succeeded"]
        assert runner.run_due() == []
        time.pass_by(HALF_HOUR - 1)
        assert runner.run_due() == []
        time.pass_by(1)
        assert len(runner.run_due()) == 1
        assert ran == ["a", "a"]
        assert [r.outcome for r in history(session)] == ["succeeded"] * 2
        events = [e.event for e in session.kernel.engine.event_log().read(LogFilter())]
        assert events.count("_$Job$_.Start") == events.count("_$Job$_.Succeed") == 2


def test_a_failed_job_is_told_and_does_not_stop_the_others(place: Place, ran: list[str]) -> None:
    with ExitStack() as stack:
        session = stack.enter_context(place.session())
        put(session, "bad", fail=True, mark="bad")
        put(session, "good", mark="good")
        put(session, "unknown")
        with session.transaction() as tx:
            tx.run([Statement("UPDATE sys_jobs SET kind = 'gone' WHERE name = 'unknown'")])
        runs = {r.job: r for r in runner_of(session, place, stack, Time()).run_due()}
        assert {n: r.outcome for n, r in runs.items()} == {"bad": "failed", "good": "succeeded", "unknown": "failed"}
        assert "it failed" in runs["bad"].message
        failures = list(session.kernel.engine.event_log().read(LogFilter(events=["_$Job$_.Fail"])))
        assert len(failures) == 2 and failures[0].severity == "Error"


def test_exactly_one_of_many_runners_wins(place: Place, ran: list[str]) -> None:
    for_each, count = 3, 6
    with ExitStack() as stack:
        first = stack.enter_context(place.session())
        first.settings.set(SESSION_LIMIT, "0")
        for n in range(for_each):
            put(first, f"job {n}", mark=str(n))
        runners = []
        for _ in range(count):
            session = stack.enter_context(place.session())
            runners.append(runner_of(session, place, stack, Time()))
        with ThreadPoolExecutor(count) as pool:
            made = [r for runs in pool.map(lambda r: r.run_due(), runners) for r in runs]
        assert sorted(ran) == sorted(str(n) for n in range(for_each))
        assert len(made) == len(history(first)) == for_each


def test_a_job_that_runs_is_left_alone_and_a_dead_runner_is_succeeded(place: Place, ran: list[str]) -> None:
    time = Time()
    with ExitStack() as stack:
        session = stack.enter_context(place.session())
        put(session, mark="x")
        jobs = Jobs(session.kernel)
        alive: Callable[[], list[uuid.UUID]] = lambda: [s.id for s in session.kernel.engine.sessions()]  # noqa: E731
        with place.session() as other, other.transaction() as tx:
            assert jobs.claim(tx, time.wall, other.info.id, alive) is not None
            time.pass_by(2 * HALF_HOUR)
        with place.session() as living, living.transaction() as tx:
            living_id = living.info.id
            tx.run(
                [
                    Statement(
                        f"UPDATE sys_jobs SET runner = {session.kernel.dialect.placeholder}",
                        [_stored(session, living_id)],
                    )
                ]
            )
            assert jobs.claim(tx, time.wall, session.info.id, alive) is None, "its runner lives"
        runner = runner_of(session, place, stack, time)
        assert [r.outcome for r in runner.run_due()] == ["succeeded"], "its runner is gone"
        assert sorted(r.outcome for r in history(session)) == ["abandoned", "succeeded"]


def _stored(session: Session, value: uuid.UUID) -> object:
    from infobase.schema.layout import SYSTEM_TABLES

    writer = session.kernel.dialect.writer(SYSTEM_TABLES["sys_jobs"].column("runner"))
    return writer(value) if writer else value


KILLED = """
import os, sys
from infobase.i18n import Bilingual
from infobase.infobase import open_base
from infobase.job_kinds import JobKind, registry
from infobase.job_runner import JobRunner
from tests.bases import Place
place = Place(sys.argv[1])
registry().add(JobKind("test", Bilingual("", ""), lambda c: os.kill(os.getpid(), 9), lambda p: None))
with place.session() as session:
    JobRunner(open_base(place.engine()), session).run_due()
"""


def test_the_job_of_a_killed_runner_runs_again(place: Place, ran: list[str]) -> None:
    with place.session() as session:
        put(session, now=dt.datetime(2020, 1, 1), mark="x")
    done = subprocess.run([sys.executable, "-c", KILLED, place.connection], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == -9
    with ExitStack() as stack:
        session = stack.enter_context(place.session())
        base = open_base(place.engine())
        stack.callback(base.kernel.engine.close)
        later = dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0) + dt.timedelta(seconds=HALF_HOUR)
        runs = JobRunner(base, session, now=lambda: later).run_due()
        assert [r.outcome for r in runs] == ["succeeded"]
        assert sorted(r.outcome for r in history(session)) == ["abandoned", "succeeded"]


def test_a_runner_takes_back_what_a_failure_left_with_it(place: Place, ran: list[str]) -> None:
    """The end of a run could not be written down: the same runner, still alive, runs the job again when it is due."""
    time = Time()
    with ExitStack() as stack:
        session = stack.enter_context(place.session())
        put(session, mark="x")
        runner = runner_of(session, place, stack, time)
        assert runner._claim() is not None
        assert runner.run_due() == []
        time.pass_by(HALF_HOUR)
        assert [r.outcome for r in runner.run_due()] == ["succeeded"]
        assert sorted(r.outcome for r in history(session)) == ["abandoned", "succeeded"]


def test_a_store_that_is_busy_for_a_while_does_not_end_the_runner(
    file_base: Place, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_runner, "POLL_SECONDS", 0.05)
    stop, told = threading.Event(), threading.Event()
    with ExitStack() as stack:
        session = stack.enter_context(file_base.session())
        put(session, now=dt.datetime(2020, 1, 1), mark="x")
        base = open_base(file_base.engine())
        stack.callback(base.kernel.engine.close)
        worker = stack.enter_context(file_base.session())
        worker.lock_timeout = 0.05
        thread = threading.Thread(target=JobRunner(base, worker).run, args=(stop, lambda run: told.set()))
        with session.transaction() as tx:
            tx.run([Statement("UPDATE sys_jobs SET created_by = 'busy'")])
            thread.start()
            assert not told.wait(0.5) and thread.is_alive(), "the gate is held: nothing can be claimed"
        assert told.wait(20)
        stop.set()
        thread.join(20)
    assert ran == ["x"]


# --- clocks ---


def test_a_clock_set_back_neither_stops_nor_doubles(place: Place, ran: list[str]) -> None:
    time = Time()
    with ExitStack() as stack:
        session = stack.enter_context(place.session())
        put(session)
        runner = runner_of(session, place, stack, time)
        runner.run_due()
        time.pass_by(60)
        time.set_wall(T0 - dt.timedelta(days=3))
        assert runner.run_due() == [], "set back: not at once"
        time.pass_by(HALF_HOUR)
        assert len(runner.run_due()) == 1, "but one interval later"
        fresh = runner_of(session, place, stack, time)
        time.set_wall(T0 - dt.timedelta(days=30))
        assert fresh.run_due() == []
        time.pass_by(HALF_HOUR)
        assert len(fresh.run_due()) == 1, "another runner, which has seen nothing, too"


def test_a_clock_set_forward_runs_once_and_not_too_soon(place: Place, ran: list[str]) -> None:
    time = Time()
    with ExitStack() as stack:
        session = stack.enter_context(place.session())
        put(session)
        runner = runner_of(session, place, stack, time)
        runner.run_due()
        time.pass_by(60)
        time.set_wall(T0 + dt.timedelta(days=365))
        assert runner.run_due() == [], "a minute has passed by the runner's own clock"
        time.pass_by(HALF_HOUR)
        assert len(runner.run_due()) == 1, "missed runs are not caught up"
        assert runner.run_due() == []


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(moves=st.lists(st.tuples(st.integers(1, 2 * HALF_HOUR), st.integers(-(10**6), 10**6)), max_size=5))
def test_whatever_the_clock_does_the_gaps_stay_in_bounds(file_base: Place, moves: list[tuple[int, int]]) -> None:
    """Time really passes in steps of five minutes; now and then the wall clock jumps. The job never runs twice within nine tenths of its
    interval, and after the last jump it runs within two."""
    time, starts = Time(), []
    with ExitStack() as stack:
        session = stack.enter_context(file_base.session())
        with session.transaction() as tx:
            Jobs(session.kernel).ensure(tx)
            Jobs(session.kernel).clear(tx)
        put(session)
        runner = runner_of(session, file_base, stack, time)
        for seconds, jump in [*moves, (2 * HALF_HOUR + 600, 0)]:
            time.set_wall(time.wall + dt.timedelta(seconds=jump))
            for _ in range(0, seconds, 300):
                time.pass_by(300)
                starts += [time.steady for _ in runner.run_due()]
    gaps = [b - a for a, b in zip(starts, starts[1:], strict=False)]
    assert all(g >= 0.9 * HALF_HOUR for g in gaps)
    assert time.steady - starts[-1] <= 2 * HALF_HOUR


# --- the table ---


def test_an_old_base_gets_the_tables_on_first_need(place: Place, ran: list[str]) -> None:
    with place.session() as session:
        with session.transaction() as tx:
            tx.run([Statement(f"DROP TABLE {name}") for name in JOB_TABLES])
        with session.reading() as tx:
            assert Jobs(session.kernel).all(tx) == [] and Jobs(session.kernel).history(tx) == []
        assert history(session) == []
        put(session)
        with session.reading() as tx:
            assert [j.name for j in Jobs(session.kernel).all(tx)] == ["job"]


def test_a_base_without_jobs_is_not_written_to(place: Place) -> None:
    with ExitStack() as stack:
        session = stack.enter_context(place.session())
        with session.transaction() as tx:
            tx.run([Statement(f"DROP TABLE {name}") for name in JOB_TABLES])
        assert runner_of(session, place, stack, Time()).run_due() == []
        with session.reading() as tx:
            assert not Jobs(session.kernel).exist(tx)


def test_changing_enabling_removing(place: Place, ran: list[str]) -> None:
    with ExitStack() as stack:
        session = stack.enter_context(place.session())
        put(session)
        put(session, every=HALF_HOUR * 2, mark="new")
        jobs, time = Jobs(session.kernel), Time()
        runner = runner_of(session, place, stack, time)
        with session.transaction() as tx:
            assert [(j.every, j.parameters) for j in jobs.all(tx)] == [(2 * HALF_HOUR, {"mark": "new"})]
            jobs.enable(tx, "job", enabled=False, now=T0)
        assert runner.run_due() == []
        run = runner.run_now("job")
        assert run is not None and run.outcome == "succeeded" and ran == ["new"]
        with session.transaction() as tx:
            jobs.enable(tx, "job", enabled=True, now=T0)
            jobs.remove(tx, "job")
        assert history(session) == []
        with pytest.raises(JobInvalid):
            runner.run_now("job")


@pytest.mark.parametrize(("name", "every"), [("", 60), (" x", 60), ("x" * 101, 60), ("x\n", 60), ("x", 59), ("x", 0)])
def test_jobs_that_make_no_sense_are_refused(file_base: Place, name: str, every: int) -> None:
    with file_base.session() as session, pytest.raises(JobInvalid):
        put(session, name, every)


@pytest.mark.parametrize(
    "parameters",
    [{}, {"folder": "relative"}, {"folder": "/x", "evil": "rm"}, {"folder": 5}, {"folder": "/x", "plain": "yes"}],
)
def test_parameters_are_checked(parameters: dict[str, object]) -> None:
    with pytest.raises(JobInvalid):
        kind_of("backup").check(parameters)


def test_a_kind_nobody_registered() -> None:
    with pytest.raises(JobInvalid):
        kind_of("os.system")
