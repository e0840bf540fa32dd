"""`infobase serve` and `infobase odata` as processes."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import httpx

import cli
from infobase.commands import runner
from tests.bases import file_place

PROGRAM = [sys.executable, "-c", "import cli; cli.main()"]


@dataclass(frozen=True)
class Done:
    """What a command left."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments: str) -> Done:
    """A command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = runner.run(cli.root, ["--lang", "ru", *arguments])
    return Done(code, out.getvalue(), err.getvalue())


def test_a_base_is_published_and_served(tmp_path: Path) -> None:
    place = file_place(tmp_path / "base")
    place.create()
    base = str(tmp_path / "base")
    assert run("odata", "publish", base, "Справочник.Товары", "Document_Order").returncode == 0
    shown = json.loads(run("odata", "show", base, "--json").stdout)
    assert [o["set"] for o in shown if o["published"]] == ["Catalog_Товары", "Document_Заказ"]
    assert json.loads(run("odata", "unpublish", base, "Catalog_Goods", "--json").stdout) == ["Document_Заказ"]
    refused = run("odata", "publish", base, "Справочник.Товори")
    assert refused.returncode == 180 and "Товары" in refused.stderr

    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*PROGRAM, "serve", base, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as service:
        try:
            assert service.stdout is not None and service.stderr is not None
            found = re.search(r"http://\S+/odata/standard\.odata/", service.stdout.readline())
            assert found is not None
            answer = httpx.get(f"{found[0]}Document_Order?$format=json", timeout=30)
            assert answer.json()["value"] == []
            for name in ("//odata/", "/crm/odata/"):
                named = httpx.get(found[0].replace("/odata/", name, 1) + "?$format=json", timeout=30)
                assert named.json()["odata.metadata"].endswith(f"{name}standard.odata/$metadata")
            assert httpx.get(found[0].replace("/odata/standard.odata/", "/"), timeout=30).status_code == 404
        finally:
            service.send_signal(signal.SIGINT)
            output, errors = service.communicate(timeout=30)
        assert service.returncode == 0, errors
        assert "Traceback" not in errors
    assert run("info", base, "--json").returncode == 0


def test_what_cannot_be_served(tmp_path: Path) -> None:
    assert run("serve", str(tmp_path / "nothing")).returncode == 21
    place = file_place(tmp_path / "base")
    place.create()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = run("serve", str(tmp_path / "base"), "--port", str(taken.getsockname()[1]))
    assert refused.returncode == 181
    assert run("serve", str(tmp_path / "base"), "--host", "no.such.host.invalid").returncode == 181
