"""Literals and tokens of OData V3 URLs: guid'...', datetime'...', 'text', numbers, true, false, null."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Union

from engine_server.odata.edm import parse_date, parse_guid, unfit
from engine_server.odata.errors import UNPARSED, bad_option, refuse
from infobase.metadata.types import EMPTY_DATE

MAX_TEXT = 64 * 1024
"""Characters of one expression."""

Constant = Union[str, bool, Decimal, dt.datetime, uuid.UUID, None]  # noqa: UP007

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<guid>guid'[^']*')
    | (?P<date>(?:datetime|datetimeoffset)'[^']*')
    | (?P<text>'(?:[^']|'')*')
    | (?P<quoted>"[^"]*")
    | (?P<bare>[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})
    | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?P<suffix>[lLmMdDfF](?!\w))?
    | (?P<name>[^\W\d][\w.]*)
    | (?P<mark>[(),/:\-*=])
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """`kind`: constant, name, mark, end. `at`: position in the text."""

    kind: str
    text: str
    at: int
    value: Constant = None


def tokens(text: str) -> list[Token]:
    """The tokens of an expression, with one of kind "end" at the end. ODataError 400."""
    if len(text) > MAX_TEXT:
        raise bad_option(f"выражение длиннее {MAX_TEXT} символов", f"an expression longer than {MAX_TEXT} characters")
    made: list[Token] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            shown = text[at : at + 20]
            raise bad_option(
                f"не разобрано «{shown}» (позиция {at + 1})", f"cannot parse {shown!r} (position {at + 1})"
            )
        made.append(_token(found))
        at = found.end()
    made.append(Token("end", "", end))
    return made


def _token(found: re.Match[str]) -> Token:
    kind = found.lastgroup
    if kind == "suffix":
        kind = "number"
    assert kind is not None
    text, at = found[kind], found.start(kind)
    if kind == "mark" or (kind == "name" and text.lower() not in ("true", "false", "null")):
        return Token(kind, text, at)
    return Token("constant", text, at, _value(kind, text))


def _value(kind: str, text: str) -> Constant:
    match kind:
        case "guid":
            return parse_guid("guid", text[5:-1])
        case "bare":
            return parse_guid("guid", text)
        case "date":
            return parse_date("datetime", text[text.index("'") + 1 : -1]) or EMPTY_DATE
        case "text":
            return text[1:-1].replace("''", "'")
        case "quoted":
            return text[1:-1]
        case "number":
            return _number(text)
        case _:
            return {"true": True, "false": False, "null": None}[text.lower()]


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond all bounds
        raise unfit("number", text[:60], "Edm.Double") from None


def constant(text: str) -> Constant:
    """A single literal. ODataError 400 code 1."""
    found = tokens(text)
    sign = Decimal(1)
    if found[0].text == "-" and len(found) == 3 and isinstance(found[1].value, Decimal):
        sign, found = Decimal(-1), found[1:]
    if len(found) != 2 or found[0].kind != "constant":
        shown = text[:60]
        raise refuse(400, UNPARSED, f"Не удалось разобрать строку «{shown}»", f"Cannot parse {shown!r}")
    value = found[0].value
    return value * sign if isinstance(value, Decimal) and not isinstance(value, bool) else value
