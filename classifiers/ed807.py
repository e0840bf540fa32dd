"""The Bank of Russia's bank directory, form ED807 (since 2018), read as a stream from the published zip or from the XML in it.

Format: cbr_ed807 schemas v2024.2.0; `<ED807 BusinessDay DirectoryVersion InfoTypeCode="FIRR">` with one `BICDirectoryEntry` per participant.
The parser is expat, fed by chunks: a DOCTYPE is refused at its first character, before any entity can be declared, and there is nothing it
could fetch. An unfinished tag may not grow beyond MAX_TAG_BYTES, so memory stays bounded whatever the file is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing
from xml.parsers import expat

from classifiers import ed807_entry as entry_of
from classifiers.model import BankAccount, BankEntry, DirectoryHeader
from classifiers.reading import Reading, place_of_record
from classifiers.recognise import looks_like_xml
from classifiers.source import CHUNK_BYTES, Member, refused
from classifiers.text import shown
from classifiers.xml_encoding import xml_chunks
from infobase.errors import ClassifierInvalid

NAMESPACES = "urn:cbr-ru:ed:"
FULL_DIRECTORY = "FIRR"
"""InfoTypeCode of the whole directory. A file of changes is refused: what it does not name would be taken for closed."""
MAX_DEPTH = 16
MAX_TAG_BYTES = 4 * CHUNK_BYTES

_CUT_SHORT = {
    expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS],
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN],
    expat.errors.codes[expat.errors.XML_ERROR_PARTIAL_CHAR],
    expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION],
}
_BAD_DECLARATION = {
    expat.errors.codes[expat.errors.XML_ERROR_XML_DECL],
    expat.errors.codes[expat.errors.XML_ERROR_MISPLACED_XML_PI],
    expat.errors.codes[expat.errors.XML_ERROR_UNKNOWN_ENCODING],
    expat.errors.codes[expat.errors.XML_ERROR_INCORRECT_ENCODING],
}

_INVALID_TOKEN = expat.errors.codes[expat.errors.XML_ERROR_INVALID_TOKEN]
_IN_RUSSIAN = {
    _INVALID_TOKEN: "недопустимый символ: файл повреждён или кодировка не та, что объявлена",
    expat.errors.codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]: "ссылка (&...;) на то, чего в файле нет",
    expat.errors.codes[expat.errors.XML_ERROR_TAG_MISMATCH]: "открывающий и закрывающий теги не сходятся",
    expat.errors.codes[expat.errors.XML_ERROR_DUPLICATE_ATTRIBUTE]: "атрибут указан дважды",
    expat.errors.codes[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]: "лишнее после конца документа",
    expat.errors.codes[expat.errors.XML_ERROR_MISPLACED_XML_PI]: "объявление стоит не в начале файла",
    expat.errors.codes[expat.errors.XML_ERROR_XML_DECL]: "объявление написано неверно",
}
"""The usual faults, as a consultant understands them."""


class Ed807Reader(Reading):
    """One pass over one file.

        reader = Ed807Reader(member)
        for entry in reader.entries(): ...
        reader.header, reader.records, reader.accounts, reader.warning_count(), reader.warnings()

    `header` is known from the first entry on; the counts are final when the entries are exhausted. Raises ClassifierInvalid.
    Accounts with a wrong key are warnings.
    """

    def __init__(self, member: Member) -> None:
        super().__init__(member)
        self.path = member.place
        self.accounts = 0
        self._header: DirectoryHeader | None = None
        self._ready: deque[BankEntry] = deque()
        self._open: entry_of.OpenEntry | None = None
        self._stack: list[str] = []
        self._seen: set[str] = set()
        self._moved_at = 0

    @property
    def header(self) -> DirectoryHeader:
        """The version of the directory."""
        if self._header is None:
            raise refused(self.path, "нет элемента ED807", "there is no ED807 element")
        return self._header

    def entries(self) -> Iterator[BankEntry]:
        """The participants in the order of the file. At least one, or ClassifierInvalid."""
        self._demand_xml()
        parser = self._parser()
        with closing(xml_chunks(self.member, 0, self.warn_of_encoding)) as chunks:
            fed = 0
            for chunk in chunks:
                fed += len(chunk)
                self._feed(parser, chunk, final=False)
                self._demand_progress(parser, fed)
                yield from self._take()
        self._feed(parser, b"", final=True)
        yield from self._take()
        if not self.records:
            raise refused(
                self.path,
                f"в справочнике {self.header.business_day} нет ни одной записи",
                "the directory has no entries",
            )

    def _demand_xml(self) -> None:
        head = self.member.head
        if not head:
            raise refused(self.path, "файл пуст", "the file is empty")
        if not looks_like_xml(head):
            start = shown(head[:8])
            raise refused(self.path, f"это не XML (начинается с {start})", f"this is no XML (it starts with {start})")

    def _take(self) -> Iterator[BankEntry]:
        while self._ready:
            yield self._ready.popleft()

    def _parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        return parser

    def _feed(self, parser: expat.XMLParserType, chunk: bytes, *, final: bool) -> None:
        try:
            parser.Parse(chunk, final)
        except expat.ExpatError as error:
            raise self._broken(error) from error
        except (
            LookupError,
            ValueError,
        ) as error:  # the declared encoding: unknown to Python, or not one byte per character
            ru, en = f"кодировка в объявлении XML не годится: {error}", f"bad encoding in the XML declaration: {error}"
            raise refused(self.path, ru, en) from error

    def _demand_progress(self, parser: expat.XMLParserType, fed: int) -> None:
        if fed - max(parser.CurrentByteIndex, self._moved_at, 0) > MAX_TAG_BYTES:
            raise self._wrong("", f"тег длиннее {MAX_TAG_BYTES} байт", f"a tag longer than {MAX_TAG_BYTES} bytes")
        self._moved_at = max(parser.CurrentByteIndex, self._moved_at)

    def _doctype(self, name: str, _system: str | None, _public: str | None, _internal: bool) -> None:
        ru = f"объявление типа документа (DOCTYPE {shown(name)}) недопустимо"
        raise refused(self.path, ru, f"a document type declaration (DOCTYPE {shown(name)}) is not allowed")

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        namespace, _, name = tag.rpartition(" ")
        depth = len(self._stack)
        self._stack.append(name)
        if depth == 0:
            self._start_root(namespace, name, attributes)
        elif depth >= MAX_DEPTH:
            raise self._wrong("", f"вложенность больше {MAX_DEPTH}", f"nesting deeper than {MAX_DEPTH}")
        elif depth == 1 and name == "BICDirectoryEntry":
            self._start_entry(attributes)
        elif self._open is not None and depth >= 2:
            self._open.child(self._stack[2:], attributes)

    def _start_root(self, namespace: str, name: str, attributes: Mapping[str, str]) -> None:
        if name != "ED807" or not namespace.startswith(NAMESPACES):
            ru = f"корневой элемент {shown(name)} ({shown(namespace)}), нужен ED807 ({NAMESPACES}...)"
            raise refused(
                self.path, ru, f"root element {shown(name)} ({shown(namespace)}), expected ED807 ({NAMESPACES}...)"
            )
        kind = attributes.get("InfoTypeCode", "")
        if kind != FULL_DIRECTORY:
            ru = f"InfoTypeCode={shown(kind)}: нужен полный справочник ({FULL_DIRECTORY})"
            raise refused(self.path, ru, f"InfoTypeCode={shown(kind)}: the full directory ({FULL_DIRECTORY}) is needed")
        self._header = entry_of.header(attributes, self._wrong)

    def _start_entry(self, attributes: Mapping[str, str]) -> None:
        self.records += 1
        bic = entry_of.bic_of(attributes, self._wrong)
        if bic in self._seen:
            raise self._wrong("BIC", f"БИК {bic} встречается второй раз", f"the BIC {bic} occurs twice")
        self._seen.add(bic)
        self._open = entry_of.OpenEntry(bic, self._wrong, self._warn)

    def _end(self, _tag: str) -> None:
        self._stack.pop()
        if len(self._stack) == 1 and self._open is not None:
            entry = self._open.close()
            self.accounts += len(entry.accounts)
            self._ready.append(entry)
            self._open = None

    def _warn(self, account: BankAccount) -> None:
        bic = self._open.bic if self._open else ""
        self.warn(bic, "Account", account.number, "неверный ключ счёта", "wrong account key")

    def _wrong(self, field: str, ru: str, en: str) -> ClassifierInvalid:
        """The error with its place: record number, BIC, field."""
        bic = self._open.bic if self._open else ""
        place_ru, place_en = place_of_record(self.records)
        place_ru += (f", БИК {bic}" if bic else "") + (f", поле {field}" if field else "")
        place_en += (f", BIC {bic}" if bic else "") + (f", field {field}" if field else "")
        return refused(self.path, f"{place_ru}: {ru}", f"{place_en}: {en}")

    def _broken(self, error: expat.ExpatError) -> ClassifierInvalid:
        place_ru, place_en = (
            f"строка {error.lineno}, символ {error.offset + 1}",
            f"line {error.lineno}, column {error.offset + 1}",
        )
        place_ru, place_en = f"{place_ru}, после записи {self.records}", f"{place_en}, after record {self.records}"
        if error.code in _CUT_SHORT:
            return refused(
                self.path,
                f"файл обрывается ({place_ru}); скачайте его заново",
                f"the file is cut short ({place_en}); download it again",
            )
        what = expat.ErrorString(error.code)
        told = _IN_RUSSIAN.get(error.code, what)
        in_head = self._header is None and error.code == _INVALID_TOKEN
        if in_head or error.code in _BAD_DECLARATION:
            return refused(
                self.path,
                f"неверное объявление XML ({place_ru}): {told}",
                f"broken XML declaration ({place_en}): {what}",
            )
        return refused(self.path, f"ошибка XML ({place_ru}): {told}", f"XML error ({place_en}): {what}")
