"""Faults of a list of infobases, why they matter, and mending those that mend without guessing."""

from __future__ import annotations

import os
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from infobase.connection_string import ConnectionString, parse
from infobase.errors import ConnectionStringInvalid
from infobase.i18n import Bilingual
from infobase.list_model import MAX_NAME, ROOT, BaseList, Section, clean_path
from infobase.storage import Finding

_SPACED = re.compile(r"\s+([^=\s][^=]*?)\s*=\s*(.*?)\s*|([^=\s][^=]*?)(?:\s+=\s*|\s*=\s+)(.*?)\s*", re.DOTALL)
_KNOWN = frozenset(
    [
        "connect",
        "id",
        "orderinlist",
        "orderintree",
        "folder",
        "external",
        "clientconnectionspeed",
        "app",
        "defaultapp",
        "apparch",
        "wa",
        "wsa",
        "version",
        "defaultversion",
        "additionalparameters",
        "useproxy",
        "psrv",
        "pport",
        "puser",
        "ppasswd",
        "httpsca",
        "httpscert",
    ]
)


@dataclass(frozen=True, slots=True)
class _Fault:
    severity: str
    code: str
    message: Bilingual

    def at(self, place: str) -> Finding:
        return Finding(self.severity, self.code, str(self.message), place)


SPACES = _Fault(
    "error",
    "spaces",
    Bilingual(
        "пробелы вокруг «=»: платформа не увидит ключ, а базу без Connect сочтёт группой и сотрёт её настройки",
        "spaces around '=': the platform will not see the key, takes a base without Connect for a group and wipes its settings",
    ),
)
SEMICOLON = _Fault(
    "warning",
    "semicolon",
    Bilingual("строка соединения не кончается «;»", "the connection string does not end with ';'"),
)
NAME_EMPTY = _Fault(
    "error",
    "name_empty",
    Bilingual("имя пусто: платформа отбросит запись", "the name is empty: the platform drops the entry"),
)
NAME_LONG = _Fault(
    "error",
    "name_long",
    Bilingual(f"имя длиннее {MAX_NAME} символов", f"the name is longer than {MAX_NAME} characters"),
)
NAME_TAKEN = _Fault(
    "error",
    "name_taken",
    Bilingual(
        "то же имя у другой базы: по имени её не запустить",
        "another base has the same name: it cannot be started by name",
    ),
)
GROUP_TAKEN = _Fault("warning", "group_taken", Bilingual("такая группа уже есть", "there is such a group already"))
ID_MISSING = _Fault("warning", "id_missing", Bilingual("нет ID", "no ID"))
ID_INVALID = _Fault("warning", "id_invalid", Bilingual("ID - не UUID", "the ID is not a UUID"))
ID_TAKEN = _Fault(
    "error",
    "id_taken",
    Bilingual(
        "тот же ID у другой записи: платформа сочтёт их одной базой",
        "another entry has the same ID: the platform takes both for one base",
    ),
)
CONNECT_EMPTY = _Fault("error", "connect_empty", Bilingual("Connect пуст", "Connect is empty"))
CONNECT_INVALID = _Fault("error", "connect_invalid", Bilingual("Connect не разобран", "Connect cannot be parsed"))
PASSWORD = _Fault(
    "warning",
    "password",
    Bilingual(
        "в строке соединения лежит пароль открытым текстом", "a password lies in the connection string in plain text"
    ),
)
FOLDER = _Fault(
    "warning", "folder", Bilingual("Folder записан не как /группа/группа", "Folder is not written as /group/group")
)
ORPHAN = _Fault(
    "warning",
    "orphan",
    Bilingual(
        "группы из Folder нет; запись видна в корне", "the group in Folder is not there; the entry shows at the root"
    ),
)
KEY_TWICE = _Fault(
    "warning", "key_twice", Bilingual("ключ стоит дважды; действует первый", "a key stands twice; the first one holds")
)
FOREIGN_LINE = _Fault("note", "foreign_line", Bilingual("строка не вида Ключ=Значение", "a line that is not Key=Value"))
MISSING = _Fault(
    "note", "missing", Bilingual("папки базы нет на этом компьютере", "the base's folder is not on this computer")
)


def lint(bases: BaseList) -> list[Finding]:
    """Every fault, in the order of the file; `place` is "[Name]"."""
    found = [FOREIGN_LINE.at("") for line in bases.head if line.strip()]
    orphans = {id(n.section) for n in bases.tree() if n.orphan}
    names, ids, paths = Counter[str](), Counter[str](), Counter[str]()
    for s in bases.sections:
        place = f"[{s.name}]"
        found += [f.at(place) for f in _own_faults(s)]
        if id(s) in orphans:
            found.append(ORPHAN.at(f"{place} {s.folder}"))
        if s.is_group:
            paths[s.path.casefold()] += 1
            found += [GROUP_TAKEN.at(place)] if paths[s.path.casefold()] > 1 else []
        else:
            names[s.name.casefold()] += 1
            found += [NAME_TAKEN.at(place)] if names[s.name.casefold()] > 1 else []
        ids[s.id.casefold()] += 1
        found += [ID_TAKEN.at(place)] if s.id and ids[s.id.casefold()] > 1 else []
    return found


def _own_faults(s: Section) -> Iterator[_Fault]:
    if not s.name.strip():
        yield NAME_EMPTY
    elif len(s.name) > MAX_NAME:
        yield NAME_LONG
    if any(_spaced(line) for line in s.lines):
        yield SPACES
    if any(line.strip() and "=" not in line for line in s.lines):
        yield FOREIGN_LINE
    keys = Counter(k.casefold() for k, _ in s.pairs())
    if any(n > 1 for n in keys.values()):
        yield KEY_TWICE
    if not s.id:
        yield ID_MISSING
    elif not _is_uuid(s.id):
        yield ID_INVALID
    if s.has("Folder") and s.get("Folder") != s.folder:
        yield FOLDER
    if not s.is_group:
        yield from _connection_faults(s)


def _connection_faults(s: Section) -> Iterator[_Fault]:
    if not s.connect:
        yield CONNECT_EMPTY
        return
    if not s.connect.endswith(";"):
        yield SEMICOLON
    found = _parsed(s.connect)
    if found is None or found.kind == "list":
        yield CONNECT_INVALID
        return
    if found.without_secrets() != found:
        yield PASSWORD
    if found.kind == "file" and _absent(found):
        yield MISSING


def _parsed(connect: str) -> ConnectionString | None:
    try:
        return parse(connect)
    except ConnectionStringInvalid:
        return None


def _absent(found: ConnectionString) -> bool:
    written = found.get("File")
    foreign = os.name != "nt" and (re.match(r"[A-Za-z]:|\\\\", written) is not None)
    try:
        return not foreign and not found.file.exists()
    except (OSError, ValueError):
        return True


def _spaced(line: str) -> re.Match[str] | None:
    found = _SPACED.fullmatch(line)
    return found if found and (found[1] or found[3]).casefold() in _KNOWN else None


def _is_uuid(written: str) -> bool:
    try:
        uuid.UUID(written)
    except ValueError:
        return False
    return True


# --- mending ---


def mend(bases: BaseList) -> None:
    """Repair what needs no guess: spaces, «;», IDs, taken and empty names, the form of Folder, missing groups. Nothing is removed."""
    ids: set[str] = set()
    names: set[str] = set()
    for s in bases.sections:
        s.lines = [_mended(line) for line in s.lines]
        connect = s.connect
        if connect and not connect.endswith(";") and (found := _parsed(connect)) is not None and found.kind != "list":
            s.set("Connect", connect + ";" if "=" in connect else found.format())
        if not s.id or not _is_uuid(s.id) or s.id.casefold() in ids:
            s.set("ID", str(uuid.uuid4()))
        ids.add(s.id.casefold())
        if s.has("Folder") and s.get("Folder") != s.folder:
            s.set("Folder", s.folder)
        _mend_name(s, names)
    for node in bases.tree():
        if node.orphan and clean_path(node.section.folder) != ROOT:
            bases.add_group(node.section.folder)


def _mended(line: str) -> str:
    found = _spaced(line)
    return f"{found[1] or found[3]}={found[2] if found[1] else found[4]}" if found else line


def _mend_name(s: Section, names: set[str]) -> None:
    wanted = s.name.strip()[:MAX_NAME].strip() or _name_from(s)
    if s.is_group:
        if wanted != s.name:
            s.rename(wanted)
        return
    made, n = wanted, 1
    while made.casefold() in names:
        n += 1
        made = f"{wanted[: MAX_NAME - len(str(n)) - 3]} ({n})"
    names.add(made.casefold())
    if made != s.name:
        s.rename(made)


def _name_from(s: Section) -> str:
    """For an entry without a name: the last word of its place."""
    found = _parsed(s.connect) if s.connect else None
    if found is None:
        return str(Bilingual("Без имени", "Unnamed"))
    place = found.get("Ref") or found.get("DB") or re.split(r"[/\\]", found.get("File").rstrip("/\\"))[-1]
    return place.strip()[:MAX_NAME].strip() or str(Bilingual("Без имени", "Unnamed"))
