"""A file written aside: whole or not at all, and nothing of a killed writer stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infobase.files import new_file, write_atomically

DYING = """
import os, signal, sys
from pathlib import Path
from infobase.files import new_file
with new_file(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL is a POSIX signal")


def test_what_a_killed_writer_left_goes_with_the_next_writing(tmp_path: Path) -> None:
    target = tmp_path / "a.dt"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", DYING, str(target)], check=False, cwd=Path(__file__).parents[2])
    assert not target.exists() and len(list(tmp_path.iterdir())) == 1
    write_atomically(target, b"whole")
    assert [p.name for p in tmp_path.iterdir()] == ["a.dt"] and target.read_bytes() == b"whole"


def test_a_living_writer_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "list[1].v8i"
    with new_file(target) as file:
        file.write(b"first")
        write_atomically(target, b"second")
    assert target.read_bytes() == b"first"
    assert [p.name for p in tmp_path.iterdir()] == ["list[1].v8i"]
