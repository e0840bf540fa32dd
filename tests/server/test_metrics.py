"""Metrics of several worker processes: whichever is asked answers for all, and a worker that was killed takes no counts with it."""

from __future__ import annotations

import os
import re
import signal
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

from engine_server.application import settings as server_settings
from engine_server.application import vault
from engine_server.application.cluster import ClusterDatabase
from engine_server.application.infobases import register
from engine_server.application.settings import FILE, to_toml
from infobase.connection import connect
from tests import postgres
from tests.bases import Place
from tests.server.servers import Server, make_home

LOADS = 30


def scraped(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return {n: float(v) for n, v in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def workers_of(server: Server) -> set[int]:
    """Pids in the names of the files the workers count in."""
    files = (server.folder / "metrics").glob("gauge_livesum_*.db")
    return {int(found[1]) for f in files if (found := re.search(r"_(\d+)$", f.stem))}


def test_any_worker_answers_for_all(pg_url: str, tmp_path: Path) -> None:
    name, registry = postgres.fresh_name("mt"), postgres.fresh_name("mtc")
    Place(postgres.connection_string(pg_url, name)).create()
    home = make_home(tmp_path / "home", postgres.place_in(pg_url, registry))
    settings = replace(server_settings.load(home).settings, workers=2)
    (home / FILE).write_text(to_toml(settings), "utf-8")
    opened = ClusterDatabase(postgres.place_in(pg_url, registry), vault.load(home))
    register(opened, "shop", postgres.place_in(pg_url, name))
    opened.close()
    server = Server(home).start()
    try:
        sessions = [connect(f'Srvr="127.0.0.1:{server.port}";Ref="shop"') for _ in range(10)]
        item = sessions[0].catalogs.Goods.new(Description="Стол")
        item.write()
        for n in range(LOADS):
            sessions[n % 10].load([item.ref])
        deadline = time.monotonic() + 30
        while scraped(server.port)["infobase_workers"] != 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        for _ in range(8):  # each over a connection of its own, so both workers answer
            told = scraped(server.port)
            assert told['infobase_calls_total{call="load"}'] == LOADS
            assert told['infobase_logins_total{outcome="ok"}'] == 10
            assert told["infobase_workers"] == 2
        before = workers_of(server)
        os.kill(min(before), signal.SIGKILL)
        while len(workers_of(server) - before) < 1:
            assert time.monotonic() < deadline
            scraped(server.port)
            time.sleep(0.1)
        told = scraped(server.port)
        assert told['infobase_calls_total{call="load"}'] == LOADS, "what was counted stays counted"
        assert told["infobase_workers"] == 2
        for session in sessions:
            session.close()
    finally:
        server.stop()
        for database in (name, registry):
            postgres.drop_databases(pg_url, database)
