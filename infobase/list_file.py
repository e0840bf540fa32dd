"""The list of infobases, `ibases.v8i`, as 1C's starter keeps it: reading, writing, and finding a base by its name.

Sections `[Name]` with `Key=Value` lines; a section without `Connect` is a group. Read tolerantly (BOM or none, UTF-8, UTF-16, cp1251, any
line ends); written as the platform writes it: UTF-8 with BOM, CRLF.

    edit(place, lambda bases: bases.add("CRM", folder("/srv/crm"), "/Clients"))
"""

from __future__ import annotations

import codecs
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import portalocker

from infobase.connection_string import ConnectionString, folder, masked, parse
from infobase.errors import ConnectionStringInvalid, ListInvalid, ListNotWritable
from infobase.files import replace_if
from infobase.i18n import text
from infobase.list_model import BaseList, Section
from infobase.starter_config import STARTER_FILE, STARTER_VARIABLE, CommonList, common_lists, starter_files

LOCK_TIMEOUT = 20.0
"""Seconds to wait for another process that edits the list."""
ATTEMPTS = 20
"""How often an edit is made anew because a program without locks wrote in between."""
MAX_BYTES = 256 << 20
_HEADER = re.compile(r"\[(.*)\]\s*")
_NEWLINE = re.compile(r"\r\n|\n|\r")

Made = TypeVar("Made")


def default_place(environment: Mapping[str, str] | None = None) -> Path:
    """`INFOBASE_LIST`, else where 1C's starter keeps its list on this system."""
    env = os.environ if environment is None else environment
    if env.get("INFOBASE_LIST"):
        return Path(env["INFOBASE_LIST"]).expanduser()
    return own_place(env)


def own_place(env: Mapping[str, str]) -> Path:
    if os.name == "nt" and env.get("APPDATA"):
        return Path(env["APPDATA"]) / "1C" / "1CEStart" / "ibases.v8i"
    return Path.home() / ".1C" / "1cestart" / "ibases.v8i"


# --- reading ---


def read(place: Path) -> BaseList:
    """The list; an absent file is an empty list. ListInvalid when it cannot be read."""
    try:
        raw = _bytes(place)
    except OSError as e:
        raise ListInvalid(place=place, detail=e.strerror or str(e)) from e
    return from_bytes(raw or b"", place)


def _bytes(place: Path) -> bytes | None:
    """None when there is no file."""
    try:
        with place.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    if len(raw) > MAX_BYTES:
        detail = text(ru="файл слишком велик для списка баз", en="the file is too large for a list of infobases")
        raise ListInvalid(place=place, detail=detail)
    return raw


def from_bytes(raw: bytes, place: Path) -> BaseList:
    """ListInvalid only for broken UTF-16; every other text is a list."""
    made = BaseList(place)
    try:
        # Programs that add a BOM to a file that has one leave two: the second would hide the first entry.
        lines = _NEWLINE.split(_decode(raw).lstrip("\ufeff"))
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


def to_bytes(bases: BaseList) -> bytes:
    lines = list(bases.head)
    for s in bases.sections:
        lines += [s.header or f"[{s.name}]", *s.lines]
    return codecs.BOM_UTF8 + "".join(line + "\r\n" for line in lines).encode("utf-8")


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


# --- writing ---


def edit(place: Path, change: Callable[[BaseList], Made]) -> Made:
    """Read, change, write in one atomic step; what `change` returned. Nothing is written when it raises.

    Our own programs take turns on a companion lock file. 1C's starter and other tools know no locks: where one of them wrote between our
    reading and our writing, the change is made anew on what it wrote, so `change` may be called more than once. ListNotWritable.
    """
    real = Path(os.path.realpath(place))  # a list kept elsewhere through a link stays a link
    with _writing(place, real):
        for _ in range(ATTEMPTS):
            raw = _bytes(real)
            bases = from_bytes(raw or b"", place)
            result = change(bases)
            content = to_bytes(bases)
            if content == raw or replace_if(real, content, lambda raw=raw: _bytes(real) == raw):  # type: ignore[misc]
                return result
    said = text(ru="его всё время меняет другая программа", en="another program keeps changing it")
    raise ListNotWritable(place=place, detail=said)


@contextmanager
def _writing(place: Path, real: Path) -> Iterator[None]:
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        _demand_writable(place, real)
        with portalocker.Lock(str(real.with_name(real.name + ".lock")), "a", timeout=LOCK_TIMEOUT):
            _demand_unlocked(place, real)
            yield
    except portalocker.LockException as e:
        busy = text(ru="он занят другим процессом", en="another process is editing it")
        raise ListNotWritable(place=place, detail=busy) from e
    except OSError as e:
        raise ListNotWritable(place=place, detail=e.strerror or str(e)) from e


def _demand_writable(place: Path, real: Path) -> None:
    """A file marked read-only is meant so, though its folder would let it be replaced."""
    if real.is_dir():
        raise ListNotWritable(place=place, detail=text(ru="это папка", en="it is a folder"))
    if real.exists() and not (stat.S_IMODE(real.stat().st_mode) & 0o222 and os.access(real, os.W_OK)):
        said = text(ru="файл только для чтения", en="the file is read-only")
        raise ListNotWritable(place=place, detail=said)


def _demand_unlocked(place: Path, real: Path) -> None:
    """Wait for a program that has locked the list itself."""
    deadline = time.monotonic() + LOCK_TIMEOUT
    while real.exists():
        with real.open("rb+") as file:
            try:
                portalocker.lock(file, portalocker.LOCK_EX | portalocker.LOCK_NB)
                portalocker.unlock(file)
                return
            except portalocker.LockException as e:
                if time.monotonic() >= deadline:
                    said = text(ru="он заблокирован другой программой", en="another program has locked it")
                    raise ListNotWritable(place=place, detail=said) from e
        time.sleep(0.05)


# --- common lists ---


def shared_lists(place: Path | None = None) -> list[CommonList]:
    """The common lists that the starter's settings name: those of 1C's own list, or the settings that lie beside another one."""
    where = place or default_place()
    if os.environ.get(STARTER_VARIABLE) or where == own_place(os.environ):
        return common_lists(starter_files())
    return common_lists([where.with_name(STARTER_FILE)])


def read_shared(place: Path | None = None) -> list[BaseList]:
    """The common lists that can be read."""
    return [read(c.place) for c in shared_lists(place) if not c.trouble]


# --- names ---


def resolve(connection: str, place: Path | None = None) -> ConnectionString:
    """Whatever names a base: a connection string, a URL, a folder, a name or an ID from the list. A plain word not in the list is a folder."""
    try:
        parsed = parse(connection)
    except ConnectionStringInvalid:
        # A name in the list may look like a broken connection string: [Мои=учебные].
        found = find_base(connection.strip(), place)
        if found is None:
            raise
        return connection_of(*found)
    if parsed.kind == "list":
        found = find_base(parsed.name, place)
        return connection_of(*found) if found else folder(parsed.name)
    if parsed.kind == "file" and not parsed.file.exists():
        # So may one look like a path: [ООО А/Б].
        found = find_base(connection.strip(), place)
        return connection_of(*found) if found else parsed
    return parsed


def find_base(name: str, place: Path | None = None) -> tuple[BaseList, Section] | None:
    """In the user's list, else in the common ones."""
    own = read(place or default_place())
    found = own.find(name)
    if found is not None:
        return own, found
    for shared in read_shared(place):
        found = shared.find(name)
        if found is not None:
            return shared, found
    return None


def connection_of(bases: BaseList, section: Section) -> ConnectionString:
    """Where an entry leads. ListInvalid names the list and the entry."""
    try:
        return _with_code(parse(section.connect), section)
    except ConnectionStringInvalid as e:
        detail = f"[{section.name}] Connect={masked(section.connect)}: {e}"
        raise ListInvalid(place=bases.place, detail=detail) from e


def _with_code(found: ConnectionString, section: Section) -> ConnectionString:
    """`AdditionalParameters=/UC 987654` gives the permission code, as to 1C's own clients."""
    code = re.search(r"(?i)(?:^|\s)/UC\s*(\S+)", section.get("AdditionalParameters"))
    if code is None or found.permission_code or found.kind not in ("file", "srvr"):
        return found
    return ConnectionString(found.kind, (*found.pairs, ("UC", code[1])))
