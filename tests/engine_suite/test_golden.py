"""Golden bases: published sealed, cloned as they are, no more there once they are not what was sealed."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from engine_server.engine import GOLDEN
from infobase.storage import LogEntry, LogFilter, Statement
from tests import postgres
from tests.engine_suite.conftest import EngineKit, codes, fill, item


@pytest.fixture
def key(request: pytest.FixtureRequest) -> Iterator[str]:
    """Of this test alone: golden databases live beside the bases of all tests."""
    made = secrets.token_hex(12)
    yield made
    if "kit" in request.fixturenames or "server_kit" in request.fixturenames:
        name = "kit" if "kit" in request.fixturenames else "server_kit"
        kit: EngineKit = request.getfixturevalue(name)
        if kit.kind == "server":
            kit.close()
            postgres.drop_databases(kit.pg_url, GOLDEN + made)


def golden_of(kit: EngineKit, engine: Any, tmp_path: Path, key: str, rows: int = 3) -> Any:
    golden = engine.golden(key, tmp_path / "cache")
    kit.made.append(golden)
    assert not golden.exists()
    staged = kit.staged(golden)
    fill(staged, [item(n) for n in range(1, rows + 1)])
    golden.publish(staged, replace=True)
    staged.close()
    return golden


@pytest.fixture
def engine(kit: EngineKit) -> Any:
    return kit.engine()


def test_clones_of_a_golden_base_are_bases_of_their_own(kit: EngineKit, engine: Any, tmp_path: Path, key: str) -> None:
    golden = golden_of(kit, engine, tmp_path, key)
    assert golden.exists() and not engine.exists()
    for name in ("base", "second"):
        place = kit.engine(name)
        staged = place.clone_from(golden)
        kit.made.append(staged)
        staged.event_log().append([LogEntry(dt.datetime(2024, 1, 1), "_$InfoBase$_.RestoreFinish")])
        with staged.transaction(write=True) as tx:
            tx.run([Statement(f"UPDATE goods SET code = '{name}' WHERE code = 'A1'")])
        place.publish(staged, replace=False)
        staged.close()
        assert codes(place) == sorted(["A2", "A3", name])
        assert [e.event for e in place.event_log().read(LogFilter())] == ["_$InfoBase$_.RestoreFinish"]
    assert golden.exists()


def test_it_is_replaced_whole(kit: EngineKit, engine: Any, tmp_path: Path, key: str) -> None:
    golden_of(kit, engine, tmp_path, key)
    golden = engine.golden(key, tmp_path / "cache")
    staged = kit.staged(golden)
    fill(staged, [item(7)])
    golden.publish(staged, replace=True)
    clone = engine.clone_from(golden)
    kit.made.append(clone)
    assert codes(clone) == ["A7"]
    clone.drop()
    golden.drop()
    assert not engine.golden(key, tmp_path / "cache").exists()


def test_a_file_that_is_not_what_was_sealed_is_no_golden_base(file_kit: EngineKit, tmp_path: Path, key: str) -> None:
    engine = file_kit.engine()
    golden = golden_of(file_kit, engine, tmp_path, key)
    file = tmp_path / "cache" / key / "1Cv8.1CD"
    whole = file.read_bytes()
    for broken in (whole[:-4096], b"", b"x" * len(whole)):
        file.write_bytes(broken)
        assert not golden.exists()
    staged = file_kit.staged(golden)
    fill(staged, [item(1)])
    golden.publish(staged, replace=True)
    assert golden.exists()
    file.with_name("1Cv8.1CD.sealed").unlink()
    assert not golden.exists()


def test_nobody_connects_to_a_golden_database(server_kit: EngineKit, tmp_path: Path, key: str) -> None:
    engine = server_kit.engine()
    golden = golden_of(server_kit, engine, tmp_path, key)
    place = golden.where()
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        psycopg.connect(host=place.host, port=place.port, user=place.user, dbname=place.database)
    golden.drop()
