"""Copies, checks and measures of a base file, and what is removed with it."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from engine_file.event_log import FileEventLog
from engine_file.failures import translate
from engine_file.folder import BaseFolder, is_open, note_closed, note_open, open_mutex, sync_file, sync_folder
from engine_file.store import VERSIONS_AT, Journal, Store, versions
from infobase.errors import (
    DiskFull,
    DoneUnfinished,
    EngineUnavailable,
    InfobaseDamaged,
    InfobaseError,
    StorageFailure,
    TargetExists,
)
from infobase.i18n import text
from infobase.storage import Finding, StoreStats, Traits

FIXED_SQLITE = (3, 51, 3)
"""The first version without the WAL-reset bug."""
_STEP_PAGES = 2000
_ADVISED_SHARE = 0.8


def folder_error(problem: OSError, root: Path) -> InfobaseError:
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(place=root, detail=problem.strerror)
    if problem.errno == errno.EIO:
        return StorageFailure(place=root, detail=problem.strerror)
    advice = text(ru="проверьте путь и права на папку", en="check the path and the rights on the folder")
    return EngineUnavailable(place=root, detail=f"{problem.strerror or problem}; {advice}")


# --- staged stores ---


def finish_store(path: Path, journal: Journal) -> None:
    """Make a staged file nobody has open what it will be: with the header of its journal mode, whole in one file, and durable."""
    if any(p.exists() for p in journals(path)):
        _settle(path)
    with path.open("rb+", buffering=0) as file:
        file.seek(VERSIONS_AT)
        file.write(versions(journal))
        os.fsync(file.fileno())


def journals(path: Path) -> list[Path]:
    """Where SQLite keeps what is not yet in the file."""
    return [path.with_name(path.name + tail) for tail in ("-wal", "-journal")]


def appear(staged: Path, base: Path) -> bool:
    """Give a finished file its name, where nobody has it: at one stroke, and never in place of another. False where names cannot be given so.
    FileExistsError."""
    try:
        os.link(staged, base)
    except FileExistsError:
        raise
    except OSError:
        return False
    with DoneUnfinished.after(base):
        staged.unlink()
        sync_folder(base.parent)
    return True


def _settle(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as conn:
            conn.execute("PRAGMA synchronous = OFF")
            conn.execute("PRAGMA journal_mode = delete").fetchone()
    except sqlite3.Error as problem:
        raise translate(problem, path) or problem from problem


def empty_journals(path: Path) -> None:
    """Bring the WAL or a hot journal of a base nobody has open into its file, so that its companions may go."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("SELECT count(*) FROM sqlite_master").fetchone()
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def copy_store(
    source: Path, target: Path, progress: Callable[[int, int], None] | None = None, *, closed: bool = False
) -> None:
    """A physical copy through SQLite's backup API; the source may be open elsewhere. With a WAL it is one snapshot, however long it
    takes and whoever writes meanwhile; with a rollback journal a writer lets the copy begin anew. `closed`: nobody has the source open
    or will, and nothing may be written beside it, not even for the time of the copying: a process killed then would leave it there."""
    how = "mode=rw" if not closed or any(p.exists() for p in journals(source)) else "mode=ro&immutable=1"

    def step(_: int, remaining: int, total: int) -> None:
        if progress is not None:
            progress(total - remaining, total)

    with open_mutex:
        note_open(source)
    try:
        with closing(sqlite3.connect(f"{source.as_uri()}?{how}", uri=True)) as original:
            original.execute("PRAGMA wal_autocheckpoint = 0")
            if original.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                original.execute("BEGIN")
                original.execute("SELECT count(*) FROM sqlite_master").fetchone()
            with closing(sqlite3.connect(target)) as copy:
                copy.execute("PRAGMA synchronous = OFF")
                original.backup(copy, pages=_STEP_PAGES, progress=step, sleep=0)
            original.rollback()
    except sqlite3.Error as problem:
        raise _copy_problem(problem, source, target) from problem
    finally:
        with open_mutex:
            note_closed(source)


def _copy_problem(problem: sqlite3.Error, source: Path, target: Path) -> Exception:
    """The source is only read: what failed in writing is the target's, and says nothing against the base."""
    name = getattr(problem, "sqlite_errorname", "")
    if "READ" in name or name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_BUSY")):
        return translate(problem, source) or problem
    found = translate(problem, target)
    if isinstance(found, StorageFailure):
        return EngineUnavailable(place=target, detail=str(problem))
    return found or problem


def compact(store: Store) -> None:
    """Rewrite the file without the space of removed rows; under the gate, with nobody else in the base."""
    try:
        store.writer().execute("VACUUM")
        store.writer().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as problem:
        raise translate(problem, store.path) or problem from problem


def vacuum_into(store: Store, scratch: Path) -> None:
    """One consistent state of the store in a file of its own, while users keep working."""
    conn = store.connect()
    try:
        conn.execute("VACUUM INTO ?", [str(scratch)])
    except sqlite3.Error as problem:
        raise translate(problem, store.path) or problem from problem
    finally:
        store.release(conn)


def backup(
    store: Store, log: FileEventLog | None, target: Path, progress: Callable[[int, int], None] | None = None
) -> None:
    """Into the new folder `target`; it appears whole or not at all. TargetExists."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise TargetExists(place=target)
    partial = target.with_name(f"{target.name}.{secrets.token_hex(4)}.new")
    try:
        partial.mkdir(parents=True)
        copy_store(store.path, partial / "1Cv8.1CD", progress)
        if log is not None:
            log.copy_to(partial / "1Cv8Log" / "1Cv8.lgd")
        for path in partial.rglob("*"):
            if path.is_file():
                sync_file(path)
        if target.exists():
            target.rmdir()
        partial.rename(target)
        with DoneUnfinished.after(target):
            sync_folder(target.parent)
    except OSError as problem:
        raise folder_error(problem, target) from problem
    finally:
        shutil.rmtree(partial, ignore_errors=True)


# --- checks ---


def demand_checked(folder: BaseFolder, store: Store) -> None:
    """After an I/O error the base is checked before anything is done with it. InfobaseDamaged."""
    if not folder.check_mark.exists():
        return
    problems = examine(store, "quick_check")
    if problems:
        raise InfobaseDamaged(place=folder.base, detail="; ".join(problems[:3]))
    folder.check_mark.unlink(missing_ok=True)


def examine(store: Store, pragma: str) -> list[str]:
    """SQLite's own complaints."""
    conn = store.connect()
    try:
        found = [str(row[0]) for row in conn.execute(f"PRAGMA {pragma}(20)")]
    except sqlite3.DatabaseError as problem:
        found = [str(problem)]
    finally:
        store.release(conn)
    return [line for line in found if line != "ok"]


def _code(complaint: str) -> str:
    """What is wrong with indexes alone is mended by building them anew."""
    return (
        "store.index" if re.search(r"(missing from|wrong # of entries in|in) index\b", complaint) else "store.damaged"
    )


def findings(store: Store, traits: Traits, log_trouble: str) -> list[Finding]:
    made = [Finding("error", _code(line), line, str(store.path)) for line in examine(store, "integrity_check")]
    if store.journal == "wal" and sqlite3.sqlite_version_info < FIXED_SQLITE:
        said = text(
            ru=f"SQLite {sqlite3.sqlite_version}: до 3.51.3 есть редкая ошибка WAL; контрольные точки выполняются под общей блокировкой",
            en=f"SQLite {sqlite3.sqlite_version}: before 3.51.3 there is a rare WAL bug; checkpoints run under the common lock",
        )
        made.append(Finding("warning", "sqlite.old", said, sqlite3.sqlite_version))
    size = store.path.stat().st_size
    if size > traits.max_infobase_bytes * _ADVISED_SHARE:
        said = text(
            ru=f"размер {size >> 20} МБ близок к пределу файлового режима; перейдите на сервер (replicate)",
            en=f"{size >> 20} MB is near the limit of file mode; move to a server (`replicate`)",
        )
        made.append(Finding("warning", "store.large", said, str(store.path)))
    if log_trouble:
        said = text(ru="журнал регистрации недоступен", en="the event log is unavailable")
        made.append(Finding("warning", "log.unavailable", f"{said}: {log_trouble}"))
    return made


# --- size ---


def measure(folder: BaseFolder, base: Path, journal: Journal) -> StoreStats:
    companions = [base.with_name(base.name + tail) for tail in ("-wal", "-journal")]
    files = [base, *companions, folder.log, folder.log.with_name(folder.log.name + "-wal")]
    sizes = {p.name: p.stat().st_size for p in files if p.exists()}
    details = {name: str(size) for name, size in sizes.items()}
    details |= {"journal": journal, "sqlite": sqlite3.sqlite_version}
    return StoreStats(sum(sizes.values()), details)


# --- removal ---


def remove_companions(folder: BaseFolder) -> None:
    """What the product keeps beside the base; the folder too, when nothing else is in it."""
    if folder.base.exists() or is_open(folder.base):
        return
    for directory, names in (
        (folder.log.parent, ("1Cv8.lgd", "1Cv8.lgd-wal", "1Cv8.lgd-shm", "1Cv8.lgd-journal", "1Cv8.lgd.cfl")),
        (folder.sessions, ("registry.cfl", "number", "exclusive.json")),
        (folder.root, ("1Cv8.1CL.cfl", "1Cv8tmp.1CL.cfl", "1Cv8.1CL", "1Cv8.1CD.cfl", "1Cv8.1CD.check")),
    ):
        for name in names:
            (directory / name).unlink(missing_ok=True)
        with suppress(OSError):
            directory.rmdir()
