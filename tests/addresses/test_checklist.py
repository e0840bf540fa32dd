"""The checklist of a base whose addresses come from one of the two sources."""

from __future__ import annotations

from pathlib import Path

from classifiers.loader import load
from classifiers.sample_gar import sample_region, write_gar
from classifiers.sample_kladr import DAY
from classifiers.status import checklist
from tests.crm_bases import create_crm, open_crm


def test_either_source_of_addresses_is_enough(tmp_path: Path, kladr_folder: Path) -> None:
    write_gar(tmp_path / "base.zip", {"50": sample_region("50")}, DAY)
    for own, other, source in (("gar", "kladr", tmp_path / "base.zip"), ("kladr", "gar", kladr_folder)):
        where = f'File="{tmp_path / own}";'
        create_crm(where)
        with open_crm(where) as session:
            states = {line.kind: line.state for line in checklist(session, today=DAY)}
            assert states[own] == states[other] == "missing"
            load(session, own, source)
            states = {line.kind: line.state for line in checklist(session, today=DAY)}
            assert (states[own], states[other]) == ("loaded", "replaced")
            assert states["okof"] == "missing"
