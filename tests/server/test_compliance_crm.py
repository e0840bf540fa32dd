"""A month of the CRM's business entered through a remote session comes out as the same month entered in a file base."""

from __future__ import annotations

from pathlib import Path

import pytest

from classifiers.loader import load
from classifiers.sample import write_small_ed807
from crm import demo as month
from infobase.connection import connect
from infobase.infobase import create, open_base, system_session
from tests.bases import file_place
from tests.crm_bases import crm
from tests.server.conftest import RemotePlace


@pytest.mark.timeout(280)
def test_a_month_over_the_wire_equals_a_month_in_a_file(place: RemotePlace, tmp_path: Path) -> None:
    configuration = crm()
    local = file_place(tmp_path / "base").engine()
    create(local, configuration, name="CRM")
    engine = place.engine()
    create(engine, configuration, name="CRM")
    engine.close()
    place.cluster.register(place.name, place.name)
    file_session = system_session(open_base(local).kernel)
    with connect(place.cluster.connection(place.name)) as remote:
        banks = tmp_path / "banks.zip"
        write_small_ed807(banks, banks=20)
        assert load(remote, "banks", banks).counts == load(file_session, "banks", banks).counts
        told, expected = month.fill(remote, "XS"), month.fill(file_session, "XS")
        assert told == expected
        assert month.totals(remote, month.END) == month.totals(file_session, month.END)
        assert month.funnel(remote, month.END) == month.funnel(file_session, month.END)
        assert month.balances(remote, month.END) == month.balances(file_session, month.END)
    local.close()
