"""`bench gilev` beside a base that people work in: what was there before is there afterwards, and nothing else, however the run ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

import cli
from benchmarks.load import gilev, scratch
from benchmarks.load.fill import new_base
from engine_server.engine import ServerEngine
from infobase.commands import runner
from infobase.connection import engine_of
from infobase.connection_string import parse
from infobase.digest import base_digest
from infobase.infobase import open_base, system_session
from infobase.storage import LogFilter
from tests.bases import Place, file_place

ROOT = Path(__file__).parents[2]
CHILD = """
import sys
from benchmarks.load import gilev
gilev.measure(sys.argv[1], 0.3, lambda what, *_: print(what, flush=True))
"""
MOMENTS = {"making the base": 1, "two sessions": 6}
"""What is under way when the run has told of so many things."""
INTERRUPTED = 130


@dataclass(frozen=True)
class Found:
    """Of a base and of what lies around it: files, and databases where it is one."""

    digest: str
    log: tuple[object, ...]
    users: tuple[str, ...]
    around: frozenset[str]


@pytest.fixture
def measured(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A base with two users and something in its log; the runs are short."""
    monkeypatch.setenv("INFOBASE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(gilev, "STEPS", (1, 2))
    place.create("Chief")
    with place.session("Chief") as session:
        session.users.add("Clerk", "secret", ["Clerk"])
        session.catalogs.Goods.new(Description="Стол").write()
    return place


def found(place: Place, folder: Path) -> Found:
    lies = around(place, folder)
    base = open_base(place.engine())
    try:
        session = system_session(base.kernel)
        log = tuple(base.kernel.engine.event_log().read(LogFilter()))
        users = tuple(u.name for u in session.users.all())
        return Found(base_digest(base.kernel).content_digest, log, users, lies)
    finally:
        base.kernel.engine.close()


def databases(place: Place) -> set[str]:
    engine = place.engine()
    if engine.traits.mode != "server":
        return set()
    with cast(ServerEngine, engine).apart() as conn:
        return {f"database {n}" for (n,) in conn.execute("SELECT datname FROM pg_database").fetchall()}


def program(place: Place) -> int:
    return runner.run(cli.root, ["bench", "gilev", place.connection, "--seconds", "0.1", "--json"])


def around(place: Place, folder: Path) -> frozenset[str]:
    return frozenset({str(p.relative_to(folder)) for p in folder.rglob("*")} | databases(place))


def ended(place: Place, folder: Path, moment: str, how: signal.Signals) -> None:
    """A run that is ended at that moment, when something of it is there."""
    before = around(place, folder)
    command = [sys.executable, "-c", CHILD, place.connection]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
        assert run.stdout is not None
        for _ in range(MOMENTS[moment]):
            assert run.stdout.readline()
        while around(place, folder) == before:
            assert run.poll() is None
        run.send_signal(how)
        assert run.wait(60) != 0


def test_a_run_leaves_everything_as_it_was(measured: Place, tmp_path: Path) -> None:
    before = found(measured, tmp_path)
    assert len(before.log) > 2 and len(before.users) == 2
    assert program(measured) == 0
    assert found(measured, tmp_path) == before


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interrupted_run_leaves_everything_as_it_was(measured: Place, tmp_path: Path, moment: str) -> None:
    before = found(measured, tmp_path)
    ended(measured, tmp_path, moment, signal.SIGINT)
    assert found(measured, tmp_path) == before


def test_the_command_says_that_it_was_interrupted(
    measured: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> Iterator[gilev.Step]:
        raise KeyboardInterrupt

    before = found(measured, tmp_path)
    monkeypatch.setattr(gilev, "_steps", interrupted)
    assert program(measured) == INTERRUPTED
    assert found(measured, tmp_path) == before


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_next_run_sweeps_what_a_killed_one_left(measured: Place, tmp_path: Path, moment: str) -> None:
    before = found(measured, tmp_path)
    ended(measured, tmp_path, moment, signal.SIGKILL)
    assert around(measured, tmp_path) > before.around
    assert program(measured) == 0
    assert found(measured, tmp_path) == before


def test_a_living_run_is_not_swept(measured: Place) -> None:
    where = parse(measured.connection)
    with scratch.beside(where) as living:
        engine = engine_of(living.connection)
        new_base(engine, 0, name=living.name)
        with scratch.beside(where) as other:
            assert other != living
        assert engine.exists()
        engine.close()
    assert not engine_of(living.connection).exists()


@contextmanager
def somebodys(measured: Place, name: str) -> Iterator[Place]:
    """A base that is called like ours and is none."""
    where = parse(measured.connection)
    if where.kind == "file":
        made = file_place(where.file.parent / f".{name}")
    else:
        made = Place(scratch._database(where, name).format())
    made.create()
    yield made
    made.drop()


def test_whoever_is_called_so_keeps_what_is_his(measured: Place) -> None:
    with somebodys(measured, "infobase_gilev_01234567") as one, somebodys(measured, "infobase_gilev_mine") as other:
        assert program(measured) == 0
        for place in (one, other):
            engine = place.engine()
            assert engine.exists()
            engine.close()
