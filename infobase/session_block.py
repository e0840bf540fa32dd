"""The block of new sessions («Блокировка начала сеансов»): what it says, when it holds, and the file `1Cv8.cdn` 1C keeps it in.

{1,<from yyyyMMddHHmmss>,<to>,"<message>","<permission code>","<parameter>"}

A moment of zeros or of the year 1 is no limit. Other programs write the file too, so reading is tolerant; a quote inside a string is doubled.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from infobase.errors import SessionsBlocked
from infobase.i18n import text

CDN_BYTES = 1 << 16
"""More than this is not a session block."""
_OPEN = "00010101000000"
_TOKEN = re.compile(r'"((?:[^"]|"")*)"|([^",{}\s][^",{}]*)|(,)')


@dataclass(frozen=True, slots=True)
class SessionBlock:
    """No new sessions from `since` to `until` (local time, None: no limit) unless the permission code is given."""

    since: dt.datetime | None = None
    until: dt.datetime | None = None
    message: str = ""
    code: str = ""
    parameter: str = ""

    def in_force(self, now: dt.datetime) -> bool:
        return (self.since is None or self.since <= now) and (self.until is None or now < self.until)

    def overdue(self, now: dt.datetime) -> bool:
        """Its period is over: it stops nobody, and only waits to be removed."""
        return self.until is not None and now >= self.until

    def admits(self, code: str, now: dt.datetime) -> bool:
        return not self.in_force(now) or bool(self.code and code == self.code)

    def explain(self, now: dt.datetime) -> str:
        """What the block means at this moment, in words."""
        period = self.period()
        if self.overdue(now):
            ru = f"срок блокировки истёк ({period}): она никого не останавливает, её можно снять"
            return text(ru=ru, en=f"the block is overdue ({period}): it stops nobody and can be lifted")
        if not self.in_force(now):
            return text(ru=f"блокировка начнётся: {period}", en=f"the block is still to begin: {period}")
        if self.until is None:
            ru = f"блокировка действует {period}; могла остаться после прерванной операции"
            return text(ru=ru, en=f"the block holds {period}; an interrupted operation may have left it")
        return text(ru=f"блокировка действует ({period})", en=f"the block holds ({period})")

    def period(self) -> str:
        """From when until when, in words."""
        since = self.since and f"{self.since:%Y-%m-%d %H:%M:%S}"
        until = self.until and f"{self.until:%Y-%m-%d %H:%M:%S}"
        if since and until:
            return text(ru=f"с {since} до {until}", en=f"from {since} until {until}")
        if since:
            return text(ru=f"с {since} до снятия", en=f"from {since} until it is lifted")
        return text(ru=f"до {until}", en=f"until {until}") if until else text(ru="до снятия", en="until it is lifted")


def demand_unblocked(block: SessionBlock | None, code: str, now: dt.datetime) -> None:
    """SessionsBlocked while the block is in force and its code is not given."""
    if block is None or block.admits(code, now):
        return
    said = block.message or text(ru="установлена блокировка начала сеансов", en="a session block is set")
    hint = text(
        ru="Войти можно с кодом разрешения (--permission-code); снять: infobase sessions unblock",
        en="A permission code lets in (--permission-code); to lift it: infobase sessions unblock",
    )
    raise SessionsBlocked(detail=f"{said} ({block.explain(now)}). {hint}")


def parse_cdn(content: bytes) -> SessionBlock | None:
    """The block in a `1Cv8.cdn`; None where it says nothing."""
    written = _decoded(content[:CDN_BYTES]).strip()
    tokens = _tokens(written) if written.startswith("{") else []
    if len(tokens) < 3:
        return None
    tokens += [""] * (6 - len(tokens))
    return SessionBlock(_moment(tokens[1]), _moment(tokens[2]), tokens[3], tokens[4], tokens[5])


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1251", "replace")


def _tokens(content: str) -> list[str]:
    """The fields between commas; an empty one is ""."""
    found, current = [], ""
    for match in _TOKEN.finditer(content):
        if match[3]:
            found.append(current)
            current = ""
        else:
            current = match[2].strip() if match[2] is not None else match[1].replace('""', '"')
    return [*found, current] if found or current else []


def _moment(value: str) -> dt.datetime | None:
    try:
        found = dt.datetime.strptime(value[:14], "%Y%m%d%H%M%S")
    except ValueError:
        return None
    return found if found.year > 1 else None


def format_cdn(block: SessionBlock) -> bytes:
    """The file's content: `parse_cdn(format_cdn(block))` is the block again."""
    moments = [f"{m.year:04}{m:%m%d%H%M%S}" if m else _OPEN for m in (block.since, block.until)]
    strings = ['"' + s.replace('"', '""') + '"' for s in (block.message, block.code, block.parameter)]
    return ("\ufeff{1," + ",".join([*moments, *strings]) + "}").encode("utf-8")
