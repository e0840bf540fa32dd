"""Whose work a connection does at the moment: the server's session number, shown in pg_stat_activity and named to those who wait."""

from __future__ import annotations

import os
from contextvars import ContextVar

session_number: ContextVar[int] = ContextVar("infobase_session_number", default=0)
"""0: nobody's in particular."""


def labelled(engine_id: str, number: int) -> str:
    """The application name of a connection while it works for a session."""
    return f"infobase:{engine_id}:{os.getpid()}@#{number}"
