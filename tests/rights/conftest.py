from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from infobase import users
from infobase.session import Session
from tests.bases import Place, file_place, server_place

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass(frozen=True)
class Office:
    """A base with an administrator («Админ», password "a") and two clerks («Аня» "1", «Боря» "2")."""

    place: Place

    def session(self, user: str, password: str) -> Session:
        return self.place.session(user, password)

    def admin(self) -> Session:
        return self.session("Админ", "a")

    def clerk(self) -> Session:
        return self.session("Аня", "1")


@pytest.fixture(params=["file", "server"])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    if request.param == "file":
        place = file_place(tmp_path / "base")
    else:
        place = server_place(request.getfixturevalue("pg_url"))
    place.create()
    with place.session() as session, session.transaction() as tx:
        kernel = session.kernel
        users.add_user(kernel, tx, "Админ", "a", ["Administrator"], hasher=CHEAP)
        users.add_user(kernel, tx, "Аня", "1", ["Менеджер"], hasher=CHEAP)
        users.add_user(kernel, tx, "Боря", "2", ["Clerk"], hasher=CHEAP)
    yield Office(place)
    place.drop()
