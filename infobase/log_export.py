"""The event log written out: CSV for spreadsheets, JSON lines for programs, 1C's XML, and `.lgd`, an archive that reads like a log.

XML is the form of 1C's own «Выгрузить журнал регистрации» (namespace http://v8.1c.ru/eventLog). A spreadsheet runs a cell that begins like a
formula: in CSV such texts get an apostrophe in front.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from lxml import etree

from infobase.errors import SystemRefusal, TargetExists
from infobase.files import new_file, settle_name
from infobase.log_layout import CodeKey, add_code, code_keys, create_statements, encode, insert_statement
from infobase.log_names import application_title, event_title
from infobase.scratch import ScratchFolder, sync_tree
from infobase.storage import LogEntry

NAMESPACE = "http://v8.1c.ru/eventLog"
_SCHEMA = "http://www.w3.org/2001/XMLSchema"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_STATUS = {"None": "NotApplicable"}
"""Our names of transaction states -> 1C's, where they differ."""
_COLUMNS = [
    "number",
    "date",
    "severity",
    "event",
    "event_presentation",
    "user",
    "user_id",
    "computer",
    "application",
    "session",
    "transaction",
    "metadata",
    "data",
    "presentation",
    "comment",
]
_FORMULA = ("=", "+", "-", "@")
_ROWS = 500
_NOT_XML = {c: "\ufffd" for c in range(32) if c not in (9, 10, 13)} | {0xFFFE: "\ufffd", 0xFFFF: "\ufffd"}


def export(entries: Iterable[LogEntry], target: Path, form: str, *, replace: bool = False, delimiter: str = ",") -> int:
    """Write entries in a form of FORMS; how many. The file appears whole or not at all. TargetExists."""
    if form == "lgd":
        return write_lgd(entries, target, replace=replace)
    with new_file(target, replace=replace) as file:
        return FORMS[form](entries, file, delimiter)


def record(entry: LogEntry) -> dict[str, object]:
    """An entry as one flat record, with the columns of CSV and JSON lines."""
    known: dict[str, object] = {
        "event_presentation": event_title(entry.event),
        "date": entry.date.isoformat(timespec="seconds"),
        "user_id": str(entry.user_id) if entry.user_id else "",
    }
    return {name: known.get(name, getattr(entry, name, "")) for name in _COLUMNS}


# --- text forms ---


def _write_csv(entries: Iterable[LogEntry], file: BinaryIO, delimiter: str) -> int:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(_COLUMNS)
    count = 0
    for entry in entries:
        writer.writerow([_harmless(v) for v in record(entry).values()])
        count += 1
    text.flush()
    text.detach()
    return count


def _harmless(value: object) -> object:
    """A text no spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return value
    risky = value.startswith(("\t", "\r", "\n")) or value.lstrip().startswith(_FORMULA)
    return f"'{value}" if risky else value


def _write_json_lines(entries: Iterable[LogEntry], file: BinaryIO, _: str) -> int:
    count = 0
    for entry in entries:
        file.write(json_line(entry).encode("utf-8", "replace") + b"\n")
        count += 1
    return count


def json_line(entry: LogEntry) -> str:
    return json.dumps(record(entry), ensure_ascii=False)


def _write_xml(entries: Iterable[LogEntry], file: BinaryIO, _: str) -> int:
    names = {"v8e": NAMESPACE, "xs": _SCHEMA, "xsi": _INSTANCE}
    count = 0
    with etree.xmlfile(file, encoding="UTF-8") as xml:
        xml.write_declaration()
        with xml.element(f"{{{NAMESPACE}}}EventLog", nsmap=names):
            for entry in entries:
                xml.write(_element(entry, names))
                count += 1
    return count


def _element(entry: LogEntry, names: dict[str, str]) -> etree._Element:
    event = etree.Element(f"{{{NAMESPACE}}}Event", nsmap=names)
    values = {
        "Level": entry.severity,
        "Date": entry.date.isoformat(timespec="seconds"),
        "ApplicationName": entry.application,
        "ApplicationPresentation": application_title(entry.application),
        "Event": entry.event,
        "EventPresentation": event_title(entry.event),
        "User": str(entry.user_id) if entry.user_id else "",
        "UserName": entry.user,
        "Computer": entry.computer,
        "Metadata": entry.metadata,
        "MetadataPresentation": entry.metadata,
        "Comment": entry.comment,
        "Data": entry.data,
        "DataPresentation": entry.presentation,
        "TransactionStatus": _STATUS.get(entry.transaction, entry.transaction),
        "TransactionID": "",
        "Connection": str(entry.session),
        "Session": str(entry.session),
        "ServerName": "",
        "Port": "0",
        "SyncPort": "0",
    }
    for name, value in values.items():
        child = etree.SubElement(event, f"{{{NAMESPACE}}}{name}")
        child.text = _xml_text(value) or None
        if name == "Data":
            child.set(f"{{{_INSTANCE}}}{'type' if value else 'nil'}", "xs:string" if value else "true")
    return event


def _xml_text(value: str) -> str:
    return value.encode("utf-8", "replace").decode().translate(_NOT_XML)


FORMS: dict[str, Callable[[Iterable[LogEntry], BinaryIO, str], int]] = {
    "csv": _write_csv,
    "jsonl": _write_json_lines,
    "xml": _write_xml,
}


# --- a log file ---


def write_lgd(entries: Iterable[LogEntry], target: Path, *, replace: bool = False) -> int:
    """Entries as a `1Cv8.lgd` of their own, readable by everything that reads one. TargetExists."""
    if target.exists() and not replace:
        raise TargetExists(place=target)
    with ScratchFolder(target) as scratch:
        made = scratch.path / target.name
        try:
            with closing(sqlite3.connect(made, isolation_level=None)) as conn:
                count = _fill(conn, iter(entries))
        except sqlite3.Error as e:
            raise SystemRefusal(place=target, detail=e) from e
        sync_tree(scratch.path)
        made.replace(target)
        settle_name(target.absolute())
    return count


def _fill(conn: sqlite3.Connection, entries: Iterator[LogEntry]) -> int:
    conn.execute("BEGIN")
    for statement in create_statements("sqlite"):
        conn.execute(statement.sql)
    codes: dict[CodeKey, int] = {}
    count = 0
    while part := list(islice(entries, _ROWS)):
        for key in code_keys(part):
            if key not in codes:
                insert, select = add_code(key, "?")
                conn.execute(insert.sql, insert.params)
                codes[key] = conn.execute(select.sql, select.params).fetchone()[0]
        for entry in part:
            statement = insert_statement([encode(entry, codes)], "?")
            conn.execute(statement.sql, statement.params)
        count += len(part)
    conn.execute("COMMIT")
    return count
