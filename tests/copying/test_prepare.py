"""What goes and what stays when a base is prepared for the next client."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from infobase import users
from infobase.errors import InfobaseBusy, OperationForbidden
from infobase.infobase import open_base
from infobase.jobs import Job, Jobs, utc_now
from infobase.prepare import Stripped, Wanted, plan, prepare
from infobase.session import Session
from infobase.storage import LogFilter, Statement
from tests.bases import Place


def fill(session: Session) -> None:
    """A little of everything a base of one client gathers."""
    item = session.catalogs.Goods.new(Description="Гвозди")
    item.write()
    receipt = session.documents.Receipt.new()
    receipt.Goods.add(Item=item, Quantity=5)
    receipt.post()
    session.settings.set("number_prefix", "CL")
    session.settings.set("session_limit", "3")
    session.settings.set("user:1:form", "wide")
    session.set_period_lock(None)
    session.classifiers.register("banks", "2026-01-01", "x.xml", "0" * 64, {"banks": 1})
    with session.transaction() as tx:
        Jobs(session.kernel).put(tx, Job("nightly", "log_trim", {}, 3600), utc_now())


def prepared(place: Place, session: Session, wanted: Wanted | None = None) -> dict[str, int]:
    base = open_base(session.kernel.engine)
    return counts(prepare(base, session, wanted or Wanted()))


def counts(stripped: list[Stripped]) -> dict[str, int]:
    return {s.code: s.count for s in stripped if s.count}


def rows(session: Session, table: str) -> int:
    with session.reading() as tx:
        return int(str(tx.run([Statement(f"SELECT count(*) FROM {table}")])[0][0][0]))


def test_what_goes_and_what_stays(place: Place) -> None:
    with place.session() as session:
        fill(session)
        before = open_base(session.kernel.engine).id
        found = prepared(place, session, Wanted(name="Next client"))
        assert found["numbers"] > 0 and found["jobs"] == 1 and found["log"] > 3 and found["settings"] == 3
        base = open_base(session.kernel.engine)
        assert base.id != before and base.name == "Next client"
        assert rows(session, "sys_numbers") == rows(session, "sys_jobs") == 0
        assert session.settings.get("number_prefix") == session.settings.get("user:1:form") == ""
        assert session.settings.get("session_limit") == "3"
        assert session.classifiers.version("banks") is not None
        assert len(list(session.catalogs.Goods.select())) == 1 and len(list(session.documents.Receipt.select())) == 1
        assert len(list(session.catalogs.Regions.select())) > 0, "predefined items stay"
        log = [e.event for e in session.kernel.engine.event_log().read(LogFilter())]
        assert log == ["_$InfoBase$_.Prepared"]


def test_numbering_goes_on_after_what_is_there(place: Place) -> None:
    with place.session() as session:
        fill(session)
        prepared(place, session)
        receipt = session.documents.Receipt.new()
        receipt.Goods.add(Item=next(iter(session.catalogs.Goods.select())), Quantity=1)
        receipt.post()
        numbers = [str(r.Number) for r in session.documents.Receipt.select()]
        assert len(set(numbers)) == 2


def test_documents_go_on_demand(place: Place) -> None:
    with place.session() as session:
        fill(session)
        assert prepared(place, session, Wanted(documents=True))["documents"] > 0
        assert len(list(session.documents.Receipt.select())) == 0
        assert len(list(session.accumulation_registers.Stock.select())) == 0
        item = next(iter(session.catalogs.Goods.select()))
        assert str(item.Description) == "Гвозди"


def test_the_last_clients_words_are_not_in_the_files(file_base: Place, tmp_path: Path) -> None:
    with file_base.session() as session:
        fill(session)
        session.catalogs.Goods.new(Description="СЛЕД В ЖУРНАЛЕ").write()
        with session.transaction() as tx:
            tx.run([Statement("DELETE FROM cat_goods WHERE description = 'СЛЕД В ЖУРНАЛЕ'")])
        prepared(file_base, session, Wanted(documents=True))
    for path in (tmp_path / "base").rglob("*"):
        if path.is_file():
            assert "СЛЕД В ЖУРНАЛЕ".encode() not in path.read_bytes(), path


def test_nothing_changes_in_a_dry_run(place: Place) -> None:
    with place.session() as session:
        fill(session)
        before = rows(session, "sys_numbers"), rows(session, "sys_jobs")
        found = counts(plan(session, Wanted(documents=True, users=True)))
        assert found["documents"] > 0
        assert (rows(session, "sys_numbers"), rows(session, "sys_jobs")) == before


def test_users_but_administrators_go_on_demand(place: Place) -> None:
    with place.session() as session:
        with session.transaction() as tx:
            users.add_user(session.kernel, tx, "Admin", "", ["Administrator"], allow_empty=True)
            users.add_user(session.kernel, tx, "Clerk", "", ["Clerk"], allow_empty=True)
        assert prepared(place, session, Wanted(users=True))["users"] == 1
        with session.reading() as tx:
            assert [u.name for u in users.list_users(session.kernel, tx)] == ["Admin"]


def test_others_in_the_base_are_named_and_nothing_changes(place: Place) -> None:
    with place.session() as session:
        fill(session)
        leave, inside = threading.Event(), threading.Event()

        def stay() -> None:
            with place.session():
                inside.set()
                leave.wait(60)

        other = threading.Thread(target=stay)
        other.start()
        try:
            assert inside.wait(20)
            base = open_base(session.kernel.engine)
            with pytest.raises(InfobaseBusy):
                prepare(base, session, Wanted(), patience=0.2)
        finally:
            leave.set()
            other.join()
        assert rows(session, "sys_numbers") > 0


def test_what_stays_may_not_refer_to_what_goes(place: Place) -> None:
    """A reference from data that stays to a document that goes is found, and everything is taken back."""
    with place.session() as session:
        fill(session)
        partner = session.catalogs.Partners.new(Description="Ромашка")
        partner.write()
        order = session.documents.Order.new(Partner=partner)
        order.write()
        partner.Subject = order.ref
        partner.write()
        with pytest.raises(OperationForbidden):
            prepared(place, session, Wanted(documents=True))
        assert len(list(session.documents.Receipt.select())) == 1
