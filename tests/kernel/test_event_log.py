"""The event log: what is written for which deed, in which layout, and that a failed transaction leaves no entry."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from infobase.errors import BalanceShortage
from infobase.log_layout import CODE_TABLES, EVENT_COLUMNS
from infobase.session import Session
from infobase.storage import LogFilter
from tests.bases import file_place


def events(session: Session) -> list[str]:
    return [e.event for e in session.kernel.engine.event_log().read(LogFilter())]


def test_every_public_write_is_one_entry(session: Session) -> None:
    start = len(events(session))
    goods = session.catalogs.Goods.new(Description="Гвоздь")
    goods.write()
    goods.Price = 5
    goods.write()
    receipt = session.documents.Receipt.new()
    receipt.Goods.add(Item=goods, Quantity=1)
    receipt.post()
    receipt.undo_post()
    receipt.set_deletion_mark(True)
    receipt.delete()
    names = ["New", "Update", "Post", "Unpost", "Update", "Delete"]
    assert events(session)[start:] == [f"_$Data$_.{n}" for n in names]


def test_entries_name_who_what_and_which(session: Session) -> None:
    goods = session.catalogs.Goods.new(Description="Гвоздь")
    goods.write()
    entry = list(session.kernel.engine.event_log().read(LogFilter(events=["_$Data$_.New"])))[-1]
    assert entry.metadata == "Справочник.Товары"
    assert str(goods.ref.uuid) in entry.data
    assert "Гвоздь" in entry.presentation
    assert (entry.transaction, entry.severity, entry.session) == ("Committed", "Information", session.info.number)


def test_a_refused_posting_leaves_no_entry(session: Session) -> None:
    goods = session.catalogs.Goods.new(Description="Гвоздь")
    partner = session.catalogs.Partners.new(Description="Ромашка")
    goods.write()
    partner.write()
    start = len(events(session))
    order = session.documents.Order.new(Partner=partner)
    order.Goods.add(Item=goods, Quantity=1)
    with pytest.raises(BalanceShortage):
        order.post()
    assert events(session)[start:] == []


def test_filters_and_trimming(session: Session) -> None:
    log = session.kernel.engine.event_log()
    for n in range(3):
        session.catalogs.Goods.new(Description=f"т{n}").write()
    assert len(list(log.read(LogFilter(events=["_$Data$_.New"], limit=2)))) == 2
    assert list(log.read(LogFilter(metadata=["Справочник.Партнеры"]))) == []
    newest = next(iter(log.read(LogFilter(newest_first=True, limit=1))))
    assert newest.presentation.endswith("т2")
    assert log.trim(newest.date.replace(year=newest.date.year + 1)) > 0
    assert list(log.read(LogFilter())) == []


def test_the_file_is_laid_out_as_1c_lays_it_out(tmp_path: Path) -> None:
    place = file_place(tmp_path / "base")
    place.create()
    with place.session() as session:
        session.catalogs.Goods.new(Description="Гвоздь").write()
    with closing(sqlite3.connect(tmp_path / "base" / "1Cv8Log" / "1Cv8.lgd")) as conn:
        columns = [r[1] for r in conn.execute("PRAGMA table_info(EventLog)")]
        assert columns == ["rowID", *EVENT_COLUMNS]
        tables = {r[0] for r in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert set(CODE_TABLES) <= tables
        names = {r[0] for r in conn.execute("SELECT name FROM EventCodes")}
        assert '"_$Data$_.New"' in names, "names stand in quotes"
        seconds = conn.execute("SELECT max(date) FROM EventLog").fetchone()[0] / 10_000
        assert 2020 < seconds / (365.2425 * 86400) + 1 < 2200


def test_the_base_opens_and_works_without_its_log(tmp_path: Path) -> None:
    place = file_place(tmp_path / "base")
    place.create()
    with place.session():
        pass
    log = tmp_path / "base" / "1Cv8Log" / "1Cv8.lgd"
    for file in log.parent.iterdir():
        file.unlink()
    log.write_bytes(b"this is no database at all" * 100)
    with place.session() as session:
        session.catalogs.Goods.new(Description="Гвоздь").write()
        assert "log.unavailable" in [f.code for f in session.kernel.engine.check() if f.severity == "warning"]
    for file in log.parent.iterdir():
        file.unlink()
    with place.session() as session:
        assert "_$Session$_.Start" in events(session)
