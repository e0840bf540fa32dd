"""A folder of backups, and what one backup is: a folder with `backup.json` and what that lists.

    DIR/20260101T093000Z-1a2b3c4d-00012/backup.json
    DIR/20260101T093000Z-1a2b3c4d-00012/base/1Cv8.1CD, base/1Cv8Log/1Cv8.lgd    form "folder": a base that opens as it is
    DIR/20260101T093000Z-1a2b3c4d-00012/base.dt                                form "dump", encrypted or not

Backups of several bases may lie in one folder; those of one base are numbered. Names that begin with a dot are work in progress.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

import portalocker

from infobase.backups.retention import Moment
from infobase.errors import BackupInvalid, BackupNotFound
from infobase.i18n import text
from infobase.scratch import file_errors

Form = Literal["folder", "dump"]
FORMAT, VERSION = "infobase-backup", 1
MANIFEST = "backup.json"
BASE, DUMP = "base", "base.dt"
MAX_MANIFEST = 1 << 20
LOCK = ".backups.lock"
_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}-\d{5,}")
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself. Times are UTC, naive. `files`: path below the backup's folder -> (bytes, SHA-256 in hex).

    `place`: where the base was; `key_id`: which key opens it, "" when none is needed; `content_digest` and `rows`: of the base's content,
    the same on every engine; `seconds`: how long it took.
    """

    number: int
    infobase_id: uuid.UUID
    infobase_name: str
    place: str
    mode: str
    configuration_name: str
    configuration_version: str
    form: Form
    key_id: str
    taken: dt.datetime
    finished: dt.datetime
    seconds: float
    files: dict[str, tuple[int, str]]
    content_digest: str
    rows: int
    product: str

    @property
    def encrypted(self) -> bool:
        return bool(self.key_id)

    @property
    def bytes(self) -> int:
        return sum(size for size, _ in self.files.values())


@dataclass(frozen=True)
class Backup:
    """A whole backup in its place."""

    place: Path
    manifest: Manifest

    @property
    def moment(self) -> Moment:
        return Moment(self.manifest.number, self.manifest.taken)

    @property
    def dump(self) -> Path:
        return self.place / DUMP

    @property
    def base(self) -> Path:
        return self.place / BASE


def manifest_bytes(manifest: Manifest) -> bytes:
    content: dict[str, Any] = {"format": FORMAT, "version": VERSION, **asdict(manifest)}
    content["infobase_id"] = str(manifest.infobase_id)
    content["taken"], content["finished"] = f"{manifest.taken:{_TIME}}", f"{manifest.finished:{_TIME}}"
    return json.dumps(content, ensure_ascii=False, indent=1).encode()


def folder_name(manifest: Manifest) -> str:
    """Time, the begin of the base's id, number: unique among the backups of all bases."""
    return f"{manifest.taken:%Y%m%dT%H%M%SZ}-{str(manifest.infobase_id)[:8]}-{manifest.number:05d}"


# --- reading ---


def read_backup(place: Path) -> Backup:
    """One backup by its folder. BackupNotFound, BackupInvalid."""
    file = place / MANIFEST
    try:
        with file.open("rb") as handle:
            raw = handle.read(MAX_MANIFEST + 1)
    except (FileNotFoundError, NotADirectoryError) as e:
        raise BackupNotFound(place=place) from e
    except OSError as e:
        raise BackupInvalid(place=file, detail=e.strerror or str(e)) from e
    try:
        if len(raw) > MAX_MANIFEST:
            raise ValueError("too large")
        return Backup(place, _manifest(json.loads(raw)))
    except (ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError) as e:
        ru = f"{MANIFEST} повреждён или не от этой программы ({e})"
        en = f"{MANIFEST} is damaged or of another program ({e})"
        raise BackupInvalid(place=place, detail=text(ru=ru, en=en)) from e


def _manifest(content: Any) -> Manifest:
    if content["format"] != FORMAT or content["version"] != VERSION:
        raise ValueError(f"format {content['format']!r} {content['version']!r}")
    fields = {name: content[name] for name in Manifest.__dataclass_fields__}
    files = {str(name): (int(size), str(sha)) for name, (size, sha) in content["files"].items()}
    fields |= {
        "number": int(content["number"]),
        "infobase_id": uuid.UUID(content["infobase_id"]),
        "taken": dt.datetime.strptime(content["taken"], _TIME),
        "finished": dt.datetime.strptime(content["finished"], _TIME),
        "seconds": float(content["seconds"]),
        "rows": int(content["rows"]),
        "files": files,
    }
    made = Manifest(**fields)
    if made.form not in get_args(Form) or not files or made.number < 1:
        raise ValueError("form, files or number")
    for name in files:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or "\\" in name or ":" in name or ".." in parts:
            raise ValueError(f"path {name!r}")
    return made


def backups_in(folder: Path, infobase_id: uuid.UUID | None = None) -> tuple[list[Backup], list[BackupInvalid]]:
    """The whole backups of a folder (of one base), the newest number first, and why others are not. BackupNotFound: no such folder."""
    if not folder.is_dir():
        raise BackupNotFound(place=folder)
    found: list[Backup] = []
    broken: list[BackupInvalid] = []
    for place in sorted(folder.iterdir()):
        if place.name.startswith(".") or not place.is_dir():
            continue
        try:
            backup = read_backup(place)
        except BackupNotFound:
            if _NAME.fullmatch(place.name):
                detail = text(ru=f"нет {MANIFEST}", en=f"{MANIFEST} is missing")
                broken.append(BackupInvalid(place=place, detail=detail))
            continue
        except BackupInvalid as e:
            broken.append(e)
            continue
        if infobase_id is None or backup.manifest.infobase_id == infobase_id:
            found.append(backup)
    return sorted(found, key=lambda b: (b.manifest.number, b.manifest.taken), reverse=True), broken


def find_backup(place: Path, infobase_id: uuid.UUID | None = None) -> Backup:
    """A backup by its own folder, or the newest of a folder of backups. BackupNotFound; BackupInvalid when bases would be mixed."""
    if (place / MANIFEST).exists():
        return read_backup(place)
    found, broken = backups_in(place, infobase_id)
    if not found:
        raise broken[0] if broken else BackupNotFound(place=place)
    bases = {b.manifest.infobase_id: b.manifest.infobase_name for b in found}
    if len(bases) > 1:
        names = ", ".join(sorted(set(bases.values())))
        ru = f"в папке копии нескольких баз ({names}); укажите папку одной копии"
        en = f"the folder has backups of several bases ({names}); give the folder of one backup"
        raise BackupInvalid(place=place, detail=text(ru=ru, en=en))
    return found[0]


# --- changing ---


@contextmanager
def numbering(folder: Path) -> Iterator[None]:
    """One at a time gives numbers in a folder, and removes backups from it."""
    with file_errors(folder), portalocker.Lock(str(folder / LOCK), "a", timeout=60):
        yield


def next_number(folder: Path, infobase_id: uuid.UUID) -> int:
    found, _ = backups_in(folder, infobase_id)
    return max((b.manifest.number for b in found), default=0) + 1


def remove_backup(backup: Backup) -> None:
    """It leaves the list in one step, then its files go; those a killed process left half removed are swept later."""
    doomed = backup.place.with_name(f".{backup.place.name}.gone")
    with file_errors(backup.place):
        if doomed.exists():
            shutil.rmtree(doomed)
        backup.place.rename(doomed)
        shutil.rmtree(doomed)


def sweep_removed(folder: Path) -> None:
    for doomed in folder.glob(".*.gone"):
        shutil.rmtree(doomed, ignore_errors=True)
