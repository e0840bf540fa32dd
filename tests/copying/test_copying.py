"""Copies of a base in use: of one moment, with ids of their own, all or none."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import cli
from infobase import list_file
from infobase.commands import runner
from infobase.copying import Copied, copy_base
from infobase.digest import base_digest
from infobase.errors import DiskFull, InfobaseError, SystemRefusal, TargetUnfit, UsageError
from infobase.infobase import Infobase, open_base
from infobase.jobs import Job, Jobs, utc_now
from infobase.scratch import ScratchFolder
from infobase.storage import LogFilter
from tests.bases import Place, file_place

ROOT = Path(__file__).parents[2]
Program = Callable[..., tuple[int, str, str]]


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str]) -> Program:
    def run(*arguments: object) -> tuple[int, str, str]:
        code = runner.run(cli.root, ["--lang", "en", *(str(a) for a in arguments)])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return run


def copied(place: Place, *targets: Path, with_log: bool = False) -> list[Copied]:
    engine = place.engine()
    try:
        return copy_base(open_base(engine), targets, with_log=with_log)
    finally:
        engine.close()


def facts(place: Place) -> tuple[Infobase, str]:
    engine = place.engine()
    try:
        base = open_base(engine)
        return base, base_digest(base.kernel).content_digest
    finally:
        engine.close()


def events(place: Place) -> list[str]:
    engine = place.engine()
    try:
        return [e.event for e in engine.event_log().read(LogFilter())]
    finally:
        engine.close()


def scratches(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.name.startswith(".")]


def test_several_copies_of_a_base_in_use(place: Place, tmp_path: Path) -> None:
    with place.session() as session:
        session.catalogs.Goods.new(Description="one").write()
        with session.transaction() as tx:
            Jobs(session.kernel).put(tx, Job("nightly", "log_trim", {}, 3600), utc_now())
        source, digest = facts(place)
        targets = [tmp_path / "clients" / name for name in ("a", "b", "c")]
        made = copied(place, *targets)
    ids = {source.id}
    for c, target in zip(made, targets, strict=True):
        base, own = facts(file_place(target))
        assert (base.id, base.name, own) == (c.id, target.name, digest)
        ids.add(base.id)
        assert events(file_place(target)) == []
        with file_place(target).session() as session, session.reading() as tx:
            assert Jobs(session.kernel).all(tx) == [], "jobs stay with the source"
    assert len(ids) == 4
    assert scratches(tmp_path / "clients") == []


def test_the_log_comes_along_when_asked(place: Place, tmp_path: Path) -> None:
    with place.session() as session:
        session.catalogs.Goods.new(Description="one").write()
    copied(place, tmp_path / "copy", with_log=True)
    assert "_$Data$_.New" in events(file_place(tmp_path / "copy"))


def test_a_copy_is_only_its_content(file_base: Place, tmp_path: Path) -> None:
    copied(file_base, tmp_path / "copy")
    assert [p.name for p in (tmp_path / "copy").rglob("*")] == ["1Cv8.1CD"]


# --- places that do not do ---


@pytest.mark.parametrize("bad", ["base", "base/inner", "link", "full", "file", "dangling", "{twice}", "{nested}"])
def test_unfit_targets_are_refused_and_nothing_is_made(file_base: Place, tmp_path: Path, bad: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "base")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    targets = {
        "{twice}": [tmp_path / "t", tmp_path / "t"],
        "{nested}": [tmp_path / "t", tmp_path / "t" / "u"],
    }.get(bad, [tmp_path / "good", tmp_path / bad])
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(TargetUnfit):
        copied(file_base, *targets)
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"


def test_an_empty_folder_is_a_fit_target(file_base: Place, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    copied(file_base, tmp_path / "empty")
    assert facts(file_place(tmp_path / "empty"))[1] == facts(file_base)[1]


def test_no_room_is_seen_before_anything_is_written(
    file_base: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = file_base.engine().size().bytes
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=size + 1000))
    with pytest.raises(DiskFull):
        copied(file_base, tmp_path / "new" / "a", tmp_path / "new" / "b")
    assert not (tmp_path / "new").exists()
    copied(file_base, tmp_path / "new" / "a")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_on_the_way_leaves_nothing(
    file_base: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(shutil, "copytree", fail)
    with pytest.raises((DiskFull, SystemRefusal)):
        copied(file_base, tmp_path / "new" / "a", tmp_path / "new" / "b")
    assert not (tmp_path / "new").exists()


def test_all_copies_or_none(file_base: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody takes the second place at the last moment: the first copy goes too."""
    publish = ScratchFolder.publish

    def rival(self: ScratchFolder, target: Path | None = None) -> None:
        if self.target.name == "b":
            self.target.mkdir()
            (self.target / "theirs").touch()
        publish(self, target)

    monkeypatch.setattr(ScratchFolder, "publish", rival)
    with pytest.raises(InfobaseError):
        copied(file_base, tmp_path / "a", tmp_path / "b")
    assert not (tmp_path / "a").exists()
    assert [p.name for p in (tmp_path / "b").iterdir()] == ["theirs"]
    assert scratches(tmp_path) == []


KILLED = """
import sys
from pathlib import Path
from infobase.copying import copy_base
from infobase.infobase import open_base
from tests.bases import Place
engine = Place(sys.argv[1]).engine()
print("go", flush=True)
copy_base(open_base(engine), [Path(sys.argv[2]) / "a", Path(sys.argv[2]) / "b"])
"""


def test_a_killed_copy_leaves_whole_copies_or_none(file_base: Place, tmp_path: Path) -> None:
    digest = facts(file_base)[1]
    out = tmp_path / "out"
    for n in range(6):
        command = [sys.executable, "-c", KILLED, file_base.connection, str(out)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.02 * n)
            process.kill()
        for name in ("a", "b"):
            if (out / name).exists():
                assert facts(file_place(out / name))[1] == digest
                shutil.rmtree(out / name)
    copied(file_base, out / "a", out / "b")
    assert sorted(p.name for p in out.iterdir()) == ["a", "b"], "the dead ones' scratch folders were swept"


# --- the command ---


def test_the_command_copies_and_lists(program: Program, file_base: Place, tmp_path: Path) -> None:
    code, out, err = program(
        "copy", tmp_path / "base", tmp_path / "x", "--to", tmp_path / "y", "--list-group", "/Clients", "--json"
    )
    assert code == 0, err
    assert [c["name"] for c in json.loads(out)] == ["x", "y"]
    assert list_file.resolve("y").get("File") == str(tmp_path / "y")
    assert program("info", "y")[0] == 0
    assert program("copy", tmp_path / "base", tmp_path / "x")[0] == TargetUnfit.exit_code
    assert program("copy", tmp_path / "base")[0] == UsageError.exit_code
    assert program("copy", tmp_path / "base", "postgresql://h/db")[0] == UsageError.exit_code
    assert program("copy", tmp_path / "base", tmp_path / "z", "--name", "Моя база")[0] == 0
    assert json.loads(program("info", tmp_path / "z", "--json")[1])["name"] == "Моя база"
    assert "_$InfoBase$_.Copied" in events(file_base)
