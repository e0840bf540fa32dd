"""Bases and the program for tests of administration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import cli
from infobase.commands import runner
from infobase.session import Session
from tests import postgres
from tests.bases import SHOP, Place, file_place, server_place

Program = Callable[..., tuple[int, str, str]]


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Runs the program in this process; (exit code, standard output, standard error)."""
    monkeypatch.setenv("INFOBASE_LIST", str(tmp_path / "ibases.v8i"))
    monkeypatch.setenv("INFOBASE_LANG", "en")

    def run(*arguments: object) -> tuple[int, str, str]:
        code = runner.run(cli.root, [str(a) for a in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return run


@pytest.fixture(params=["file", "server"])
def conn(request: pytest.FixtureRequest, tmp_path: Path, program: Program) -> Iterator[str]:
    """A connection string of a base of the little shop with an administrator without a password."""
    if request.param == "file":
        made = f'File="{tmp_path / "base"}";'
    else:
        url, name = request.getfixturevalue("pg_url"), request.getfixturevalue("pg_database")
        made = postgres.connection_string(url, name)
    code, _, err = program("create", made, "--template", SHOP, "--name", "Shop")
    assert code == 0, err
    yield made


@pytest.fixture(params=["file", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty place for a base, on each engine."""
    if request.param == "file":
        yield file_place(tmp_path / "base")
        return
    made = server_place(request.getfixturevalue("pg_url"))
    yield made
    made.drop()


@pytest.fixture
def session(place: Place) -> Iterator[Session]:
    """A session with all rights on a fresh base without users."""
    place.create()
    with place.session() as opened:
        yield opened
