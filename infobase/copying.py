"""Copies of a base in new folders while people work: one moment of the source, an id of their own each, all of them or none.

A store whose backup opens as it is gives a physical copy; from any other store one dump of one snapshot becomes a file base.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from infobase import infobase as bases
from infobase.connection import engine_of
from infobase.connection_string import folder as folder_connection
from infobase.errors import TargetUnfit
from infobase.i18n import Bilingual, text
from infobase.infobase import Infobase
from infobase.jobs import Jobs
from infobase.scratch import ScratchFolder, demand_room, file_errors
from infobase.storage import EventLogStore, LogEntry, LogFilter

Progress = Callable[[str, int, int], None]
PAYLOAD = ("1Cv8.1CD", "1Cv8Log/1Cv8.lgd")
"""What of a file base's folder is its content; the rest are companions that opening it makes."""
_LOG_BATCH = 1000
_BASE, _DUMP = "base", "source.dt"


@dataclass(frozen=True)
class Copied:
    """A copy in its place."""

    place: Path
    name: str
    id: uuid.UUID


def copy_base(
    base: Infobase,
    targets: Sequence[Path],
    *,
    names: Sequence[str] = (),
    with_log: bool = False,
    progress: Progress | None = None,
) -> list[Copied]:
    """Copies of one moment into folders that are missing or empty. `names`: of the copies (else their folders'). `with_log`: with the event log.

    Jobs stay with the source: they belong to the very base. TargetUnfit, DiskFull: nothing is made.
    """
    places = [t.expanduser().absolute() for t in targets]
    demand_targets(base, places)
    _demand_room(base, places)
    with ExitStack() as stack:
        scratches = [stack.enter_context(ScratchFolder(p)) for p in places]
        first, rest = scratches[0], scratches[1:]
        _fill(base, first.path, with_log=with_log, progress=progress)
        for done, scratch in enumerate(rest, 1):
            _tell(progress, Bilingual("копии", "copies"), done, len(scratches))
            with file_errors(scratch.target):
                shutil.copytree(first.path, scratch.path, dirs_exist_ok=True)
        given = list(names) or [p.name for p in places]
        made = [_own_identity(s.path, p, name) for s, p, name in zip(scratches, places, given, strict=True)]
        _publish(scratches)
    return made


def _tell(progress: Progress | None, what: Bilingual, done: int, total: int) -> None:
    if progress is not None:
        progress(str(what), done, total)


# --- places ---


def demand_targets(base: Infobase, places: Sequence[Path]) -> None:
    """Each is missing or an empty folder, outside the source and apart from the others. TargetUnfit."""
    own = Path(base.kernel.engine.place)
    source = own if own.is_dir() else None
    seen: list[Path] = []
    for place in places:
        real = Path(os.path.realpath(place))
        reason = _unfit(real, place, source, seen)
        if reason is not None:
            raise TargetUnfit(place=place, detail=reason)
        seen.append(real)


def _unfit(real: Path, place: Path, source: Path | None, seen: Sequence[Path]) -> Bilingual | None:
    if source is not None and real == source:
        return Bilingual("это сама копируемая база", "it is the very base that is copied")
    if source is not None and source in real.parents:
        return Bilingual("оно внутри копируемой базы", "it is inside the base that is copied")
    if any(real == other for other in seen):
        return Bilingual("оно названо дважды", "it is named twice")
    if any(real in other.parents or other in real.parents for other in seen):
        return Bilingual("одна копия оказалась бы внутри другой", "one copy would lie inside another")
    if place.is_symlink() and not place.exists():
        return Bilingual("это ссылка в никуда", "it is a link that leads nowhere")
    if place.exists() and not place.is_dir():
        return Bilingual("это файл", "it is a file")
    if place.is_dir() and any(place.iterdir()):
        return Bilingual("папка не пуста", "the folder is not empty")
    return None


def _demand_room(base: Infobase, places: Sequence[Path]) -> None:
    """Room on every disk for the copies that go there."""
    size = base.kernel.engine.size().bytes
    needed: dict[int, tuple[Path, int]] = {}
    for place in places:
        there = next(p for p in place.parents if p.exists())
        device = there.stat().st_dev
        needed[device] = (place, needed.get(device, (place, 0))[1] + size)
    for place, total in needed.values():
        demand_room(place, total)


# --- content ---


def _fill(base: Infobase, scratch: Path, *, with_log: bool, progress: Progress | None) -> None:
    engine = base.kernel.engine
    if not engine.traits.backup_opens:
        _fill_from_dump(base, scratch, with_log=with_log, progress=progress)
        return

    def step(done: int, total: int) -> None:
        _tell(progress, Bilingual("копирование", "copying"), done, total)

    engine.backup(scratch / _BASE, log=with_log, progress=step)
    with file_errors(scratch):
        for path in list((scratch / _BASE).iterdir()):
            path.rename(scratch / path.name)
        (scratch / _BASE).rmdir()


def _fill_from_dump(base: Infobase, scratch: Path, *, with_log: bool, progress: Progress | None) -> None:
    dump = scratch / _DUMP
    bases.dump_base(base, dump, progress=progress)
    engine = engine_of(folder_connection(scratch))
    try:
        bases.restore_base(engine, dump, name=base.name, progress=progress)
        dump.unlink()
        if with_log:
            copy_log(base.kernel.engine.event_log(), engine.event_log())
    finally:
        engine.close()


def copy_log(source: EventLogStore, target: EventLogStore) -> int:
    """Every entry, in order; how many."""
    count = 0
    for batch in _batches(source):
        target.append(batch)
        count += len(batch)
    return count


def _batches(log: EventLogStore) -> Iterator[list[LogEntry]]:
    entries = iter(log.read(LogFilter()))
    while batch := list(islice(entries, _LOG_BATCH)):
        yield batch


def _own_identity(scratch: Path, place: Path, name: str) -> Copied:
    """A copy is another base: it gets an id of its own, and none of its source's jobs."""
    engine = engine_of(folder_connection(scratch))
    try:
        base = bases.open_base(engine)
        with engine.transaction(write=True) as tx:
            bases.write_identity(base.kernel, tx, name, demo=base.demo)
            Jobs(base.kernel).clear(tx)
        made = bases.open_base(engine)
    finally:
        engine.close()
    with file_errors(place):
        keep_only_payload(scratch)
    return Copied(place, made.name, made.id)


def keep_only_payload(folder: Path) -> None:
    """Remove the companions that opening a file base made, from a folder nobody has open."""
    wanted = {folder / name for name in PAYLOAD}
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in wanted:
            path.unlink()


def _publish(scratches: Sequence[ScratchFolder]) -> None:
    """All of them, or none: those already in place go back when a later one fails."""
    done: list[ScratchFolder] = []
    try:
        for scratch in scratches:
            scratch.publish()
            done.append(scratch)
    except BaseException:
        for scratch in done:
            scratch.target.rename(scratch.path)
        raise


def copies_text(made: Sequence[Copied]) -> str:
    """For people and the event log."""
    listed = ", ".join(str(c.place) for c in made)
    return text(ru=f"копий: {len(made)}: {listed}", en=f"copies: {len(made)}: {listed}")
