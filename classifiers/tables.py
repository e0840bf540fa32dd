"""Small classifiers as rows of named columns, whichever way they are published: CSV of any usual delimiter and encoding, XML whose records
carry their columns as attributes or child elements, JSON whose objects do. Columns are known by their names in any of the published spellings.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, islice

from lxml import etree

from classifiers.json_table import MAX_JSON_BYTES, json_records, looks_like_json
from classifiers.reading import Reading
from classifiers.recognise import head_text, looks_like_xml, russian_code_page
from classifiers.source import HEAD_BYTES, Member, refused
from classifiers.text import shown
from classifiers.xml_stream import local, release, xml_steps
from infobase.errors import ClassifierInvalid

MAX_TABLE_BYTES = 64 * 1024 * 1024
DELIMITERS = ";,\t|"
LOOK_BYTES = 256 * 1024
"""How much of an XML is read to tell what it is."""
CODE_PAGE_BYTES = 1024 * 1024
"""How much of a file tells its code page."""
NULLS = frozenset({"NULL", "null", "\\N"})

Aliases = Mapping[str, Sequence[str]]
"""Our column -> the names it is published under, compared without regard to case and separators."""
Positions = Callable[[Sequence[Sequence[str]]], Mapping[str, int] | None]
"""Columns of a table without a header, judged by its first rows."""


def simplified(name: str) -> str:
    """A column's name for comparing."""
    return re.sub(r"[\W_]+", "", name).casefold().replace("ё", "е")


def by_alias(aliases: Aliases) -> dict[str, str]:
    """Simplified published name -> our column."""
    return {simplified(name): column for column, names in aliases.items() for name in (column, *names)}


def rows_of(reading: Reading, aliases: Aliases, positions: Positions | None = None) -> Iterator[dict[str, str]]:
    """The records of a CSV, an XML or a JSON, as our column -> text. `reading.records` is the number of the current one.

    ClassifierInvalid when the columns cannot be told."""
    if looks_like_xml(reading.member.head):
        yield from xml_rows(reading, aliases)
    elif looks_like_json(reading.member.head):
        yield from json_rows(reading, aliases)
    else:
        yield from csv_rows(reading, aliases, positions)


# --- CSV ---


def head_table(member: Member) -> list[list[str]]:
    """The first rows of what may be a CSV, for telling formats apart; the last, perhaps cut one is left out. [] for anything else."""
    head = member.head
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    if not head or looks_like_xml(head) or (b"\0" in head and not wide):
        return []
    lines = head_text(head).splitlines()
    whole = lines if len(head) < HEAD_BYTES else lines[:-1]
    return list(csv.reader(whole[:200], delimiter=delimiter_of(whole[:20])))


def delimiter_of(lines: Sequence[str]) -> str:
    """The delimiter that splits most of the lines into the same number of columns, and leaves quotes at the ends of the cells if any does."""

    def score(mark: str) -> tuple[bool, bool, int, int]:
        try:
            counts = [len(row) for row in csv.reader(lines, delimiter=mark)]
        except csv.Error:  # a cell beyond the reader's limit: not with this delimiter
            counts = []
        common = max(set(counts), key=counts.count) if counts else 1
        return (common > 1, _quotes_fit(lines, mark), counts.count(common), common)

    return max(DELIMITERS, key=score)


def _quotes_fit(lines: Sequence[str], mark: str) -> bool:
    try:
        list(csv.reader([f"{line}\n" for line in lines], delimiter=mark, strict=True))
    except csv.Error:
        return False
    return True


def csv_rows(reading: Reading, aliases: Aliases, positions: Positions | None) -> Iterator[dict[str, str]]:
    """Rows of a CSV; the header, if there is one, names the columns in any order."""
    rows = numbered_rows(reading)
    columns: Mapping[str, int] | None = None
    first = _head_rows(rows)
    names = by_alias(aliases)
    beginning = first[0][1] if first else []
    if first:
        header = {names[simplified(c)]: i for i, c in enumerate(beginning) if simplified(c) in names}
        if len(header) >= 2 or (len(beginning) == 1 and header):
            columns, first = header, first[1:]
            reading.header_rows = 1
        elif positions is not None:
            columns = positions([row for _, row in first])
    if columns is None:
        wanted, begins = ", ".join(aliases), shown(" | ".join(beginning))
        raise refused(
            reading.member.place,
            f"не узнаны столбцы таблицы (нужны: {wanted}; начало: {begins})",
            f"the columns are not recognised (needed: {wanted}; it begins: {begins})",
        )
    reading.columns = columns
    for line, row in chain(first, rows):
        reading.line = line
        reading.records += 1
        yield {name: _cell(row[i]) if i < len(row) else "" for name, i in columns.items()}


def numbered_rows(reading: Reading) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV that are not blank, with their numbers: from 1, blank ones counted, as a spreadsheet shows them."""
    text = decoded(reading)
    lines = list(io.StringIO(text, newline=""))
    delimiter = delimiter_of(text.splitlines()[:20])
    source = csv.reader(lines, delimiter=delimiter, strict=False)
    begun, narrowest = 0, 0
    try:
        for number, row in enumerate(source, 1):
            if source.line_num == len(lines):
                _demand_closed(reading, lines[begun:], delimiter, number)
                demand_as_wide(reading, lines[-1], row, narrowest, number)
            begun = source.line_num
            if any(cell.strip() for cell in row):
                narrowest = min(narrowest or len(row), len(row))
                yield number, row
    except csv.Error as error:
        line = source.line_num
        raise refused(
            reading.member.place, f"строка {line}: не CSV ({error})", f"line {line}: no CSV ({error})"
        ) from error


def _demand_closed(reading: Reading, last: Sequence[str], delimiter: str, number: int) -> None:
    """ClassifierInvalid when the file ends inside a quoted cell: it was cut there."""
    try:
        list(csv.reader(last, delimiter=delimiter, strict=True))
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            ru = f"файл обрывается внутри кавычек (строка {number}); возьмите его заново"
            en = f"the file is cut inside quotes (line {number}); get it again"
            raise refused(reading.member.place, ru, en) from error


def demand_as_wide(reading: Reading, text: str, row: Sequence[str], narrowest: int, number: int) -> None:
    """ClassifierInvalid when the last line of a text has no end and fewer cells than any other: it was cut there."""
    cells = len(row)
    if cells < narrowest and not text.endswith(("\n", "\r")) and any(c.strip(" \t\x1a") for c in row):
        ru = f"строка {number}: файл обрывается, ячеек {cells}, а в других строках {narrowest} и больше; возьмите его заново"
        en = f"line {number}: the file is cut, {cells} cells where others have {narrowest} and more; get it again"
        raise refused(reading.member.place, ru, en)


def decoded(reading: Reading) -> str:
    """The whole text of a small file: UTF-16 with its mark, UTF-8, else windows-1251 or cp866, whichever its letters tell."""
    data = reading.member.read(MAX_TABLE_BYTES)
    if not data.strip():
        raise refused(reading.member.place, "файл пуст", "the file is empty")
    if b"\0" in data[:HEAD_BYTES] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise refused(reading.member.place, "это не текст", "this is no text")
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if wide else ("utf-8-sig", russian_code_page(data[:CODE_PAGE_BYTES])):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            if encoding == "utf-8-sig" and error.start >= len(data) - 3 and "end of data" in error.reason:
                ru, en = "файл обрывается посреди буквы", "the file is cut inside a letter"
                raise refused(reading.member.place, f"строка {line}: {ru}", f"line {line}: {en}") from error
    ru, en = f"строка {line}: не UTF-8, не windows-1251 и не cp866", f"line {line}: not UTF-8, windows-1251 or cp866"
    raise refused(reading.member.place, ru, en)


def _head_rows(rows: Iterator[tuple[int, list[str]]], count: int = 50) -> list[tuple[int, list[str]]]:
    return list(islice(rows, count))


def _cell(value: str) -> str:
    made = " ".join(value.split())
    return "" if made in NULLS else made


# --- XML ---


def xml_rows(reading: Reading, aliases: Aliases) -> Iterator[dict[str, str]]:
    """Records of an XML: elements with attributes, or with plain child elements, that name at least two of our columns."""
    names = by_alias(aliases)
    for step in xml_steps(reading, limit=MAX_TABLE_BYTES):
        if step.opened or step.depth == 0:
            continue
        row = _columns(step.element, names)
        if len(row) < 2:
            continue
        reading.records += 1
        yield row
        release(step.element)


def _columns(element: etree._Element, names: Mapping[str, str]) -> dict[str, str]:
    row: dict[str, str] = {}
    for name, value in element.attrib.items():
        column = names.get(simplified(local(str(name))))
        if column is not None:
            row.setdefault(column, _cell(str(value)))
    for child in element:
        if len(child):
            continue
        column = names.get(simplified(local(str(child.tag))))
        if column is not None:
            row.setdefault(column, _cell(str(child.text or "")))
    return row


# --- JSON ---


def json_rows(reading: Reading, aliases: Aliases) -> Iterator[dict[str, str]]:
    """Records of a JSON: objects that name at least two of our columns."""
    names = by_alias(aliases)
    for record in json_records(reading, decoded(reading)):
        row: dict[str, str] = {}
        for name, value in record.items():
            if (column := names.get(simplified(name))) is not None:
                row.setdefault(column, _cell(value))
        if len(row) >= 2:
            reading.records += 1
            yield row


# --- looking ---


def first_rows(member: Member, aliases: Aliases, count: int = 200) -> list[dict[str, str]]:
    """The first records of an XML or a JSON, for telling formats apart; [] for what does not read so far, or names none of the columns."""
    structured = looks_like_xml(member.head) or looks_like_json(member.head)
    names = by_alias(aliases)
    if not structured or not any(simplified(word) in names for word in re.findall(r"[\w\\.-]+", _unescaped(member))):
        return []
    with member.open() as file:
        beginning = file.read(LOOK_BYTES if looks_like_xml(member.head) else MAX_JSON_BYTES)
    look = Reading(Member(member.name, member.place, len(beginning), lambda: io.BytesIO(beginning)))
    rows: list[dict[str, str]] = []
    with suppress(ClassifierInvalid):  # what is wrong with it, its reader tells
        rows += islice(rows_of(look, aliases), count)
    return rows


def _unescaped(member: Member) -> str:
    """The beginning of a member; a JSON may have its letters as \\u0430."""
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), head_text(member.head))


def has_record(member: Member, aliases: Aliases, required: Sequence[str]) -> bool:
    """Whether the beginning of an XML or a JSON shows a record with these columns, for telling formats apart."""
    if looks_like_json(member.head):
        return any(set(required) <= row.keys() for row in first_rows(member, aliases))
    return xml_has(member, aliases, required)


def xml_has(member: Member, aliases: Aliases, required: Sequence[str]) -> bool:
    """Whether the beginning of an XML shows a record with these columns, for telling formats apart."""
    if not looks_like_xml(member.head):
        return False
    names = by_alias(aliases)
    written = {names.get(simplified(n)) for n in re.findall(r"[<\s]([\w.:-]+)(?:\s*=|>)", head_text(member.head))}
    return set(required) <= written
