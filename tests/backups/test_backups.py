"""Backups as a whole: made while people write, verified, damaged, restored in any mode, drilled."""

from __future__ import annotations

import dataclasses
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from engine_file import upkeep
from infobase.backups.drill import drill
from infobase.backups.folder import Backup, backups_in, find_backup, manifest_bytes, read_backup
from infobase.backups.keys import make_key, own_key_place
from infobase.backups.logged import logged_backup
from infobase.backups.make import MadeBackup, choose_key, make_backup
from infobase.backups.restore import restore_backup
from infobase.backups.retention import parse_rules
from infobase.backups.verify import key_for, verify_backup
from infobase.connection_string import parse
from infobase.digest import base_digest
from infobase.errors import (
    BackupInvalid,
    BackupNotFound,
    DiskFull,
    DrillFailed,
    InfobaseExists,
    KeyFileInvalid,
    TargetUnfit,
)
from infobase.infobase import Infobase, open_base
from infobase.jobs import Job, Jobs, utc_now
from infobase.storage import LogFilter
from tests.bases import Place, file_place


def back_up(
    place: Place, folder: Path, keep: str = "", *, plain: bool = False, key_file: Path | None = None
) -> MadeBackup:
    engine = place.engine()
    try:
        base = open_base(engine)
        return make_backup(base, folder, key=choose_key(base, key_file, plain=plain), rules=parse_rules(keep))
    finally:
        engine.close()


def digest(place: Place) -> str:
    engine = place.engine()
    try:
        return base_digest(open_base(engine).kernel).content_digest
    finally:
        engine.close()


def restored(backup: Backup, place: Place, *, replace: bool = False, key_file: Path | None = None) -> Infobase:
    engine = place.engine()
    try:
        return restore_backup(backup, engine, key=key_for(backup, key_file), replace=replace)
    finally:
        engine.close()


def write_goods(place: Place, name: str) -> None:
    with place.session() as session:
        session.catalogs.Goods.new(Description=name).write()


def leftovers(folder: Path) -> list[str]:
    return (
        [p.name for p in folder.iterdir() if p.name.startswith(".") and p.name != ".backups.lock"]
        if folder.exists()
        else []
    )


# --- the way there and back ---


def test_a_backup_comes_back(place: Place, tmp_path: Path) -> None:
    write_goods(place, "saved")
    before = digest(place)
    made = back_up(place, tmp_path / "copies").backup
    assert made.manifest.content_digest == before and leftovers(tmp_path / "copies") == []
    assert verify_backup(made, key_for(made, None), full=True).depth == "content"
    write_goods(place, "lost")
    engine = place.engine()
    old_id = open_base(engine).id
    engine.close()
    assert restored(made, place, replace=True).id == old_id, "in its place it is the same base"
    assert digest(place) == before
    other = file_place(tmp_path / "other")
    assert restored(made, other).id != old_id, "anywhere else it is a new one"
    assert digest(other) == before
    with pytest.raises(InfobaseExists):
        restored(made, other)


def test_a_physical_backup_becomes_a_server_base(
    file_base: Place, tmp_path: Path, pg_url: str, pg_database: str
) -> None:
    from tests import postgres

    write_goods(file_base, "saved")
    made = back_up(file_base, tmp_path / "copies").backup
    server = Place(postgres.connection_string(pg_url, pg_database))
    restored(made, server)
    assert digest(server) == made.manifest.content_digest
    server.drop()


def test_a_physical_backup_opens_as_it_is_and_brings_its_log(file_base: Place, tmp_path: Path) -> None:
    write_goods(file_base, "saved")
    made = back_up(file_base, tmp_path / "copies").backup
    shutil.copytree(made.base, tmp_path / "by hand")
    assert digest(file_place(tmp_path / "by hand")) == made.manifest.content_digest
    restored(made, file_place(tmp_path / "other"))
    engine = file_place(tmp_path / "other").engine()
    events = [e.event for e in engine.event_log().read(LogFilter())]
    engine.close()
    assert "_$Data$_.New" in events and events[-1] == "_$InfoBase$_.RestoreFinish"


def test_a_restore_writes_nothing_beside_the_backup(
    file_base: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even while it reads: killed then, it would leave a backup that is refused from then on."""
    write_goods(file_base, "saved")
    made = back_up(file_base, tmp_path / "copies").backup
    before, seen, copy = sorted(made.place.rglob("*")), [], upkeep.copy_store

    def watched(source: Path, target: Path, **how: bool) -> None:
        copy(source, target, lambda *_: seen.append(sorted(made.place.rglob("*"))), **how)

    monkeypatch.setattr(upkeep, "copy_store", watched)
    restored(made, file_place(tmp_path / "other"))
    assert seen and all(files == before for files in seen)
    assert verify_backup(made, key_for(made, None), full=True).depth == "content"


def test_the_log_says_what_and_how_long(place: Place, tmp_path: Path) -> None:
    with place.session() as session:
        base = open_base(place.engine())
        logged_backup(base, session, tmp_path / "copies")
        base.kernel.engine.close()
        entries = list(session.kernel.engine.event_log().read(LogFilter()))
    told = {e.event: e.comment for e in entries if "Backup" in e.event}
    assert set(told) == {"_$InfoBase$_.BackupStart", "_$InfoBase$_.BackupFinish"}
    assert str(tmp_path / "copies") in told["_$InfoBase$_.BackupFinish"]
    with place.session() as session:
        base = open_base(place.engine())
        (tmp_path / "file").touch()
        with pytest.raises(TargetUnfit):
            logged_backup(base, session, tmp_path / "file")
        base.kernel.engine.close()
        last = list(session.kernel.engine.event_log().read(LogFilter(events=["_$InfoBase$_.BackupError"])))
    assert len(last) == 1 and last[0].severity == "Error"


# --- people keep working ---


def test_no_writer_waits_while_a_base_is_copied(
    file_base: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writers that wait for nothing at all succeed throughout the copy: the gate is never held; and the copy is one moment's."""
    monkeypatch.setattr(upkeep, "_STEP_PAGES", 10)
    with file_base.session() as session:
        for n in range(200):
            session.catalogs.Goods.new(Description=f"{n}" * 30).write()
        written, copying = [0], threading.Event()
        copied: list[int] = []
        engine = file_base.engine()

        def during(done: int, total: int) -> None:
            """Called from inside the copy: a write that may not wait must succeed right now."""
            copying.set()
            with session.kernel.engine.transaction(write=True, timeout=0):
                pass
            session.catalogs.Goods.new(Description=f"meanwhile {written[0]}").write()
            written[0] += 1
            copied.append(done)

        engine.backup(tmp_path / "copy", progress=during)
        engine.close()
    assert copying.is_set() and written[0] == len(copied) > 5
    with file_place(tmp_path / "copy").session() as session:
        names = [str(g.Description) for g in session.catalogs.Goods.select()]
    assert sum(n.startswith("meanwhile") for n in names) == 0, (
        "what was written during the copy is not in it, not even a part"
    )
    assert len(names) == 200


def test_backups_of_a_base_in_use_are_consistent(place: Place, tmp_path: Path) -> None:
    """Postings go on during two backups; in each copy the totals agree with the movements."""
    stop, posted = threading.Event(), [0]

    def post() -> None:
        with place.session() as session:
            item = session.catalogs.Goods.new(Description="item")
            item.write()
            while not stop.is_set():
                receipt = session.documents.Receipt.new()
                receipt.Goods.add(Item=item, Quantity=1)
                receipt.post()
                posted[0] += 1

    worker = threading.Thread(target=post)
    worker.start()
    try:
        made = [back_up(place, tmp_path / "copies").backup for _ in range(2)]
    finally:
        stop.set()
        worker.join()
    assert posted[0] > 0
    for backup in made:
        report = drill(backup, key=key_for(backup, None))
        assert report.content_digest == backup.manifest.content_digest


# --- keys ---


def test_a_server_backup_is_encrypted_with_a_key_outside(
    pg_url: str, pg_database: str, tmp_path: Path, keys: Path
) -> None:
    from tests import postgres

    place = Place(postgres.connection_string(pg_url, pg_database))
    place.create()
    write_goods(place, "Secret name")
    made = back_up(place, tmp_path / "copies").backup
    assert made.manifest.encrypted and made.manifest.form == "dump"
    assert own_key_place(made.manifest.infobase_id).stat().st_mode & 0o077 == 0
    assert all(b"Secret name" not in p.read_bytes() for p in (tmp_path / "copies").rglob("*") if p.is_file())
    shutil.rmtree(keys)
    assert verify_backup(made).depth == "files", "without the key the checksums can still be verified"
    with pytest.raises(KeyFileInvalid):
        key_for(made, None)
    with pytest.raises(KeyFileInvalid):
        key_for(made, make_key(tmp_path / "another.key").place)
    plain = back_up(place, tmp_path / "plain", plain=True).backup
    assert not plain.manifest.encrypted
    assert verify_backup(plain).depth == "content"
    place.drop()


def test_a_file_backup_with_a_key_is_encrypted(file_base: Place, tmp_path: Path) -> None:
    write_goods(file_base, "Secret name")
    key = tmp_path / "k" / "own.key"
    make_key(key)
    made = back_up(file_base, tmp_path / "copies", key_file=key).backup
    assert made.manifest.form == "dump" and made.manifest.encrypted
    assert b"Secret name" not in made.dump.read_bytes()
    restored(made, file_place(tmp_path / "other"), key_file=key)
    assert digest(file_place(tmp_path / "other")) == made.manifest.content_digest


def test_a_key_lies_neither_with_the_backups_nor_in_the_base(file_base: Place, tmp_path: Path) -> None:
    for folder in (tmp_path / "copies", tmp_path / "base"):
        make_key(folder / "x.key")
        with pytest.raises(KeyFileInvalid):
            back_up(file_base, tmp_path / "copies", key_file=folder / "x.key")
    (tmp_path / "short.key").write_text("short\n")
    for name in ("short.key", "missing.key"):
        with pytest.raises(KeyFileInvalid):
            back_up(file_base, tmp_path / "copies", key_file=tmp_path / name)
    assert leftovers(tmp_path / "copies") == []


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    first = make_key(tmp_path / "a.key")
    assert make_key(tmp_path / "a.key").secret == first.secret
    assert first.secret not in repr(first)


# --- thinning ---


def test_thinning_removes_only_this_base_and_only_what_no_rule_keeps(file_base: Place, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    other = file_place(tmp_path / "another")
    other.create()
    back_up(other, copies)
    numbers = [back_up(file_base, copies, keep="2").backup.manifest.number for _ in range(4)]
    assert numbers == [1, 2, 3, 4]
    found, broken = backups_in(copies)
    assert sorted(b.manifest.number for b in found) == [1, 3, 4] and not broken
    assert leftovers(copies) == []
    with pytest.raises(BackupInvalid):
        find_backup(copies)


# --- bad input ---


def _flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


DAMAGES: dict[str, Callable[[Backup], object]] = {
    "a flipped bit": lambda b: _flip(next(iter(b.place / name for name in b.manifest.files))),
    "a cut file": lambda b: os.truncate(next(iter(b.place / name for name in b.manifest.files)), 1000),
    "a missing file": lambda b: next(iter(b.place / name for name in b.manifest.files)).unlink(),
    "a file too many": lambda b: (b.place / "stranger").write_text("x"),
    "no manifest": lambda b: (b.place / "backup.json").unlink(),
    "a cut manifest": lambda b: os.truncate(b.place / "backup.json", 50),
    "a manifest of another format": lambda b: (b.place / "backup.json").write_text('{"format": "zip"}'),
    "a manifest that leads out": lambda b: (b.place / "backup.json").write_bytes(
        manifest_bytes(dataclasses.replace(b.manifest, files={"../../etc/passwd": (1, "0")}))
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_backup_is_refused_and_nothing_is_made(file_base: Place, tmp_path: Path, damage: str) -> None:
    made = back_up(file_base, tmp_path / "copies").backup
    DAMAGES[damage](made)
    other = file_place(tmp_path / "other")
    with pytest.raises((BackupInvalid, BackupNotFound)):
        verify_backup(read_backup(made.place))
    with pytest.raises((BackupInvalid, BackupNotFound)):
        restored(find_backup(tmp_path / "copies"), other)
    assert not (tmp_path / "other").exists()


def test_a_digest_that_lies_is_found_by_looking_inside(file_base: Place, tmp_path: Path) -> None:
    made = back_up(file_base, tmp_path / "copies").backup
    lying = dataclasses.replace(made.manifest, content_digest="0" * 64)
    (made.place / "backup.json").write_bytes(manifest_bytes(lying))
    with pytest.raises(BackupInvalid):
        verify_backup(read_backup(made.place), full=True)
    with pytest.raises(DrillFailed):
        drill(read_backup(made.place))


def test_places_that_do_harm_are_refused(file_base: Place, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "base")
    for bad in (tmp_path / "base", tmp_path / "base" / "copies", tmp_path / "link" / "x", tmp_path / "file"):
        with pytest.raises(TargetUnfit):
            back_up(file_base, bad)
    assert not (tmp_path / "base" / "copies").exists()


def test_no_room(file_base: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(DiskFull):
        back_up(file_base, tmp_path / "copies")
    assert not (tmp_path / "copies").exists()


def test_an_unreadable_folder_of_backups(tmp_path: Path) -> None:
    with pytest.raises(BackupNotFound):
        find_backup(tmp_path / "nowhere")
    with pytest.raises(BackupNotFound):
        find_backup(tmp_path)


# --- the drill ---


def test_the_drill_measures_and_leaves_nothing(place: Place, tmp_path: Path) -> None:
    write_goods(place, "saved")
    made = back_up(place, tmp_path / "copies").backup
    where = parse(f'File="{tmp_path / "scratch"}";')
    report = drill(made, key=key_for(made, None), into=where)
    assert report.rows == made.manifest.rows and report.rto_seconds > 0 and report.rpo_seconds >= 0
    assert not (tmp_path / "scratch").exists()
    verify_backup(made, key_for(made, None))


def test_the_drill_into_a_server(file_base: Place, tmp_path: Path, pg_url: str, pg_database: str) -> None:
    from tests import postgres

    made = back_up(file_base, tmp_path / "copies").backup
    server = Place(postgres.connection_string(pg_url, pg_database))
    assert drill(made, into=parse(server.connection)).content_digest == made.manifest.content_digest
    engine = server.engine()
    assert not engine.exists(), "the scratch base is gone"
    engine.close()


# --- jobs and restoring ---


def test_the_schedule_survives_a_restore_in_place(place: Place, tmp_path: Path) -> None:
    with place.session() as session:
        jobs = Jobs(session.kernel)
        with session.transaction() as tx:
            jobs.put(tx, Job("nightly", "log_trim", {"older_than": "90d"}, 3600), utc_now())
    made = back_up(place, tmp_path / "copies").backup
    restored(made, place, replace=True)
    assert _jobs(place) == ["nightly"]
    restored(made, file_place(tmp_path / "new"))
    assert _jobs(file_place(tmp_path / "new")) == []


def _jobs(place: Place) -> list[str]:
    with place.session() as session, session.reading() as tx:
        return [j.name for j in Jobs(session.kernel).all(tx)]
