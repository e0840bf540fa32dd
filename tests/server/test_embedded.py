"""An embedded cluster goes with its last user, however that one ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine_server.embedded import EmbeddedCluster

USER = """
import sys, time
from pathlib import Path
from engine_server.embedded import EmbeddedCluster
cluster = EmbeddedCluster(Path(sys.argv[1]))
cluster.start()
print(cluster.server_pid(), flush=True)
time.sleep(120)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Open to the account PostgreSQL runs as."""
    made = Path(tempfile.mkdtemp(prefix="infobase-test-pg-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_a_terminated_user_takes_the_server_along(folder: Path) -> None:
    command = [sys.executable, "-c", USER, str(folder)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) as user:
        assert user.stdout is not None
        pid = int(user.stdout.readline())
        user.send_signal(signal.SIGTERM)
        assert user.wait(60) == 128 + signal.SIGTERM
    assert pid and EmbeddedCluster(folder).server_pid() is None
    assert not EmbeddedCluster(folder).sockets.exists()


def test_the_socket_of_a_dead_server_is_cleared_away(folder: Path) -> None:
    cluster = EmbeddedCluster(folder)
    cluster.start()
    pid = cluster.server_pid()
    assert pid is not None and cluster.sockets.exists()
    os.kill(pid, signal.SIGQUIT)  # an immediate stop: nothing is tidied up
    while cluster.server_pid() is not None:
        os.sched_yield()
    cluster.stop()
    assert not cluster.sockets.exists()
