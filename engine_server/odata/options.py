"""Query options: $format, $filter, $select, $orderby, $top, $skip, $expand, $inlinecount, allowedOnly; and what a response is written as."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from engine_server.odata.errors import REPRESENTATION, bad_option, refuse

MAX_TOP = 2**31 - 1
JSON, ATOM = "json", "atom"
MINIMAL, NONE, FULL, VERBOSE = "minimalmetadata", "nometadata", "fullmetadata", "verbose"
_LEVELS = {"minimal": MINIMAL, "none": NONE, "full": FULL, "light": MINIMAL}
KNOWN = ("$format", "$filter", "$select", "$orderby", "$top", "$skip", "$expand", "$inlinecount", "$allowedOnly")
MAX_ITEMS = 500
"""Names in one list."""


@dataclass(frozen=True, slots=True)
class Format:
    """`kind`: json or atom; `metadata`: how much JSON tells of it."""

    kind: str
    metadata: str = MINIMAL

    @property
    def content_type(self) -> str:
        if self.kind == ATOM:
            return "application/atom+xml;charset=utf-8"
        return f"application/json;odata={self.metadata};charset=utf-8"


@dataclass(frozen=True)
class Options:
    """What a request asks for. `top` None: everything. `rest`: parameters that are no query options (of functions, of actions)."""

    format: Format
    filter: str = ""
    select: tuple[str, ...] = ()
    orderby: tuple[tuple[str, bool], ...] = ()
    top: int | None = None
    skip: int = 0
    expand: tuple[str, ...] = ()
    count: bool = False
    allowed_only: bool = False
    rest: Mapping[str, str] | None = None


def query_pairs(query: bytes) -> list[tuple[str, str]]:
    """Names and values of a query string; texts are UTF-8, or cp1251 as some clients of 1C send them."""
    pairs = []
    for part in query.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            pairs.append((_decoded(name), _decoded(value)))
    return pairs


def _decoded(raw: bytes) -> str:
    text = raw.decode("latin-1")
    try:
        return unquote_plus(text, encoding="utf-8", errors="strict") if text.isascii() else raw.decode("utf-8")
    except UnicodeDecodeError:
        return unquote_plus(text, encoding="cp1251", errors="replace")


def parse_options(pairs: Sequence[tuple[str, str]], accept: str) -> Options:
    """ODataError 400 code 14: an option that is not understood, or given twice; 406 code 3: a format there is none of."""
    given: dict[str, str] = {}
    rest: dict[str, str] = {}
    for name, value in pairs:
        option = _option(name)
        target = rest if option is None else given
        if option is not None and option in given:
            raise bad_option(f"{name} указан дважды", f"{name} is given twice")
        target[option or name] = value
    return Options(
        format=parse_format(given.get("$format", ""), accept),
        filter=given.get("$filter", "").strip(),
        select=_names(given.get("$select", "")),
        orderby=_order(given.get("$orderby", "")),
        top=_count(given, "$top"),
        skip=_count(given, "$skip") or 0,
        expand=_names(given.get("$expand", "")),
        count=_inline_count(given.get("$inlinecount", "none")),
        allowed_only=_flag(given.get("$allowedOnly", "false")),
        rest=rest,
    )


def _option(name: str) -> str | None:
    """The canonical name of a query option; None: a parameter of something else."""
    wanted = name.lower()
    if wanted in ("allowedonly", "$allowedonly"):
        return "$allowedOnly"
    found = next((k for k in KNOWN if k.lower() == wanted), None)
    if found is None and name.startswith("$"):
        raise bad_option(f"неизвестный параметр {name[:40]}", f"unknown option {name[:40]}")
    return found


def parse_format(text: str, accept: str) -> Format:
    """`$format` decides, else the Accept header, else Atom."""
    if text:
        found = _format(text)
        if found is None:
            raise refuse(
                406,
                REPRESENTATION,
                f"Запрошенный тип представления не поддерживается: {text[:60]}",
                f"No such representation: {text[:60]}",
            )
        return found
    for part in accept.split(","):
        found = _format(part)
        if found is not None:
            return found
    return Format(ATOM)


def _format(text: str) -> Format | None:
    name, *parameters = (p.strip().lower().replace(" ", "") for p in text.split(";"))
    if name in ("json", "application/json", "text/json"):
        levels = [p.partition("=")[2] for p in parameters if p.startswith("odata=")]
        level = _LEVELS.get(levels[0], levels[0]) if levels else MINIMAL
        return Format(JSON, level) if level in (MINIMAL, NONE, FULL, VERBOSE) else None
    if name in ("atom", "application/atom+xml", "xml", "application/xml", "text/xml"):
        return Format(ATOM)
    return None


def _names(text: str) -> tuple[str, ...]:
    return _bounded(n.strip() for n in text.split(","))


def _bounded(given: Iterable[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(given))
    if len(names) > MAX_ITEMS:
        raise bad_option(f"больше {MAX_ITEMS} имён", f"more than {MAX_ITEMS} names")
    return tuple(n for n in names if n)


_DIRECTED = re.compile(r"(?P<name>.*?)(?:\s+(?P<direction>asc|desc))?\s*", re.IGNORECASE | re.DOTALL)


def _order(text: str) -> tuple[tuple[str, bool], ...]:
    """Fields and functions as they are written, and whether they go down."""
    made = []
    for item in _bounded(p.strip() for p in outside_commas(text)):
        found = _DIRECTED.fullmatch(item)
        assert found is not None
        if not found["name"] or (" " in found["name"] and "(" not in found["name"]):
            raise bad_option(f"$orderby: «{item[:60]}»", f"$orderby: {item[:60]!r}")
        made.append((found["name"], (found["direction"] or "").lower() == "desc"))
    return tuple(made)


def outside_commas(text: str) -> list[str]:
    """The parts between commas that stand outside parentheses and texts."""
    parts, depth, quote = [""], 0, ""
    for c in text:
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        else:
            depth += {"(": 1, ")": -1}.get(c, 0)
        if c == "," and not quote and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return parts


def _count(given: Mapping[str, str], name: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not text.strip().isascii() or not text.strip().isdigit() or int(text.strip()[:20]) > MAX_TOP:
        raise bad_option(f"{name}: «{text[:40]}» - не число от 0 до {MAX_TOP}", f"{name}: {text[:40]!r} is not a count")
    return int(text)


def _inline_count(text: str) -> bool:
    if text.lower() not in ("allpages", "none", "true", "false"):
        raise bad_option(f"$inlinecount: «{text[:40]}»", f"$inlinecount: {text[:40]!r}")
    return text.lower() in ("allpages", "true")


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0", ""):
        raise bad_option(f"allowedOnly: «{text[:40]}»", f"allowedOnly: {text[:40]!r}")
    return text.lower() in ("true", "1")
