"""SQLite's own backup of the infobase's file, page by page, and the same way back."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from protocol import serve, task


def _copy(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as here, closing(sqlite3.connect(target)) as there:
        here.backup(there)
    with target.open("rb") as file:
        os.fsync(file.fileno())


class Worker:
    def __init__(self, given: dict) -> None:
        self.base = Path(given["file"]) / "1Cv8.1CD"
        self.copy = Path(given["folder"]) / "sqlite3-restored.db"

    def prepare(self) -> None:
        """The base is ours and there."""

    def dump(self, target: str) -> None:
        _copy(self.base, Path(target))

    def ready_to_load(self) -> None:
        self.copy.unlink(missing_ok=True)

    def load(self, source: str) -> None:
        _copy(Path(source), self.copy)

    def restored(self) -> int:
        with closing(sqlite3.connect(self.copy)) as base:
            return base.execute("SELECT count(*) FROM doc_sales_order WHERE posted").fetchone()[0]

    def close(self) -> None:
        """Nothing is open."""


if __name__ == "__main__":
    serve(Worker(task()))
