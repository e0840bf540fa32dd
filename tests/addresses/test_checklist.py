"""The checklist of a base whose addresses come from one of the two sources, or from one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from classifiers.loader import load
from classifiers.sample_gar import sample_region, write_gar
from classifiers.sample_kladr import DAY
from classifiers.status import ClassifierStatus, checklist
from infobase.session import Session
from tests.crm_bases import create_crm, open_crm


def lines(session: Session) -> dict[str, ClassifierStatus]:
    return {line.kind: line for line in checklist(session, today=DAY)}


@pytest.mark.parametrize(("own", "other", "called"), [("gar", "kladr", "ГАР"), ("kladr", "gar", "КЛАДР")])
def test_either_source_of_addresses_is_enough(
    tmp_path: Path, kladr_folder: Path, own: str, other: str, called: str
) -> None:
    write_gar(tmp_path / "base.zip", {"50": sample_region("50")}, DAY)
    where = f'File="{tmp_path / own}";'
    create_crm(where)
    with open_crm(where) as session:
        assert lines(session)[own].state == lines(session)[other].state == "missing"
        load(session, own, tmp_path / "base.zip" if own == "gar" else kladr_folder)
        found = lines(session)
        assert (found[own].state, found[other].state, found[other].source) == ("loaded", "replaced", own)
        assert called in found[other].told or own.upper() in found[other].told
        assert found["okof"].state == "missing"


def test_what_the_other_source_has_replaced_everywhere_is_not_asked_for_again(
    tmp_path: Path, kladr_folder: Path
) -> None:
    write_gar(tmp_path / "one.zip", {"01": sample_region("01")}, DAY)
    write_gar(tmp_path / "all.zip", {r: sample_region(r) for r in ("01", "02", "77")}, DAY)
    where = f'File="{tmp_path / "base"}";'
    create_crm(where)
    with open_crm(where) as session:
        load(session, "kladr", kladr_folder)
        load(session, "gar", tmp_path / "one.zip")
        assert (lines(session)["kladr"].state, lines(session)["gar"].state) == ("loaded", "loaded"), "regions of both"
        load(session, "gar", tmp_path / "all.zip")
        found = lines(session)
        assert (found["kladr"].state, found["kladr"].source, found["gar"].state) == ("replaced", "gar", "loaded")
        load(session, "kladr", kladr_folder)
        found = lines(session)
        assert (found["gar"].state, found["gar"].source, found["kladr"].state) == ("replaced", "kladr", "loaded")
