"""Stores of each engine by a word, and one small good dump for the whole session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.dump.stores import Stores, dumped

StoresOf = Callable[[str], Stores]


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFOBASE_LANG", "en")


@pytest.fixture
def stores_of(request: pytest.FixtureRequest, tmp_path: Path) -> StoresOf:
    """`stores_of("file")`, `stores_of("server")`; the server is started only when asked for."""

    def made(mode: str) -> Stores:
        if mode == "file":
            return Stores(f'File="{tmp_path / "base"}";')
        url = request.getfixturevalue("pg_url")
        return Stores(postgres.connection_string(url, request.getfixturevalue("pg_database")))

    return made


@pytest.fixture(scope="session")
def good_dump(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A dump of a few rows, plain."""
    folder = tmp_path_factory.mktemp("good")
    with Stores(f'File="{folder / "base"}";').sample(seed=7, rows=4) as (kernel, _):
        dumped(kernel, folder / "good.dt")
        dumped(kernel, folder / "sealed.dt", "пароль")
    yield folder / "good.dt"
