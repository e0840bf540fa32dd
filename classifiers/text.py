"""Showing pieces of foreign files in messages: short, printable, never raw control characters."""

from __future__ import annotations

MAX_SHOWN = 60


def shown(piece: str | bytes) -> str:
    """The beginning of `piece` with everything unprintable escaped."""
    if isinstance(piece, bytes):
        return piece[:MAX_SHOWN].hex(" ")
    cut = piece if len(piece) <= MAX_SHOWN else piece[:MAX_SHOWN] + "..."
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in cut)
