"""What a store meets in real life: full disks, foreign files, rights, servers that go away."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from engine_file.engine import FileEngine
from infobase.errors import (
    CommitOutcomeUnknown,
    EngineUnavailable,
    GenuineFile,
    InfobaseDamaged,
    InfobaseError,
    InfobaseNotFound,
    InfobaseVersionUnsupported,
)
from infobase.storage import Statement
from tests.engine_suite.conftest import EngineKit, codes, line

ROOT = Path(__file__).parents[2]

FILL = """
import resource, sys
from engine_file.engine import FileEngine
from infobase.errors import DiskFull
from infobase.storage import Statement
engine = FileEngine(sys.argv[1])
with engine.transaction(write=False) as tx:
    tx.run([Statement("SELECT count(*) FROM goods")])
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
written = 0
try:
    while True:
        with engine.transaction(write=True) as tx:
            tx.run([Statement("UPDATE goods SET line = line + 1, picture = zeroblob(60000) WHERE code = 'A1'")])
        written += 1
except DiskFull as e:
    print(written, e)
    engine.close()
"""


# --- files ---


def test_a_full_disk_refuses_the_change_and_keeps_what_was_acknowledged(file_kit: EngineKit) -> None:
    engine = file_kit.base()
    before = line(engine)
    engine.close()
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(file_kit.root / "base")], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    written = int(done.stdout.split()[0])
    fresh = file_kit.engine()
    assert line(fresh) == before + written
    assert [f for f in fresh.check() if f.severity == "error"] == []
    with fresh.transaction(write=True) as tx:
        tx.run([Statement("UPDATE goods SET line = 1 WHERE code = 'A1'")])


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"1CDBMSV8\x08\x03\x08\x00" + bytes(4084), GenuineFile),
        (b"", InfobaseDamaged),
        (b"SQLite format 3\x00", InfobaseDamaged),
        (b"PK\x03\x04" + bytes(200), InfobaseDamaged),
    ],
    ids=["genuine", "empty", "cut", "zip"],
)
def test_what_is_no_base_of_ours_is_refused_and_left_alone(
    tmp_path: Path, content: bytes, error: type[InfobaseError]
) -> None:
    file = tmp_path / "1Cv8.1CD"
    file.write_bytes(content)
    with pytest.raises(error), FileEngine(tmp_path).transaction(write=False):
        pass
    assert file.read_bytes() == content


def test_a_foreign_sqlite_file_and_a_newer_store_are_refused(file_kit: EngineKit) -> None:
    engine = file_kit.base()
    engine.close()
    place = file_kit.root / "base" / "1Cv8.1CD"
    conn = sqlite3.connect(place, isolation_level=None)
    conn.execute("PRAGMA user_version = 99")
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.close()
    with pytest.raises(InfobaseVersionUnsupported), file_kit.engine().transaction(write=False):
        pass
    conn = sqlite3.connect(place, isolation_level=None)
    conn.execute("PRAGMA user_version = 1")
    conn.execute("PRAGMA application_id = 5")
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.close()
    with pytest.raises(InfobaseDamaged), file_kit.engine().transaction(write=False):
        pass


def test_a_hostile_base_with_a_trigger_is_refused(file_kit: EngineKit) -> None:
    engine = file_kit.base()
    engine.close()
    with sqlite3.connect(file_kit.root / "base" / "1Cv8.1CD") as conn:
        conn.execute("CREATE TRIGGER t AFTER UPDATE ON goods BEGIN DELETE FROM goods; END")
    conn.close()
    with pytest.raises(InfobaseDamaged, match="trigger"), file_kit.engine().transaction(write=False):
        pass


def test_damage_inside_is_an_error_people_can_read(file_kit: EngineKit) -> None:
    engine = file_kit.base(rows=2000)
    engine.close()
    place = file_kit.root / "base" / "1Cv8.1CD"
    size = place.stat().st_size
    with place.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(size - 8192))
    fresh = file_kit.engine()
    with pytest.raises(InfobaseDamaged):
        codes(fresh)
    assert [f for f in fresh.check() if f.severity == "error"]


def test_a_copied_file_alone_is_a_base(file_kit: EngineKit) -> None:
    engine = file_kit.base()
    engine.close()
    other = file_kit.root / "copied"
    other.mkdir()
    (other / "1Cv8.1CD").write_bytes((file_kit.root / "base" / "1Cv8.1CD").read_bytes())
    assert codes(file_kit.engine("copied")) == ["A1", "A2", "A3"]


@pytest.mark.parametrize("journal", ["wal", "truncate"])
def test_both_journals_work_and_may_be_exchanged(
    file_kit: EngineKit, monkeypatch: pytest.MonkeyPatch, journal: str
) -> None:
    monkeypatch.setenv("INFOBASE_JOURNAL", journal)
    engine = file_kit.base()
    with engine.transaction(write=True) as tx:
        tx.run([Statement("UPDATE goods SET line = 4 WHERE code = 'A1'")])
    engine.close()
    monkeypatch.setenv("INFOBASE_JOURNAL", "truncate" if journal == "wal" else "wal")
    assert line(file_kit.engine()) == 4


# --- servers ---


def test_a_server_that_goes_away_in_a_transaction(server_kit: EngineKit) -> None:
    engine = server_kit.base()
    before = line(engine)
    with pytest.raises(EngineUnavailable), engine.transaction(write=True) as tx:
        tx.run([Statement("UPDATE goods SET line = 9 WHERE code = 'A1'")])
        _terminate(server_kit)
        tx.run([Statement("UPDATE goods SET line = 10 WHERE code = 'A1'")])
    assert line(engine) == before, "nothing of it stays, and the engine works again"


def test_a_connection_lost_at_the_commit_says_that_nobody_knows(server_kit: EngineKit) -> None:
    engine = server_kit.base()
    with pytest.raises(CommitOutcomeUnknown), engine.transaction(write=True) as tx:
        tx.run([Statement("UPDATE goods SET line = 9 WHERE code = 'A1'")])
        _terminate(server_kit)
    assert line(engine) in (1, 9)


def test_a_server_that_is_not_there(server_kit: EngineKit) -> None:
    place = "postgresql://nobody@127.0.0.1:1/nothing"
    from engine_server.engine import ServerEngine
    from engine_server.place import from_url

    with pytest.raises(EngineUnavailable), ServerEngine(from_url(place)).transaction(write=False):
        pass
    with pytest.raises(InfobaseNotFound), server_kit.engine("missing").transaction(write=False):
        pass


def _terminate(kit: EngineKit) -> None:
    """End every connection to the kit's databases, as an administrator or a crash would."""
    with psycopg.connect(kit.pg_url, autocommit=True) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE starts_with(datname, %s)", [kit.prefix]
        )
