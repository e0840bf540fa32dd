"""Bases of the CRM on both engines for tests of classifiers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infobase.session import Session
from tests import postgres
from tests.crm_bases import create_crm, open_crm


@pytest.fixture(scope="module")
def file_crm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """One base in file mode for the tests of a module."""
    place = f'File="{tmp_path_factory.mktemp("classifiers")}";'
    create_crm(place)
    with open_crm(place) as session:
        yield session


@pytest.fixture(scope="module", params=["file", "server"])
def crm_base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Session]]:
    """(connection string, session) of one base per engine and module."""
    if request.param == "file":
        place = f'File="{tmp_path_factory.mktemp("classifiers")}";'
        create_crm(place)
        with open_crm(place) as session:
            yield place, session
        return
    url = request.getfixturevalue("pg_url")
    name = postgres.fresh_name()
    place = postgres.connection_string(url, name)
    create_crm(place)
    with open_crm(place) as session:
        yield place, session
    postgres.drop_databases(url, name)
