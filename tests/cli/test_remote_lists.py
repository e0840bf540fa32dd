"""Common lists behind HTTP, from a real server that answers, falters, lies."""

from __future__ import annotations

import gzip
import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infobase import errors, remote_lists
from tests.cli.test_list_commands import Program, program

__all__ = ["program"]

LIST = '[Общая]\r\nConnect=File="{place}";\r\nID=00000000-0000-0000-0000-000000000009\r\n'


@dataclass
class Web:
    """What the server answers next, and what it was asked."""

    url: str = ""
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    slow: float = 0.0
    asked: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
def web() -> Iterator[Web]:
    state = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append({k.lower(): v for k, v in self.headers.items()})
            known = self.headers.get("If-None-Match")
            status = 304 if known and known == state.headers.get("ETag") else state.status
            self.send_response(status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if status == 200:
                for start in range(0, len(state.body), 1 << 16):
                    self.wfile.write(state.body[start : start + (1 << 16)])
                    time.sleep(state.slow)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/lists/common.v8i"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def named(tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The starter's settings that name the address; the list leads to a folder under `tmp_path`."""
    monkeypatch.setenv("INFOBASE_CACHE", str(tmp_path / "cache"))
    settings = tmp_path / "list" / "1cestart.cfg"
    settings.parent.mkdir()
    settings.write_bytes(f"CommonInfoBases={web.url}\r\n".encode("utf-16"))
    web.body = b"\xef\xbb\xbf" + LIST.format(place=tmp_path / "база").encode()
    return settings


def kept(tmp_path: Path, seconds: float) -> None:
    """As if what is kept were read so long ago."""
    for file in (tmp_path / "cache" / "lists").iterdir():
        os.utime(file, (time.time() - seconds,) * 2)


def names(program: Program) -> tuple[list[tuple[str, str]], str]:
    code, out, err = program("list", "show", "--json")
    assert code == 0, err
    return [(e["name"], e["source"]) for e in json.loads(out)], err


def test_a_list_at_an_address_is_read_once_in_a_while(program: Program, web: Web, named: Path, tmp_path: Path) -> None:
    web.headers = {"ETag": '"1"'}
    for _ in range(3):
        assert names(program) == ([("Общая", web.url)], "")
    assert len(web.asked) == 1 and "if-none-match" not in web.asked[0]
    kept(tmp_path, 600)
    assert names(program)[0] == [("Общая", web.url)]
    assert web.asked[1]["if-none-match"] == '"1"'
    names(program)
    assert len(web.asked) == 2  # "not modified" makes it fresh again
    kept(tmp_path, 600)
    web.headers, web.body = {"ETag": '"2"'}, web.body.replace("Общая".encode(), "Новая".encode())
    assert names(program)[0] == [("Новая", web.url)]


def test_its_names_are_taken_where_a_connection_is(program: Program, web: Web, named: Path, tmp_path: Path) -> None:
    code, _, err = program("info", "Общая")
    assert code == errors.InfobaseNotFound.exit_code and str(tmp_path / "база") in err


def test_a_server_that_is_down_stops_nobody(program: Program, web: Web, named: Path, tmp_path: Path) -> None:
    names(program)
    kept(tmp_path, 600)
    web.status = 503
    found, err = names(program)
    assert found == [("Общая", web.url)] and "HTTP 503" in err and "as it was read on" in err
    names(program)
    assert len(web.asked) == 2  # left in peace for a while
    web.status = 200
    kept(tmp_path, 600)
    assert names(program) == ([("Общая", web.url)], "")


def test_nobody_there(program: Program, named: Path, tmp_path: Path) -> None:
    named.write_bytes("CommonInfoBases=http://127.0.0.1:9/x.v8i\r\n".encode("utf-16"))
    found, err = names(program)
    assert found == [] and "http://127.0.0.1:9/x.v8i" in err and "does not answer" in err
    assert program("list", "add", "Own", tmp_path)[0] == 0


@pytest.mark.parametrize("kind", ["a page", "too large", "a bomb", "endless redirects", "to a file", "broken UTF-16"])
def test_what_is_no_list_never_takes_its_place(
    program: Program, web: Web, named: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names(program)
    kept(tmp_path, 600)
    match kind:
        case "a page":
            web.body = b"<html><body>Sign in, please</body></html>"
        case "too large":
            web.body += b"x" * remote_lists.MAX_BYTES
        case "a bomb":
            web.body, web.headers = gzip.compress(web.body + b"\0" * (64 << 20)), {"Content-Encoding": "gzip"}
        case "endless redirects":
            web.status, web.headers = 302, {"Location": web.url}
        case "to a file":
            web.status, web.headers = 302, {"Location": "file:///etc/passwd"}
        case "broken UTF-16":
            web.body = "[x]\r\n".encode("utf-16")[:-1]
    found, err = names(program)
    assert found == [("Общая", web.url)] and "as it was read on" in err


def test_an_answer_that_drips_is_cut_off(
    program: Program, web: Web, named: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_lists, "MAX_SECONDS", 0.2)
    web.body, web.slow = web.body + b"x" * (40 << 16), 0.05
    found, err = names(program)
    assert found == [] and "takes too long" in err


@pytest.mark.parametrize(
    "line", ["InternetService=http://h/ws", "WebCommonInfoBases=http://h/ws", "CommonInfoBases=ftp://h/x.v8i"]
)
def test_what_is_not_read_is_told_of(program: Program, named: Path, line: str) -> None:
    named.write_bytes(f"{line}\r\n".encode("utf-16"))
    found, err = names(program)
    assert found == [] and line.partition("=")[2] in err and "not read" in err
