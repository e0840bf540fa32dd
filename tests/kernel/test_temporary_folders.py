"""Temporary folders: private, gone after use, and those of killed processes swept by the next one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from infobase.scratch import temporary_folder

_HOLDER = """
import sys
from pathlib import Path
from infobase.scratch import temporary_folder
with temporary_folder("check", Path(sys.argv[1])) as folder:
    (folder / "copy").write_text("half")
    print(folder, flush=True)
    sys.stdin.read()
"""


def holder(root: Path) -> tuple[subprocess.Popen[str], Path]:
    """A living process with a folder of its own."""
    command = [sys.executable, "-c", _HOLDER, str(root)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_it_is_private_and_goes(tmp_path: Path) -> None:
    with temporary_folder("check", tmp_path) as folder:
        assert not list(folder.iterdir())
        assert os.name == "nt" or folder.parent.stat().st_mode & 0o077 == 0
    assert not list(tmp_path.iterdir())


def test_the_usual_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_folder("check") as folder:
        assert folder.is_relative_to(tmp_path)


def test_a_killed_holders_folder_is_swept_by_the_next(tmp_path: Path) -> None:
    process, left = holder(tmp_path)
    process.kill()
    process.communicate()
    assert (left / "copy").exists()
    with temporary_folder("drill", tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder.parent]


def test_a_living_holders_folder_stays(tmp_path: Path) -> None:
    process, held = holder(tmp_path)
    try:
        with temporary_folder("check", tmp_path):
            assert (held / "copy").read_text() == "half"
    finally:
        process.communicate("")
    assert not list(tmp_path.iterdir())


def test_what_is_not_surely_ours_stays(tmp_path: Path) -> None:
    """A folder without our lock, a file, a link to a folder that has one, and one whose lock is a link."""
    away = tmp_path / "away"
    away.mkdir()
    (away / ".lock").touch()
    root = tmp_path / "root"
    (root / "infobase-stranger").mkdir(parents=True)
    (root / "infobase-stranger" / "letter").touch()
    (root / "infobase-file").touch()
    (root / "infobase-link").symlink_to(away, target_is_directory=True)
    (root / "infobase-lock").mkdir()
    (root / "infobase-lock" / ".lock").symlink_to(away / ".lock")
    with temporary_folder("check", root):
        pass
    assert {p.name for p in root.iterdir()} == {"infobase-stranger", "infobase-file", "infobase-link", "infobase-lock"}
    assert (root / "infobase-stranger" / "letter").exists()
    assert (away / ".lock").exists()
