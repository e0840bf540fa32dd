"""The standard OData interface of a base in the cluster, and scheduled jobs run by the server's workers."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from decimal import Decimal
from typing import Any

from engine_server.application import infobases
from engine_server.application.jobs_loop import JobsLoop, add_standard_jobs
from engine_server.application.odata_door import ODataDoor
from engine_server.application.state import worker_at
from engine_server.application.worker import Loop
from engine_server.odata.publication import publish
from engine_server.odata.requests import Credentials
from infobase.jobs import Jobs
from tests.server.conftest import RemotePlace


def ask(place: RemotePlace, tail: str, user: str, password: str = "", body: object = None) -> tuple[int, Any]:
    url = f"http://127.0.0.1:{place.cluster.port}/{place.name}/odata/standard.odata/{tail}"
    given = base64.b64encode(f"{user}:{password}".encode()).decode()
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Authorization": f"Basic {given}", "Accept": "application/json"})
    if data is not None:
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as e:
        return e.code, json.loads(e.read() or b"null")


def test_odata_behind_the_balancer(place: RemotePlace) -> None:
    place.create("Chief")
    with place.local("Chief") as chief:
        chief.users.set_password("Chief", "chief-password")
        chief.catalogs.Goods.new(Description="Table", Price=Decimal("10.50")).write()
        publish(chief, ["Catalog.Goods"])
    status, data = ask(place, "Catalog_Goods", "Chief", "chief-password")
    assert status == 200, data
    assert [row["Description"] for row in data["value"]] == ["Table"]
    status, data = ask(place, "Catalog_Goods", "Chief", "chief-password", {"Description": "Chair"})
    assert status == 201, data
    for _ in range(4):
        status, data = ask(place, "Catalog_Goods?$inlinecount=allpages", "Chief", "chief-password")
        assert status == 200 and data["odata.count"] == "2"
    assert ask(place, "Catalog_Partners", "Chief", "chief-password")[0] == 404
    assert [ask(place, "Catalog_Goods", "Chief", "wrong")[0] for _ in range(7)] == [401] * 7
    assert ask(place, "Catalog_Goods", "Nobody")[0] == 401


def test_a_long_request_is_not_taken_for_a_session_that_was_ended(place: RemotePlace) -> None:
    """Requests of the standard interface are in no list of sessions; the loop that stops calls of ended sessions leaves them alone."""
    place.create()
    worker = worker_at(place.cluster.servers[0].folder)
    try:
        door = ODataDoor(worker, place.name)
        with door.open(Credentials("", "", "127.0.0.1")) as session:
            [running] = worker.calls()
            Loop(worker).beat()
            assert running.interrupted == ""
            session.catalogs.Goods.new(Description="Table").write()
    finally:
        worker.close()


def test_jobs_run_once_whoever_looks(place: RemotePlace) -> None:
    place.create()
    workers = [worker_at(s.folder) for s in place.cluster.servers]
    try:
        record = infobases.find(workers[0].cluster, place.name)
        add_standard_jobs(workers[0], record)
        add_standard_jobs(workers[1], record)
        loops = [JobsLoop(w) for w in workers]
        for loop in loops:
            loop.cycle()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with workers[0].bases.use(record) as base, base.engine.transaction(write=False) as tx:
                runs = Jobs(base.base.kernel).history(tx)
            if len(runs) >= 4 and all(r.outcome != "running" for r in runs):
                break
            time.sleep(0.2)
        names = ["backup", "classifiers", "log_trim", "totals"]
        assert sorted((r.job, r.outcome) for r in runs) == [(n, "succeeded") for n in names], runs
        folders = [s.folder / "backups" / place.name for s in place.cluster.servers]
        made = [f for folder in folders if folder.exists() for f in folder.rglob("*") if f.is_file()]
        assert made, "a backup was made"
        assert not any(b"PGDMP" in f.read_bytes()[:100] for f in made), "and nothing readable is in it"
        for loop in loops:
            loop.stop()
    finally:
        for worker in workers:
            worker.close()
