"""Lists of infobases, event logs, session blocks: files that ours and 1C's programs write alike."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from infobase import list_file, log_files
from infobase.errors import FileDamaged
from infobase.i18n import Bilingual, text
from infobase.inspection.model import Inspection
from infobase.session_block import CDN_BYTES, parse_cdn
from infobase.storage import LogFilter
from infobase.text_files import decode

_LIST = Bilingual("список информационных баз", "a list of infobases")
_LOG = Bilingual("журнал регистрации", "an event log")
_BLOCK = Bilingual("блокировка начала сеансов", "a block of new sessions")


def inspect_list(path: Path) -> Inspection:
    found = list_file.read(path)
    content = decode(path.read_bytes())
    if content.text.strip() and not found.bases and not found.groups:
        raise FileDamaged(place=path, detail=text(ru="в нём нет ни баз, ни групп", en="neither bases nor groups in it"))
    facts = {
        text(ru="Кодировка", en="Encoding"): content.encoding,
        text(ru="Баз", en="Bases"): len(found.bases),
        text(ru="Групп", en="Groups"): len(found.groups),
    }
    return Inspection(path, "list", _LIST, None, "v8i", facts)


def inspect_log(path: Path) -> Inspection:
    """Reads all of it: the entries are counted."""
    count, first, last, names = 0, None, None, set()
    for entry in log_files.read_log(path, LogFilter()):
        first = entry.date if first is None else min(first, entry.date)
        last = entry.date if last is None else max(last, entry.date)
        names.add(entry.user)
        count += 1
    facts = {
        text(ru="Событий", en="Entries"): count,
        text(ru="Первое", en="First"): first,
        text(ru="Последнее", en="Last"): last,
        text(ru="Пользователей", en="Users"): len(names - {""}),
    }
    form = "lgd (SQLite)" if log_files.is_database(path) else "1CV8LOG"
    return Inspection(path, "event_log", _LOG, None, form, facts, [("EventLog", count)])


def inspect_block(path: Path) -> Inspection:
    with path.open("rb") as file:
        found = parse_cdn(file.read(CDN_BYTES))
    if found is None:
        raise FileDamaged(place=path, detail=text(ru="блокировка не читается", en="no block can be read in it"))
    facts = {
        text(ru="Состояние", en="State"): found.explain(dt.datetime.now()),
        text(ru="Сообщение", en="Message"): found.message,
        text(ru="Параметр", en="Parameter"): found.parameter,
    }
    return Inspection(path, "session_block", _BLOCK, None, "1Cv8.cdn", facts)
