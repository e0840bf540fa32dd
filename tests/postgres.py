"""A scratch PostgreSQL for tests: a private embedded cluster, or the server named by INFOBASE_TEST_PG_URL (a superuser's URL)."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from engine_server.embedded import EmbeddedCluster
from engine_server.place import ServerPlace, from_url

FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB", "deadlock_timeout": "100ms"}
"""Tests of behaviour need no durable disk writes; tests of durability start a cluster of their own."""


@contextmanager
def scratch_cluster(settings: dict[str, str] | None = None) -> Iterator[str]:
    """URL of a running cluster with a superuser; stopped and removed at the end.

    Not under tmp_path: for root the server runs as another user, and pytest's folders are closed to others.
    """
    given = os.environ.get("INFOBASE_TEST_PG_URL")
    if given:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="infobase-test-pg-"))
    folder.chmod(0o755)
    cluster = EmbeddedCluster(folder, settings=FAST if settings is None else settings)
    try:
        yield url_of(cluster.start())
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def url_of(place: ServerPlace) -> str:
    return f"postgresql://{place.user}@/{quote(place.database)}?host={quote(place.host, safe='')}&port={place.port}"


def database_url(pg_url: str, database: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(pg_url)._replace(path="/" + quote(database)))


def place_in(pg_url: str, database: str) -> ServerPlace:
    return from_url(pg_url).at(database)


def connection_string(pg_url: str, database: str) -> str:
    """The `DBMS=PostgreSQL;...` form for `infobase.connection`."""
    place = from_url(pg_url)
    return f'DBMS=PostgreSQL;DBSrvr="{place.host} port={place.port}";DB="{database}";DBUID="{place.user}";DBPwd="{place.password}";'


def fresh_name(prefix: str = "ib") -> str:
    """A database name nobody has yet; nothing is created."""
    return f"{prefix}_{secrets.token_hex(5)}"


def drop_databases(pg_url: str, prefix: str) -> None:
    """Remove every database whose name begins so, and end its connections."""
    with psycopg.connect(pg_url, autocommit=True) as conn:
        names = conn.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix]).fetchall()
        for (name,) in names:
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
