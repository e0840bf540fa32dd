"""The two commands of the README, as they stand there in both languages: a server with the demo base, and a document posted through it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine_server.wire.protocol import DEFAULT_PORT
from tests.server.servers import ROOT, answers, free_port


def commands(readme: str) -> tuple[list[str], list[str]]:
    """The arguments of `infobase` in the line that starts a server and in the line after it."""
    lines = (ROOT / readme).read_text("utf-8").splitlines()
    [at] = [n for n, line in enumerate(lines) if re.match(r"infobase server start --embedded --demo\b", line)]
    first, second = (shlex.split(line, comments=True) for line in lines[at : at + 2])
    assert first[0] == second[0] == "infobase"
    return first[1:], second[1:]


def is_free(port: int) -> bool:
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) != 0


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where PostgreSQL's account may look, unlike pytest's own folders."""
    made = Path(tempfile.mkdtemp(prefix="infobase-test-readme-"))
    made.chmod(0o755)
    yield made / "server"
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.timeout(280)
@pytest.mark.parametrize("readme", ["README.md", "README.ru.md"])
def test_one_command_brings_a_server_and_a_second_posts_a_document(readme: str, folder: Path, tmp_path: Path) -> None:
    start, post = commands(readme)
    port = DEFAULT_PORT
    if not is_free(port):  # somebody's own server is there: the same commands with a port
        port = free_port()
        start = [*start, "--port", str(port)]
        post = [a.replace('"localhost"', f'"localhost:{port}"') for a in post]
    env = {**os.environ, "INFOBASE_SERVER_DATA": str(folder), "INFOBASE_CACHE": str(tmp_path / "cache")}
    log = (tmp_path / "log").open("wb")
    server = subprocess.Popen([sys.executable, "-m", "cli", *start], env=env, stdout=log, stderr=log, cwd=ROOT)
    log.close()

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "cli", *arguments]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        return done.stdout

    try:
        deadline = time.monotonic() + 200
        while not answers(port):
            assert server.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.2)
        assert json.loads(run(*post, "--json"))["posted"] is True
        where = next(a for a in post if a.startswith("Srvr"))
        kept = {j["name"]: j["every"] for j in json.loads(run("jobs", "list", where, "--json"))}
        assert kept["backup"] == 30 * 60
        assert set(kept) == {"backup", "totals", "classifiers", "log_trim"}
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(60)
        finally:
            server.kill()
    assert is_free(port)
