"""Lengths of time as people write them: 30min, 2h, 7d, 90с; in Russian too."""

from __future__ import annotations

import re

from infobase.errors import UsageError
from infobase.i18n import text

MINUTE, HOUR, DAY = 60, 3600, 86_400
_UNITS = {
    1: "s sec с сек",
    MINUTE: "min мин",
    HOUR: "h ч час",
    DAY: "d д дн день",
    7 * DAY: "w н нед",
    30 * DAY: "mo мес",
    365 * DAY: "y г год",
}
_SECONDS = {word: seconds for seconds, words in _UNITS.items() for word in words.split()}
_WRITTEN = re.compile(r"(\d{1,9})\s*([^\W\d]+)")
MOST = 1000 * 365 * DAY


def seconds_of(written: str, *, bare: int = 0) -> int:
    """Seconds; a number without a unit counts `bare` seconds each (0: it needs a unit). UsageError."""
    found = _WRITTEN.fullmatch(written.strip())
    unit = _SECONDS.get(found[2].casefold()) if found else None
    if found and unit:
        return _sane(int(found[1]) * unit, written)
    if bare and re.fullmatch(r"\d{1,9}", written.strip()):
        return _sane(int(written) * bare, written)
    ru = f"«{written}» - не промежуток времени; примеры: 30min, 2h, 7d, 4w, 6mo, 1y (30мин, 2ч, 7д, 4нед, 6мес, 1г)"
    raise UsageError(
        detail=text(ru=ru, en=f"{written!r} is not a length of time; examples: 30min, 2h, 7d, 4w, 6mo, 1y")
    )


def _sane(seconds: int, written: str) -> int:
    if 0 < seconds <= MOST:
        return seconds
    raise UsageError(detail=text(ru=f"промежуток «{written}» не годится", en=f"the length {written!r} does not do"))


def shown(seconds: float) -> str:
    """For people: «1.5 s», «2 min 5 s», «3 h 2 min», «2 d 4 h»."""
    if seconds < MINUTE:
        return f"{seconds:.1f} " + text(ru="с", en="s")
    whole = round(seconds)
    for big, small, (ru, en) in (
        (DAY, HOUR, ("д|ч", "d|h")),
        (HOUR, MINUTE, ("ч|мин", "h|min")),
        (MINUTE, 1, ("мин|с", "min|s")),
    ):
        if whole >= big:
            first, second = text(ru=ru, en=en).split("|")
            rest = whole % big // small
            return f"{whole // big} {first}" + (f" {rest} {second}" if rest else "")
    return f"{whole}"
