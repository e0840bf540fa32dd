"""Bodies of requests: JSON and Atom entries -> wire names and values. Nothing of a body is run, nothing outside it is read."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import msgspec
from lxml import etree

from engine_server.odata.errors import BAD_REQUEST, ODataError, refuse

MAX_DEPTH = 20
"""Nesting of elements; entries have 6."""
D = "{http://schemas.microsoft.com/ado/2007/08/dataservices}"
M = "{http://schemas.microsoft.com/ado/2007/08/dataservices/metadata}"
ATOM = "{http://www.w3.org/2005/Atom}"
_RELATED = "http://schemas.microsoft.com/ado/2007/08/dataservices/related/"
_JSON = msgspec.json.Decoder(float_hook=Decimal)

Body = dict[str, Any]


def bad_body(ru: str, en: str) -> ODataError:
    return refuse(400, BAD_REQUEST, f"Неверный формат запроса: {ru}", f"Bad request: {en}")


def parse_body(raw: bytes, content_type: str) -> Body:
    """ODataError 400 code 2."""
    text = raw.strip()
    if not text:
        return {}
    if "json" in content_type.lower() or not (
        "xml" in content_type.lower() or text.startswith((b"<", b"\xef\xbb\xbf<"))
    ):
        return _json(text)
    return _atom(text)


def _json(text: bytes) -> Body:
    try:
        made = _JSON.decode(text.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as e:
        raise bad_body(f"это не JSON ({e})", f"not JSON ({e})") from None
    if isinstance(made, dict) and set(made) == {"d"} and isinstance(made["d"], dict):
        made = made["d"]
    if not isinstance(made, dict):
        raise bad_body("нужен объект JSON", "a JSON object is needed")
    return made


def _atom(text: bytes) -> Body:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(text, parser)
    except etree.XMLSyntaxError as e:
        raise bad_body(f"это не XML ({e})", f"not XML ({e})") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise bad_body("DTD не принимаются", "DTDs are not accepted")
    properties = root if root.tag == f"{M}properties" else root.find(f".//{M}properties")
    if properties is None:
        raise bad_body("нет m:properties", "no m:properties")
    made = {_name(child): _element(child, 1) for child in properties if isinstance(child.tag, str)}
    for link in root.findall(f"{ATOM}link"):
        relation = link.get("rel", "")
        if (
            relation.startswith(_RELATED)
            and (href := link.get("href"))
            and not href.endswith(relation[len(_RELATED) :])
        ):
            made[f"{relation[len(_RELATED) :]}@odata.bind"] = href
    return made


def _name(element: etree._Element) -> str:
    return etree.QName(element).localname


def _element(element: etree._Element, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise bad_body(f"вложенность больше {MAX_DEPTH}", f"nested deeper than {MAX_DEPTH}")
    if element.get(f"{M}null", "").lower() == "true":
        return None
    children = [c for c in element if isinstance(c.tag, str)]
    if re.match(r"Collection\(", element.get(f"{M}type", "")) or any(_name(c) == "element" for c in children):
        return [{_name(c): _element(c, depth + 2) for c in row if isinstance(c.tag, str)} for row in children]
    if children:
        return {_name(c): _element(c, depth + 1) for c in children}
    return element.text or ""
