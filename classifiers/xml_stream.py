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
from classifiers.xml_encoding import xml_chunks
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
    walk = _Walk(reading)
    fed = 0
    with closing(xml_chunks(member, limit, reading.warn_of_encoding)) as chunks:
        for chunk in chunks:
            fed += len(chunk)
            fault = _fed(parser, chunk)
            yield from walk.steps(parser)
            if fault is not None:
                raise _broken(reading, fault, walk.begun) from fault
            if not walk.begun and fed > MAX_PROLOG_BYTES:
                raise refused(member.place, "нет ни одного элемента XML", "there is no XML element")
    fault = _closed(parser)
    yield from walk.steps(parser)
    if fault is not None:
        raise _at_end(reading, fault, walk.begun) from fault


class _Walk:
    """From the parser's events to steps, with the depth."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._depth = 0
        self.begun = False

    def steps(self, parser: etree.XMLPullParser) -> Iterator[Step]:
        for event, found in parser.read_events():
            element = cast(etree._Element, found)
            if not self.begun:
                _demand_no_doctype(self._reading, element)
                self.begun = True
            if event == "start":
                if self._depth >= MAX_DEPTH:
                    ru, en = f"вложенность больше {MAX_DEPTH}", f"nesting deeper than {MAX_DEPTH}"
                    raise self._reading.wrong("", ru, en)
                yield Step(True, local(str(element.tag)), self._depth, element)
                self._depth += 1
            else:
                self._depth -= 1
                yield Step(False, local(str(element.tag)), self._depth, element)


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


def _fed(parser: etree.XMLPullParser, chunk: bytes) -> Exception | None:
    """The fault, kept until what stands before it has been read."""
    try:
        parser.feed(chunk)
    except (etree.XMLSyntaxError, LookupError, ValueError) as error:
        return error
    return None


def _closed(parser: etree.XMLPullParser) -> Exception | None:
    try:
        parser.close()
    except (etree.XMLSyntaxError, LookupError, ValueError) as error:
        return error
    return None


CUT_IN_HEAD = frozenset(
    {
        etree.ErrorTypes.ERR_DOCUMENT_EMPTY,
        etree.ErrorTypes.ERR_COMMENT_NOT_FINISHED,
        etree.ErrorTypes.ERR_XMLDECL_NOT_FINISHED,
        etree.ErrorTypes.ERR_ATTRIBUTE_NOT_FINISHED,
        etree.ErrorTypes.ERR_ATTRIBUTE_WITHOUT_VALUE,
        etree.ErrorTypes.ERR_GT_REQUIRED,
        etree.ErrorTypes.ERR_NAME_REQUIRED,
    }
)
"""What the parser says of a document that ends before its first element is whole."""
BAD_ENCODING = etree.ErrorTypes.ERR_INVALID_ENCODING


def _at_end(reading: Reading, error: Exception, begun: bool) -> ClassifierInvalid:
    """The fault that shows when the last byte has been read."""
    code = getattr(error, "code", None)
    if (
        code == etree.ErrorTypes.ERR_INTERNAL_ERROR
    ):  # so the parser calls a reference it does not know and may not look for
        ru = f"после записи {reading.records}: ссылка (&...;) на то, чего в файле нет"
        return refused(reading.member.place, ru, f"after record {reading.records}: a reference (&...;) to nothing")
    return _cut(reading, error) if begun or code in CUT_IN_HEAD else _broken(reading, error, begun)


def _cut(reading: Reading, error: Exception) -> ClassifierInvalid:
    line, column = _position(error)
    ru = f"файл обрывается (строка {line}, символ {column}, после записи {reading.records}); возьмите его заново"
    en = f"the file is cut short (line {line}, column {column}, after record {reading.records}); get it again"
    return refused(reading.member.place, ru, en)


_FAULTS = {
    etree.ErrorTypes.ERR_TAG_NAME_MISMATCH: "закрывается не тот элемент, что открыт",
    etree.ErrorTypes.ERR_TAG_NOT_FINISHED: "элемент не закрыт",
    etree.ErrorTypes.ERR_DOCUMENT_END: "лишнее после конца документа",
    etree.ErrorTypes.ERR_INVALID_CHAR: "недопустимый символ",
    etree.ErrorTypes.ERR_LT_IN_ATTRIBUTE: "знак «<» внутри значения",
    etree.ErrorTypes.ERR_ATTRIBUTE_REDEFINED: "атрибут указан дважды",
    etree.ErrorTypes.ERR_ATTRIBUTE_NOT_STARTED: "значение атрибута не в кавычках",
    etree.ErrorTypes.ERR_ATTRIBUTE_WITHOUT_VALUE: "атрибут без значения",
    etree.ErrorTypes.ERR_SPACE_REQUIRED: "нет пробела между атрибутами",
    etree.ErrorTypes.ERR_NAME_REQUIRED: "нет имени элемента",
    etree.ErrorTypes.ERR_GT_REQUIRED: "нет знака «>»",
    etree.ErrorTypes.ERR_UNDECLARED_ENTITY: "ссылка (&...;) на то, чего в файле нет",
    etree.ErrorTypes.ERR_ENTITYREF_SEMICOL_MISSING: "знак «&» без точки с запятой",
}
"""What the parser's code of a fault means."""


def fault_in_russian(error: Exception, what: str) -> str:
    """The usual faults; of others `what`, the parser's own words, in brackets."""
    return _FAULTS.get(getattr(error, "code", None) or 0) or f"разметка нарушена ({what})"


def _broken(reading: Reading, error: Exception, begun: bool) -> ClassifierInvalid:
    line, column = _position(error)
    what = str(getattr(error, "msg", "") or error).partition(", line ")[0]
    told = fault_in_russian(error, what)
    place_ru = f"строка {line}, символ {column}, после записи {reading.records}"
    place_en = f"line {line}, column {column}, after record {reading.records}"
    if getattr(error, "code", None) == BAD_ENCODING:
        ru, en = f"кодировка не та, что объявлена ({place_ru})", f"the code page is not the declared one ({place_en})"
    elif not begun:
        ru, en = f"неверное объявление XML ({place_ru}): {told}", f"broken XML declaration ({place_en}): {what}"
    else:
        ru, en = f"ошибка XML ({place_ru}): {told}", f"XML error ({place_en}): {what}"
    return refused(reading.member.place, ru, en)


def _position(error: Exception) -> tuple[int, int]:
    found = getattr(error, "position", None)
    return (int(found[0]), int(found[1])) if found and found[0] is not None else (1, 0)
