"""The restore drill: the newest backup becomes a scratch base, is proved equal to what was backed up, measured, and removed.

RPO (recovery point): what would be lost if the base died now, that is the age of the newest backup's snapshot.
RTO (recovery time): how long the backup took to become a base that opens and whose content is proved.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infobase import check
from infobase.backups.folder import Backup, backups_in
from infobase.backups.keys import BackupKey
from infobase.backups.restore import restore_backup
from infobase.connection import engine_of
from infobase.connection_string import ConnectionString
from infobase.connection_string import folder as folder_connection
from infobase.digest import base_digest
from infobase.errors import DrillFailed
from infobase.i18n import text
from infobase.jobs import utc_now
from infobase.scratch import demand_room, temporary_folder

Progress = Callable[[str, int, int], None]
GAPS = 20
"""How many of the newest backups the widest gap is measured over."""


@dataclass(frozen=True)
class DrillReport:
    """Seconds, but for the counts and names. `restore_seconds` and `proof_seconds` make up the RTO; `widest_gap`: between neighbouring
    backups of this base, 0 with only one: the RPO there would have been at the worst moment."""

    backup: Path
    rows: int
    content_digest: str
    rpo_seconds: float
    widest_gap_seconds: float
    restore_seconds: float
    proof_seconds: float
    warnings: tuple[str, ...]

    @property
    def rto_seconds(self) -> float:
        return self.restore_seconds + self.proof_seconds


def drill(
    backup: Backup,
    *,
    key: BackupKey | None = None,
    into: ConnectionString | None = None,
    progress: Progress | None = None,
) -> DrillReport:
    """Restore into `into` (a place without a base; by default a private folder), compare, check, remove. DrillFailed and what restoring
    raises."""
    if into is not None:
        return _drill(backup, into, key, progress)
    with temporary_folder("drill") as folder:
        demand_room(folder, backup.manifest.bytes * 3)
        return _drill(backup, folder_connection(folder / "base"), key, progress)


def _drill(backup: Backup, where: ConnectionString, key: BackupKey | None, progress: Progress | None) -> DrillReport:
    rpo = max((utc_now() - backup.manifest.taken).total_seconds(), 0.0)
    engine = engine_of(where)
    made = False
    try:
        started = time.monotonic()
        base = restore_backup(backup, engine, key=key, progress=progress)
        made = True
        restored = time.monotonic()
        found = base_digest(base.kernel, progress)
        findings = check.check_infobase(base.kernel)
        proved = time.monotonic()
        _demand_equal(
            backup,
            found.content_digest,
            [f.message for f in findings if f.severity == "error" and "server." not in f.code],
        )
        warnings = tuple(f.message for f in findings if f.severity == "warning")
    finally:
        if made:
            engine.drop()
        engine.close()
    return DrillReport(
        backup.place, found.rows, found.content_digest, rpo, _widest_gap(backup), restored - started, proved - restored, warnings
    )  # fmt: skip


def _demand_equal(backup: Backup, digest: str, faults: list[str]) -> None:
    if digest != backup.manifest.content_digest:
        detail = text(ru="содержимое не то, что сохраняли", en="the content is not what was backed up")
        raise DrillFailed(place=backup.place, detail=detail)
    if faults:
        raise DrillFailed(place=backup.place, detail="; ".join(faults[:3]))


def _widest_gap(backup: Backup) -> float:
    found, _ = backups_in(backup.place.parent, backup.manifest.infobase_id)
    times = [b.manifest.taken for b in found[:GAPS]]
    return max((abs((a - b).total_seconds()) for a, b in zip(times, times[1:], strict=False)), default=0.0)
