"""A backup with its entries in the event log: begun, done (what and how long), failed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from infobase.backups.make import MadeBackup, choose_key, make_backup
from infobase.backups.retention import parse_rules
from infobase.durations import shown
from infobase.i18n import text
from infobase.infobase import Infobase
from infobase.session import Session

Progress = Callable[[str, int, int], None]


def logged_backup(
    base: Infobase,
    session: Session,
    folder: Path,
    *,
    key_file: Path | None = None,
    plain: bool = False,
    keep: str = "",
    progress: Progress | None = None,
) -> MadeBackup:
    """See `make_backup`. `plain`: not encrypted even where backups usually are."""
    log = base.kernel.engine.event_log()
    rules = parse_rules(keep)
    log.append([session.log_entry("_$InfoBase$_.BackupStart", comment=str(folder))])
    try:
        made = make_backup(base, folder, key=choose_key(base, key_file, plain=plain), rules=rules, progress=progress)
    except BaseException as e:
        comment = f"{folder}: {type(e).__name__}: {e}"
        log.append([session.log_entry("_$InfoBase$_.BackupError", severity="Error", comment=comment)])
        raise
    manifest = made.backup.manifest
    comment = text(
        ru=f"{made.backup.place}: {manifest.bytes} байт, строк {manifest.rows}, {shown(manifest.seconds)}",
        en=f"{made.backup.place}: {manifest.bytes} bytes, {manifest.rows} rows, {shown(manifest.seconds)}",
    )
    log.append([session.log_entry("_$InfoBase$_.BackupFinish", comment=comment)])
    return made
