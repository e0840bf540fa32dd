"""Bodies of calls: JSON as bytes, compressed above a size and expanded under a limit."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Mapping

import msgspec

from engine_server.wire.protocol import COMPRESS_ABOVE, MAX_BODY
from infobase.errors import RequestInvalid, RequestTooLarge
from infobase.i18n import text

_LEVEL = 1
_GZIP = 16 + zlib.MAX_WBITS


def pack(data: object) -> tuple[bytes, str]:
    """Bytes and their Content-Encoding ("" or "gzip")."""
    made = msgspec.json.encode(data)
    if len(made) <= COMPRESS_ABOVE:
        return made, ""
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    return packer.compress(made) + packer.flush(), "gzip"


def unpack(body: bytes, encoding: str = "", limit: int = MAX_BODY) -> object:
    """RequestInvalid for what is no JSON, RequestTooLarge for what expands beyond `limit`."""
    if encoding not in ("", "identity", "gzip"):
        detail = text(ru=f"сжатие {encoding[:20]} не поддерживается", en=f"no support for encoding {encoding[:20]}")
        raise RequestInvalid(detail=detail)
    raw = _expanded(body, limit) if encoding == "gzip" else body
    if len(raw) > limit:
        raise RequestTooLarge(limit=limit)
    try:
        made: object = _DECODER.decode(raw)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        raise RequestInvalid(detail=text(ru="тело запроса - не JSON", en="the body is not JSON")) from None
    if _SUSPECT.search(raw):
        _demand_storable(made)
    return made


def header(data: Mapping[str, object]) -> str:
    """A few values as one header line."""
    return base64.b64encode(msgspec.json.encode(data)).decode("ascii")


def from_header(name: str, given: str) -> dict[str, object]:
    """What `header` made; empty for none. RequestInvalid."""
    try:
        made = unpack(base64.b64decode(given, validate=True)) if given else {}
    except ValueError:  # not base64, not even ASCII
        raise RequestInvalid(detail=name) from None
    if not isinstance(made, dict):
        raise RequestInvalid(detail=name)
    return made


_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
"""Escapes of what no store can hold: zero characters and halves of surrogate pairs (whole pairs are found too, and pass)."""


def _demand_storable(data: object) -> None:
    if isinstance(data, str):
        if "\0" in data or any("\ud800" <= c <= "\udfff" for c in data):
            raise RequestInvalid(detail=text(ru="недопустимый символ", en="a forbidden character"))
    elif isinstance(data, dict):
        for name, value in data.items():
            _demand_storable(name)
            _demand_storable(value)
    elif isinstance(data, list):
        for value in data:
            _demand_storable(value)


def _no_float(given: str) -> object:
    """Numbers with a fraction travel as tagged decimals only."""
    raise ValueError(given)


_DECODER = msgspec.json.Decoder(float_hook=_no_float)


def _expanded(body: bytes, limit: int) -> bytes:
    opener = zlib.decompressobj(_GZIP)
    try:
        made = opener.decompress(body, limit + 1)
    except zlib.error:
        raise RequestInvalid(detail=text(ru="сжатие повреждено", en="damaged compression")) from None
    if len(made) > limit:
        raise RequestTooLarge(limit=limit)
    if not opener.eof:
        raise RequestInvalid(detail=text(ru="сжатые данные обрываются", en="the compressed data ends early"))
    return made
