"""Making a backup while people work, verifying it at once, and thinning the older ones.

Where users have the store's files anyway (`traits.backup_opens`) a backup is a physical copy that opens as it is; elsewhere, and whenever it
is encrypted, it is a dump. It appears under its name when it is whole and verified, or not at all.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from infobase import infobase as bases
from infobase import restore
from infobase.backups.folder import (
    BASE,
    DUMP,
    MANIFEST,
    Backup,
    Form,
    Manifest,
    backups_in,
    folder_name,
    manifest_bytes,
    next_number,
    numbering,
    remove_backup,
    sweep_removed,
)
from infobase.backups.keys import BackupKey, make_key, own_key_place, read_key
from infobase.backups.retention import Rule, kept
from infobase.connection import engine_of
from infobase.connection_string import folder as folder_connection
from infobase.copying import keep_only_payload
from infobase.digest import base_digest
from infobase.dump_format import product_version
from infobase.errors import BackupInvalid, KeyFileInvalid, TargetUnfit
from infobase.files import write_atomically
from infobase.i18n import text
from infobase.infobase import Infobase
from infobase.jobs import utc_now
from infobase.scratch import ScratchFolder, demand_room, file_errors

Progress = Callable[[str, int, int], None]
_CHUNK = 4 << 20
_VERIFIED_SHARE = 2.2
"""A physical copy is digested through a second one."""


@dataclass(frozen=True)
class MadeBackup:
    """The new backup, and the older ones that the rules let go."""

    backup: Backup
    removed: tuple[Path, ...]


def choose_key(base: Infobase, key_file: Path | None, *, plain: bool) -> BackupKey | None:
    """The key of `key_file`; without one, the base's own key (made on first need) where backups are encrypted by default; None for plain."""
    if key_file is not None:
        return read_key(key_file)
    if plain or base.kernel.engine.traits.backup_opens:
        return None
    return make_key(own_key_place(base.id))


def make_backup(
    base: Infobase,
    folder: Path,
    *,
    key: BackupKey | None = None,
    rules: Sequence[Rule] = (),
    progress: Progress | None = None,
) -> MadeBackup:
    """A verified backup in `folder`; then those of this base that `rules` do not keep go. TargetUnfit, DiskFull, BackupInvalid."""
    folder = folder.expanduser().absolute()
    form: Form = "folder" if key is None and base.kernel.engine.traits.backup_opens else "dump"
    demand_place(base, folder, key)
    demand_room(folder, int(base.kernel.engine.size().bytes * (_VERIFIED_SHARE if form == "folder" else 1)))
    started, clock = utc_now(), time.monotonic()
    with ScratchFolder(folder / "backup", mode=0o700) as scratch:
        with file_errors(folder):
            written = _write_folder if form == "folder" else _write_dump
            digest, rows = written(base, scratch.path, key, progress)
            files = _files(scratch.path, progress)
        draft = _manifest(base, form, key, started, digest, rows, files)
        with numbering(folder):
            sweep_removed(folder)
            seconds = round(time.monotonic() - clock, 3)
            manifest = replace(draft, number=next_number(folder, base.id), finished=utc_now(), seconds=seconds)
            with file_errors(folder):
                write_atomically(scratch.path / MANIFEST, manifest_bytes(manifest))
            place = folder / folder_name(manifest)
            scratch.publish(place)
            removed = thin(folder, base, rules)
    return MadeBackup(Backup(place, manifest), removed)


def thin(folder: Path, base: Infobase, rules: Sequence[Rule], now: dt.datetime | None = None) -> tuple[Path, ...]:
    """Remove this base's backups that no rule keeps."""
    if not rules:
        return ()
    found, _ = backups_in(folder, base.id)
    stay = kept([b.moment for b in found], rules, now or utc_now())
    doomed = [b for b in found if b.manifest.number not in stay]
    for backup in doomed:
        remove_backup(backup)
    return tuple(b.place for b in doomed)


def demand_place(base: Infobase, folder: Path, key: BackupKey | None) -> None:
    """Backups lie neither inside the base nor with their key. TargetUnfit, KeyFileInvalid."""
    place = Path(os.path.realpath(folder))
    if folder.exists() and not folder.is_dir():
        raise TargetUnfit(place=folder, detail=text(ru="это не папка", en="it is not a folder"))
    own = Path(base.kernel.engine.place)
    if own.is_dir() and (place == own or own in place.parents):
        ru = "оно внутри самой базы и пропадёт вместе с ней"
        raise TargetUnfit(place=folder, detail=text(ru=ru, en="it is inside the base and would be lost with it"))
    if key is None:
        return
    lies = Path(os.path.realpath(key.place))
    if place in lies.parents or (own.is_dir() and own in lies.parents):
        ru = "ключ лежит вместе с тем, что он закрывает; перенесите его в другое место"
        raise KeyFileInvalid(
            place=key.place, detail=text(ru=ru, en="the key lies with what it locks; move it elsewhere")
        )


def _write_folder(base: Infobase, scratch: Path, key: BackupKey | None, progress: Progress | None) -> tuple[str, int]:
    """The physical copy; opened once to be checked and digested. (content digest, rows)"""
    place = scratch / BASE
    step = None if progress is None else lambda done, total: progress(text(ru="копирование", en="copying"), done, total)
    base.kernel.engine.backup(place, progress=step)
    engine = engine_of(folder_connection(place))
    try:
        copied = bases.open_base(engine)
        faults = [f for f in engine.check() if f.severity == "error"]
        if faults or copied.id != base.id:
            detail = "; ".join(f.message for f in faults[:3]) or text(ru="другая база", en="another base")
            raise BackupInvalid(place=base.kernel.engine.place, detail=detail)
        found = base_digest(copied.kernel, progress)
    finally:
        engine.close()
    keep_only_payload(place)
    return found.content_digest, found.rows


def _write_dump(base: Infobase, scratch: Path, key: BackupKey | None, progress: Progress | None) -> tuple[str, int]:
    """A dump, read back as a whole. (content digest, rows)"""
    password = key.secret if key else None
    bases.dump_base(base, scratch / DUMP, password=password, progress=progress)
    summary = restore.verify_dump(scratch / DUMP, password, progress)
    return summary.content_digest, summary.rows


def _files(scratch: Path, progress: Progress | None) -> dict[str, tuple[int, str]]:
    """Every file, as it is read back from the disk."""
    found = sorted(p for p in scratch.rglob("*") if p.is_file())
    made = {}
    for done, path in enumerate(found):
        if progress is not None:
            progress(text(ru="контрольные суммы", en="checksums"), done, len(found))
        made[path.relative_to(scratch).as_posix()] = file_digest(path)
    return made


def file_digest(path: Path) -> tuple[int, str]:
    """(bytes, SHA-256 in hex)"""
    sha, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha.update(chunk)
            size += len(chunk)
    return size, sha.hexdigest()


def _manifest(
    base: Infobase,
    form: Form,
    key: BackupKey | None,
    started: dt.datetime,
    digest: str,
    rows: int,
    files: dict[str, tuple[int, str]],
) -> Manifest:
    configuration, engine = base.kernel.configuration, base.kernel.engine
    return Manifest(
        number=0,
        infobase_id=base.id,
        infobase_name=base.name,
        place=engine.place,
        mode=engine.traits.mode,
        configuration_name=configuration.name,
        configuration_version=configuration.version,
        form=form,
        key_id=key.id if key else "",
        taken=started,
        finished=started,
        seconds=0.0,
        files=files,
        content_digest=digest,
        rows=rows,
        product=product_version(),
    )
