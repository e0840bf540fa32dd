"""Classifiers of every kind but addresses through the application server: loaded, loaded in vain, listed, picked from, refreshed."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from classifiers.banks_chosen import check_account, pick_banks, refresh_banks
from classifiers.loader import load
from classifiers.sample import renamed, sample_banks, write_ed807, write_small_ed807
from classifiers.status import checklist, stale_classifiers
from cli import root
from infobase.commands.runner import run
from infobase.connection import connect
from infobase.errors import AccountMismatch, ClassifierInvalid
from infobase.infobase import create
from infobase.session import Session
from tests.classifiers.helpers import (
    CALENDAR_XML,
    ENAOF_XML,
    OKEI_XML,
    OKOF_XML,
    OKSM_CSV,
    OKVED_CSV,
    RATES_XML,
    put,
)
from tests.crm_bases import crm
from tests.server.conftest import RemotePlace

OKV_CSV = "036;AUD;Австралийский доллар\n643;RUB;Российский рубль\n840;USD;Доллар США\n392;JPY;Иена\n"
OKOPF_CSV = (
    "Код;Наименование\n12000;Хозяйственные общества\n12200;Акционерные общества\n12247;Публичные\n12267;Непубличные\n"
)
FILES = {
    "okof": (OKOF_XML, "utf-8", 6),
    "enaof": (ENAOF_XML, "utf-8", 3),
    "okved2": (OKVED_CSV, "cp1251", 8),
    "oksm": (OKSM_CSV, "utf-8", 5),
    "okv": (OKV_CSV, "cp1251", 4),
    "rates": (RATES_XML, "cp1251", 3),
    "okei": (OKEI_XML, "utf-8", 3),
    "okopf": (OKOPF_CSV, "utf-8", 4),
    "calendar": (CALENDAR_XML, "utf-8", 366),
}


@pytest.fixture
def base(place: RemotePlace) -> Iterator[tuple[str, Session]]:
    """(connection string, session) of a remote CRM."""
    engine = place.engine()
    create(engine, crm(), name="CRM")
    engine.close()
    place.cluster.register(place.name, place.name)
    connection = place.cluster.connection(place.name)
    with connect(connection) as session:
        yield connection, session


@pytest.mark.timeout(200)
def test_every_kind_loads_once_and_then_in_vain(base: tuple[str, Session], tmp_path: Path) -> None:
    _, session = base
    for kind, (body, encoding, records) in FILES.items():
        file = put(tmp_path, f"{kind}.txt", body, encoding)
        first = load(session, kind, file)
        assert (kind, first.added + first.unchanged + first.changed) == (kind, records)
        version = session.classifiers.version(kind)
        second = load(session, None, file)
        assert (second.kind, second.nothing_new, second.unchanged) == (kind, True, records)
        assert session.classifiers.version(kind) == version
        cut = put(tmp_path, f"{kind}-cut.txt", body[: len(body) // 3], encoding)
        if body.startswith("<"):
            with pytest.raises(ClassifierInvalid):
                load(session, kind, cut)
            assert session.classifiers.version(kind) == version
    states = {line.kind: (line.state, line.rows) for line in checklist(session, today=dt.date(2024, 3, 16))}
    predefined = {"okv": 1, "okei": 3}
    assert {k: states[k] for k in FILES} == {k: ("loaded", n + predefined.get(k, 0)) for k, (_, _, n) in FILES.items()}
    assert [line.kind for line in stale_classifiers(session, dt.date(2024, 3, 19))] == ["rates"]


@pytest.mark.timeout(200)
def test_banks_are_picked_refreshed_and_checked(base: tuple[str, Session], tmp_path: Path) -> None:
    _, session = base
    entries = sample_banks(12, 20260101)
    write_ed807(tmp_path / "a.zip", entries, dt.date(2026, 1, 12))
    assert load(session, "banks", tmp_path / "a.zip").added == 12
    chosen = entries[2]
    assert pick_banks(session, [chosen.bic])[0].added
    later = [renamed(e, "Новое имя") if e.bic == chosen.bic else e for e in entries[:-1]]
    write_ed807(tmp_path / "b.zip", later, dt.date(2026, 1, 13))
    report = load(session, "banks", tmp_path / "b.zip")
    assert (report.changed, report.closed, report.unchanged) == (1, 1, 10)
    assert any("Новое имя" in line for line in report.remarks)
    assert not any(c.changes for c in refresh_banks(session))
    with pytest.raises(AccountMismatch):
        check_account(session, chosen.bic, "40702810000000000000")


@pytest.mark.timeout(200)
def test_commands(
    base: tuple[str, Session], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, _ = base
    banks = write_small_ed807(tmp_path / "20260112ED01OSBR.zip", banks=5)
    put(tmp_path, "templates/1c/Accounting/3_0_30_10/okof.xml", OKOF_XML)
    put(tmp_path, "home/.1C/1cestart/1cestart.cfg", f"ConfigurationTemplatesLocation={tmp_path / 'templates'}\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def ran(*words: str) -> str:
        code = run(root, ["--lang", "en", "classifier", *words])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return captured.out

    assert json.loads(ran("load", str(tmp_path / "20260112ED01OSBR.zip"), connection, "--json"))["added"] == 5
    assert json.loads(ran("load", "okopf", "builtin", connection, "--json"))["added"] == 123
    assert json.loads(ran("load", "okof", connection, "--json"))["added"] == 6
    assert json.loads(ran("pick", "banks", banks[2].bic, connection, "--json"))[0]["added"] is True
    assert "nothing changed" in ran("refresh", "banks", connection)
    lines = {line["kind"]: line for line in json.loads(ran("status", connection, "--json"))}
    assert {k: lines[k]["rows"] for k in ("banks", "okopf", "okof")} == {"banks": 5, "okopf": 123, "okof": 6}
