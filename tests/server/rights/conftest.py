"""The office of the rights suite, entered through the server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infobase import users
from tests.rights.conftest import CHEAP, Office
from tests.server.conftest import RemotePlace


@pytest.fixture
def office(place: RemotePlace) -> Iterator[Office]:
    place.create()
    with place.local() as session, session.transaction() as tx:
        kernel = session.kernel
        users.add_user(kernel, tx, "Админ", "a", ["Administrator"], hasher=CHEAP)
        users.add_user(kernel, tx, "Аня", "1", ["Менеджер"], hasher=CHEAP)
        users.add_user(kernel, tx, "Боря", "2", ["Clerk"], hasher=CHEAP)
    yield Office(place)
