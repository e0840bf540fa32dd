"""Rows of one GAR file as a stream of attributes: lxml's parser fed by chunks, with a target that only sees the beginnings of elements.

No document type, no entities, no network; memory holds one chunk. Faults come out as ClassifierInvalid with file, row and field.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from lxml import etree

from classifiers.gar import ROOTS
from classifiers.source import Member, refused
from classifiers.text import shown
from classifiers.xml_stream import BAD_ENCODING, CUT_IN_HEAD, fault_in_russian
from infobase.errors import ClassifierInvalid

MAX_FILE_BYTES = 1 << 40
MAX_KNOWN_DAYS = 20_000
"""Dates repeat: so many of them are looked at once only."""
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII).fullmatch
Attributes = Mapping[str, str]
Handle = Callable[[Attributes], None]
Note = Callable[[int], None]
"""Called with the bytes read so far."""


class GarRows:
    """One walk through one file of a kind; `handle` is called with the attributes of every row. `rows`: how many there were."""

    def __init__(self, member: Member, kind: str) -> None:
        self.member = member
        self.root, self.row = ROOTS[kind]
        self.rows = 0
        self._known_days: set[str] = set()

    def read(self, handle: Handle, note: Note | None = None) -> int:
        """The number of rows. ClassifierInvalid."""
        target = _Target(self, handle)
        parser = etree.XMLParser(
            target=cast(Any, target),
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            huge_tree=False,
        )
        try:
            for chunk in self.member.chunks(MAX_FILE_BYTES):
                parser.feed(chunk)
                if note is not None:
                    note(self.member.done)
            self._close(parser, target)
            target.finish()
        except etree.XMLSyntaxError as error:
            raise self._broken(error) from error
        except UnicodeError as error:
            raise refused(self.member.place, f"не UTF-8: {error}", f"not UTF-8: {error}") from error
        if not target.opened:
            raise refused(self.member.place, "файл пуст", "the file is empty")
        return self.rows

    def _close(self, parser: etree.XMLParser, target: _Target) -> None:
        if not self.member.done:
            raise refused(self.member.place, "файл пуст", "the file is empty")
        try:
            parser.close()
        except etree.XMLSyntaxError as error:
            raise self._broken(error, cut=target.opened or getattr(error, "code", 0) in CUT_IN_HEAD) from error

    def flag(self, attributes: Attributes, name: str) -> bool:
        """0 or 1; the schemas demand it."""
        value = attributes.get(name, "")
        if value not in ("0", "1"):
            raise self.wrong(name, value, "нужно 0 или 1", "0 or 1 is needed")
        return value == "1"

    def wrong(self, field: str, value: str, ru: str, en: str) -> ClassifierInvalid:
        """The error with its place."""
        place_ru = f"запись {self.rows} ({self.row}), поле {field}: «{shown(value)}», {ru}"
        return refused(
            self.member.place, place_ru, f"record {self.rows} ({self.row}), field {field}: {shown(value)!r}, {en}"
        )

    def number(self, attributes: Attributes, name: str, default: str | None = None) -> int:
        """A whole number, not negative."""
        value = attributes.get(name) or default
        if value is None or not (value.isascii() and value.isdigit() and len(value) <= 18):
            raise self.wrong(name, value or "", "нужно целое число", "a whole number is needed")
        return int(value)

    def text(self, attributes: Attributes, name: str, limit: int) -> str:
        """A text of at most `limit` characters, "" when there is none."""
        value = attributes.get(name, "").strip()
        if "&" in value:
            value = value.replace("&#38;", "&")  # so the parser gives every ampersand, since it resolves no entities
        if len(value) > limit:
            raise self.wrong(name, value, f"длиннее {limit} символов", f"longer than {limit} characters")
        return value.replace("\n", " ").replace("\t", " ") if "\n" in value or "\t" in value else value

    def day(self, attributes: Attributes, name: str) -> str:
        """A date YYYY-MM-DD, as text: such dates compare as they are."""
        value = attributes.get(name, "")
        if len(value) != 10 or value[4] != "-" or value[7] != "-":
            raise self.wrong(name, value, "нужна дата ГГГГ-ММ-ДД", "a date YYYY-MM-DD is needed")
        try:
            dt.date.fromisoformat(value)
        except ValueError as error:
            raise self.wrong(name, value, "нужна дата ГГГГ-ММ-ДД", "a date YYYY-MM-DD is needed") from error
        return value

    def days(self, attributes: Attributes, *names: str) -> None:
        """Demand that those of the dates that are given are dates."""
        for name in names:
            value = attributes.get(name)
            if value is not None and value not in self._known_days:
                self.day(attributes, name)
                if len(self._known_days) < MAX_KNOWN_DAYS:
                    self._known_days.add(value)

    def guid(self, attributes: Attributes, name: str) -> str:
        """A GUID in its usual form, "" when there is none."""
        value = attributes.get(name, "")
        if value and not _GUID(value):
            raise self.wrong(name, value, "нужен GUID", "a GUID is needed")
        return value

    def _broken(self, error: etree.XMLSyntaxError, *, cut: bool = False) -> ClassifierInvalid:
        line, column = error.position
        where_ru, where_en = f"строка {line}, символ {column}", f"line {line}, column {column}"
        after_ru, after_en = f"{where_ru}, после записи {self.rows}", f"{where_en}, after record {self.rows}"
        what = shown((error.msg or "").partition(", line ")[0])
        if cut:
            ru = f"файл обрывается ({after_ru}); возьмите его заново"
            return refused(self.member.place, ru, f"the file is cut short ({after_en}); get it again")
        if getattr(error, "code", 0) == BAD_ENCODING:
            ru = f"кодировка не та, что объявлена ({after_ru})"
            return refused(self.member.place, ru, f"the code page is not the declared one ({after_en})")
        told = fault_in_russian(error, what)
        return refused(self.member.place, f"ошибка XML ({after_ru}): {told}", f"XML error ({after_en}): {what}")


class _Target:
    """lxml's parser target. There is no `end`: rows have no children, and a call less per row is a fifth of the time.

    A row is handled when the next one begins: of one the file was cut in the parser gives what is there before it tells of the cut."""

    def __init__(self, rows: GarRows, handle: Handle) -> None:
        self._rows, self._handle, self._row = rows, handle, rows.row
        self.opened = False
        self._pending: Any = None

    def finish(self) -> None:
        """Handle the last row, now that the file is known to be whole."""
        if self._pending is not None:
            self._rows.rows += 1
            self._handle(self._pending)
            self._pending = None

    def start(self, tag: str, attributes: Any) -> None:
        if tag == self._row:
            if self.opened:
                if self._pending is not None:
                    self._rows.rows += 1
                    self._handle(self._pending)
                self._pending = attributes
                return
        elif not self.opened and tag.rpartition("}")[2] == self._rows.root:
            self.opened = True
            self._row = tag.removesuffix(self._rows.root) + self._row  # a namespace of the root is that of its rows
            return
        ru, en = f"элемент {shown(str(tag))} здесь не ожидается", f"unexpected element {shown(str(tag))}"
        raise refused(
            self._rows.member.place, f"после записи {self._rows.rows}: {ru}", f"after record {self._rows.rows}: {en}"
        )

    def doctype(self, name: str, _public: str | None, _system: str | None) -> None:
        ru, en = (
            f"объявление типа документа (DOCTYPE {shown(name)}) недопустимо",
            f"DOCTYPE {shown(name)} is not allowed",
        )
        raise refused(self._rows.member.place, ru, en)

    def close(self) -> None:
        """Nothing is built."""
