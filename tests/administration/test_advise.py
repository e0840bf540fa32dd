"""`advise`: measured, weighed against the limits, with a command that works; and nothing is left behind."""

from __future__ import annotations

import datetime as dt
import json
import shlex
import threading

import pytest

from infobase import advice, errors
from infobase.digest import base_digest
from infobase.infobase import open_base
from infobase.storage import SERVICE_APPLICATION, LogEntry, LogFilter
from tests.administration.conftest import Program
from tests.bases import Place

CALM = {
    "limited": 1, "sessions": 1, "peak_sessions": 2, "bytes": 10 << 20, "lock_conflicts": 0, "waiting_now": 0, "commit_us": 900,
    "commit_slow_us": 5000, "wait_us": 10, "read_us": 50,
}  # fmt: skip


def test_a_calm_file_base_stays() -> None:
    made = advice.weigh(CALM)
    assert (made.recommended, made.move) == ("file", False)
    assert {c.verdict for c in made.criteria} == {"ok"}


@pytest.mark.parametrize(
    ("code", "near", "beyond"),
    [
        ("sessions", 3, 4),
        ("peak_sessions", 3, 4),
        ("bytes", 1800 << 20, 2 << 30 | 1),
        ("lock_conflicts", 0, 1),
        ("commit_us", 45_000, 60_000),
        ("read_us", 18_000, 25_000),
    ],
)
def test_each_limit_moves_a_file_base(code: str, near: int, beyond: int) -> None:
    almost = advice.weigh(CALM | {code: near})
    assert not almost.move and {c.verdict for c in almost.criteria if c.code == code} == {"warning" if near else "ok"}
    made = advice.weigh(CALM | {code: beyond})
    assert (made.recommended, made.move) == ("server", True)
    assert [c.code for c in made.criteria if c.verdict == "exceeded"] == [code]


def test_a_server_base() -> None:
    server = CALM | {"limited": 0}
    assert not advice.weigh(server).move
    assert advice.weigh(server | {"peak_sessions": 1}).recommended == "file"
    busy = advice.weigh(server | {"peak_sessions": 40, "bytes": 9 << 30, "lock_conflicts": 7})
    assert (busy.recommended, busy.move) == ("server", False)


def entry(minute: int, session: int, event: str, application: str = "1CV8C") -> LogEntry:
    date = dt.datetime(2026, 1, 1) + dt.timedelta(minutes=minute)
    return LogEntry(date, f"_$Session$_.{event}", application=application, session=session)


def test_the_peak_is_of_people_and_forgets_the_killed() -> None:
    entries = [
        entry(0, 1, "Start"),
        entry(1, 2, "Start"),
        entry(2, 9, "Start", SERVICE_APPLICATION),
        entry(3, 1, "Finish"),
        entry(4, 3, "Start"),
        entry(60 * 30, 4, "Start"),
        entry(60 * 30 + 1, 5, "Start"),
    ]
    assert advice.peak(entries) == 2
    assert advice.peak([]) == 0


def test_measuring_leaves_nothing_behind(place: Place) -> None:
    place.create()
    with place.session() as session:
        base = open_base(session.kernel.engine)
        before = base_digest(base.kernel).content_digest
        entries = len(list(session.kernel.engine.event_log().read(LogFilter())))
        found = advice.measure(base)
        assert found.keys() == CALM.keys()
        assert found["sessions"] == 1 and found["peak_sessions"] >= 1 and found["bytes"] > 0
        assert min(found["commit_us"], found["read_us"]) > 0 and found["commit_slow_us"] >= found["commit_us"]
        assert base_digest(base.kernel).content_digest == before
        assert len(list(session.kernel.engine.event_log().read(LogFilter()))) == entries


def test_lock_conflicts_are_counted(place: Place) -> None:
    place.create()
    with place.session() as holder, place.session() as waiter:
        goods = holder.catalogs.Goods.new(Description="x")
        goods.write()
        waiter.lock_timeout = 0.2
        failed: list[BaseException] = []

        def wait() -> None:
            try:
                obj = waiter.catalogs.Goods.get(goods.ref)
                obj.Description = "y"
                obj.write()
            except errors.LockTimeout as e:
                failed.append(e)

        with holder.transaction():
            goods.Description = "z"
            goods.write()
            thread = threading.Thread(target=wait)
            thread.start()
            thread.join()
        assert len(failed) == 1
        assert advice.measure(open_base(holder.kernel.engine))["lock_conflicts"] == 1


def test_as_people_type_it(program: Program, conn: str) -> None:
    code, out, err = program("advise", conn, "--json")
    assert code == 0, err
    told = json.loads(out)
    words = shlex.split(told["command"])
    assert words[:2] == ["infobase", "replicate"] and len(words) == 4
    assert "DBPwd" not in told["command"]
    assert {c["code"] for c in told["criteria"]} == set(CALM) - {"limited"}
    code, out, _ = program("advise", conn, "--to", 'File="/srv/other";')
    assert code == 0 and "/srv/other" in out and "infobase replicate" in out
