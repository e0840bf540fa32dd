"""A scratch base beside a given one, on the same disk or server, which is gone afterwards whatever happens.

Its maker holds a lock that dies with it: one on a file in the scratch folder, or an advisory one in the server's maintenance database. What a killed
maker has left is so known from what is in use, and the next run removes it.
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit, urlunsplit

import portalocker
from psycopg import sql

from engine_server import staging
from engine_server.engine import ServerEngine
from engine_server.place import ServerPlace, place_of
from engine_server.pool import Connection
from infobase.connection_string import ConnectionString, folder
from infobase.errors import InfobaseError, UsageError
from infobase.i18n import text
from infobase.infobase import open_base
from infobase.storage import StorageEngine

PREFIX = "infobase_gilev_"
LOCK = "gilev.lock"
_TOKEN = re.compile(rf"{PREFIX}[0-9a-f]{{8}}")
_LONGEST_REMOVAL = 10.0
"""Seconds to wait for processes of a killed run that still write into its folder; they end by themselves."""


@dataclass(frozen=True)
class Scratch:
    """`connection`: where the base is to be made; `name`: the name it must get, by which it is known as ours."""

    connection: str
    name: str


@contextmanager
def beside(where: ConnectionString) -> Iterator[Scratch]:
    """A free place; it and what dead runs have left are removed. UsageError where there can be none."""
    if where.kind == "file":
        with _folder_beside(where.file.absolute().parent) as made:
            yield made
    elif where.kind == "dbms":
        with _database_beside(where) as made:
            yield made
    else:
        ru = "для замера нужна папка или строка DBMS=PostgreSQL;..: рядом с базой создаётся временная"
        raise UsageError(detail=text(ru=ru, en="give a folder or DBMS=PostgreSQL;..: a scratch base is made beside it"))


def _token() -> str:
    return PREFIX + secrets.token_hex(4)


# --- folders ---


@contextmanager
def _folder_beside(parent: Path) -> Iterator[Scratch]:
    if not parent.is_dir():
        raise UsageError(detail=text(ru=f"папки {parent} нет", en=f"there is no folder {parent}"))
    _sweep_folders(parent)
    place, lock = _own_folder(parent)
    try:
        yield Scratch(folder(place).format(), place.name)
    finally:
        _remove_folder(place, lock)


def _own_folder(parent: Path) -> tuple[Path, portalocker.Lock]:
    """A new folder whose lock is ours; a sweeper that came between the making and the locking may have it."""
    while True:
        place = parent / ("." + _token())
        lock = portalocker.Lock(str(place / LOCK), "a", timeout=0, fail_when_locked=True)
        try:
            place.mkdir()
            lock.acquire()
        except (portalocker.AlreadyLocked, FileNotFoundError):
            continue
        except (OSError, portalocker.LockException) as e:
            detail = text(
                ru=f"рядом с базой нельзя создать папку: {e}", en=f"no folder can be made beside the base: {e}"
            )
            raise UsageError(detail=detail) from e
        if (place / LOCK).exists():
            return place, lock
        lock.release()


def _sweep_folders(parent: Path) -> None:
    for place in parent.glob(f".{PREFIX}*"):
        if not _TOKEN.fullmatch(place.name[1:]) or not (place / LOCK).is_file():
            continue
        lock = portalocker.Lock(str(place / LOCK), "a", timeout=0, fail_when_locked=True)
        with suppress(portalocker.LockException, OSError):
            lock.acquire()
            _remove_folder(place, lock)


def _remove_folder(place: Path, lock: portalocker.Lock) -> None:
    """The lock goes last: a removal that is cut is taken up by the next run."""
    until = time.monotonic() + _LONGEST_REMOVAL
    while left := [p for p in place.iterdir() if p.name != LOCK]:
        for path in left:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        if time.monotonic() > until:
            break
    (place / LOCK).unlink(missing_ok=True)
    lock.release()
    place.rmdir()


# --- databases ---


@contextmanager
def _database_beside(where: ConnectionString) -> Iterator[Scratch]:
    at = ServerEngine(place_of(where.fields)).where()
    with staging.maintenance(at) as owner:
        _sweep_databases(owner, at)
        name = _token()
        owner.execute("SELECT pg_advisory_lock(%s)", [staging.key_of(name)])
        try:
            yield Scratch(_database(where, name).format(), name)
        finally:
            _remove_database(at, name)


def _database(where: ConnectionString, name: str) -> ConnectionString:
    """Another database of the same server, entered by nobody in particular."""
    if url := where.get("url"):
        parts = urlsplit(url)
        query = "&".join(p for p in parts.query.split("&") if not p.startswith("dbname="))
        return ConnectionString("dbms", (("url", urlunsplit(parts._replace(path=f"/{name}", query=query))),))
    kept = tuple((n, name if n == "DB" else value) for n, value in where.pairs if n not in ("Usr", "Pwd", "UC"))
    return ConnectionString("dbms", kept)


def _sweep_databases(conn: Connection, at: ServerPlace) -> None:
    """A base is known as ours by its own name too: who named a database so keeps it."""
    sql_names = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
    found = {str(n) for (n,) in conn.execute(sql_names, [PREFIX]).fetchall()}
    for name in sorted({m[0] for n in found if (m := _TOKEN.match(n))}):
        key = [staging.key_of(name)]
        if conn.execute("SELECT pg_try_advisory_lock(%s)", key).fetchone() != (True,):
            continue
        try:
            staging.sweep(conn, name)
            if name in found and _is_ours(at, name):
                _drop(conn, name)
        finally:
            conn.execute("SELECT pg_advisory_unlock(%s)", key)


def _is_ours(at: ServerPlace, name: str) -> bool:
    with closing(ServerEngine(at.at(name))) as engine:
        try:
            return open_base(cast(StorageEngine, engine)).name == name
        except InfobaseError:
            return False


def _remove_database(at: ServerPlace, name: str) -> None:
    """On a connection of its own: the owner's may have been lost with what happened."""
    with staging.maintenance(at) as conn:
        staging.sweep(conn, name)
        _drop(conn, name)


def _drop(conn: Connection, name: str) -> None:
    conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
