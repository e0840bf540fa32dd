"""Responses as JSON, in 1C's shape at four levels of metadata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from engine_server.odata.model import NAMESPACE, Model
from engine_server.odata.options import FULL, NONE, VERBOSE
from engine_server.odata.rendering import Entry

_ENCODER = msgspec.json.Encoder(decimal_format="number")


def encode(value: object) -> bytes:
    """JSON of wire values; decimals are written digit by digit."""
    return _ENCODER.encode(value)


class JsonWriter:
    """`root`: the service's address, with a slash at its end."""

    def __init__(self, root: str, level: str) -> None:
        self._root, self._level = root, level

    # --- entries ---

    def entry(self, e: Entry) -> dict[str, Any]:
        """One entity without the envelope."""
        if self._level == VERBOSE:
            return self._verbose(e)
        made: dict[str, Any] = {}
        if self._level == FULL:
            made["odata.type"] = f"{NAMESPACE}.{e.entity.name}"
            made["odata.id"] = self._root + e.url
            made["odata.editLink"] = e.url
        for name, value in e.values.items():
            made[name] = self.entry(value) if isinstance(value, Entry) else value
            if self._level == FULL:
                self._typed(made, e, name, value)
        if self._level != NONE:
            for name in e.links:
                made[f"{name}@navigationLinkUrl"] = f"{e.url}/{name}"
        return made

    @staticmethod
    def _typed(made: dict[str, Any], e: Entry, name: str, value: Any) -> None:
        if isinstance(value, list):
            made[f"{name}@odata.type"] = f"Collection({NAMESPACE}.{_row_type(e, name)})"
        elif isinstance(value, bool):
            made[f"{name}@odata.type"] = "Edm.Boolean"
        elif isinstance(value, int | Decimal):
            made[f"{name}@odata.type"] = "Edm.Double" if isinstance(value, Decimal) else "Edm.Int32"
        elif name.endswith("_Key"):
            made[f"{name}@odata.type"] = "Edm.Guid"

    def _verbose(self, e: Entry) -> dict[str, Any]:
        address = self._root + e.url
        made: dict[str, Any] = {"__metadata": {"uri": address, "id": address, "type": f"{NAMESPACE}.{e.entity.name}"}}
        for name, value in e.values.items():
            if isinstance(value, Entry):
                made[name] = self._verbose(value)
            else:
                made[name] = {"results": value} if isinstance(value, list) else value
        for name in e.links:
            made.setdefault(name, {"__deferred": {"uri": f"{address}/{name}"}})
        return made

    # --- envelopes ---

    def one(self, e: Entry) -> bytes:
        if self._level == VERBOSE:
            return encode({"d": self._verbose(e)})
        head = {} if self._level == NONE else {"odata.metadata": f"{self._root}$metadata#{e.entity.name}/@Element"}
        return encode({**head, **self.entry(e)})

    def many(self, set_name: str, batches: Iterable[Sequence[Entry]], count: int | None) -> Iterator[bytes]:
        """The list in parts, as its batches come."""
        yield self._opening(set_name, count)
        first = True
        for batch in batches:
            for e in batch:
                yield (b"" if first else b",") + encode(self.entry(e))
                first = False
        yield b"]}}" if self._level == VERBOSE else b"]}"

    def _opening(self, set_name: str, count: int | None) -> bytes:
        if self._level == VERBOSE:
            head = b"" if count is None else b'"__count":' + encode(str(count)) + b","
            return b'{"d":{' + head + b'"results":['
        parts = [] if self._level == NONE else [b'"odata.metadata":' + encode(f"{self._root}$metadata#{set_name}")]
        if count is not None:
            parts.append(b'"odata.count":' + encode(str(count)))
        return b"{" + b"".join(p + b"," for p in parts) + b'"value":['

    def property(self, type_name: str, name: str, value: Any) -> bytes:
        if self._level == VERBOSE:
            return encode({"d": {name: value}})
        head = {} if self._level == NONE else {"odata.metadata": f"{self._root}$metadata#{type_name}"}
        return encode({**head, "value": value})

    def rows(self, type_name: str, rows: Sequence[dict[str, Any]]) -> bytes:
        if self._level == VERBOSE:
            return encode({"d": {"results": rows}})
        return self.property(f"Collection({NAMESPACE}.{type_name})", "value", rows)

    def service(self, model: Model) -> bytes:
        names = model.names
        if self._level == VERBOSE:
            return encode({"d": {"EntitySets": names}})
        return encode({"odata.metadata": f"{self._root}$metadata", "value": [{"name": n, "url": n} for n in names]})


def _row_type(e: Entry, name: str) -> str:
    found = e.entity.collection(name)
    return found.rows.row_type if found is not None else name


def error_body(code: int, message: str, language: str) -> bytes:
    """1C's error in JSON."""
    return encode({"odata.error": {"code": str(code), "message": {"lang": language, "value": message}}})
