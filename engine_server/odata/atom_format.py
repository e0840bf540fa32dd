"""Responses as Atom, 1C's default representation."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from engine_server.odata.model import NAMESPACE, Model
from engine_server.odata.rendering import Entry

D = "http://schemas.microsoft.com/ado/2007/08/dataservices"
M = f"{D}/metadata"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NAMESPACES = f'xmlns="http://www.w3.org/2005/Atom" xmlns:d="{D}" xmlns:m="{M}"'
_ENTRY = "application/atom+xml;type=entry;charset=utf-8"
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""Characters that XML has no way to write."""


def text(value: Any) -> str:
    """A wire value as XML text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return escape(_FORBIDDEN.sub("\ufffd", str(value)))


class AtomWriter:
    """`root`: the service's address, with a slash at its end."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._now = f"{dt.datetime.now():%Y-%m-%dT%H:%M:%S}"

    # --- entries ---

    def one(self, e: Entry) -> bytes:
        return (HEAD + self._entry(e, outermost=True)).encode()

    def _entry(self, e: Entry, *, outermost: bool = False) -> str:
        namespaces = f" {_NAMESPACES} xml:base={quoteattr(self._root)}" if outermost else ""
        type_name = f"{NAMESPACE}.{e.entity.name}"
        links = "".join(self._link(e, name) for name in e.links)
        return (
            f"<entry{namespaces}><id>{text(self._root + e.url)}</id>"
            f'<category term={quoteattr(type_name)} scheme="{D}/scheme"/><title type="text"/>'
            f"<updated>{self._now}</updated><author/><summary/>{links}"
            f'<link rel="edit" href={quoteattr(e.url)} title="edit link"/>'
            f'<content type="application/xml"><m:properties>{self._properties(e)}</m:properties></content></entry>'
        )

    def _link(self, e: Entry, name: str) -> str:
        expanded = e.values.get(name) or e.values.get(f"{name}_Expanded")
        inline = f"<m:inline>{self._entry(expanded)}</m:inline>" if isinstance(expanded, Entry) else ""
        href = quoteattr(f"{e.url}/{name}")
        start = f'<link rel="{D}/related/{text(name)}" href={href} type="{_ENTRY}" title={quoteattr(name)}'
        return f"{start}>{inline}</link>" if inline else f"{start}/>"

    def _properties(self, e: Entry) -> str:
        parts = []
        for name, value in e.values.items():
            if isinstance(value, list):
                found = e.entity.collection(name)
                parts.append(self._collection(name, found.rows.row_type if found else name, value))
            elif not isinstance(value, Entry):
                parts.append(_property(name, value))
        return "".join(parts)

    @staticmethod
    def _collection(name: str, row_type: str, rows: Sequence[dict[str, Any]], namespaces: str = "") -> str:
        full = f"{NAMESPACE}.{row_type}"
        elements = "".join(
            f"<d:element m:type={quoteattr(full)}>{''.join(_property(n, v) for n, v in row.items())}</d:element>"
            for row in rows
        )
        return f"<d:{name}{namespaces} m:type={quoteattr(f'Collection({full})')}>{elements}</d:{name}>"

    # --- envelopes ---

    def many(self, set_name: str, batches: Iterable[Sequence[Entry]], count: int | None) -> Iterator[bytes]:
        """The feed in parts, as its batches come."""
        name = text(set_name)
        yield (
            f"{HEAD}<feed {_NAMESPACES} xml:base={quoteattr(self._root)}><id>{text(self._root)}{name}</id>"
            f'<title type="text">{name}</title><updated>{self._now}</updated>'
            f'<link rel="self" title={quoteattr(set_name)} href={quoteattr(set_name)}/>'
        ).encode()
        for batch in batches:
            yield "".join(self._entry(e) for e in batch).encode()
        tail = "" if count is None else f"<m:count>{count}</m:count>"
        yield f"{tail}</feed>".encode()

    def property(self, type_name: str, name: str, value: Any) -> bytes:
        return (HEAD + _property(name, value, f' xmlns:d="{D}" xmlns:m="{M}"')).encode()

    def rows(self, type_name: str, rows: Sequence[dict[str, Any]]) -> bytes:
        return (HEAD + self._collection("value", type_name, rows, f' xmlns:d="{D}" xmlns:m="{M}"')).encode()

    def service(self, model: Model) -> bytes:
        sets = "".join(
            f"<collection href={quoteattr(n)}><atom:title>{text(n)}</atom:title></collection>" for n in model.names
        )
        return (
            f'{HEAD}<service xmlns="http://www.w3.org/2007/app" xmlns:atom="http://www.w3.org/2005/Atom" '
            f"xml:base={quoteattr(self._root)}><workspace><atom:title>Default</atom:title>{sets}</workspace></service>"
        ).encode()


def _property(name: str, value: Any, namespaces: str = "") -> str:
    if value is None:
        return f'<d:{name}{namespaces} m:null="true"/>'
    written = text(value)
    return f"<d:{name}{namespaces}>{written}</d:{name}>" if written else f"<d:{name}{namespaces}/>"


def error_body(code: int, message: str, language: str) -> bytes:
    """1C's error in XML."""
    return (
        f'{HEAD}<m:error xmlns:m="{M}"><m:code>{code}</m:code>'
        f'<m:message xml:lang="{language}">{text(message)}</m:message></m:error>'
    ).encode()
