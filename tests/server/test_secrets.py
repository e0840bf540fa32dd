"""The password of a DSN shows nowhere: not in process lists, environments, logs, answers, metrics, listings, or a traceback."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from engine_server.application import infobases, vault
from engine_server.application.cluster import ClusterDatabase
from engine_server.engine import ServerEngine
from engine_server.place import ServerPlace
from engine_server.wire.protocol import VERSION
from infobase.infobase import create
from tests import postgres
from tests.bases import shop
from tests.server.servers import ADMINISTRATOR, PASSWORD, ROOT, Server, make_home
from tests.server.test_attacks import Raw

SECRET = "Zq7xKw'\"\\ %ы={}Rt9Vmm"
PIECES = ("Zq7xKw", "Rt9Vmm")
"""They look the same however the whole is quoted or escaped."""
OF_A_USER = "Hh3User's-own-Pw8"


def demand_hidden(where: str, told: str | bytes) -> None:
    written = told if isinstance(told, bytes) else told.encode()
    for piece in (*PIECES, OF_A_USER):
        assert piece.encode() not in written, where
    for whole in (SECRET, OF_A_USER):
        assert base64.b64encode(whole.encode()) not in written, where


@pytest.fixture
def guarded(pg_url: str, tmp_path: Path) -> Iterator[tuple[Server, ServerPlace]]:
    """A server whose DBMS user has an unusual password, with a base."""
    role, names = postgres.fresh_name("ro"), [postgres.fresh_name("cl"), postgres.fresh_name("sb")]
    with psycopg.connect(pg_url, autocommit=True) as conn:
        made = sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(sql.Identifier(role), sql.Literal(SECRET))
        conn.execute(made)
    place = replace(postgres.place_in(pg_url, names[0]), user=role, password=SECRET)
    server = Server(make_home(tmp_path / "home", place, retry_seconds=1.0))
    engine = ServerEngine(place.at(names[1]))
    create(engine, shop(), name="Shop", admin="Chief")  # type: ignore[arg-type]
    engine.close()
    registry = ClusterDatabase(place, vault.load(server.folder))
    infobases.register(registry, "shop", place.at(names[1]))
    infobases.register(registry, "away", replace(place, host="127.0.0.1", port=1))
    infobases.register(registry, "absent", place.at("no_such_database"))
    registry.close()
    try:
        yield server.start(), place
    finally:
        server.stop()
        for name in names:
            postgres.drop_databases(pg_url, name)
        with psycopg.connect(pg_url, autocommit=True) as conn:
            conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def family(pid: int) -> set[int]:
    """A process and its descendants."""
    found, parents = {pid}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def program(folder: Path, *arguments: str) -> str:
    env = {**os.environ, "INFOBASE_SERVER_DATA": str(folder), "INFOBASE_DEBUG": "1"}
    env |= {"INFOBASE_CLUSTER_USER": ADMINISTRATOR, "INFOBASE_CLUSTER_PASSWORD": PASSWORD}
    command = [sys.executable, "-m", "cli", *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    return done.stdout + done.stderr


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc here")
def test_the_password_of_a_dsn_shows_nowhere(guarded: tuple[Server, ServerPlace], pg_url: str, tmp_path: Path) -> None:
    server, place = guarded
    raw = Raw(server.port)
    told: dict[str, str] = {}
    for ref, user, password in (
        ("shop", "Chief", ""), ("shop", "Chief", OF_A_USER), ("away", "Chief", OF_A_USER), ("absent", "", ""), ("none", "", ""),
    ):  # fmt: skip
        asked = {"user": user, "password": password, "protocol": VERSION}
        answered = raw.send("POST", f"/{ref}/api/login", json.dumps(asked))
        told[f"login to {ref}"] = str(answered)
        if answered[0] == 200:
            raw.token = answered[1]["token"]
    assert raw.token
    with psycopg.connect(pg_url, autocommit=True) as conn:
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [place.user])
    told["a call that lost its connection"] = str(raw.call("shop", "query", {"query": {"source": "Catalog.Goods"}}))
    told["a malformed call"] = str(raw.call("shop", "query", {"query": 5}))
    for path in ("/metrics", "/healthz", "/readyz"):
        told[path] = str(raw.send("GET", path))
    basic = "Basic " + base64.b64encode(f"{ADMINISTRATOR}:{PASSWORD}".encode()).decode()
    for call in ("infobase_list", "infobase_info", "session_list", "lock_list", "administrator_list", "cluster_info"):
        asked = {"call": call, "args": {"name": "shop"}}
        told[call] = str(raw.send("POST", "/admin/call", json.dumps(asked), Authorization=basic))
    at = ("--server", f"127.0.0.1:{server.port}")
    told["status"] = program(server.folder, "server", "status", "--json")
    for verb in (
        ("infobases", "list"),
        ("infobases", "info", "shop"),
        ("sessions", "list"),
        ("administrators", "list"),
    ):
        told[" ".join(verb)] = program(server.folder, "server", *verb, "--json", *at)
        assert "shop" in told[" ".join(verb)] or ADMINISTRATOR in told[" ".join(verb)], told[" ".join(verb)]
    dsn = tmp_path / "dsn.txt"
    dsn.write_text(replace(place, host="127.0.0.1", port=1, password="Zq7xKwRt9Vmm").conninfo(), "utf-8")
    told["init that fails"] = program(tmp_path / "other", "server", "init", "--dsn-file", str(dsn))
    assert server.process is not None
    for pid in family(server.process.pid):
        for name in ("cmdline", "environ"):
            demand_hidden(f"{name} of {pid}", (Path("/proc") / str(pid) / name).read_bytes())
    demand_hidden("ps", subprocess.run(["ps", "-ef"], capture_output=True, text=True, check=True).stdout)
    for where, text in told.items():
        assert text, where
        demand_hidden(where, text)
    for file in server.folder.rglob("*"):
        if file.is_file():
            demand_hidden(str(file), file.read_bytes())
