"""Bases of the little shop on both engines, with keys kept apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.bases import Place, file_place


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "keys"
    monkeypatch.setenv("INFOBASE_KEYS", str(folder))
    monkeypatch.setenv("INFOBASE_LIST", str(tmp_path / "ibases.v8i"))
    return folder


@pytest.fixture(params=["file", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place of either kind with a base in it."""
    if request.param == "file":
        made = file_place(tmp_path / "base")
    else:
        url, name = request.getfixturevalue("pg_url"), request.getfixturevalue("pg_database")
        made = Place(postgres.connection_string(url, name))
    made.create()
    yield made
    made.drop()


@pytest.fixture
def file_base(tmp_path: Path) -> Place:
    made = file_place(tmp_path / "base")
    made.create()
    return made
