"""The part of a URL after `standard.odata/`: resources, keys, functions with their arguments.

    Catalog_Контрагенты(guid'...')/Регион/Description
    InformationRegister_Цены/SliceLast(Period=datetime'2026-01-01T00:00:00',Condition='Товар_Key eq guid'...'')

1C's own documentation leaves quotes inside `Condition='...'` unescaped, and so do its clients; both writings are understood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine_server.odata.errors import BAD_URL, ODataError, refuse
from engine_server.odata.literals import Constant, constant

MAX_PATH = 8192
"""Characters of the path."""
MAX_SEGMENTS = 12
ARGUMENTS = ("Period", "StartPeriod", "EndPeriod", "Condition", "Dimensions", "Periodicity", "PostingModeOperational")
"""Arguments of functions and actions."""
_ARGUMENT = re.compile(rf"(?:^|,)\s*(?P<name>{'|'.join(ARGUMENTS)})\s*=\s*", re.IGNORECASE)


_UNCLOSED = re.compile(r"[^/()']+\((?:\s*\w+\s*=\s*)?guid'[^'()]*'")
"""A key that lacks its last parenthesis, as python-to-1c sends it: there is but one thing it can mean."""


@dataclass(frozen=True, slots=True)
class Segment:
    """`inside`: what stands in parentheses as it was written; None: there were none."""

    name: str
    inside: str | None = None


def bad_url(text: str) -> ODataError:
    shown = text[:100]
    return refuse(400, BAD_URL, f"Неверный URL: «{shown}»", f"Bad URL: {shown!r}")


def segments(path: str) -> list[Segment]:
    """The segments of a decoded path. ODataError 400 code 6."""
    text = path.strip("/")
    if len(text) > MAX_PATH:
        raise bad_url(text)
    if _UNCLOSED.fullmatch(text):
        text += ")"
    parts = _split(text, quotes=True) or _split(text, quotes=False)
    if parts is None or len(parts) > MAX_SEGMENTS:
        raise bad_url(text)
    return [_segment(p) for p in parts if p]


def _split(text: str, *, quotes: bool) -> list[str] | None:
    """By slashes outside parentheses and, with `quotes`, outside texts; None when those do not close."""
    parts: list[str] = [""]
    depth, quoted = 0, False
    for c in text:
        if c == "'" and quotes:
            quoted = not quoted
        elif not quoted:
            depth += {"(": 1, ")": -1}.get(c, 0)
        if c == "/" and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += c
    return parts if depth == 0 and not quoted else None


def _segment(text: str) -> Segment:
    name, bracket, rest = text.partition("(")
    if not bracket:
        return Segment(name)
    if not rest.endswith(")"):
        raise bad_url(text)
    return Segment(name, rest[:-1])


def key_values(inside: str) -> dict[str, Constant]:
    """`guid'...'` -> {"": value}; `A=...,B=...` -> by name. ODataError."""
    parts = _commas(inside)
    made: dict[str, Constant] = {}
    for part in parts:
        found = re.match(r"\s*([^\W\d]\w*)\s*=\s*(?!=)", part)
        name = found[1] if found else ""
        if name in made:
            raise bad_url(inside)
        made[name] = constant(part[found.end() :] if found else part)
    return made


def _commas(text: str) -> list[str]:
    parts, quote, begin = list[str](), "", 0
    for at, c in enumerate(text):
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c == ",":
            parts.append(text[begin:at])
            begin = at + 1
    return [*parts, text[begin:]]


def arguments(inside: str) -> dict[str, str]:
    """Arguments of a function as they are written, by canonical name. ODataError 400 code 6."""
    found = list(_ARGUMENT.finditer(inside))
    head = inside[: found[0].start()] if found else inside
    if head.strip(" ,"):
        raise bad_url(inside)
    made: dict[str, str] = {}
    for i, m in enumerate(found):
        end = found[i + 1].start() if i + 1 < len(found) else len(inside)
        name = canonical(m["name"]) or ""
        if name in made:
            raise bad_url(inside)
        made[name] = inside[m.end() : end].strip(" ,")
    return made


def canonical(name: str) -> str | None:
    """An argument's name as it is documented; None when it is not one."""
    return next((a for a in ARGUMENTS if a.lower() == name.lower()), None)


def unquoted(text: str) -> list[str]:
    """What a text argument may mean, likeliest first: quotes doubled as OData has it, or left as they are."""
    stripped = text.strip()
    if len(stripped) < 2 or stripped[0] != "'" or stripped[-1] != "'":
        return [stripped]
    inside = stripped[1:-1]
    doubled = all(len(run) % 2 == 0 for run in re.findall(r"'+", inside))
    return [inside.replace("''", "'"), inside] if doubled and "'" in inside else [inside]
