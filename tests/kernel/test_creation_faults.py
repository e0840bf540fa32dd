"""A base that cannot be opened right after it was made, for the disk is full, is no base."""

from __future__ import annotations

from pathlib import Path

import pytest

from infobase import infobase as bases
from infobase.connection import engine_of
from infobase.errors import DiskFull, StorageFailure
from infobase.storage import StorageEngine
from tests.bases import file_place, shop


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk has no room for the companions of an open base."""

    def refuse(engine: StorageEngine) -> None:
        raise DiskFull(place=engine.place, detail="SQLITE_FULL")

    monkeypatch.setattr(bases, "open_base", refuse)


@pytest.mark.usefixtures("full")
def test_a_full_disk_leaves_no_new_base(tmp_path: Path) -> None:
    place = file_place(tmp_path / "base")
    engine = engine_of(place.connection)
    with pytest.raises(DiskFull):
        bases.create(engine, shop(), name="a")
    assert not engine.exists()
    engine.close()
    assert not list(tmp_path.rglob("*.1CD"))


@pytest.mark.usefixtures("full")
def test_what_cannot_be_removed_is_said_to_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(file_place(tmp_path / "base").connection)

    def refuse() -> None:
        raise OSError("EIO")

    monkeypatch.setattr(engine, "drop", refuse)
    with pytest.raises(StorageFailure, match="stands there|осталась"):
        bases.create(engine, shop(), name="a")
    assert engine.exists()
    engine.close()
