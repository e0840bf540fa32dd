"""Requests nobody should send: a clear refusal in 1C's shape, and the service goes on."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from engine_server.odata.application import odata_application
from engine_server.odata.bodies import parse_body
from engine_server.odata.errors import ODataError
from engine_server.odata.urls import segments
from tests.odata.served import Client, Served

GOODS = "Catalog_Товары"
JSON_TYPE = {"Content-Type": "application/json"}
BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<entry xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"
 xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices"><m:properties><d:Description>&b;</d:Description></m:properties></entry>"""
THEFT = BOMB.replace(b'"aaaaaaaaaa"', b'SYSTEM "file:///etc/passwd"')


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{", "json"),
        (b"[]", "json"),
        (b"5", "json"),
        (b'{"a":1,}', "json"),
        (b"\xff\xfe{", "json"),
        (b"[" * 100_000, "json"),
        (b'{"a":' * 100_000, "json"),
        (b"NaN", "json"),
        (b"<entry>", "xml"),
        (b"<entry/>", "xml"),
        (b"\x00\x01", "xml"),
        (BOMB, "xml"),
        (THEFT, "xml"),
        (b"<a>" * 1000, "xml"),
    ],
    ids=lambda v: repr(v)[:25],
)
def test_bodies_that_are_none(client: Client, content: bytes, kind: str) -> None:
    before = client.send("GET", f"{GOODS}/$count").text
    found = client.error("POST", GOODS, content=content, headers={"Content-Type": f"application/{kind}"})
    assert found[:2] == (400, "2")
    assert "root:" not in found[2] and len(found[2]) < 500
    assert client.send("GET", f"{GOODS}/$count").text == before


def test_an_entity_of_the_file_system_is_not_read(client: Client) -> None:
    answer = client.send("POST", GOODS, content=THEFT, headers={"Content-Type": "application/atom+xml"})
    assert answer.status_code == 400 and b"root" not in answer.content
    assert etree.fromstring(answer.content).tag.endswith("error")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "Нет_Такого", 404, "8"),
        ("GET", "Catalog_", 404, "8"),
        ("GET", f"{GOODS}(", 400, "6"),
        ("GET", f"{GOODS}(guid'00000000-0000-0000-0000-000000000001'", 404, "9"),
        ("GET", f"{GOODS}((guid'00000000-0000-0000-0000-000000000001'", 400, "6"),
        ("GET", f"{GOODS}(guid'00000000-0000-0000-0000-000000000001", 400, "6"),
        ("GET", f"{GOODS}())", 400, "6"),
        ("GET", f"{GOODS}(5)", 400, "4"),
        ("GET", f"{GOODS}('x')", 400, "4"),
        ("GET", f"{GOODS}(guid'x')", 400, "4"),
        ("GET", f"{GOODS}(guid'00000000-0000-0000-0000-000000000001')", 404, "9"),
        ("GET", f"{GOODS}(Code='1')", 400, "7"),
        ("GET", f"{GOODS}(Nothing='1')", 404, "10"),
        ("GET", f"{GOODS}(Ref_Key=guid'00000000-0000-0000-0000-000000000001',Ref_Key=1)", 400, "6"),
        ("GET", "Document_Заказ_Товары(Ref_Key=guid'00000000-0000-0000-0000-000000000001')", 400, "7"),
        ("GET", "a/" * 20, 400, "6"),
        ("GET", "x" * 9000, 400, "6"),
        ("GET", f"{GOODS}/Nothing", 404, "11"),
        ("GET", f"{GOODS}/$count/x", 404, "11"),
        ("GET", "$batch", 501, "0"),
        ("GET", "%00", 404, "8"),
        ("GET", "%FF%FE", 404, "8"),
        ("PUT", GOODS, 405, "19"),
        ("DELETE", GOODS, 405, "19"),
        ("PATCH", "", 405, "19"),
        ("POST", "$metadata", 405, "19"),
        ("POST", f"{GOODS}(guid'00000000-0000-0000-0000-000000000001')", 405, "19"),
        ("OPTIONS", GOODS, 405, "19"),
        ("TRACE", GOODS, 405, "19"),
    ],
)
def test_addresses(client: Client, method: str, path: str, status: int, code: str) -> None:
    assert client.error(method, path)[:2] == (status, code)


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"$top": "-1"}, 400, "14"),
        ({"$top": "x"}, 400, "14"),
        ({"$top": "١"}, 400, "14"),
        ({"$skip": "99999999999999999999"}, 400, "14"),
        ({"$orderby": "Нет"}, 404, "10"),
        ({"$orderby": "Code up"}, 400, "14"),
        ({"$orderby": "(select 1)"}, 400, "14"),
        ({"$select": "Нет"}, 404, "10"),
        ({"$select": 'a"; drop table x'}, 404, "10"),
        ({"$expand": "Code"}, 400, "14"),
        ({"$expand": "Нет"}, 404, "10"),
        ({"$inlinecount": "some"}, 400, "14"),
        ({"$nonsense": "1"}, 400, "14"),
        ({"allowedOnly": "maybe"}, 400, "14"),
        ({"$filter": "true", "$Filter": "false"}, 400, "14"),
        ({"$select": ",".join(f"a{i}" for i in range(1000))}, 400, "14"),
    ],
    ids=lambda v: str(v)[:30],
)
def test_options(client: Client, params: dict[str, str], status: int, code: str) -> None:
    assert client.error("GET", GOODS, params=params)[:2] == (status, code)


def test_expanding_is_bounded(client: Client) -> None:
    path = "/".join(["Parent"] * 50)
    assert client.error("GET", "Catalog_Партнеры", params={"$expand": path})[:2] == (400, "14")
    assert client.error("GET", "Catalog_Партнеры", params={"$filter": f"{path}/Code eq '1'"})[0] == 400
    assert client.values("Catalog_Партнеры", **{"$expand": "Parent/Parent/Parent"})


def test_formats_there_are_none_of(client: Client) -> None:
    answer = client.send("GET", GOODS, params={"$format": "csv"})
    assert answer.status_code == 406 and etree.fromstring(answer.content)[0].text == "3"
    assert client.send("GET", GOODS, params={"$format": "application/json;odata=chatty"}).status_code == 406


def test_english_is_spoken(client: Client) -> None:
    answer = client.send("GET", "Нет", params={"$format": "json"}, headers={"Accept-Language": "en-US,en"})
    assert answer.json()["odata.error"]["message"] == {"lang": "en", "value": "No entity type 'Нет'"}


def test_head_has_no_body(client: Client) -> None:
    answer = client.send("HEAD", GOODS)
    assert (answer.status_code, answer.content) == (200, b"")


def test_pages_of_other_sites_cannot_write(client: Client) -> None:
    before = client.send("GET", f"{GOODS}/$count").text
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        headers = {"Origin": origin, "Content-Type": "text/plain"}
        assert client.error("POST", GOODS, content=b'{"Description":"x"}', headers=headers)[:2] == (403, "20")
    assert client.send("GET", f"{GOODS}/$count").text == before
    own = {"Origin": f"http://{client.http.base_url.netloc.decode()}"}
    made = client.send("POST", GOODS, params={"$format": "json"}, json={"Description": "x"}, headers=own).json()
    assert client.send("DELETE", f"{GOODS}(guid'{made['Ref_Key']}')").status_code == 204


def raw(service: Served, request: bytes) -> bytes:
    parts = urlsplit(service.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


def test_a_huge_body_is_refused_before_it_comes(service: Served) -> None:
    head = "POST /odata/standard.odata/Catalog_Goods HTTP/1.1\r\nHost: x\r\nContent-Length: 2147483648\r\n"
    answer = raw(service, f"{head}Accept: application/json\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 413") and b'"odata.error"' in answer


def test_a_body_that_grows_is_cut(service: Served) -> None:
    def parts() -> Iterator[bytes]:
        yield b'{"Description":"'
        for _ in range(40):
            yield b"x" * 1_000_000
        yield b'"}'

    with service.client() as client:
        try:
            answer = client.send("POST", GOODS, content=parts(), headers=JSON_TYPE)
            assert answer.status_code == 413
        except (httpx.WriteError, httpx.ReadError):
            pass  # The service closed the connection while we were sending.
        assert client.send("GET", f"{GOODS}/$count").status_code == 200


def test_requests_cut_short_leave_no_trace(service: Served, client: Client) -> None:
    before = client.send("GET", f"{GOODS}/$count").text
    parts = urlsplit(service.url)
    for _ in range(5):
        with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
            connection.sendall(
                b'POST /odata/standard.odata/Catalog_Goods HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{"De'
            )
    assert client.send("GET", f"{GOODS}/$count").text == before


def test_an_unexpected_fault_tells_nothing(client: Client) -> None:
    def broken(_: object) -> Any:
        raise RuntimeError("a secret of the inside")

    transport = httpx.ASGITransport(app=odata_application(broken))  # type: ignore[arg-type]

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            return await http.get("/?$format=json")

    answer = asyncio.run(ask())
    assert answer.status_code == 500
    assert json.loads(answer.content)["odata.error"]["code"] == "-1"
    assert "secret" not in answer.text


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(path=st.text(alphabet="Catlog_Товры()'=,/$guid 01-.%?", max_size=40))
def test_any_address_is_answered(client: Client, path: str) -> None:
    answer = client.send("GET", path.lstrip("/"))
    assert answer.status_code < 500 or answer.status_code == 501


@given(st.binary(max_size=200), st.sampled_from(["application/json", "application/xml", ""]))
def test_any_body_is_parsed_or_refused(content: bytes, kind: str) -> None:
    try:
        parse_body(content, kind)
    except ODataError as e:
        assert e.status == 400


@given(st.text(max_size=80))
def test_any_path_is_cut_or_refused(path: str) -> None:
    try:
        segments(path)
    except ODataError as e:
        assert e.status == 400
