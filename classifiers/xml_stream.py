"""XML as a stream of elements through lxml, hardened: no document type, no entities, no network, no huge trees; memory holds one record.

for step in xml_steps(reading): step.opened, step.name, step.element
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import cast

from lxml import etree

from classifiers.reading import Reading
from classifiers.recognise import head_text, looks_like_xml
from classifiers.source import refused
from classifiers.text import shown
from infobase.errors import ClassifierInvalid

MAX_PROLOG_BYTES = 1024 * 1024
"""An element must begin within so many bytes."""
MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Step:
    """An element opened (its attributes are known) or closed (its text and children are). `depth` of the root is 0."""

    opened: bool
    name: str
    depth: int
    element: etree._Element

    def attributes(self) -> Mapping[str, str]:
        """By local name."""
        return {local(str(name)): str(value) for name, value in self.element.attrib.items()}

    def text(self) -> str:
        """Of the element itself, blanks collapsed."""
        return " ".join(str(self.element.text or "").split())


def local(tag: str) -> str:
    """A tag without its namespace."""
    return tag.rpartition("}")[2]


def xml_steps(reading: Reading, *, limit: int = 0) -> Iterator[Step]:
    """The elements of the reading's member in document order. The consumer calls `release` for every record it is done with.

    ClassifierInvalid: no XML, a document type, damage, with line and column."""
    member = reading.member
    _demand_xml(reading)
    parser = etree.XMLPullParser(
        events=("start", "end"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    depth, fed, begun = 0, 0, False
    with closing(member.chunks(limit)) as chunks:
        for chunk in chunks:
            fed += len(chunk)
            _feed(reading, parser, chunk, begun)
            for event, found in parser.read_events():
                element = cast(etree._Element, found)
                if not begun:
                    _demand_no_doctype(reading, element)
                    begun = True
                if event == "start":
                    if depth >= MAX_DEPTH:
                        raise reading.wrong("", f"вложенность больше {MAX_DEPTH}", f"nesting deeper than {MAX_DEPTH}")
                    yield Step(True, local(str(element.tag)), depth, element)
                    depth += 1
                else:
                    depth -= 1
                    yield Step(False, local(str(element.tag)), depth, element)
            if not begun and fed > MAX_PROLOG_BYTES:
                raise refused(member.place, "нет ни одного элемента XML", "there is no XML element")
    _close(reading, parser, begun)


def release(element: etree._Element) -> None:
    """Forget a record that has been read, and what stands before it under the same parent."""
    element.clear()
    parent = element.getparent()
    if parent is not None:
        while element.getprevious() is not None:
            del parent[0]


def _demand_xml(reading: Reading) -> None:
    head = reading.member.head
    if not head:
        raise refused(reading.member.place, "файл пуст", "the file is empty")
    if not looks_like_xml(head):
        start = shown(head[:8])
        raise refused(
            reading.member.place, f"это не XML (начинается с {start})", f"this is no XML (it starts with {start})"
        )
    if "<!DOCTYPE" in head_text(head).split("<!--")[0]:
        raise _doctype(reading)


def _demand_no_doctype(reading: Reading, root: etree._Element) -> None:
    info = root.getroottree().docinfo
    if info.internalDTD is not None or info.doctype:
        raise _doctype(reading)


def _doctype(reading: Reading) -> ClassifierInvalid:
    ru, en = "объявление типа документа (DOCTYPE) недопустимо", "a document type declaration (DOCTYPE) is not allowed"
    return refused(reading.member.place, ru, en)


def _feed(reading: Reading, parser: etree.XMLPullParser, chunk: bytes, begun: bool) -> None:
    try:
        parser.feed(chunk)
    except (etree.XMLSyntaxError, LookupError, ValueError) as error:
        raise _broken(reading, error, begun) from error


def _close(reading: Reading, parser: etree.XMLPullParser, begun: bool) -> None:
    try:
        parser.close()
    except (etree.XMLSyntaxError, LookupError, ValueError) as error:
        if not begun:
            raise _broken(reading, error, begun) from error
        line, column = _position(error)
        ru = f"файл обрывается (строка {line}, символ {column}, после записи {reading.records}); возьмите его заново"
        en = f"the file is cut short (line {line}, column {column}, after record {reading.records}); get it again"
        raise refused(reading.member.place, ru, en) from error
    if not begun:
        raise refused(reading.member.place, "нет ни одного элемента XML", "there is no XML element")


def _broken(reading: Reading, error: Exception, begun: bool) -> ClassifierInvalid:
    line, column = _position(error)
    what = str(getattr(error, "msg", "") or error)
    place_ru = f"строка {line}, символ {column}, после записи {reading.records}"
    place_en = f"line {line}, column {column}, after record {reading.records}"
    if not begun:
        ru, en = f"неверное объявление XML ({place_ru}): {what}", f"broken XML declaration ({place_en}): {what}"
    else:
        ru, en = f"ошибка XML ({place_ru}): {what}", f"XML error ({place_en}): {what}"
    return refused(reading.member.place, ru, en)


def _position(error: Exception) -> tuple[int, int]:
    found = getattr(error, "position", None)
    return (int(found[0]), int(found[1])) if found and found[0] is not None else (1, 0)
