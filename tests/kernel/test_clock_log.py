"""A clock set back or forward: the event log keeps the order of its writing, trimming and filters go by dates, registers keep their months."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from engine_server.application import once
from engine_server.failures import CallRepeated
from infobase import session as sessions
from infobase.check import check_base
from infobase.log_export import write_lgd
from infobase.log_files import read_log
from infobase.session import Session
from infobase.storage import LogEntry, LogFilter
from tests.bases import Place, file_place, server_place

NOW = dt.datetime(2026, 3, 1, 12)
BACK, FORWARD = NOW - dt.timedelta(days=40), NOW + dt.timedelta(days=400)
TOLD = [NOW, FORWARD, BACK, NOW + dt.timedelta(hours=1)]
"""What the clock says when the first, second ... thing is done."""


class Clock:
    """The time of day the session reads."""

    def __init__(self) -> None:
        self.now = NOW


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(sessions.Session, "now", lambda _: made.now)
    return made


@pytest.fixture(params=["file", "server"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Session]:
    place: Place = (
        file_place(tmp_path / "base") if request.param == "file" else server_place(request.getfixturevalue("pg_url"))
    )
    place.create()
    with place.session() as session:
        yield session
    place.drop()


OF_GOODS = LogFilter(events=["_$Data$_.New"], text="Товар ")


def _log(session: Session, wanted: LogFilter = OF_GOODS) -> list[LogEntry]:
    return list(session.kernel.engine.event_log().read(wanted))


def _write_goods(session: Session, clock: Clock) -> list[str]:
    names = []
    for n, clock.now in enumerate(TOLD):
        session.catalogs.Goods.new(Description=f"Товар {n}").write()
        names.append(f"Товары: Товар {n}")
    return names


def test_the_log_is_in_the_order_of_writing_whatever_the_dates(opened: Session, clock: Clock) -> None:
    names = _write_goods(opened, clock)
    found = _log(opened)
    assert [e.presentation for e in found] == names
    assert [e.date for e in found] == TOLD
    newest = replace(OF_GOODS, newest_first=True, limit=2)
    assert [e.presentation for e in _log(opened, newest)] == names[:1:-1]


def test_a_period_of_the_log_takes_entries_by_their_own_dates(opened: Session, clock: Clock) -> None:
    names = _write_goods(opened, clock)
    month = replace(OF_GOODS, since=NOW - dt.timedelta(days=1), until=NOW + dt.timedelta(days=1))
    assert [e.presentation for e in _log(opened, month)] == [names[0], names[3]]


def test_trimming_by_date_leaves_what_a_fast_clock_dated_later(opened: Session, clock: Clock) -> None:
    """And what was written under a slow clock goes with the old: the log knows no other time."""
    names = _write_goods(opened, clock)
    log = opened.kernel.engine.event_log()
    log.trim(NOW - dt.timedelta(days=1))
    assert [e.presentation for e in _log(opened)] == [names[0], names[1], names[3]]
    clock.now = NOW
    opened.catalogs.Goods.new(Description="Товар после").write()
    assert [e.presentation for e in _log(opened)][-1] == "Товары: Товар после"


def test_an_export_of_the_log_keeps_its_order(opened: Session, clock: Clock, tmp_path: Path) -> None:
    names = _write_goods(opened, clock)
    write_lgd(iter(_log(opened)), tmp_path / "out.lgd")
    assert [e.presentation for e in read_log(tmp_path / "out.lgd", LogFilter())] == names


def test_totals_across_the_change_of_year(opened: Session, clock: Clock) -> None:
    """Postings dated by a clock that jumps from December over the new year and back: each month has what is dated in it, and re-posting or
    undoing under another time moves the amounts, never doubles them."""
    item = opened.catalogs.Goods.new(Description="Гвоздь")
    item.write()
    stock = opened.accumulation_registers.Stock
    made = []
    eve = dt.datetime(2026, 12, 31, 23, 59, 58)
    for clock.now in (eve, eve + dt.timedelta(seconds=3), eve - dt.timedelta(days=365), eve + dt.timedelta(seconds=2)):
        receipt = opened.documents.Receipt.new()
        receipt.section("Goods").add(Item=item.ref, Quantity=2)
        receipt.post()
        made.append(receipt)

    def balance(moment: dt.datetime) -> Decimal:
        return sum((r["QuantityBalance"] for r in stock.balance(moment)), Decimal(0))  # type: ignore[misc]

    new_year = dt.datetime(2027, 1, 1)
    assert [balance(dt.datetime(2025, 12, 31)), balance(dt.datetime(2026, 6, 1)), balance(new_year)] == [0, 2, 4]
    assert balance(new_year + dt.timedelta(days=1)) == 8
    moved = opened.documents.Receipt.get(made[0].ref)
    moved.Date = dt.datetime(2026, 6, 15)
    moved.post()
    assert [balance(m) for m in (dt.datetime(2026, 6, 1), dt.datetime(2026, 7, 1), new_year)] == [2, 4, 4]
    opened.documents.Receipt.get(made[2].ref).undo_post()
    assert [balance(dt.datetime(2026, 6, 1)), balance(new_year), balance(new_year + dt.timedelta(days=1))] == [0, 2, 6]
    with opened.reading() as tx:
        assert [f for f in check_base(opened.kernel, tx) if f.severity == "error"] == []


def test_numbers_of_documents_start_anew_in_their_own_year(opened: Session, clock: Clock) -> None:
    """A clock a year ahead for a moment neither stops this year's numbers nor is gone on with."""
    numbers = []
    for clock.now in (NOW, FORWARD, NOW, FORWARD):
        made = opened.documents.Receipt.new()
        made.write()
        numbers.append((made.Date.year, made.Number))
    assert len(set(numbers)) == 4
    assert numbers[0][1] < numbers[2][1] and numbers[1][1] < numbers[3][1]


def test_an_idempotency_key_does_not_know_the_clock(opened: Session, clock: Clock) -> None:
    """The same key after a jump is the same change."""
    key = uuid.uuid4()
    if opened.kernel.engine.traits.mode == "file":
        pytest.skip("calls with keys come through the application server")
    for clock.now in (FORWARD, BACK):
        try:
            with opened.transaction():
                once.claim(opened, key)
                opened.catalogs.Goods.new(Description="Раз").write()
                once.keep(opened, key, "сделано")
        except CallRepeated:
            assert once.result(opened, key) == "сделано"
    assert len(list(opened.catalogs.Goods.select())) == 1
    assert once.forget_old(opened) == 0
