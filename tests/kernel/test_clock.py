"""A clock that jumps by hours and days, there and back: what the product reads it for stays whole and in order."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path

import pytest

from infobase import session
from infobase.backups import folder as backup_folder
from infobase.backups import make
from infobase.backups.retention import parse_rules
from infobase.errors import LockTimeout, SessionsBlocked
from infobase.infobase import open_base
from infobase.session_block import SessionBlock, demand_unblocked
from infobase.storage import LogFilter
from tests.bases import Place, file_place

NOW = dt.datetime(2026, 3, 1, 12)
JUMPS = [dt.timedelta(hours=5), dt.timedelta(days=40), dt.timedelta(hours=-5), dt.timedelta(days=-40)]


class Clock:
    """`ahead`: how far the clock the product reads is from the right one; the monotonic clock runs on."""

    def __init__(self) -> None:
        self.ahead = dt.timedelta(0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made, seconds = Clock(), time.time
    monkeypatch.setattr(session.Session, "now", lambda _: (dt.datetime.now() + made.ahead).replace(microsecond=0))
    monkeypatch.setattr(make, "utc_now", lambda: _utc() + made.ahead)
    monkeypatch.setattr(time, "time", lambda: seconds() + made.ahead.total_seconds())
    return made


def _utc() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)


@pytest.fixture
def base(tmp_path: Path) -> Place:
    place = file_place(tmp_path / "base")
    place.create()
    return place


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_backups_around_a_jump(clock: Clock, base: Place, tmp_path: Path, jump: dt.timedelta) -> None:
    """Each has its own number and folder, and the newest stay, whatever time they carry."""
    rules, kept = parse_rules("60d"), tmp_path / "backups"
    with base.session() as opened:
        made = []
        for ahead in (dt.timedelta(0), jump, jump, dt.timedelta(0)):
            clock.ahead = ahead
            made.append(make.make_backup(open_base(opened.kernel.engine), kept, rules=rules))
    found, broken = backup_folder.backups_in(kept, None)
    assert not broken
    assert [b.manifest.number for b in found] == [4, 3, 2, 1]
    assert len({m.backup.place for m in made}) == 4 and not any(m.removed for m in made)


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_documents_and_the_log_around_a_jump(clock: Clock, base: Place, jump: dt.timedelta) -> None:
    """Numbers go on upwards in one year, a document keeps its date, and every entry of the log is there in the order of its writing."""
    numbers, dates = [], []
    with base.session() as opened:
        opened.catalogs.Partners.new(Description="Ромашка").write()
        for ahead in (dt.timedelta(0), jump, dt.timedelta(0)):
            clock.ahead = ahead
            made = opened.documents.Receipt.new()
            made.write()
            numbers.append(made.Number)
            dates.append(made.Date)
        written = [e.data for e in opened.kernel.engine.event_log().read(LogFilter()) if "Receipt" in e.data]
    assert len(set(numbers)) == 3 or {d.year for d in dates} != {dates[0].year}
    assert abs(dates[1] - dates[0] - jump) < dt.timedelta(minutes=1)
    assert len(written) == 3


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_totals_do_not_know_the_clock(clock: Clock, base: Place, jump: dt.timedelta) -> None:
    """A posting dated by a clock that was wrong is in the balance of now, and totals equal movements."""
    with base.session() as opened:
        item = opened.catalogs.Goods.new(Description="Гвоздь")
        item.write()
        for ahead in (dt.timedelta(0), jump, dt.timedelta(0)):
            clock.ahead = ahead
            made = opened.documents.Receipt.new()
            made.section("Goods").add(Item=item.ref, Quantity=2)
            made.post()
        [row] = opened.accumulation_registers.Stock.balance()
        assert row["QuantityBalance"] == 6
        assert [f for f in opened.kernel.engine.check() if f.severity == "error"] == []


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_a_wait_for_a_lock_and_the_registry_of_sessions(clock: Clock, base: Place, jump: dt.timedelta) -> None:
    """The waiting limit is by the monotonic clock, and who works is alive by his lock, not by his age."""
    with base.session() as first, base.session() as second:
        clock.ahead = jump
        assert {s.id for s in second.kernel.engine.sessions()} >= {first.info.id, second.info.id}
        with first.kernel.engine.transaction(write=True), pytest.raises(LockTimeout):
            before = time.monotonic()
            with second.kernel.engine.transaction(write=True, timeout=0.3):
                pass
        assert 0.3 <= time.monotonic() - before < 10
        second.catalogs.Goods.new(Description="Стол").write()


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_a_block_holds_by_the_clock_of_the_moment(jump: dt.timedelta) -> None:
    """It is a period of the calendar: a jump out of it opens the base, a jump back closes it again; without a period no jump matters."""
    hour = dt.timedelta(hours=1)
    day, always = SessionBlock(NOW - hour, NOW + hour), SessionBlock()
    demand_unblocked(day, "", NOW + jump)
    for block, moment in ((day, NOW), (always, NOW), (always, NOW + jump)):
        with pytest.raises(SessionsBlocked):
            demand_unblocked(block, "", moment)
