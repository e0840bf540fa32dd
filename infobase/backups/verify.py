"""Verifying backups: every file against its checksum, dumps as a whole, and with `full` the content of a physical copy too."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infobase import infobase as bases
from infobase import restore
from infobase.backups.folder import MANIFEST, Backup
from infobase.backups.keys import BackupKey, own_key_place, read_key
from infobase.backups.make import file_digest
from infobase.connection import engine_of
from infobase.connection_string import folder as folder_connection
from infobase.digest import base_digest
from infobase.errors import BackupInvalid, InfobaseError, KeyFileInvalid
from infobase.i18n import text
from infobase.infobase import Infobase
from infobase.scratch import demand_room, file_errors, temporary_folder

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Verdict:
    """What was verified. `depth`: "files" (checksums), "content" (the content digest too). `problem`: "" when all is well."""

    backup: Backup
    depth: str
    problem: str = ""


def key_for(backup: Backup, key_file: Path | None) -> BackupKey | None:
    """The key that opens a backup: of `key_file`, else the base's own; None when the backup is not encrypted. KeyFileInvalid."""
    if not backup.manifest.encrypted:
        return None
    found = read_key(key_file or own_key_place(backup.manifest.infobase_id))
    if found.id != backup.manifest.key_id:
        ru = f"это другой ключ ({found.id}); копии {backup.place} нужен {backup.manifest.key_id}"
        en = f"this is another key ({found.id}); the backup {backup.place} needs {backup.manifest.key_id}"
        raise KeyFileInvalid(place=found.place, detail=text(ru=ru, en=en))
    return found


def verify_backup(
    backup: Backup, key: BackupKey | None = None, *, full: bool = False, progress: Progress | None = None
) -> Verdict:
    """BackupInvalid tells what is wrong. An encrypted dump whose key is not given is verified by its checksums alone."""
    _verify_files(backup, progress)
    if backup.manifest.form == "dump":
        if backup.manifest.encrypted and key is None:
            return Verdict(backup, "files")
        try:
            found = restore.verify_dump(backup.dump, key.secret if key else None, progress).content_digest
        except InfobaseError as e:
            raise BackupInvalid(place=backup.place, detail=e) from e
    elif full:
        with opened_copy(backup) as base:
            found = base_digest(base.kernel, progress).content_digest
    else:
        return Verdict(backup, "files")
    if found != backup.manifest.content_digest:
        detail = text(ru="хеш содержимого не тот, что при создании", en="the content digest is not that of its making")
        raise BackupInvalid(place=backup.place, detail=detail)
    return Verdict(backup, "content")


def _verify_files(backup: Backup, progress: Progress | None) -> None:
    wanted = backup.manifest.files
    present = {p.relative_to(backup.place).as_posix() for p in backup.place.rglob("*") if not p.is_dir()} - {MANIFEST}
    for names, ru, en in (
        (sorted(set(wanted) - present), "нет файлов", "files are missing"),
        (sorted(present - set(wanted)), "лишние файлы", "files that do not belong"),
    ):
        if names:
            raise BackupInvalid(place=backup.place, detail=f"{text(ru=ru, en=en)}: {', '.join(names[:5])}")
    for done, (name, expected) in enumerate(wanted.items()):
        if progress is not None:
            progress(text(ru="контрольные суммы", en="checksums"), done, len(wanted))
        path = backup.place / name
        if path.is_symlink():
            raise BackupInvalid(place=path, detail=text(ru="это ссылка, а не файл", en="it is a link, not a file"))
        try:
            found = file_digest(path)
        except OSError as e:
            raise BackupInvalid(place=path, detail=e.strerror or str(e)) from e
        if found != expected:
            ru, en = "контрольная сумма не сходится", "wrong checksum"
            raise BackupInvalid(place=path, detail=text(ru=ru, en=en))


@contextmanager
def opened_copy(backup: Backup, scratch: Path | None = None) -> Iterator[Infobase]:
    """A base opened from a copy of a physical backup in a private folder, so that the backup itself stays as it is."""
    with temporary_folder("backup", scratch) as place:
        demand_room(place, int(backup.manifest.bytes * 2.2))
        with file_errors(place):
            shutil.copytree(backup.base, place / "base")
        engine = engine_of(folder_connection(place / "base"))
        try:
            yield bases.open_base(engine)
        finally:
            engine.close()
