from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bases import file_place, server_place
from tests.odata.served import Client, Served, World, served


@pytest.fixture(scope="module", params=["file", "server"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The shop over HTTP, on each engine."""
    if request.param == "file":
        with served(file_place(tmp_path_factory.mktemp("odata") / "base")) as made:
            yield made
        return
    place = server_place(request.getfixturevalue("pg_url"))
    with served(place) as made:
        yield made
    place.drop()


@pytest.fixture
def client(service: Served) -> Iterator[Client]:
    """The administrator."""
    with service.client() as made:
        yield made


@pytest.fixture
def world(service: Served) -> World:
    return service.world
