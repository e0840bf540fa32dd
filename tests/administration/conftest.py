from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infobase.session import Session
from tests.bases import Place, file_place, server_place


@pytest.fixture(params=["file", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty place for a base, on each engine."""
    if request.param == "file":
        yield file_place(tmp_path / "base")
        return
    made = server_place(request.getfixturevalue("pg_url"))
    yield made
    made.drop()


@pytest.fixture
def session(place: Place) -> Iterator[Session]:
    """A session with all rights on a fresh base without users."""
    place.create()
    with place.session() as opened:
        yield opened
