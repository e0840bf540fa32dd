"""The administrator's commands as people type them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infobase import errors
from infobase.storage import LogFilter
from tests.administration.conftest import Program
from tests.bases import SHOP, Place


def test_the_code_of_a_block_goes_by_either_option(program: Program, conn: str) -> None:
    for option in ("--code", "--permission-code"):
        assert program("sessions", "block", conn, option, "1234")[0] == 0
        asked = ("query", conn, "--source", "Catalog.Goods", "--permission-code")
        assert program(*asked, "999")[0] == errors.SessionsBlocked.exit_code
        assert program(*asked, "1234")[0] == 0
        assert program("sessions", "unblock", conn)[0] == 0


def test_sessions_block_and_unblock(program: Program, conn: str) -> None:
    assert program("sessions", conn)[0] == 0
    assert program("sessions", "block", conn, "--message", "Back at noon", "--code", "42", "--to", "2999-01-01")[0] == 0
    code, _, err = program("info", conn)
    assert code == errors.SessionsBlocked.exit_code
    assert "Back at noon" in err and "sessions unblock" in err
    assert program("info", conn, "--permission-code", "42")[0] == 0
    assert program("info", f"{conn}UC=42;" if conn.startswith("File") else conn, "--permission-code", "42")[0] == 0
    code, out, _ = program("sessions", conn, "list", "--json")
    told = json.loads(out)
    assert code == 0 and told["block"]["message"] == "Back at noon" and "code" not in told["block"]
    assert program("sessions", "unblock", conn)[0] == 0
    assert "no block" in program("sessions", "unblock", conn)[1]
    assert program("info", conn)[0] == 0
    with Place(conn).session() as session:
        log = list(session.kernel.engine.event_log().read(LogFilter(events=("_$InfoBase$_.InfoBaseAdmParamsUpdate",))))
    assert len(log) == 2 and {e.user for e in log} == {"Administrator"}


@pytest.mark.parametrize(
    "period", [("--from", "2999-01-02", "--to", "2999-01-01"), ("--to", "2001-01-01"), ("--from", "soon")]
)
def test_an_impossible_block_is_refused(program: Program, tmp_path: Path, period: tuple[str, ...]) -> None:
    program("create", tmp_path / "base", "--template", SHOP)
    assert program("sessions", "block", tmp_path / "base", *period)[0] == errors.UsageError.exit_code
    assert not (tmp_path / "base" / "1Cv8.cdn").exists()


def test_sessions_terminate(program: Program, conn: str) -> None:
    session = Place(conn).session()
    try:
        number = session.info.number
        assert program("sessions", "terminate", conn)[0] == errors.UsageError.exit_code
        assert program("sessions", "terminate", conn, number + 50)[0] == errors.UsageError.exit_code
        code, out, err = program("sessions", "terminate", conn, number, "--message", "Lunch.")
        assert code == 0, err
        with pytest.raises(errors.SessionTerminated, match="Lunch."):
            session.catalogs.Goods.new(Description="x").write()
    finally:
        session.close()
    with Place(conn).session():
        assert program("sessions", "terminate", conn, "--all")[0] == errors.UsageError.exit_code
        assert program("sessions", "terminate", conn, "--all", "--yes")[0] == 0


def test_sessions_limit(program: Program, conn: str) -> None:
    assert program("sessions", "limit", conn, "many")[0] == errors.UsageError.exit_code
    assert program("sessions", "limit", conn, "1")[0] == 0
    with Place(conn).session(), pytest.raises(errors.SessionLimit):
        Place(conn).session()
    assert program("sessions", "limit", conn, "-")[0] == 0
    told = json.loads(program("sessions", "limit", conn, "--json")[1])
    assert told["limit"] == told["advised"]


def test_only_an_administrator_blocks(program: Program, conn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFOBASE_NEW_PASSWORD", "x")
    assert program("user", "add", conn, "Seller", "--role", "Clerk", "--user", "Administrator")[0] == 0
    monkeypatch.setenv("INFOBASE_PASSWORD", "x")
    assert program("sessions", "block", conn, "--user", "Seller")[0] == errors.AccessDenied.exit_code
    assert program("sessions", conn, "--user", "Seller")[0] == errors.AccessDenied.exit_code
