"""Starting and stopping the server's processes on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import portalocker

from engine_server.application import metrics
from engine_server.application import settings as server_settings
from engine_server.application.settings import FOLDER_VARIABLE, ServerHome
from engine_server.application.state import embedded
from infobase.errors import ServerNotRunning, ServerRunning, ServerUnavailable
from infobase.files import write_atomically
from infobase.i18n import text

READY_SECONDS = 90
STOP_SECONDS = 40
GRACE_SECONDS = 15
"""How long running calls may go on after a stop was asked for."""


@contextmanager
def holding(home: ServerHome) -> Iterator[None]:
    """One server per data folder: a lock that dies with the process, and the pid for those who want to stop it. ServerRunning."""
    lock = (home.folder / "server.lock").open("a")
    try:
        portalocker.lock(lock, portalocker.LOCK_EX | portalocker.LOCK_NB)
    except portalocker.LockException:
        lock.close()
        raise ServerRunning(place=home.folder, pid=pid_of(home) or "-") from None
    write_atomically(home.pid_file, f"{os.getpid()}\n".encode())
    try:
        yield
    finally:
        home.pid_file.unlink(missing_ok=True)
        lock.close()


def is_held(home: ServerHome) -> bool:
    """Whether a server runs over this folder."""
    try:
        with (home.folder / "server.lock").open("a") as lock:
            portalocker.lock(lock, portalocker.LOCK_EX | portalocker.LOCK_NB)
            return False
    except portalocker.LockException:
        return True


def pid_of(home: ServerHome) -> int | None:
    try:
        return int(home.pid_file.read_text())
    except (OSError, ValueError):
        return None


def serve(home: ServerHome) -> None:
    """Run in the foreground until a signal; an embedded PostgreSQL lives as long. ServerRunning."""
    import uvicorn  # only a process that serves needs it

    os.environ[FOLDER_VARIABLE] = str(home.folder)
    s = home.settings
    with holding(home):
        if s.workers > 1:
            metrics.share(home.folder / "metrics")
        cluster = embedded(home) if s.embedded else None
        if cluster is not None:
            cluster.start()
        try:
            uvicorn.run(
                "engine_server.application.app:from_environment",
                factory=True,
                host=s.host,
                port=s.port,
                workers=s.workers,
                http="engine_server.application.patience:PatientProtocol",
                ws="websockets-sansio",
                ws_max_size=s.body_megabytes * 1024 * 1024,
                ws_ping_interval=20,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=GRACE_SECONDS,
                backlog=512,
                access_log=False,
                server_header=False,
                log_config=None,
                proxy_headers=False,
                ssl_certfile=s.tls_certificate or None,
                ssl_keyfile=s.tls_key or None,
            )
        finally:
            if cluster is not None:
                cluster.stop()


def start_in_background(home: ServerHome) -> int:
    """A server apart from this terminal; its pid, once it is ready. ServerRunning, ServerUnavailable with the log's last words."""
    if is_held(home):
        raise ServerRunning(place=home.folder, pid=pid_of(home) or "-")
    with home.log_file.open("ab") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", "engine_server.application.run", str(home.folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            close_fds=True,
        )
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if ready(home) is not None:
            return started.pid
        if started.poll() is not None:
            break
        time.sleep(0.1)
    tail = " ".join(home.log_file.read_text(errors="replace").splitlines()[-3:])
    raise ServerUnavailable(place=url_of(home), detail=tail or "-")


def stop(home: ServerHome) -> int:
    """Ask the server to finish its calls and go; the pid it had. ServerNotRunning."""
    pid = pid_of(home)
    if pid is None or not is_held(home):
        raise ServerNotRunning(place=home.folder)
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while is_held(home):
        if time.monotonic() > deadline:
            detail = text(ru=f"процесс {pid} не завершается", en=f"process {pid} does not end")
            raise ServerUnavailable(place=home.folder, detail=detail)
        time.sleep(0.05)
    return pid


def url_of(home: ServerHome) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(home.settings.host, home.settings.host)
    return f"{'https' if home.settings.tls_certificate else 'http'}://{host}:{home.settings.port}"


def ready(home: ServerHome) -> dict[str, object] | None:
    """What /readyz says; None while nobody answers or it is not ready."""
    try:
        with urllib.request.urlopen(url_of(home) + "/readyz", timeout=3) as answer:
            found: dict[str, object] = json.load(answer)
            return found
    except (urllib.error.URLError, OSError, ValueError):
        return None


def run(folder: Path) -> None:
    """What a server in the background executes."""
    serve(server_settings.load(folder))
