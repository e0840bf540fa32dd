"""Bases of the little shop configuration (tests/shop) on every engine, for tests of the kernel."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from infobase.connection import SESSION_LIMIT, engine_of, open_session
from infobase.infobase import open_base
from infobase.metadata.model import Configuration
from infobase.metadata.reader import read_folder
from infobase.session import Session
from infobase.storage import StorageEngine
from tests.golden import create_copy

SHOP = Path(__file__).parent / "shop"


@cache
def shop() -> Configuration:
    return read_folder(SHOP)


@dataclass(frozen=True)
class Place:
    """Where a test base lives; `connection` is a connection string."""

    connection: str

    def engine(self) -> StorageEngine:
        return engine_of(self.connection)

    def create(self, admin: str = "") -> None:
        engine = self.engine()
        try:
            create_copy(engine, shop(), name="Shop", admin=admin)
        finally:
            engine.close()

    def open_to_many(self) -> None:
        """Take away the limit on sessions that a file base has."""
        with self.session() as session:
            session.settings.set(SESSION_LIMIT, "0")

    def session(self, user: str = "", password: str = "") -> Session:
        engine = self.engine()
        try:
            return open_session(open_base(engine), user, password)
        except BaseException:
            engine.close()
            raise

    def drop(self) -> None:
        engine = self.engine()
        try:
            if engine.exists():
                engine.drop()
        finally:
            engine.close()


def file_place(folder: Path) -> Place:
    return Place(f'File="{folder}";')


def server_place(url: str) -> Place:
    """A fresh database name on the cluster at `url` (postgresql://user@host:port/ or with ?host=socket folder)."""
    from urllib.parse import urlsplit, urlunsplit

    parts = urlsplit(url)
    return Place(urlunsplit(parts._replace(path=f"/shop_{uuid.uuid4().hex[:10]}")))
