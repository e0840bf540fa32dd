"""A virtual environment of its own for each peer, so that its packages and ours never meet."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.peers.registry import Peer
from infobase.errors import PeerNotInstalled

TIMEOUT = 600.0
"""Seconds an installation may take."""
_READY = "ready"
_TOLD = 500
"""Characters of what pip said at last."""


def interpreter(peer: Peer, folder: Path) -> Path:
    """The peer's interpreter; its environment is made in `folder` unless a complete one is there. PeerNotInstalled."""
    if not peer.requirements:
        return Path(sys.executable)
    made = folder / f"{peer.name}-{_fingerprint(peer)}"
    python = made / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (made / _READY).exists():
        shutil.rmtree(made, ignore_errors=True)
        _run(peer, [sys.executable, "-m", "venv", str(made)])
        _run(peer, [str(python), "-m", "pip", "install", "--disable-pip-version-check", "-q", *peer.requirements])
        (made / _READY).touch()
    return python


def _fingerprint(peer: Peer) -> str:
    """Other requirements or another Python: another environment."""
    return hashlib.sha256(repr((peer.requirements, sys.version)).encode()).hexdigest()[:12]


def _run(peer: Peer, command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise PeerNotInstalled(peer=peer.name, detail=e) from e
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise PeerNotInstalled(peer=peer.name, detail=said[-_TOLD:] or f"exit code {done.returncode}")
