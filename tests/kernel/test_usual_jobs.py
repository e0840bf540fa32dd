"""The jobs every base should have: what they are, and the upkeep of totals beside people at work."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

from infobase.infobase import open_base
from infobase.job_runner import JobRunner
from infobase.jobs import history_of, jobs_of
from infobase.maintenance import maintain_totals
from infobase.session import Session
from infobase.standard_jobs import BackupParameters, add_usual_jobs
from infobase.storage import LogFilter, Statement
from infobase.totals import totals_findings
from tests.bases import Place


def stocked(session: Session) -> None:
    item = session.catalogs.Goods.new(Description="Стол")
    item.write()
    for _ in range(2):
        receipt = session.documents.Receipt.new()
        receipt.Goods.add(Item=item, Quantity=5)
        receipt.post()
    receipt.undo_post()


def balance(session: Session) -> list[object]:
    return [r["QuantityBalance"] for r in session.accumulation_registers.Stock.balance()]


def spoil(session: Session) -> None:
    with session.transaction() as tx:
        tx.run([Statement("UPDATE acc_stock__balance SET quantity = quantity + 7000")])


def test_the_usual_jobs_run_and_stay_as_somebody_changed_them(session: Session, tmp_path: Path) -> None:
    stocked(session)
    backup = BackupParameters(str(tmp_path / "copies"), "48", plain=True)
    assert add_usual_jobs(session, backup) == ["backup", "totals", "classifiers", "log_trim"]
    assert {j.name: j.every for j in jobs_of(session)}["backup"] == 30 * 60
    assert add_usual_jobs(session, None) == []
    spoil(session)
    runs = JobRunner(open_base(session.kernel.engine), session).run_due()
    assert sorted((r.job, r.outcome) for r in runs) == [
        (n, "succeeded") for n in ("backup", "classifiers", "log_trim", "totals")
    ], runs
    assert balance(session) == [5]
    assert any((tmp_path / "copies").iterdir())
    assert len(history_of(session)) == 4


def test_wrong_totals_are_summed_anew_and_named_in_the_log(session: Session) -> None:
    stocked(session)
    assert maintain_totals(session).rebuilt == ()
    spoil(session)
    assert balance(session) != [5]
    assert maintain_totals(session).rebuilt == ("AccumulationRegister.Stock",)
    assert balance(session) == [5]
    entries = list(session.kernel.engine.event_log().read(LogFilter(events=["Totals.Recalculated"])))
    assert [e.metadata for e in entries] == ["РегистрНакопления.Остатки"]


def test_rows_of_zeros_go(session: Session) -> None:
    stocked(session)
    for document in list(session.documents.Receipt.select({"Posted": True})):
        document.undo_post()
    assert balance(session) == []
    with session.reading() as tx:
        [before] = tx.run([Statement("SELECT 1 FROM acc_stock__balance")])
    removed = maintain_totals(session).removed
    assert removed >= len(before)
    with session.reading() as tx:
        assert tx.run([Statement("SELECT 1 FROM acc_stock__balance")]) == [[]]
        assert totals_findings(session.kernel, tx) == []


def test_upkeep_beside_postings_loses_nothing(place: Place) -> None:
    place.create()
    place.open_to_many()
    stop, trouble = threading.Event(), []

    def keep_up() -> None:
        with place.session() as own:
            while not stop.is_set():
                spoil(own)
                try:
                    maintain_totals(own)
                except Exception as e:
                    trouble.append(e)
                    return

    with place.session() as session:
        stocked(session)
        thread = threading.Thread(target=keep_up)
        thread.start()
        item = session.catalogs.Goods.find_by_description("Стол")
        for _ in range(40):
            receipt = session.documents.Receipt.new(Date=session.now() + timedelta(seconds=1))
            receipt.Goods.add(Item=item, Quantity=1)
            receipt.post()
        stop.set()
        thread.join(60)
        assert trouble == []
        maintain_totals(session)
        assert balance(session) == [45]
        with session.reading() as tx:
            assert totals_findings(session.kernel, tx) == []
