"""Common lists of infobases behind HTTP: fetched with limits of size and time, and kept, so that a server that is down stops nobody.

1C's starter takes an address in `CommonInfoBases` beside a path. A list is asked for again after `FRESH_SECONDS`, with what the server said of
its version (ETag, Last-Modified: RFC 9110); a server that did not answer is left in peace for `PAUSE_SECONDS`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import urllib3

from infobase.cache_folder import cache_folder
from infobase.errors import ListInvalid
from infobase.files import write_atomically
from infobase.i18n import text
from infobase.list_file import from_bytes

FRESH_SECONDS = 300.0
PAUSE_SECONDS = 60.0
MAX_BYTES = 16 << 20
"""Of a list after unpacking: 10,000 entries take 4 MB."""
MAX_SECONDS = 10.0
"""Of the whole answer."""
_TIMEOUT = urllib3.Timeout(connect=3.0, read=3.0)
_REDIRECTS = urllib3.Retry(total=3, connect=0, read=0, other=0, redirect=3, raise_on_status=False)


class _Refused(Exception):
    """What the server gave is no list."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """`file`: the list as it was last read, None where it never was. `trouble`: why the server's own could not be had, "" when it was."""

    file: Path | None
    trouble: str = ""


def fetch(url: str) -> Fetched:
    """The list at an address, from the server or as it was last read."""
    file = cache_folder() / "lists" / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.v8i"
    if _age(file) < FRESH_SECONDS:
        return Fetched(file)
    failed = file.with_suffix(".failed")
    if _age(failed) < PAUSE_SECONDS:
        return _kept(file, failed.read_text("utf-8", "replace"))
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _renew(url, file)
        failed.unlink(missing_ok=True)
    except (urllib3.exceptions.HTTPError, _Refused, OSError, ValueError) as problem:
        reason = _said(problem)
        try:
            failed.write_text(reason, "utf-8")
        except OSError:
            return _kept(file, f"{reason}; {failed}")
        return _kept(file, reason)
    return Fetched(file)


def _age(file: Path) -> float:
    """Seconds since it was written; a clock set back makes it old."""
    try:
        age = time.time() - file.stat().st_mtime
    except OSError:
        return float("inf")
    return age if age >= 0 else float("inf")


def _kept(file: Path, reason: str) -> Fetched:
    if not file.is_file():
        return Fetched(None, reason)
    when = dt.datetime.fromtimestamp(file.stat().st_mtime)
    ru = f"{reason}; показан список, прочитанный {when:%d.%m.%Y %H:%M}"
    return Fetched(file, text(ru=ru, en=f"{reason}; shown as it was read on {when:%Y-%m-%d %H:%M}"))


def _renew(url: str, file: Path) -> None:
    marks = file.with_suffix(".json")
    pool = urllib3.PoolManager(timeout=_TIMEOUT, retries=_REDIRECTS)
    try:
        answer = pool.request("GET", url, headers=_conditions(file, marks), preload_content=False)
        try:
            if answer.status == 304 and file.is_file():
                file.touch()
                return
            if answer.status != 200:
                raise _Refused(f"HTTP {answer.status}")
            content = _content(answer)
            write_atomically(file, content)
            write_atomically(marks, json.dumps(_marks(answer.headers)).encode("utf-8"))
        finally:
            answer.close()
    finally:
        pool.clear()


def _conditions(file: Path, marks: Path) -> dict[str, str]:
    try:
        known = json.loads(marks.read_text("utf-8")) if file.is_file() else {}
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(known, dict):
        return {}
    asked = {"If-None-Match": known.get("etag"), "If-Modified-Since": known.get("last-modified")}
    return {name: value for name, value in asked.items() if isinstance(value, str)}


def _marks(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in ("etag", "last-modified") if name in headers}


def _content(answer: urllib3.BaseHTTPResponse) -> bytes:
    deadline, pieces, size = time.monotonic() + MAX_SECONDS, list[bytes](), 0
    for piece in answer.stream(1 << 16, decode_content=True):
        size += len(piece)
        if size > MAX_BYTES:
            raise _Refused(text(ru="ответ слишком велик для списка баз", en="too large for a list of infobases"))
        if time.monotonic() > deadline:
            raise _Refused(text(ru="ответ идёт слишком долго", en="the answer takes too long"))
        pieces.append(piece)
    content = b"".join(pieces)
    # A page that asks for a password, or one of a gateway, must not take the place of the list.
    if content and not _is_list(content):
        raise _Refused(text(ru="это не список баз (.v8i)", en="not a list of infobases (.v8i)"))
    return content


def _is_list(content: bytes) -> bool:
    try:
        return bool(from_bytes(content, Path()).sections)
    except ListInvalid:
        return False


def _said(problem: Exception) -> str:
    if isinstance(problem, _Refused):
        return str(problem)
    reason = getattr(problem, "reason", None) or problem
    return text(ru=f"сервер не отвечает: {reason}", en=f"the server does not answer: {reason}")
