"""The short form of what `python -m tests.reliability` does at length."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bases import file_place, server_place
from tests.reliability import crashes, disk, failing, gate, interrupted, powercut, record, served, twins
from tests.reliability.fuzz import READERS, fuzz
from tests.reliability.ground import Ground, lay
from tests.reliability.operations import FILE_OPERATIONS, OPERATIONS, Operation
from tests.reliability.soak import soak

NO_POWER = disk.why_not()
SERVER_KILLS = ("create", "dump", "restore", "config-apply", "backup")
"""The others are run by the long form."""
NO_GATE = gate.why_not()


@pytest.fixture(scope="module")
def file_ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    ground = interrupted.file_ground(tmp_path_factory.mktemp("interrupted"))
    lay(ground)
    return ground


@pytest.fixture(scope="module")
def server_ground(tmp_path_factory: pytest.TempPathFactory, pg_url: str) -> Ground:
    ground = interrupted.server_ground(tmp_path_factory.mktemp("interrupted"), pg_url)
    lay(ground)
    return ground


@pytest.mark.parametrize("operation", [*OPERATIONS, *FILE_OPERATIONS], ids=lambda o: o.name)
def test_killed_in_file_mode(file_ground: Ground, operation: Operation) -> None:
    found = interrupted.kills(file_ground, operation, 1, seed=len(operation.name))
    assert found.sound, str(found)


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.name in SERVER_KILLS], ids=lambda o: o.name)
def test_killed_in_server_mode(server_ground: Ground, operation: Operation) -> None:
    found = interrupted.kills(server_ground, operation, 1, seed=len(operation.name))
    assert found.sound, str(found)


@pytest.mark.parametrize("name", ["restore", "config-apply", "list-add"])
def test_two_at_once(file_ground: Ground, name: str) -> None:
    """Of two restores, updates or edits of the list both are done, or one is told why not."""
    [operation] = interrupted.operations_of([name], files=True)
    found = twins.twins(file_ground, operation, 2)
    assert found.sound, str(found)
    assert found.rounds == 2


@pytest.mark.parametrize("way", ["users of a file base", "PostgreSQL, all processes", "PostgreSQL, a worker"])
def test_killed_under_load(way: str) -> None:
    tally = crashes.crashes(way, 2, lambda _: None)
    assert tally.sound, str(tally)
    assert tally.acknowledged


@pytest.mark.skipif(bool(NO_GATE), reason=NO_GATE)
@pytest.mark.parametrize(
    ("name", "kind", "most", "step"),
    [
        ("config-apply", "EIO at sync", 30, 1),
        ("dump", "ENOSPC at write", 3, 20),
        ("restore", "ENOSPC at write", 3, 40),
        ("restore", "ENOSPC at sync", 30, 1),
        ("create", "EIO at open", 30, 1),
        ("log-trim", "EIO at rename", 5, 1),
    ],
)
def test_a_failing_disk(file_ground: Ground, name: str, kind: str, most: int, step: int) -> None:
    [operation] = interrupted.operations_of([name], files=True)
    [found] = failing.faults(file_ground, operation, [kind], most, step)
    assert found.sound, str(found)
    assert found.calls and found.rounds


@pytest.mark.parametrize("name", ["dump", "backup"])
def test_no_file_may_outgrow_a_limit(file_ground: Ground, name: str) -> None:
    [operation] = interrupted.operations_of([name], files=True)
    found = interrupted.file_limits(file_ground, operation, steps=4)
    assert found.sound, str(found)


@pytest.mark.skipif(bool(NO_POWER), reason=NO_POWER)
@pytest.mark.parametrize("journal", ["wal", "truncate"])
def test_power_cuts(journal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFOBASE_JOURNAL", journal)
    tally = powercut.cut_file(10, lambda _: None)
    assert tally.sound, str(tally)
    assert tally.acknowledged > 50


def test_the_page_shows_the_kept_counts() -> None:
    """After a run with --save: python -m tests.reliability page."""
    text = record.PAGE.read_text("utf-8")
    assert record.page(text, record.load()) == text


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("mode", ["file", "server"])
def test_soak(mode: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    place = file_place(tmp_path / "base") if mode == "file" else server_place(request.getfixturevalue("pg_url"))
    found = soak(place, users=4, seconds=12, report=lambda _: None)
    place.drop()
    assert found.sound, str(found)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_soak_through_the_application_server(tmp_path: Path) -> None:
    """Two servers behind a balancer; one is killed, and the primary fails over to its standby."""
    with served.stand(tmp_path) as at:
        found = soak(at.place, 4, 12, lambda _: None, at.trouble, at.direct, at.processes)
    assert found.sound, str(found)
    assert found.crashes >= 1


@pytest.mark.parametrize("name", list(READERS))
def test_mutated_input(name: str) -> None:
    found = fuzz(READERS[name], rounds=60, seed=len(name))
    assert not found.broken, str(found)
    assert found.tried >= 60
