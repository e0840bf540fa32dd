"""Journals beside a file base: another base's is refused, one's own is replayed, and the kind is changed by one while others wait."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from infobase.errors import JournalForeign
from infobase.storage import Statement
from tests.engine_suite.conftest import EngineKit, codes

KILLED = """
import os, sys
from engine_file.engine import FileEngine
from infobase.storage import Statement
engine = FileEngine(sys.argv[1])
for n in range(int(sys.argv[2])):
    with engine.transaction(write=True) as tx:
        tx.run([Statement("UPDATE goods SET code = ? WHERE code LIKE 'A1%'", [f"A1 {n} " + "x" * 40])])
        tx.run([Statement("CREATE TABLE grown_%d (x BLOB)" % n), Statement("INSERT INTO grown_%d VALUES (zeroblob(9000))" % n)])
os._exit(9)
"""


def crashed(folder: Path, writes: int = 3) -> Path:
    """A base whose writer died; its log."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(writes)], timeout=60, check=False)
    log = folder / "1Cv8.1CD-wal"
    assert done.returncode == 9 and log.stat().st_size > 0
    return log


def test_ones_own_journal_is_replayed(file_kit: EngineKit) -> None:
    file_kit.base().close()
    crashed(file_kit.root / "base")
    assert any(code.startswith("A1 2") for code in codes(file_kit.engine()))


def test_a_folder_copied_after_a_crash_opens_as_it_is(file_kit: EngineKit) -> None:
    """Both files belong together, wherever they lie."""
    file_kit.base().close()
    crashed(file_kit.root / "base")
    shutil.copytree(file_kit.root / "base", file_kit.root / "copied")
    assert any(code.startswith("A1 2") for code in codes(file_kit.engine("copied")))


@pytest.mark.parametrize("how", ["renamed", "overwritten"])
def test_a_newer_file_beside_an_older_journal_is_refused(file_kit: EngineKit, how: str) -> None:
    file_kit.base().close()
    folder = file_kit.root / "base"
    shutil.copytree(folder, file_kit.root / "later")
    crashed(folder)
    crashed(file_kit.root / "later", writes=9)
    newer = file_kit.root / "later" / "1Cv8.1CD"
    with closing(sqlite3.connect(newer)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if how == "renamed":
        newer.replace(folder / "1Cv8.1CD")
    else:
        shutil.copyfile(newer, folder / "1Cv8.1CD")
    before = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    with pytest.raises(JournalForeign, match="1Cv8.1CD-wal"):
        codes(file_kit.engine())
    assert all((folder / name).read_bytes() == data for name, data in before.items() if name.startswith("1Cv8.1CD"))
    (folder / "1Cv8.1CD-wal").rename(file_kit.root / "moved away")
    assert any(code.startswith("A1 8") for code in codes(file_kit.engine()))


def test_a_base_without_a_journal_mode_beside_a_journal_is_refused(
    file_kit: EngineKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from a network drive, or a backup."""
    file_kit.base().close()
    folder = file_kit.root / "base"
    monkeypatch.setenv("INFOBASE_JOURNAL", "truncate")
    file_kit.base("plain").close()
    monkeypatch.delenv("INFOBASE_JOURNAL")
    crashed(folder)
    shutil.copyfile(file_kit.root / "plain" / "1Cv8.1CD", folder / "1Cv8.1CD")
    with pytest.raises(JournalForeign):
        codes(file_kit.engine())


def test_what_is_no_journal_is_no_reason(file_kit: EngineKit) -> None:
    """SQLite itself passes by what does not begin as a log."""
    file_kit.base().close()
    for content in (b"left behind", b"\0" * 5000, b"\x37\x7f\x06\x82" + b"\xff" * 5000):
        (file_kit.root / "base" / "1Cv8.1CD-wal").write_bytes(content)
        engine = file_kit.engine()
        assert codes(engine) == ["A1", "A2", "A3"]
        engine.close()


COMER = """
import os, sys, time
from engine_file.engine import FileEngine
from infobase.storage import Statement
open(sys.argv[2] + sys.argv[3], "w").close()
while not os.path.exists(sys.argv[2] + "go"):
    time.sleep(0.0005)
engine = FileEngine(sys.argv[1])
with engine.transaction(write=True) as tx:
    tx.run([Statement("UPDATE goods SET line = line + 1 WHERE code = 'A1'")])
time.sleep(0.3)
engine.close()
"""


@pytest.mark.parametrize("kinds", [("wal", "truncate"), ("truncate", "wal")])
def test_all_who_come_at_once_get_in_though_the_journal_must_change(
    file_kit: EngineKit, monkeypatch: pytest.MonkeyPatch, kinds: tuple[str, str]
) -> None:
    """A base made on a local disk, opened on a share by several at one moment (and the other way round)."""
    monkeypatch.setenv("INFOBASE_JOURNAL", kinds[0])
    engine = file_kit.base()
    with engine.transaction(write=True) as tx:
        tx.run([Statement("UPDATE goods SET line = 0 WHERE code = 'A1'")])
    engine.close()
    for turn in range(2):
        gate = f"{file_kit.root}/turn{turn}-"
        command = [sys.executable, "-c", COMER, str(file_kit.root / "base"), gate]
        settings = {**os.environ, "INFOBASE_JOURNAL": kinds[1]}
        comers = [subprocess.Popen([*command, str(n)], env=settings, stderr=subprocess.PIPE) for n in range(3)]
        for n in range(3):
            while not Path(f"{gate}{n}").exists():
                assert comers[n].poll() is None
        Path(f"{gate}go").touch()
        for comer in comers:
            _, err = comer.communicate(timeout=60)
            assert comer.returncode == 0, err.decode()
        monkeypatch.setenv("INFOBASE_JOURNAL", kinds[0])
        engine = file_kit.engine()
        with engine.transaction(write=False) as tx:
            assert tx.run([Statement("SELECT line FROM goods WHERE code = 'A1'")])[0][0][0] == 3 * (turn + 1)
        engine.close()


def test_another_kind_is_refused_while_somebody_stays(file_kit: EngineKit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFOBASE_JOURNAL", "wal")
    staying = file_kit.base()
    assert codes(staying) == ["A1", "A2", "A3"]
    command = [sys.executable, "-c", COMER, str(file_kit.root / "base"), f"{file_kit.root}/", "0"]
    Path(f"{file_kit.root}/go").touch()
    done = subprocess.run(
        command, env={**os.environ, "INFOBASE_JOURNAL": "truncate"}, capture_output=True, timeout=60, check=False
    )
    assert done.returncode and b"EngineUnavailable" in done.stderr
    assert codes(staying) == ["A1", "A2", "A3"]
