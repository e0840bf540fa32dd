"""A backup or an edit of the list that is killed, or whose disk is full, leaves the old state or the new one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from infobase import list_file
from infobase.backups.folder import backups_in
from infobase.backups.make import make_backup
from infobase.backups.retention import parse_rules
from infobase.backups.verify import verify_backup
from infobase.check import check_infobase
from infobase.connection_string import folder
from infobase.infobase import open_base
from tests.bases import Place

ROOT = Path(__file__).parents[2]
ROUNDS = int(os.environ.get("INFOBASE_KILL_ROUNDS", "6"))

BACKUP = """
import sys
from pathlib import Path
from infobase.backups.make import make_backup
from infobase.backups.retention import parse_rules
from infobase.infobase import open_base
from tests.bases import Place
base = open_base(Place(sys.argv[1]).engine())
print("go", flush=True)
while True:
    make_backup(base, Path(sys.argv[2]), rules=parse_rules("2"))
"""
LIMITED = """
import resource, signal, sys
from pathlib import Path
from infobase.backups.make import make_backup
from infobase.errors import InfobaseError
from infobase.infobase import open_base
from tests.bases import Place
base = open_base(Place(sys.argv[1]).engine())
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    make_backup(base, Path(sys.argv[2]))
except InfobaseError as e:
    print(e)
    sys.exit(e.exit_code)
"""
EDIT = """
import resource, signal, sys
from pathlib import Path
from infobase import list_file
from infobase.connection_string import folder
from infobase.errors import InfobaseError
if len(sys.argv) > 2:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
n = 0
try:
    while n < (1 if len(sys.argv) > 2 else 10**6):
        n += 1
        list_file.edit(Path(sys.argv[1]), lambda bases: bases.add(bases.free_name("b"), folder("/b")))
        print("go", flush=True)
except InfobaseError as e:
    sys.exit(e.exit_code)
"""


@pytest.fixture(autouse=True)
def _posix_only() -> None:
    if os.name != "posix":
        pytest.skip("SIGKILL and file size limits are POSIX")


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def kill_after(process: subprocess.Popen[str], seconds: float) -> None:
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "go"
        time.sleep(seconds)
        process.kill()


def faults(place: Place) -> list[str]:
    engine = place.engine()
    try:
        return [f.message for f in check_infobase(open_base(engine).kernel) if f.severity == "error"]
    finally:
        engine.close()


def test_a_killed_backup_leaves_whole_backups_only(file_base: Place, tmp_path: Path) -> None:
    copies, random = tmp_path / "copies", Random(7)
    for _ in range(ROUNDS):
        kill_after(start(BACKUP, file_base.connection, copies), random.uniform(0.05, 0.6))
        if copies.exists():
            found, broken = backups_in(copies)
            assert not broken
            for backup in found:
                verify_backup(backup, full=True)
    engine = file_base.engine()
    make_backup(open_base(engine), copies, rules=parse_rules("2"))
    engine.close()
    assert [p.name for p in copies.iterdir() if p.name.startswith(".")] == [".backups.lock"], "leftovers are swept"
    assert faults(file_base) == []


@pytest.mark.parametrize("limit", [0, 1000, 40_000, 120_000, 200_000])
def test_a_full_disk_leaves_no_backup_and_a_sound_base(file_base: Place, tmp_path: Path, limit: int) -> None:
    with start(LIMITED, file_base.connection, tmp_path / "copies", limit) as process:
        said = process.communicate()[0]
    assert process.returncode not in (0, 1, 99), said
    assert not (tmp_path / "copies").exists() or backups_in(tmp_path / "copies") == ([], [])
    assert not (tmp_path / "base" / "1Cv8.1CD.check").exists(), "a full disk elsewhere says nothing against the base"
    assert faults(file_base) == []


def test_killed_edits_leave_a_whole_list(tmp_path: Path) -> None:
    place, random = tmp_path / "ibases.v8i", Random(8)
    list_file.edit(place, lambda bases: bases.add("first", folder("/first"), "/Группа"))
    count = 1
    for _ in range(ROUNDS):
        kill_after(start(EDIT, place), random.uniform(0.02, 0.2))
        bases = list_file.read(place)
        assert place.read_bytes().startswith(b"\xef\xbb\xbf") and place.read_bytes().endswith(b"\r\n")
        assert len(bases.bases) > count and bases.find("first") is not None
        assert all(b.id and b.connect for b in bases.bases)
        count = len(bases.bases)


def test_a_full_disk_leaves_the_old_list(tmp_path: Path) -> None:
    place = tmp_path / "ibases.v8i"
    list_file.edit(place, lambda bases: bases.add("first", folder("/first")))
    before = place.read_bytes()
    with start(EDIT, place, len(before)) as process:
        process.communicate()
    assert process.returncode not in (0, 1, 99)
    assert place.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ibases.v8i", "ibases.v8i.lock"]
    shutil.rmtree(tmp_path, ignore_errors=True)
