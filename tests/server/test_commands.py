"""Whole commands over Srvr=: the command line does not care where a base is. And `infobase server` itself, from nothing to a demo base."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import cli
from engine_server.application.calls import SERVING
from infobase import errors
from infobase.commands import runner
from tests.bases import SHOP
from tests.server.conftest import RemotePlace
from tests.server.servers import ADMINISTRATOR, PASSWORD, Cluster, free_port

Program = Callable[..., tuple[int, str, str]]


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.setenv("INFOBASE_LIST", str(tmp_path / "ibases.v8i"))
    monkeypatch.setenv("INFOBASE_CLUSTER_USER", ADMINISTRATOR)
    monkeypatch.setenv("INFOBASE_CLUSTER_PASSWORD", PASSWORD)
    monkeypatch.delenv("INFOBASE_DEBUG", raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = runner.run(cli.root, [str(a) for a in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return run


def test_the_life_of_a_remote_base(program: Program, place: RemotePlace, tmp_path: Path) -> None:
    where = place.cluster.connection(place.name)
    assert program("create", where, "--template", SHOP, "--name", "Лавка", "--admin", "Chief")[0] == 0
    assert program("create", where, "--template", SHOP)[0] == errors.InfobaseExists.exit_code
    told = json.loads(program("info", where, "--json")[1])
    assert told["name"] == "Лавка" and told["mode"] == "server"
    assert json.loads(program("check", where, "--json")[1]) is not None
    assert program("dump", where, tmp_path / "b.dt")[0] == 0
    code, out, _ = program("verify", tmp_path / "b.dt")
    assert code == 0 and str(told["content_digest"]) in out
    copy = f'File="{tmp_path / "copy"}";'
    assert program("restore", tmp_path / "b.dt", copy)[0] == 0
    assert json.loads(program("info", copy, "--json")[1])["content_digest"] == told["content_digest"]
    assert program("restore", tmp_path / "b.dt", where)[0] == errors.TargetExists.exit_code
    assert program("restore", tmp_path / "b.dt", where, "--replace", "--yes")[0] == 0
    assert json.loads(program("info", where, "--json")[1])["content_digest"] == told["content_digest"]
    code, out, _ = program("query", where, "--source", "Справочник.Регионы", "--select", "Код,Наименование", "--json")
    assert code == 0 and "Тверь" in out
    assert program("user", "add", where, "Clerk", "--role", "Clerk", "--empty-password", "--user", "Chief")[0] == 0
    assert [u["name"] for u in json.loads(program("user", "list", where, "--json", "--user", "Chief")[1])] == [
        "Chief",
        "Clerk",
    ]
    code, out, _ = program("log", "show", where, "--json", "--user", "Chief", "--event", "_$User$_.New")
    assert code == 0 and json.loads(out)[0]["comment"] == "Clerk"
    assert program("user", "list", where, "--user", "Clerk")[0] == errors.AccessDenied.exit_code
    assert program("sessions", "list", where, "--user", "Chief")[0] == 0
    assert program("config", "export", where, tmp_path / "shop.cf", "--user", "Chief")[0] == 0
    assert (tmp_path / "shop.cf").exists()
    assert program("sessions", "block", where, "--message", "обед", "--code", "7", "--user", "Chief")[0] == 0
    assert (
        program("query", where, "--source", "Catalog.Goods", "--user", "Chief")[0] == errors.SessionsBlocked.exit_code
    )
    assert program("sessions", "unblock", where, "--user", "Chief")[0] == 0
    assert program("drop", where, "--yes", "--user", "Chief")[0] == 0
    assert program("info", where)[0] == errors.InfobaseNotFound.exit_code


def test_moving_a_base_to_the_server_and_back(program: Program, place: RemotePlace, tmp_path: Path) -> None:
    here, there, back = f'File="{tmp_path / "a"}";', place.cluster.connection(place.name), f'File="{tmp_path / "b"}";'
    assert program("create", here, "--template", SHOP)[0] == 0
    done = program("replicate", here, there)
    assert done[0] == 0, done
    assert program("replicate", here, there)[0] == errors.TargetExists.exit_code
    done = program("replicate", there, back)
    assert done[0] == 0, done
    digests = {json.loads(program("info", where, "--json")[1])["content_digest"] for where in (here, there, back)}
    assert len(digests) == 1


def test_every_command_understands_srvr(program: Program, place: RemotePlace, tmp_path: Path) -> None:
    """Either it works through the server, or it says in words that it must be done elsewhere - never a fault of the program."""
    place.create("Chief")
    where = place.cluster.connection(place.name)
    works = [
        ("info", where, "--storage"),
        ("query", where, "--source", "Catalog.Goods"),
        ("dump", where, tmp_path / "a.dt"),
        ("advise", where, "--json"),
        ("config", "info", where),
        ("config", "diff", where, SHOP),
        ("sessions", "list", where),
        ("sessions", "limit", where),
        ("user", "list", where),
        ("role", "list", where),
        ("log", "show", where),
        ("jobs", "list", where),
        ("jobs", "history", where),
        ("jobs", "trim-log", where),
        ("jobs", "disable", where, "log_trim"),
        ("jobs", "remove", where, "log_trim"),
        ("odata", "list", where),
        ("classifier", "status", where),
        ("backup", "make", where, tmp_path / "backups"),
        ("copy", where, tmp_path / "copy"),
    ]
    known = set(_verbs(cli.root))
    failed = {}
    for arguments in works:
        if not any(tuple(map(str, arguments[: len(p)])) == p for p in known):
            continue
        code, _, err = program(*arguments)
        if code != 0:
            failed[arguments[:2]] = (code, err)
    internal = {
        k: v for k, v in failed.items() if v[0] in (errors.InternalError.exit_code, errors.NotOverTheWire.exit_code)
    }
    assert not internal, internal
    assert not failed, failed


def test_the_server_knows_every_served_function() -> None:
    root = Path(cli.__file__).parent
    found = {
        ".".join(f.relative_to(root).with_suffix("").parts)
        for f in (root / "infobase").rglob("*.py")
        if "\n@served(" in f.read_text("utf-8")
    }
    assert found == set(SERVING)


def _verbs(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in getattr(group, "commands", {}).items():
        if getattr(command, "commands", None):
            yield from _verbs(command, (*path, name))
        else:
            yield (*path, name)


def test_updating_the_configuration_through_the_server(program: Program, place: RemotePlace, tmp_path: Path) -> None:
    place.create("Chief")
    where = place.cluster.connection(place.name)
    with place.session("Chief") as session:
        session.catalogs.Goods.new(Description="Стол").write()
    newer = tmp_path / "newer"
    shutil.copytree(SHOP, newer)
    goods = newer / "Catalogs" / "Goods.toml"
    goods.write_text(goods.read_text("utf-8") + '\n[attributes.Weight]\nru = "Вес"\ntype = "Number(10,3)"\n', "utf-8")
    other = place.session("Chief")
    assert program("config", "import", newer, where)[0] == 0
    busy = program("config", "apply", where, "--yes", "--user", "Chief")
    assert busy[0] == errors.InfobaseBusy.exit_code, busy
    other.close()
    done = program("config", "apply", where, "--yes")
    assert done[0] == 0, done
    with place.session("Chief") as session:
        found = next(iter(session.catalogs.Goods.select()))
        assert str(found.Weight) == "0.000"


def test_dump_needs_both_administrators(
    program: Program, place: RemotePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.create("Chief")
    where = f'Srvr="127.0.0.1:{place.cluster.port}";Ref="{place.name}";'
    monkeypatch.setenv("INFOBASE_CLUSTER_PASSWORD", "not it")
    assert program("dump", where, tmp_path / "x.dt")[0] == errors.ClusterLoginFailed.exit_code
    assert not list(tmp_path.glob("*.dt*"))
    monkeypatch.setenv("INFOBASE_CLUSTER_PASSWORD", PASSWORD)
    code, out, _ = program("log", "show", where, "--json", "--event", "_$Access$_.AccessDenied")
    assert code == 0 and "Выгрузка" in out
    secret = tmp_path / "secret"
    secret.write_text("a dump's password\n")
    assert program("dump", where, tmp_path / "x.dt", "--dump-password-file", secret)[0] == 0
    assert program("verify", tmp_path / "x.dt")[0] == errors.DumpEncrypted.exit_code
    assert program("verify", tmp_path / "x.dt", "--dump-password-file", secret)[0] == 0


def test_a_failed_restore_leaves_nothing(
    program: Program, place: RemotePlace, tmp_path: Path, cluster: Cluster
) -> None:
    broken = tmp_path / "broken.dt"
    broken.write_bytes(b"PK\x03\x04 nothing of a dump")
    where = cluster.connection(place.name)
    assert program("restore", broken, where)[0] == errors.DumpInvalid.exit_code
    with cluster.registry() as opened:
        assert opened.row("SELECT 1 FROM cluster.infobases WHERE name = %s", [place.name]) is None
        found = opened.rows("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [place.name])
        assert found == []
    assert not any((s.folder / "tmp").exists() and any((s.folder / "tmp").iterdir()) for s in cluster.servers)


def test_the_cluster_is_administered(program: Program, place: RemotePlace, cluster: Cluster, tmp_path: Path) -> None:
    at = ("--server", f"127.0.0.1:{cluster.port}")
    code, out, _ = program("server", "infobases", "create", place.name, "--template", SHOP, "--admin", "Chief", *at)
    assert code == 0 and out.startswith("infobase : ")
    code, out, _ = program(
        "server", "infobases", "update", place.name, "--sessions-deny", "on", "--denied-message", "стоп",
        "--denied-from", "2026-01-01T00:00:00", "--permission-code", "42", "--json", *at,
    )  # fmt: skip
    told = json.loads(out)
    assert told["sessions-deny"] == "on" and told["denied-from"] == "2026-01-01T00:00:00"
    assert not {"dsn", "db-server", "db-pwd"} & set(told)
    assert (
        program("query", cluster.connection(place.name), "--source", "Catalog.Goods")[0]
        == errors.SessionsBlocked.exit_code
    )
    assert program("server", "infobases", "update", place.name, "--sessions-deny", "off", *at)[0] == 0
    with place.session("Chief") as session:
        shown = json.loads(program("server", "sessions", "list", "--json", *at)[1])
        mine = [s for s in shown if s["session"] == str(session.info.id)]
        assert mine[0]["user-name"] == "Chief" and mine[0]["infobase"] == place.name
        assert program("server", "sessions", "terminate", session.info.number, *at)[0] == 0
    assert program("server", "locks", "--json", *at)[0] == 0
    assert program("server", "administrators", "remove", ADMINISTRATOR, *at)[0] == errors.UserInvalid.exit_code
    assert program("server", "infobases", "drop", place.name, "--drop-database", "--yes", *at)[0] == 0
    assert place.name not in program("server", "infobases", "list", "--json", *at)[1]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not under tmp_path: for root PostgreSQL runs as another user, and pytest's folders are closed to others."""
    made = Path(tempfile.mkdtemp(prefix="infobase-test-server-"))
    made.chmod(0o755)
    yield made / "server"
    shutil.rmtree(made, ignore_errors=True)


def test_a_server_in_the_background(folder: Path, tmp_path: Path) -> None:
    port = free_port()
    env = {**os.environ, "INFOBASE_SERVER_DATA": str(folder), "INFOBASE_CACHE": str(tmp_path / "cache")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cli", *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=200, check=False)

    try:
        started = run("server", "start", "--embedded", "--demo", "--background", "--workers", "2", "--port", str(port))
        assert started.returncode == 0, started.stderr
        status = run("server", "status", "--json")
        assert json.loads(status.stdout)["ready"] is True
        again = run("server", "start", "--background", "--port", str(port))
        assert again.returncode == errors.ServerRunning.exit_code
        posted = run("post", f'Srvr="127.0.0.1:{port}";Ref="demo"', "SalesOrder", "--copy", "--json")
        assert posted.returncode == 0, posted.stderr
        assert json.loads(posted.stdout)["posted"] is True
    finally:
        stopped = run("server", "stop")
    assert stopped.returncode == 0, stopped.stderr
    assert run("server", "status").returncode == errors.ServerNotRunning.exit_code
