"""The real tables of KLADR, into both modes: the counts are the published ones, the second load changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from classifiers.loader import load
from infobase.session import Session
from tests import postgres
from tests.crm_bases import create_crm, open_crm

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "classifiers" / "kladr"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="the real classifier files are not here")


@pytest.fixture(scope="module", params=["file", "server"])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    if request.param == "file":
        place, url, name = f'File="{tmp_path_factory.mktemp("kladr")}";', "", ""
    else:
        url, name = request.getfixturevalue("pg_url"), postgres.fresh_name()
        place = postgres.connection_string(url, name)
    create_crm(place)
    with open_crm(place) as opened:
        yield opened
    if url:
        postgres.drop_databases(url, name)


def test_region_01_of_2012_loads_with_every_row(session: Session) -> None:
    report = load(session, "kladr", REAL / "derived_region01_2012")
    assert report.counts == {"records": 5903, "KLADR": 439, "STREET": 5464}
    assert (report.added, report.changed, report.closed) == (5903, 0, 0)
    rows = session.information_registers.AddressObjects.select()
    places = [r for r in rows if r["Level"] != "5"]
    assert len(rows) == 5903
    assert Counter(str(r["Actuality"]) for r in places) == {"00": 385, "99": 46, "01": 8}
    region = session.information_registers.AddressRegions.select()
    assert [(r["Region"], r["Name"], r["Objects"], r["Streets"]) for r in region] == [("01", "Адыгея Респ", 439, 5464)]

    again = load(session, "kladr", REAL / "derived_region01_2012")
    assert again.nothing_new
    assert again.unchanged == 5903
    assert session.information_registers.AddressObjects.select() == rows


def test_the_small_tables_of_2010_load_without_the_big_ones(session: Session) -> None:
    report = load(session, None, REAL / "real_2010-08-30")
    assert report.counts == {"records": 7437, "SOCRBASE": 148, "ALTNAMES": 7289, "FLAT": 0}
    assert len(report.remarks) == 3
    assert len(session.information_registers.AddressTypes.select()) == 148
    assert len(session.information_registers.AddressSuccessors.select()) == 7289
    assert load(session, "kladr", REAL / "real_2010-08-30").nothing_new
