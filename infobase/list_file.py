"""The list of infobases, `ibases.v8i`, as 1C's starter keeps it.

Sections `[Name]` with `Key=Value` lines; a section without `Connect` is a group. Read tolerantly (BOM or none, UTF-8, UTF-16, cp1251, any
line ends); written as the platform writes it: UTF-8 with BOM, CRLF. Lines this module does not touch keep their exact text and order,
known or not, because the platform and other tools keep settings of their own there.
"""

from __future__ import annotations

import codecs
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import portalocker

from infobase.connection_string import ConnectionString, folder, masked, parse
from infobase.errors import ConnectionStringInvalid, ListInvalid
from infobase.files import write_atomically
from infobase.i18n import text

MAX_NAME = 255
"""Characters in a name, as in 1C."""
LOCK_TIMEOUT = 20.0
"""Seconds to wait for another process that edits the list."""
_HEADER = re.compile(r"\[(.*)\]\s*")
_NEWLINE = re.compile(r"\r\n|\n|\r")


@dataclass
class Section:
    """One base or group: the exact lines below its header, and the header as it was read ("" for a new section)."""

    name: str
    lines: list[str] = field(default_factory=list)
    header: str = ""

    def get(self, key: str) -> str:
        """The value of a key in any case; "" when absent."""
        for line in self.lines:
            name, mark, value = line.partition("=")
            if mark and name.strip().casefold() == key.casefold():
                return value.strip()
        return ""

    @property
    def connect(self) -> str:
        return self.get("Connect")

    @property
    def is_group(self) -> bool:
        return not self.connect

    @property
    def folder(self) -> str:
        """The group it lies in, "/" at the root."""
        return self.get("Folder") or "/"


@dataclass
class BaseList:
    """The whole file: lines before the first section, then the sections."""

    place: Path
    head: list[str] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)

    @property
    def bases(self) -> list[Section]:
        return [s for s in self.sections if not s.is_group]

    def find(self, name: str) -> Section | None:
        """A base by name: exactly so, else without regard to case when only one fits."""
        exact = next((s for s in self.bases if s.name == name), None)
        if exact is not None:
            return exact
        alike = [s for s in self.bases if s.name.casefold() == name.casefold()]
        return alike[0] if len(alike) == 1 else None

    def add(self, name: str, connection: ConnectionString, group: str = "/") -> Section:
        """Append a base. ListInvalid for an unfit or taken name. Passwords are not kept: the list is a plain file."""
        _demand_name(self.place, name)
        if any(s.name.casefold() == name.casefold() for s in self.sections):
            raise self._refuse(ru=f"имя «{name}» уже есть", en=f"the name {name!r} is taken")
        options = {
            "Connect": connection.without_secrets().format(),
            "ID": str(uuid.uuid4()),
            "OrderInList": "-1",
            "Folder": group,
            "OrderInTree": "-1",
            "External": "0",
            "ClientConnectionSpeed": "Normal",
            "App": "Auto",
            "WA": "1",
            "Version": "8.3",
        }
        made = Section(name, [f"{key}={value}" for key, value in options.items()])
        self.sections.append(made)
        return made

    def remove(self, name: str) -> Section:
        """Take a base off the list; the base itself stays. ListInvalid when it is not there."""
        found = self.find(name)
        if found is None:
            raise self._refuse(ru=f"нет базы «{name}»", en=f"there is no base {name!r}")
        self.sections = [s for s in self.sections if s is not found]
        return found

    def to_bytes(self) -> bytes:
        lines = list(self.head)
        for s in self.sections:
            lines += [s.header or f"[{s.name}]", *s.lines]
        return codecs.BOM_UTF8 + "".join(line + "\r\n" for line in lines).encode("utf-8")

    def _refuse(self, *, ru: str, en: str) -> ListInvalid:
        return ListInvalid(place=self.place, detail=text(ru=ru, en=en))


def default_place(environment: Mapping[str, str] | None = None) -> Path:
    """`INFOBASE_LIST`, else where 1C's starter keeps its list on this system."""
    env = os.environ if environment is None else environment
    if env.get("INFOBASE_LIST"):
        return Path(env["INFOBASE_LIST"]).expanduser()
    if os.name == "nt" and env.get("APPDATA"):
        return Path(env["APPDATA"]) / "1C" / "1CEStart" / "ibases.v8i"
    return Path.home() / ".1C" / "1cestart" / "ibases.v8i"


def read(place: Path) -> BaseList:
    """The list; an absent file is an empty list. ListInvalid when it cannot be read."""
    try:
        raw = place.read_bytes()
    except FileNotFoundError:
        return BaseList(place)
    except OSError as e:
        raise ListInvalid(place=place, detail=e.strerror or str(e)) from e
    return from_bytes(raw, place)


def from_bytes(raw: bytes, place: Path) -> BaseList:
    made = BaseList(place)
    try:
        lines = _NEWLINE.split(_decode(raw))
    except UnicodeDecodeError as e:
        detail = text(ru="файл повреждён: оборван текст UTF-16", en="the file is damaged: broken UTF-16 text")
        raise ListInvalid(place=place, detail=detail) from e
    if lines and not lines[-1]:
        lines.pop()
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is not None:
            made.sections.append(Section(header[1], header=line))
        elif made.sections:
            made.sections[-1].lines.append(line)
        else:
            made.head.append(line)
    return made


@contextmanager
def editing(place: Path) -> Iterator[BaseList]:
    """Read, let the block change, write back in one atomic step; two editors at a time cannot lose each other's lines.

    The lock is a companion file: 1C's starter does not lock, and replaces the list as we do. Nothing is written when the block raises.
    """
    real = Path(os.path.realpath(place))  # a list kept elsewhere through a link stays a link
    real.parent.mkdir(parents=True, exist_ok=True)
    companion = real.with_name(real.name + ".lock")
    try:
        with portalocker.Lock(str(companion), "a", timeout=LOCK_TIMEOUT):
            made = read(real)
            yield made
            write_atomically(real, made.to_bytes())
    except portalocker.LockException as e:
        busy = text(ru="список занят другим процессом", en="another process is editing the list")
        raise ListInvalid(place=place, detail=busy) from e
    except OSError as e:
        raise ListInvalid(place=place, detail=e.strerror or str(e)) from e


def resolve(connection: str, place: Path | None = None) -> ConnectionString:
    """Whatever names a base: a connection string, a URL, a folder, a name in the list. A plain word not in the list is a folder."""
    try:
        parsed = parse(connection)
    except ConnectionStringInvalid:
        # A name in the list may look like a broken connection string: [Мои=учебные].
        found = read(place or default_place()).find(connection.strip())
        if found is None:
            raise
        return _connection_of(found, place)
    if parsed.kind != "list":
        return parsed
    found = read(place or default_place()).find(parsed.name)
    return _connection_of(found, place) if found else folder(parsed.name)


def _connection_of(section: Section, place: Path | None) -> ConnectionString:
    try:
        return parse(section.connect)
    except ConnectionStringInvalid as e:
        where = place or default_place()
        raise ListInvalid(place=where, detail=f"[{section.name}] Connect={masked(section.connect)}: {e}") from e


def _demand_name(place: Path, name: str) -> None:
    fits = name.strip() == name and 0 < len(name) <= MAX_NAME and not re.search(r"[\x00-\x1f\x7f]", name)
    if not fits or re.search(r"[\ud800-\udfff]", name):
        ru = f"имя базы - от 1 до {MAX_NAME} печатных символов без пробелов по краям"
        en = f"a base's name is 1 to {MAX_NAME} printable characters without spaces around"
        raise ListInvalid(place=place, detail=text(ru=ru, en=en))


def _decode(raw: bytes) -> str:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16")
    if raw[1:2] == b"\0":
        return raw.decode("utf-16-le")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        # cp1251 lacks one code, 0x98; Latin-1 keeps it as it is.
        return "".join(chr(b) if b == 0x98 else bytes([b]).decode("cp1251") for b in raw)
