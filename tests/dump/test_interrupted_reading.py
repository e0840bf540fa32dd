"""Ctrl-C while a file base's snapshot is read is Ctrl-C, not an error of the reader."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine_file.bulk import FileSnapshot

SLOW = """
CREATE VIEW numbers AS
WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 2000000) SELECT x FROM n
"""


@pytest.mark.skipif(os.name != "posix", reason="a signal to oneself")
def test_ctrl_c_ends_the_reading(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "scratch")) as conn:
        conn.execute(SLOW)
    table: Any = SimpleNamespace(name="numbers", dumped_columns=[SimpleNamespace(name="x")], primary_key=("x",))
    threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        list(FileSnapshot(tmp_path / "scratch").read(table))
