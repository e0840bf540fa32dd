"""Backups by pg_dump, checks of the server's settings, measures."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from engine_server.embedded import OLDEST_MAJOR, find_binaries
from engine_server.place import ServerPlace
from engine_server.pool import Connection
from infobase.errors import EngineUnavailable, InfobaseDamaged, TargetExists
from infobase.i18n import text
from infobase.storage import Finding, StoreStats

ARCHIVE = "base.dump"
"""The pg_dump archive inside a backup's folder."""
_SANE = {
    "fsync": ("on", "error"),
    "full_page_writes": ("on", "error"),
    "synchronous_commit": ("on", "warning"),
    "data_checksums": ("on", "warning"),
    "server_encoding": ("UTF8", "error"),
}
"""setting -> (wanted value, severity of another)."""
_STRONGER = {"synchronous_commit": {"remote_write", "remote_apply", "local"}}


# --- backup ---


def backup(conn: Connection, place: ServerPlace, target: Path) -> None:
    """A folder with one `pg_dump -Fc` archive; it appears whole or not at all. TargetExists, EngineUnavailable."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise TargetExists(place=target)
    partial = target.with_name(target.name + ".new")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        _run(
            place,
            _program("pg_dump", conn),
            "-Fc",
            "--no-owner",
            "--no-privileges",
            "-f",
            str(partial / ARCHIVE),
            f"--dbname={place.database}",
        )
        with (partial / ARCHIVE).open("rb+") as file:
            os.fsync(file.fileno())
        if target.exists():
            target.rmdir()
        partial.rename(target)
        _sync_folder(target.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    """Make the renaming durable."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def load_backup(conn: Connection, place: ServerPlace, source: Path) -> None:
    """Fill an empty staged database from what `backup` wrote. InfobaseDamaged."""
    archive = source / ARCHIVE
    with archive.open("rb") as file:
        if file.read(5) != b"PGDMP":
            detail = text(ru="это не архив pg_dump", en="this is not a pg_dump archive")
            raise InfobaseDamaged(place=archive, detail=detail)
    program = _program("pg_restore", conn)
    _run(
        place,
        program,
        "--no-owner",
        "--no-privileges",
        "--exit-on-error",
        "--single-transaction",
        f"--dbname={place.database}",
        str(archive),
    )


def _program(name: str, conn: Connection) -> str:
    """A client program at least as new as the server."""
    wanted = conn.info.server_version // 10000
    candidates = [
        shutil.which(name),
        *map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")),
        find_binaries().program(name),
    ]
    for path in candidates:
        if path and Path(path).exists() and _major(path) >= wanted:
            return path
    raise EngineUnavailable(
        place=name,
        detail=text(
            ru=f"нет программы {name} версии {wanted} или новее. Установите postgresql-client-{wanted} или сделайте выгрузку: infobase dump",
            en=f"no {name} of version {wanted} or newer. Install postgresql-client-{wanted}, or make a dump: infobase dump",
        ),
    )


def _major(path: str) -> int:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\) (\d+)", said)
    return int(found[1]) if found else 0


def _run(place: ServerPlace, program: str, *arguments: str) -> None:
    """The password travels in the environment, never in the arguments."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    given = {"PGHOST": place.host, "PGPORT": str(place.port), "PGUSER": place.user, "PGPASSWORD": place.password}
    more = dict(place.extra)
    given |= {"PGPORT": more.get("port", str(place.port)), "PGTARGETSESSIONATTRS": more.get("target_session_attrs", "")}
    env |= {name: value for name, value in given.items() if value} | {"LC_ALL": "C"}
    done = subprocess.run([program, *arguments], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineUnavailable(place=place, detail=f"{Path(program).name}: {done.stderr.strip()[-2000:]}")


# --- checks and measures ---


def findings(conn: Connection, place: str, *, staged: bool = False) -> list[Finding]:
    """`place`: what people call it. `staged`: a private store, whose own connections do not wait for the disk."""
    made = []
    for name, (wanted, severity) in _SANE.items():
        if staged and name == "synchronous_commit":
            continue
        value = _setting(conn, name)
        if value != wanted and value not in _STRONGER.get(name, set()):
            said = text(ru=f"{name} = {value}, нужно {wanted}", en=f"{name} = {value}, should be {wanted}")
            made.append(Finding(severity, f"server.{name}", said, place))
    row = conn.execute("SELECT datcollate FROM pg_database WHERE datname = current_database()").fetchone()
    if row and row[0] not in ("C", "POSIX"):
        said = text(
            ru=f"сортировка базы данных {row[0]}, нужна C", en=f"the database's collation is {row[0]}, should be C"
        )
        made.append(Finding("note", "server.collation", said, place))
    invalid = conn.execute("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid").fetchall()
    for (name,) in invalid:
        said = text(ru="индекс недействителен: REINDEX", en="the index is invalid: REINDEX")
        made.append(Finding("error", "server.index", said, str(name)))
    return made


def _setting(conn: Connection, name: str) -> str:
    row = conn.execute("SELECT current_setting(%s)", [name]).fetchone()
    return str(row[0]) if row else ""


def measure(conn: Connection) -> StoreStats:
    row = conn.execute("SELECT pg_database_size(current_database()), current_setting('server_version')").fetchone()
    assert row is not None
    largest = conn.execute(
        "SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind = 'r' AND n.nspname = 'public' ORDER BY 2 DESC, 1 LIMIT 5"
    ).fetchall()
    details = {"server": f"PostgreSQL {row[1]}"} | {name: str(size) for name, size in largest}
    return StoreStats(int(row[0]), details)


def demand_version(number: int, place: ServerPlace) -> None:
    """EngineUnavailable for a server older than OLDEST_MAJOR."""
    if number // 10000 < OLDEST_MAJOR:
        detail = text(
            ru=f"PostgreSQL {number // 10000}, нужен {OLDEST_MAJOR} или новее",
            en=f"PostgreSQL {number // 10000}, {OLDEST_MAJOR} or newer is needed",
        )
        raise EngineUnavailable(place=place, detail=detail)
