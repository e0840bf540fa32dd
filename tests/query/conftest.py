from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.query.sample import CONFIGURATION
from tests.query.stores import Store, postgres_store, sqlite_store


@pytest.fixture(scope="session")
def both(pg_url: str) -> Iterator[tuple[Store, Store]]:
    """The same empty base on SQLite and on PostgreSQL."""
    stores = (sqlite_store(CONFIGURATION), postgres_store(CONFIGURATION, pg_url))
    yield stores
    for store in stores:
        store.bare.connection.close()


@pytest.fixture(scope="session")
def spare(pg_url: str) -> Iterator[tuple[Store, Store]]:
    stores = (sqlite_store(CONFIGURATION), postgres_store(CONFIGURATION, pg_url))
    yield stores
    for store in stores:
        store.bare.connection.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, spare: tuple[Store, Store]) -> Store:
    """An empty base on each engine in turn, apart from `both`."""
    chosen = spare[0] if request.param == "sqlite" else spare[1]
    chosen.clear()
    return chosen
