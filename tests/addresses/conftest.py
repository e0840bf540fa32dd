"""A base of the CRM with a sample KLADR of three regions, on each engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from classifiers.loader import load
from classifiers.sample_kladr import write_sample_kladr
from infobase.session import Session
from tests import postgres
from tests.crm_bases import create_crm, open_crm

REGIONS = ("01", "02", "77")


@pytest.fixture(scope="session")
def kladr_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "kladr"
    write_sample_kladr(folder, REGIONS)
    return folder


@pytest.fixture(scope="session", params=["file", "server"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A connection string of a new base of the CRM."""
    if request.param == "file":
        where = f'File="{tmp_path_factory.mktemp("addresses")}";'
        create_crm(where)
        yield where
        return
    url, name = request.getfixturevalue("pg_url"), postgres.fresh_name()
    where = postgres.connection_string(url, name)
    create_crm(where)
    yield where
    postgres.drop_databases(url, name)


@pytest.fixture
def session(place: str) -> Iterator[Session]:
    with open_crm(place) as opened:
        yield opened


@pytest.fixture
def loaded(session: Session, kladr_folder: Path) -> Session:
    """With the sample in it."""
    load(session, "kladr", kladr_folder)
    return session
