"""From a backup to a base: in place of the old one or somewhere new, in any mode, whatever the backup's form."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from infobase import infobase as bases
from infobase.backups.folder import Backup
from infobase.backups.keys import BackupKey
from infobase.backups.verify import opened_copy, verify_backup
from infobase.copying import copy_log
from infobase.errors import DoneUnfinished, InfobaseError
from infobase.infobase import Infobase
from infobase.jobs import Job, Jobs
from infobase.scratch import temporary_folder
from infobase.served import door_of
from infobase.storage import LogFilter, StorageEngine

Progress = Callable[[str, int, int], None]


def restore_backup(
    backup: Backup,
    engine: StorageEngine,
    *,
    key: BackupKey | None = None,
    replace: bool = False,
    name: str = "",
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> Infobase:
    """Verify, then make the base; with `replace` in place of the one there, which stays whole until the switch.

    In the place where it was backed up, or over a base of the same id, it is the same base again: it keeps its id, its schedule of jobs and
    the event log that is there. Anywhere else it is a new base with an id of its own and no jobs. The event log comes from a physical
    backup when the place has none.
    """
    verify_backup(backup, key, progress=progress)
    if door_of(engine) is not None:
        return _restore_afar(backup, engine, key, replace=replace, name=name, scratch=scratch, progress=progress)
    if not replace:
        bases.demand_free(engine)
    former = _former(engine) if replace else None
    same = _same_base(backup, engine, former)
    jobs = _jobs_of(former) if same and former is not None else []
    identify = partial(
        _identify,
        name=name or backup.manifest.infobase_name,
        own_id=backup.manifest.infobase_id if same else None,
        kept=jobs,
    )
    if backup.manifest.form == "folder" and engine.traits.backup_opens:
        _load_folder(backup, engine, replace, identify)
    elif backup.manifest.form == "folder":
        with opened_copy(backup, scratch) as source:
            bases.replicate_base(source, engine, replace=replace, progress=progress)
        with DoneUnfinished.after(engine.place):
            identify(bases.open_base(engine))
    else:
        bases.restore_base(
            engine, backup.dump, password=key.secret if key else None, replace=replace, progress=progress
        )
        with DoneUnfinished.after(engine.place):
            identify(bases.open_base(engine))
    with DoneUnfinished.after(engine.place):
        _bring_log(backup, engine)
        made = bases.open_base(engine)
        entry = bases.system_session(made.kernel).log_entry("_$InfoBase$_.RestoreFinish", comment=str(backup.place))
        engine.event_log().append([entry])
    return made


def _restore_afar(
    backup: Backup,
    engine: StorageEngine,
    key: BackupKey | None,
    *,
    replace: bool,
    name: str,
    scratch: Path | None,
    progress: Progress | None,
) -> Infobase:
    """Through an application server: a dump travels, and the server knows whether it is the same base again. Its event log stays there."""
    shown, came_from = name or backup.manifest.infobase_name, backup.manifest.infobase_id
    own_id = came_from if replace or backup.manifest.place == engine.place else None
    given: dict[str, Any] = {"name": shown, "replace": replace, "own_id": own_id, "progress": progress}
    if backup.manifest.form == "dump":
        return bases.restore_base(engine, backup.dump, password=key.secret if key else None, **given)
    with opened_copy(backup, scratch) as source, temporary_folder("restore") as folder:
        place = folder / "base.dt"
        bases.dump_base(source, place, progress=progress)
        return bases.restore_base(engine, place, **given)


def _former(engine: StorageEngine) -> Infobase | None:
    """The base that is there, when it can still be read."""
    try:
        return bases.open_base(engine) if engine.exists() else None
    except InfobaseError:
        return None


def _same_base(backup: Backup, engine: StorageEngine, former: Infobase | None) -> bool:
    if former is not None:
        return former.id == backup.manifest.infobase_id
    return backup.manifest.place == engine.place


def _jobs_of(base: Infobase) -> list[Job]:
    with base.kernel.engine.transaction(write=False) as tx:
        return Jobs(base.kernel).all(tx)


def _load_folder(backup: Backup, engine: StorageEngine, replace: bool, identify: Callable[[Infobase], None]) -> None:
    staged = engine.load_backup(backup.base)
    try:
        identify(bases.open_base(staged))
        engine.publish(staged, replace=replace)
    except BaseException:
        staged.drop()
        raise
    finally:
        staged.close()


def _identify(base: Infobase, *, name: str, own_id: uuid.UUID | None, kept: list[Job]) -> None:
    """Name the base; the jobs of the base it replaces stay when it is the same one."""
    jobs = Jobs(base.kernel)
    with base.kernel.engine.transaction(write=True) as tx:
        bases.write_identity(base.kernel, tx, name, demo=base.demo, own_id=own_id)
        if own_id is None:
            jobs.clear(tx)
        for job in kept:
            jobs.put(tx, job, job.next_run)


def _bring_log(backup: Backup, engine: StorageEngine) -> None:
    """The event log of a physical backup, where the new base has none of its own."""
    if backup.manifest.form != "folder":
        return
    target = engine.event_log()
    if next(iter(target.read(LogFilter(limit=1))), None) is not None:
        return
    with opened_copy(backup) as source:
        copy_log(source.kernel.engine.event_log(), target)
