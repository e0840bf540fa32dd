"""What strangers and dishonest clients may send: each gets a clear error in 1C's shape, and the others go on working."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine_server.application.app import create
from engine_server.wire.protocol import VERSION
from tests.server.conftest import RemotePlace
from tests.server.servers import ADMINISTRATOR, PASSWORD, Cluster


class Raw:
    """Requests as they are typed, and the answer's status, headers and JSON."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.token = ""

    def send(self, method: str, path: str, body: bytes | str = b"", **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        given = {k.replace("_", "-"): v for k, v in headers.items()}
        if self.token:
            given.setdefault("Authorization", f"Bearer {self.token}")
        try:
            connection.request(method, path, body, given)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        try:
            return answer.status, json.loads(data)
        except ValueError:
            return answer.status, data

    def call(self, ref: str, name: str, args: object, **more: object) -> tuple[int, Any]:
        return self.send("POST", f"/{ref}/api/call", json.dumps({"call": name, "args": args, **more}))


@pytest.fixture
def raw(place: RemotePlace) -> Iterator[Raw]:
    """A clerk's token on a base with an administrator."""
    place.create("Chief")
    with place.session("Chief") as chief:
        chief.users.add("Clerk", "clerk-password", ["Clerk"])
        for description in ("Стол", "Стул"):
            chief.catalogs.Goods.new(Description=description).write()
    made = Raw(place.cluster.port)
    asked = {"user": "Clerk", "password": "clerk-password", "protocol": VERSION}
    status, data = made.send("POST", f"/{place.name}/api/login", json.dumps(asked))
    assert status == 200
    made.token = data["token"]
    yield made
    status, _ = made.call(place.name, "query", {"query": {"source": "Catalog.Goods", "limit": 1}})
    assert status == 200, "the session still works after the attack"


def shape(data: Any) -> str:
    """The error's class, after checking that it has 1C's shape and tells nothing of the inside."""
    assert set(data["odata.error"]) == {"code", "message"} and data["odata.error"]["message"]["value"]
    written = json.dumps(data, ensure_ascii=False)
    assert "Traceback" not in written and "psycopg" not in written and "LINE 1:" not in written
    return str(data["class"])


BODIES = {
    "nothing": b"",
    "not json": b"{",
    "a list": b"[]",
    "a text": b'"x"',
    "numbers with a fraction": b'{"call": "load", "args": {"refs": 1.5}}',
    "not a number": b'{"call": "load", "args": NaN}',
    "deep": b'{"call":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "no arguments": b'{"call": "load"}',
    "arguments of another kind": b'{"call": "load", "args": {"refs": {"a": 1}}}',
    "a broken reference": b'{"call": "load", "args": {"refs": ["Catalog.Goods:zzz"]}}',
    "an unknown call": b'{"call": "__class__", "args": {}}',
    "a key that is none": b'{"call": "write", "args": {}, "key": "1"}',
    "an unknown function": b'{"call": "served", "args": {"function": "os.system", "arguments": {"map": []}}}',
    "an unknown class": b'{"call": "log_read", "args": {"filter": {"object": ["Popen", {}]}}}',
    "a zero byte": b'{"call": "setting_get", "args": {"name": "a\\u0000b"}}',
    "broken utf-8": b'{"call": "\xff\xfe"}',
    "a number for a list": b'{"call": "load", "args": {"refs": 5}}',
    "a list for an object": b'{"call": "write", "args": {"object": []}}',
    "a text for an object": b'{"call": "post", "args": {"object": "x"}, "key": "6f1d3b62-6f0e-4a4e-9b53-1f2b7f6a0001"}',
    "an object without a reference": b'{"call": "delete", "args": {"object": {"version": 1}}}',
    "rows without names": b'{"call": "register_write", "args": {"register": "Prices", "records": {"rows": [[1]]}}}',
    "lone surrogate": b'{"call": "load", "args": {"refs": ["\\ud800"]}}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_malformed_bodies(raw: Raw, place: RemotePlace, body: bytes) -> None:
    status, data = raw.send("POST", f"/{place.name}/api/call", body)
    assert 400 <= status < 500, data
    shape(data)


def test_too_large_bodies(raw: Raw, place: RemotePlace) -> None:
    path = f"/{place.name}/api/call"
    status, data = raw.send("POST", path, b"x" * (5 << 20))
    assert (status, shape(data)) == (413, "RequestTooLarge")
    bomb = zlib.compressobj(9, wbits=31)
    packed = bomb.compress(b" " * (200 << 20)) + bomb.flush()
    assert len(packed) < 1 << 20
    status, data = raw.send("POST", path, packed, Content_Encoding="gzip")
    assert (status, shape(data)) == (413, "RequestTooLarge")
    status, data = raw.send("POST", path, packed[:1000], Content_Encoding="gzip")
    assert status == 413 or shape(data) == "RequestInvalid"
    status, data = raw.send("POST", path, b"{}", Content_Encoding="br")
    assert shape(data) == "RequestInvalid"


def test_two_gigabytes_announced(raw: Raw, place: RemotePlace) -> None:
    with socket.create_connection(("127.0.0.1", place.cluster.servers[0].port), 10) as s:
        s.sendall(
            f"POST /{place.name}/api/call HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {raw.token}\r\n"
            f"Content-Length: {2 << 30}\r\n\r\n".encode()
        )
        assert b" 413 " in s.recv(100)


def test_a_client_that_falls_silent_is_cut_off(raw: Raw, place: RemotePlace) -> None:
    with socket.create_connection(("127.0.0.1", place.cluster.servers[0].port), 10) as s:
        head = f"POST /{place.name}/api/call HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {raw.token}\r\nContent-Length: 100\r\n\r\n{{"
        s.sendall(head.encode())
        s.settimeout(10)
        assert b" 400 " in s.recv(200)


INJECTIONS = [
    {"source": "Catalog.Goods; DROP TABLE x"},
    {"source": "sys_users"},
    {"source": "pg_shadow"},
    {"source": "Catalog.Goods", "select": ["(SELECT password_hash FROM sys_users)"]},
    {"source": "Catalog.Goods", "select": ['Description" FROM x --']},
    {"source": "Catalog.Goods", "order_by": ["(select 1)"]},
    {"source": "Catalog.Goods", "where": {"field": "Code' or 1=1 --", "op": "=", "value": "1"}},
    {"source": "Catalog.Goods", "where": {"field": "Code", "op": "= '' or", "value": "1"}},
    {"source": "Catalog.Goods", "where": {"field": ".".join(["Owner"] * 50), "op": "=", "value": 1}},
    {"source": "Catalog.Goods", "limit": "1; DROP TABLE x"},
    {"source": "Catalog.Goods", "after": ["x"] * 100, "limit": 1},
]


@pytest.mark.parametrize("query", INJECTIONS, ids=range(len(INJECTIONS)))
def test_injections_into_queries(raw: Raw, place: RemotePlace, query: dict[str, Any]) -> None:
    status, data = raw.call(place.name, "query", {"query": query})
    assert 400 <= status < 500
    shape(data)


def test_texts_are_only_texts(raw: Raw, place: RemotePlace) -> None:
    hostile = "x' OR 1=1; DROP TABLE cat_goods; --"
    where = {"field": "Description", "op": "=", "value": hostile}
    status, data = raw.call(place.name, "query", {"query": {"source": "Catalog.Goods", "where": where}})
    assert status == 200 and data["result"]["rows"] == []


def test_huge_and_deep_filters(raw: Raw, place: RemotePlace) -> None:
    deep: Any = {"field": "Code", "op": "=", "value": "1"}
    for _ in range(10_000):
        deep = {"not": deep}
    body = (
        '{"call": "query", "args": {"query": {"source": "Catalog.Goods", "where": '
        + '{"not": ' * 10_000
        + "1"
        + "}" * 10_000
        + "}}}"
    )
    status, data = raw.send("POST", f"/{place.name}/api/call", body)
    assert 400 <= status < 500
    shape(data)
    wide = {"or": [{"field": "Code", "op": "=", "value": str(n)} for n in range(20_000)]}
    status, data = raw.call(place.name, "query", {"query": {"source": "Catalog.Goods", "where": wide}})
    assert 400 <= status < 500
    shape(data)


def test_service_fields_cannot_be_written(raw: Raw, place: RemotePlace) -> None:
    with place.session("Chief") as chief:
        partner = chief.catalogs.Partners.new(Description="Ромашка", Manager="Clerk")
        partner.write()
    for name, value in (
        ("Posted", True),
        ("DeletionMark", True),
        ("DataVersion", {"number": "99"}),
        ("PredefinedDataName", "X"),
        ("password_hash", "x"),
        ("Ref", None),
    ):
        change = {"ref": str(partner.ref), "version": 1, "values": {name: value}, "sections": {}}
        status, data = raw.call(place.name, "write", {"object": change})
        assert status in (400, 404), (name, data)
        assert shape(data) in ("OperationForbidden", "UnknownObject", "RequestInvalid")


def test_another_users_records(raw: Raw, place: RemotePlace) -> None:
    """The clerk sees his own partners only: by load, query, presentation, write, delete."""
    with place.session("Chief") as chief:
        secret = chief.catalogs.Partners.new(Description="Тайна", Manager="Somebody")
        secret.write()
    ref = str(secret.ref)
    assert shape(raw.call(place.name, "load", {"refs": [ref]})[1]) == "AccessDenied"
    status, data = raw.call(place.name, "query", {"query": {"source": "Catalog.Partners"}})
    assert status == 200 and "Тайна" not in json.dumps(data, ensure_ascii=False)
    status, data = raw.call(place.name, "presentations", {"refs": [ref]})
    assert "Тайна" not in json.dumps(data, ensure_ascii=False)
    change = {"ref": ref, "version": 1, "values": {"Description": "Моё"}, "sections": {}}
    for call in ("write", "delete"):
        assert shape(raw.call(place.name, call, {"object": change})[1]) in ("AccessDenied", "OperationForbidden")
    for name in ("Users", "sys_users", "Catalog.NoSuch"):
        assert shape(raw.call(place.name, "load", {"refs": [f"Catalog.{name}:{secret.ref.uuid}"]})[1])


def test_routes_without_a_session_are_these_and_no_others(raw: Raw, place: RemotePlace, tmp_path: Path) -> None:
    """The allow-list: everything else demands a token or the cluster's administrator."""
    open_to_all = {"/healthz", "/readyz", "/metrics", "/{ref}/api/login"}
    own_check = {"/{ref}/odata/standard.odata"}
    from engine_server.application.state import worker_at

    worker = worker_at(place.cluster.servers[0].folder)
    try:
        app = create(worker)
        paths = [(r.path, getattr(r, "methods", None)) for r in app.routes]  # type: ignore[attr-defined]
    finally:
        worker.close()
    raw_token, raw.token = raw.token, ""
    for path, methods in paths:
        if path in open_to_all | own_check or path.endswith("/transaction"):
            continue
        method = next(m for m in methods if m != "HEAD")
        status, data = raw.send(method, path.replace("{ref}", place.name).replace("{name}", "x"), b"{}")
        assert status == 401, (path, status)
        assert shape(data) in ("SessionEnded", "ClusterLoginFailed")
    raw.token = raw_token
    for path in (
        "/",
        "/admin",
        "/docs",
        "/openapi.json",
        f"/{place.name}",
        f"/{place.name}/api/",
        "/..%2f..%2fetc/passwd",
    ):
        assert raw.send("GET", path)[0] == 404


def test_changes_by_get_and_by_forms_are_refused(raw: Raw, place: RemotePlace) -> None:
    for path in (f"/{place.name}/api/call", f"/{place.name}/api/login", "/admin/call"):
        assert raw.send("GET", path)[0] == 405


def test_a_clerk_is_no_cluster_administrator(raw: Raw, place: RemotePlace) -> None:
    import base64

    for user, password in (
        ("Clerk", "clerk-password"),
        ("Chief", ""),
        (ADMINISTRATOR, ""),
        (ADMINISTRATOR, PASSWORD[:-1]),
    ):
        given = base64.b64encode(f"{user}:{password}".encode()).decode()
        for call in ("infobase_list", "infobase_create", "infobase_drop", "session_list", "administrator_add"):
            status, data = raw.send(
                "POST", "/admin/call", json.dumps({"call": call, "args": {}}), Authorization=f"Basic {given}"
            )
            assert status in (401, 429)
            assert shape(data) in ("ClusterLoginFailed", "LoginThrottled")


def test_forwarded_addresses_are_not_believed(raw: Raw, place: RemotePlace) -> None:
    """A guesser who invents a new address for every attempt is slowed down all the same."""
    seen = set()
    for n in range(8):
        asked = {"user": "Chief", "password": "guess", "protocol": VERSION}
        status, _ = raw.send("POST", f"/{place.name}/api/login", json.dumps(asked), X_Forwarded_For=f"10.1.1.{n}")
        seen.add(status)
    assert 429 in seen


def test_secrets_show_nowhere(raw: Raw, place: RemotePlace, cluster: Cluster) -> None:
    """The DSN's password is in no process list, log, answer or data file in the clear."""
    with cluster.registry() as opened:
        from engine_server.application import infobases
        from engine_server.place import ServerPlace

        secret = "s3cret-dsn-password"
        infobases.register(opened, "hidden", ServerPlace("127.0.0.1", 1, "nowhere", "nobody", secret))
    try:
        status, data = raw.send(
            "POST", "/hidden/api/login", json.dumps({"user": "", "password": "", "protocol": VERSION})
        )
        assert status == 503 and shape(data) == "EngineUnavailable"
        assert "nobody" not in json.dumps(data) and "127.0.0.1" not in json.dumps(data)
        processes = subprocess.run(["ps", "-ef"], capture_output=True, text=True, check=True).stdout
        logs = "".join(s.log() for s in cluster.servers)
        assert secret not in processes + logs + json.dumps(data)
        for server in cluster.servers:
            for file in server.folder.iterdir():
                if file.is_file():
                    assert secret.encode() not in file.read_bytes()
            assert (server.folder / "server.key").stat().st_mode & 0o077 == 0
    finally:
        cluster.forget("hidden")


def test_the_log_has_no_names_and_no_values(raw: Raw, place: RemotePlace, cluster: Cluster) -> None:
    with place.session("Chief") as chief:
        chief.catalogs.Goods.new(Description="СовершенноСекретно").write()
    for server in cluster.servers:
        for line in server.log().splitlines()[-50:]:
            if line.startswith("{"):
                json.loads(line)
            assert "СовершенноСекретно" not in line and "Clerk" not in line and "clerk-password" not in line


def test_double_submit_of_a_posting(raw: Raw, place: RemotePlace) -> None:
    """Two windows post the same new version: one wins, the other is told, nothing is doubled."""
    with place.session("Chief") as chief:
        goods = chief.catalogs.Goods.find_by_description("Стол")
        receipt = chief.documents.Receipt.new()
        receipt.Goods.add(Item=goods, Quantity=5)
        receipt.write()
        outcomes: list[str] = []
        told: list[str] = []

        def post() -> None:
            with place.session("Chief") as own:
                mine = own.documents.Receipt.get(receipt.ref)
                barrier.wait(10)
                try:
                    mine.post()
                    outcomes.append("ok")
                except Exception as e:
                    outcomes.append(type(e).__name__)
                    told.append(str(e))

        barrier = threading.Barrier(2)
        threads = [threading.Thread(target=post) for _ in range(2)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert sorted(outcomes) == ["VersionConflict", "ok"], told
        assert [r["QuantityBalance"] for r in chief.accumulation_registers.Stock.balance()] == [5]


def test_health_and_metrics(raw: Raw, cluster: Cluster) -> None:
    for path, wanted in (("/healthz", b"ok"), ("/readyz", b"ready")):
        status, data = raw.send("GET", path)
        assert status == 200 and wanted.decode() in str(data)
    status, text = raw.send("GET", "/metrics")
    assert status == 200
    for name in (
        b"infobase_calls_total",
        b"infobase_call_seconds_bucket",
        b"infobase_waiting_calls",
        b"infobase_pool_connections",
    ):
        assert name in text
    assert not re.search(rb"Clerk|Chief|rb_[0-9a-f]+", text)


def test_a_worker_killed_in_mid_call_harms_nobody(place: RemotePlace) -> None:
    place.create("Chief")
    victim, other = place.cluster.servers[1], place.cluster.servers[0]
    with place.session("Chief") as session:
        item = session.catalogs.Goods.new(Description="Под нагрузкой")
        item.write()
        stop = threading.Event()
        written: list[str] = []

        def work() -> None:
            while not stop.is_set():
                made = session.catalogs.Goods.new(Description=f"Товар {len(written)}")
                made.write()
                written.append(str(made.Code))

        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(0.5)
        victim.kill()
        time.sleep(1.0)
        stop.set()
        thread.join(30)
        assert not thread.is_alive()
        victim.start()
        assert other.process is not None and other.process.poll() is None
        stored = [str(o.Code) for o in session.catalogs.Goods.select() if str(o.Description).startswith("Товар ")]
        assert sorted(stored) == sorted(written), "every acknowledged write is there, and there once"
