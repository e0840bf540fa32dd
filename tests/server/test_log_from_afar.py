"""An event log longer than one answer of a server: read, exported and trimmed whole, in either order."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

from engine_server.wire.protocol import LOG_PAGE
from infobase.log_files import read_log
from infobase.storage import LogEntry, LogFilter
from tests.server.conftest import RemotePlace
from tests.server.test_commands import Program, program

__all__ = ["program"]
COUNT = 2 * LOG_PAGE + 7
EVENT = "Свое.Событие"


def fill(place: RemotePlace) -> None:
    place.create()
    with place.local() as session:
        made = [
            LogEntry(date=dt.datetime(2020, 1, 1) + dt.timedelta(seconds=n), event=EVENT, comment=str(n))
            for n in range(COUNT)
        ]
        session.kernel.engine.event_log().append(made)


def test_a_long_log_comes_in_pages(place: RemotePlace) -> None:
    fill(place)
    with place.session() as session:
        log = session.kernel.engine.event_log()
        wanted = LogFilter(events=(EVENT,))
        assert [e.comment for e in log.read(wanted)] == [str(n) for n in range(COUNT)]
        backwards = log.read(LogFilter(events=(EVENT,), newest_first=True))
        assert [e.comment for e in backwards] == [str(n) for n in reversed(range(COUNT))]
        for limit in (1, LOG_PAGE, LOG_PAGE + 1):
            assert len(list(log.read(LogFilter(events=(EVENT,), limit=limit)))) == limit
        assert [e.comment for e in log.read(LogFilter(events=(EVENT,), text=str(COUNT - 1)))] == [str(COUNT - 1)]


def test_nothing_is_trimmed_that_is_not_in_the_archive(program: Program, place: RemotePlace, tmp_path: Path) -> None:
    fill(place)
    where, archive = place.cluster.connection(place.name), tmp_path / "archive.lgd"
    code, out, _ = program("log", "trim", where, "--before", "2019-01-01", "--save-as", archive)
    assert code == 0 and not archive.exists() and "archive.lgd" not in out
    assert program("log", "trim", where, "--before", "2021-01-01", "--save-as", archive)[0] == 0
    assert [e.comment for e in read_log(archive, LogFilter(events=(EVENT,)))] == [str(n) for n in range(COUNT)]
    assert json.loads(program("log", "show", where, "--event", EVENT, "--json")[1]) == []
