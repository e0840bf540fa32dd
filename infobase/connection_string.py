"""Connection strings as 1C writes them, and the short forms people type.

    File="/srv/crm";Usr="Иванов";                                       a folder
    DBMS=PostgreSQL;DBSrvr="host port=5433";DB="crm";DBUID=a;DBPwd=b;   straight to the DBMS
    postgresql://a:b@host:5433/crm                                      the same
    Srvr="host:1541";Ref="crm";                                         through an application server
    /srv/crm                                                            a folder
    CRM                                                                 a name from the list of infobases

`parse` looks at the text alone; `infobase.list_file.resolve` also finds names in the list. Passwords appear in `format()` only, never in
`str()`, `repr()` or errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infobase.errors import ConnectionStringInvalid
from infobase.i18n import text

Kind = Literal["file", "srvr", "dbms", "ws", "list"]
Pairs = tuple[tuple[str, str], ...]

_KNOWN = (
    "File Srvr Ref ws DBMS DBSrvr DB DBUID DBPwd Usr Pwd Locale DBFormat DBPageSize SQLYOffs CrSQLDB SchJobDn LicDstr SUsr SPwd "
    "prmod Zn UC wsn wsp wspauto wspsrv wspport wspuser wsppwd"
)
_CANONICAL = {name.casefold(): name for name in _KNOWN.split()}
_SECRET = frozenset({"pwd", "dbpwd", "spwd", "wsppwd", "password", "uc"})
_QUOTED = frozenset({"file", "srvr", "ref", "ws", "dbsrvr", "db", "usr", "pwd"})
"""Values that 1C always writes in quotes; others only when they must be."""
_DOORS: tuple[Literal["file", "srvr", "ws"], ...] = ("file", "srvr", "ws")
_BARE = ("url", "name")
"""Pairs that stand for a text which is not pairs at all."""
_PLAIN = re.compile(r"[A-Za-z0-9_.\-]+")
_NAME = re.compile(r"[^\W\d][\w.-]*")
_PAIRS = re.compile(r"\s*[^\W\d][\w.-]*\s*=")
_URL = re.compile(r"postgres(?:ql)?://", re.IGNORECASE)
_SHOWN_SECRET = re.compile(r'(?i)((?:pwd|password)\s*=\s*)("(?:[^"]|"")*"?|[^;&]*)')
_URL_SECRET = re.compile(r"(?i)(postgres(?:ql)?://[^:/@?]*):.*@")
_MASK = "***"
_BASE_FILE = "1cv8.1cd"


@dataclass(frozen=True, repr=False)
class ConnectionString:
    """`pairs`: name and value in the order written, known names in 1C's spelling. A URL, a folder and a name are one pair:
    ("url", ...), ("File", ...), ("name", ...). Equal strings are equal objects; the password takes part."""

    kind: Kind
    pairs: Pairs

    def get(self, name: str) -> str:
        """The value of a name in any case; "" when it is absent."""
        return next((value for known, value in self.pairs if known.casefold() == name.casefold()), "")

    @property
    def fields(self) -> Mapping[str, str]:
        """Name -> value, with the passwords."""
        return dict(self.pairs)

    @property
    def file(self) -> Path:
        """The base's folder (a path to the 1Cv8.1CD inside it is understood too)."""
        folder = _at_home(Path(self.get("File")))
        return folder.parent if folder.name.casefold() == _BASE_FILE else folder

    @property
    def name(self) -> str:
        """The name to look for in the list."""
        return self.get("name")

    @property
    def user(self) -> str:
        return self.get("Usr")

    @property
    def password(self) -> str:
        return self.get("Pwd")

    @property
    def permission_code(self) -> str:
        """What lets in where new sessions are blocked, as 1C's /UC."""
        return self.get("UC")

    def format(self) -> str:
        """The canonical text, passwords included: `parse(c.format()) == c`."""
        if len(self.pairs) == 1 and self.pairs[0][0] in _BARE:
            return self.pairs[0][1]
        return "".join(f"{name}={_value(name, value)};" for name, value in self.pairs)

    def without_secrets(self) -> ConnectionString:
        """The same place without any password, fit to be kept in a list."""
        pairs = tuple((n, _without_password(v)) for n, v in self.pairs if n.casefold() not in _SECRET)
        return ConnectionString(self.kind, pairs)

    def __str__(self) -> str:
        return masked(self.format())

    def __repr__(self) -> str:
        return f"ConnectionString({str(self)!r})"


def _at_home(path: Path) -> Path:
    """With "~" resolved; a user nobody knows leaves it as it is."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def masked(value: str) -> str:
    """Any text that may be a connection string, with its passwords starred out, however broken it is."""
    return _URL_SECRET.sub(rf"\1:{_MASK}@", _SHOWN_SECRET.sub(rf"\1{_MASK}", value))


def _without_password(value: str) -> str:
    if not _URL.match(value):
        return value
    bare = re.sub(r"(?i)(?<=[?&])password=[^&]*&?", "", _URL_SECRET.sub(r"\1@", value))
    return bare.rstrip("?&")


def _value(name: str, value: str) -> str:
    if name.casefold() not in _QUOTED and _PLAIN.fullmatch(value):
        return value
    return '"' + value.replace('"', '""') + '"'


def parse(value: str) -> ConnectionString:
    """Understand a connection string, a URL, a folder or a name. ConnectionStringInvalid, which never repeats a password."""
    given = value.strip()
    if not given:
        raise _invalid(value, ru="строка пуста", en="it is empty")
    if any(c in given for c in "\x00\r\n"):
        raise _invalid(value, ru="недопустимый символ", en="a forbidden character")
    if _URL.match(given):
        return ConnectionString("dbms", (("url", given),))
    if _PAIRS.match(given) and not _is_path(given):
        return _classify(value, _read_pairs(given))
    if _is_path(given):
        return folder(given)
    return ConnectionString("list", (("name", given),))


def folder(path: str | Path) -> ConnectionString:
    """A file base in this folder."""
    return ConnectionString("file", (("File", str(path)),))


def _is_path(given: str) -> bool:
    head = given.split("=", 1)[0]
    return head.startswith((".", "~")) or "/" in head or "\\" in head


def _read_pairs(given: str) -> Pairs:
    found: dict[str, tuple[str, str]] = {}
    at = 0
    while at < len(given):
        name, mark, _ = given[at:].partition("=")
        if not mark or not _NAME.fullmatch(name.strip()):
            ru, en = (
                f"ожидается Имя=Значение; начиная с символа {at + 1}",
                f"expected Name=Value; at character {at + 1}",
            )
            raise _invalid(given, ru=ru, en=en)
        content, at = _read_value(given, at + len(name) + 1)
        known = _CANONICAL.get(name.strip().casefold(), name.strip())
        if known.casefold() in found:
            raise _invalid(given, ru=f"{known} указано дважды", en=f"{known} is given twice")
        found[known.casefold()] = (known, content)
        at += len(given[at:]) - len(given[at:].lstrip("; \t"))
    return tuple(found.values())


def _read_value(given: str, at: int) -> tuple[str, int]:
    """The value that begins at `at`, and the place after it."""
    while at < len(given) and given[at] in " \t":
        at += 1
    if given[at : at + 1] != '"':
        end = given.find(";", at)
        end = len(given) if end < 0 else end
        return given[at:end].rstrip(), end
    found = re.compile(r'"((?:[^"]|"")*)"[ \t]*(?=;|$)').match(given, at)
    if found is None:
        ru = "кавычки не закрыты; кавычка внутри значения удваивается"
        raise _invalid(given, ru=ru, en="the quotes do not close; a quote inside a value is doubled")
    return found[1].replace('""', '"'), found.end()


def _classify(value: str, pairs: Pairs) -> ConnectionString:
    filled = {name.casefold() for name, content in pairs if content}
    doors = [d for d in _DOORS if d in filled]
    if len(doors) > 1:
        names = ", ".join(_CANONICAL[d] for d in doors)
        raise _invalid(value, ru=f"вместе не указывают: {names}", en=f"these do not go together: {names}")
    if doors == ["srvr"] and "ref" not in filled:
        raise _invalid(value, ru="нет Ref - имени базы на сервере", en="Ref, the base's name on the server, is missing")
    if doors:
        return ConnectionString(doors[0], pairs)
    if "db" in filled and ("dbms" in filled or "dbsrvr" in filled):
        return ConnectionString("dbms", pairs)
    ru = "нет места базы: нужно File, либо Srvr и Ref, либо DBMS, DBSrvr и DB"
    raise _invalid(value, ru=ru, en="no place of a base: give File, or Srvr and Ref, or DBMS, DBSrvr and DB")


def _invalid(value: str, *, ru: str, en: str) -> ConnectionStringInvalid:
    return ConnectionStringInvalid(value=masked(value), detail=text(ru=ru, en=en))
