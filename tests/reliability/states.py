"""What stands there after an interrupted operation: the old state or the new one; anything else is Broken."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path

from infobase.check import check_base
from infobase.digest import base_digest
from infobase.errors import InfobaseError, InfobaseNotFound
from infobase.infobase import open_base
from infobase.list_file import read
from infobase.log_files import read_log
from infobase.restore import verify_dump
from infobase.storage import LogEntry, LogFilter, StorageEngine
from templates_store.lint import lint_path
from tests.bases import Place
from tests.reliability.ground import Ground, folder_of

OLD, NEW = "old", "new"
State = Callable[[Ground], str]
OLD_GOOD = "Прежний"
"""The item that only old bases hold."""


class Broken(AssertionError):
    """Neither the old state nor the new one."""


_known: dict[tuple[bytes, bool], str] = {}
"""What bases of these very bytes hold."""


def content(place: Place, *, sound: bool = True) -> str:
    """The digest of a base; "" where there is none. `sound`: it must be without faults."""
    bytes_now = _bytes_of(place)
    if bytes_now is None:
        return _content(place, sound)
    key = (bytes_now, sound)
    if key not in _known:
        _known[key] = _content(place, sound)
    return _known[key]


def _bytes_of(place: Place) -> bytes | None:
    """The digest of all files of a file base but its event log; None for what is not one, or has nothing."""
    folder = folder_of(place)
    if not place.connection.startswith("File") or not (folder / "1Cv8.1CD").exists():
        return None
    digest = hashlib.blake2b()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and "1Cv8Log" not in p.parts):
        digest.update(f"{path.relative_to(folder)} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.digest()


def _content(place: Place, sound: bool) -> str:
    engine = place.engine()
    try:
        base = open_base(engine)
        faults = [f for f in engine.check() if f.severity == "error" and not f.code.startswith("server.")]
        with engine.transaction(write=False) as tx:
            faults += [f for f in check_base(base.kernel, tx) if f.severity == "error"] if sound else []
        if faults:
            raise Broken(f"{place.connection}: {faults[0].code} {faults[0].message}")
        return base_digest(base.kernel).content_digest
    except InfobaseNotFound:
        return ""
    except InfobaseError as e:
        raise Broken(str(e)) from e
    finally:
        engine.close()


def source_content(ground: Ground) -> str:
    """No operation changes the source: its digest is reckoned once, and its soundness is asked at the end (`check_source`)."""
    if "source" not in ground.memory:
        ground.memory["source"] = content(ground.source)
    return ground.memory["source"]


def check_source(ground: Ground) -> None:
    if content(ground.source) != source_content(ground):
        raise Broken("the source of the operation has changed")


def old_or(ground: Ground, name: str, is_new: Callable[[str], bool]) -> str:
    """`name`: under which the digest of the old state is remembered (see `remember_old`)."""
    found = content(ground.target)
    if found == ground.memory[f"old of {name}"]:
        return OLD
    if not is_new(found):
        raise Broken(f"{name}: neither the old content nor the new")
    return NEW


def remember_old(ground: Ground, name: str) -> None:
    key = f"old of {name}"
    if key not in ground.memory:
        ground.memory[key] = content(ground.target)


def absent_or_equal(ground: Ground) -> str:
    found = content(ground.target)
    if found and found != source_content(ground):
        raise Broken("a base that is neither absent nor equal to its source")
    return NEW if found else OLD


def absent_or_empty(ground: Ground) -> str:
    """The configuration's own items and nothing else, every time the same."""
    found = content(ground.target)
    if not found:
        return OLD
    with ground.target.session() as session:
        units = len(list(session.catalogs.Units.select()))
    if units != 3:
        raise Broken(f"a new base with {units} of 3 predefined items")
    return NEW


def old_or_source(name: str) -> State:
    return lambda ground: old_or(ground, name, lambda found: found == source_content(ground))


def old_or_updated(ground: Ground) -> str:
    """The new configuration, and every row of the old one."""

    def updated(_: str) -> bool:
        engine = ground.target.engine()
        try:
            base = open_base(engine)
            weight = "Catalog.Colours" in base.kernel.configuration.objects
        finally:
            engine.close()
        return weight and _holds(ground, OLD_GOOD)

    return old_or(ground, "config-apply", updated)


def _holds(ground: Ground, good: str) -> bool:
    with ground.target.session() as session:
        return session.catalogs.Goods.find_by_description(good) is not None


def old_or_loaded(ground: Ground) -> str:
    """All units of the list, as many as when it was first loaded in peace."""

    def loaded(_: str) -> bool:
        with ground.target.session() as session:
            units = str(len(list(session.catalogs.Units.select())))
            return units == ground.memory.setdefault("units", units) and _holds(ground, OLD_GOOD)

    return old_or(ground, "classifier-load", loaded)


def old_or_posted(ground: Ground) -> str:
    """The documents as before, or one more with all its movements. A number may be gone: it is taken in a transaction of its own."""

    def posted(_: str) -> bool:
        with ground.target.session() as session:
            receipts = list(session.documents.Receipt.select())
            if len(receipts) > 31:
                raise Broken(f"posted {len(receipts) - 30} times")
            return len(receipts) == 31 and all(r.Posted for r in receipts)

    if _but_numbers(ground.target) == _but_numbers(ground.source):
        content(ground.target)
        return OLD
    return old_or(ground, "post", posted)


def _but_numbers(place: Place) -> dict[str, tuple[int, str]]:
    """Digests of all tables but that of the last numbers taken."""
    engine = place.engine()
    try:
        return {k: v for k, v in base_digest(open_base(engine).kernel).tables.items() if k != "sys_numbers"}
    finally:
        engine.close()


def old_or_prepared(ground: Ground) -> str:
    """Goods stay, documents are gone."""

    def prepared(_: str) -> bool:
        with ground.target.session() as session:
            left = len(list(session.documents.Receipt.select())), len(session.accumulation_registers.Stock.select())
            return left == (0, 0) and len(list(session.catalogs.Goods.select())) == 20

    return old_or(ground, "prepare", prepared)


def damaged_or_mended(ground: Ground) -> str:
    """The damage as it was, or all of it gone."""
    if content(ground.target, sound=False) != source_content(ground):
        raise Broken("mending totals has changed the content")
    engine = ground.target.engine()
    try:
        base = open_base(engine)
        with engine.transaction(write=False) as tx:
            found = {f.code for f in check_base(base.kernel, tx) if f.severity == "error"}
    finally:
        engine.close()
    if found not in (set(), {"totals_mismatch", "search_column"}):
        raise Broken(f"half mended: {found}")
    return OLD if found else NEW


def dropped_or_old(ground: Ground) -> str:
    found = content(ground.target)
    if found and found != ground.memory["old of drop"]:
        raise Broken("half dropped")
    return OLD if found else NEW


# --- files ---


def dump_state(ground: Ground) -> str:
    target = ground.work / "made.dt"
    if hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(b"the old dump").digest():
        return OLD
    try:
        summary = verify_dump(target)
    except InfobaseError as e:
        raise Broken(str(e)) from e
    if summary.content_digest != source_content(ground):
        raise Broken("the dump says something else than its base")
    return NEW


def copy_state(ground: Ground) -> str:
    place = ground.work / "copied"
    if not place.exists():
        return OLD
    if content(Place(f'File="{place}";')) != source_content(ground):
        raise Broken("a copy that differs from its base")
    return NEW


def backup_state(ground: Ground) -> str:
    """Whatever `backup list` shows must verify; what is not whole must not be shown."""
    folder = str(ground.work / "backups")
    code, shown = ground.run(["backup", "list", folder, "--json"])
    if code:
        raise Broken(shown)
    copies = json.loads(shown)
    if copies:
        code, said = ground.run(["backup", "verify", folder, "--full"])
        if code:
            raise Broken(f"a backup that is listed does not verify: {said}")
    return NEW if copies else OLD


def list_state(ground: Ground) -> str:
    names = [s.name for s in read(ground.list).sections]
    if names[:2] != ["Старая", "Вторая"]:
        raise Broken(f"the list has lost entries: {names}")
    return NEW if "Новая" in names else OLD


def installed_state(ground: Ground) -> str:
    return _whole_package(ground, ground.work / "templates")


def built_state(ground: Ground) -> str:
    return _whole_package(ground, ground.work / "built")


def _whole_package(ground: Ground, root: Path) -> str:
    """No manifest, or a package whose every file equals the one made in peace."""
    manifests = [p for p in root.rglob("1cv8.mft") if not any(part.startswith(".") for part in p.parts)]
    if not manifests:
        return OLD
    good = next((ground.work / "packages").rglob("1cv8.mft")).parent
    if sorted(p.name for p in manifests[0].parent.iterdir()) != sorted(p.name for p in good.iterdir()):
        raise Broken(f"half a package: {list(manifests[0].parent.iterdir())}")
    bad = [f for f in lint_path(manifests[0]) if f.severity == "error"]
    if bad:
        raise Broken(str(bad[0]))
    verify_dump(manifests[0].parent / "1Cv8new.dt")
    return NEW


# --- the event log ---


def events(engine: StorageEngine) -> list[LogEntry]:
    return list(engine.event_log().read(LogFilter()))


def trimmed_state(ground: Ground) -> str:
    """Every event of the old log is in the log or in the archive; what has been removed is in the archive."""
    archive = ground.work / "archive.lgd"
    engine = ground.target.engine()
    try:
        here = _keys(events(engine))
    finally:
        engine.close()
    kept = _keys(read_log(archive, LogFilter())) if archive.exists() else set()
    before = set(json.loads(ground.memory["events"]))
    if not before <= here | kept:
        raise Broken(f"{len(before - here - kept)} events are neither in the log nor in the archive")
    gone = before - here
    if gone and gone != before:
        raise Broken(f"{len(gone)} of {len(before)} events removed")
    return NEW if gone else OLD


def remember_events(ground: Ground) -> None:
    engine = ground.target.engine()
    try:
        ground.memory["events"] = json.dumps(sorted(_keys(events(engine))))
    finally:
        engine.close()


def _keys(entries: Iterable[LogEntry]) -> set[str]:
    """Of events about data: those of sessions are told apart by the second alone."""
    return {f"{e.event} {e.data}" for e in entries if e.event.startswith("_$Data$_.")}


def exported_state(ground: Ground) -> str:
    """The old file, or one with a line for each event that was there."""
    found = (ground.work / "events.jsonl").read_bytes()
    if found == b"old":
        return OLD
    lines = found.decode("utf-8").splitlines()
    if len([json.loads(line) for line in lines]) < len(json.loads(ground.memory["events of source"])):
        raise Broken("half an export")
    return NEW
