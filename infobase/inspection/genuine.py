"""Binary files of 1C:Enterprise itself. What needs parsing is done by `onec_dtools` in a child process: a damaged file can make a parser run or
grow without end, and there the system stops it."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

from infobase.errors import FileDamaged, FileUnrecognised, ReaderMissing
from infobase.i18n import Bilingual, text
from infobase.inspection.child import MISSING, SECONDS
from infobase.inspection.model import Inspection

BASE_MARK = b"1CDBMSV8"
CONTAINER_MARK = b"\xff\xff\xff\x7f"
DUMP_MARK = b"1CIBDmpF"
_ANSWER_BYTES = 32 << 20
_DUMP_HEAD = 1 << 16
_BASE = Bilingual("информационная база 1С:Предприятия (файловый режим)", "an infobase of 1C:Enterprise (file mode)")
_CONTAINER = Bilingual("конфигурация или обработка 1С:Предприятия", "a configuration or a processor of 1C:Enterprise")
_SUPPLY = Bilingual("комплект поставки 1С", "a supply package of 1C")
_DUMP = Bilingual("выгрузка информационной базы 1С:Предприятия", "an infobase dump of 1C:Enterprise")


def inspect_base(path: Path) -> Inspection:
    with path.open("rb") as file:
        head = file.read(12)
    version = ".".join(str(b) for b in head[8:12])
    found = _ask("base", path)
    facts = _facts(found, locale=text(ru="Язык", en="Locale"), page_size=text(ru="Страница", en="Page size"))
    return Inspection(path, "infobase", _BASE, True, f"1CD {version}", facts, _tables(found))


def inspect_container(path: Path) -> Inspection:
    found = _ask("container", path)
    facts = _facts(found, entries=text(ru="Частей", en="Parts"))
    return Inspection(path, "configuration", _CONTAINER, True, text(ru="контейнер 8.x", en="container 8.x"), facts)


def inspect_supply(path: Path) -> Inspection:
    found = _ask("supply", path)
    facts = _facts(found, name=text(ru="Название", en="Name"), vendor=text(ru="Поставщик", en="Vendor"))
    files = [(str(name), int(size)) for name, size in found.get("files", [])]
    return Inspection(path, "supply", _SUPPLY, True, "efd", facts | {text(ru="Файлы", en="Files"): dict(files)})


def inspect_dump(path: Path) -> Inspection:
    """The schema names of a genuine dump stand in its first block; the rest is 1C's own secret."""
    with path.open("rb") as file:
        mark = file.read(9)
        packed = file.read(_DUMP_HEAD)
    unpacker = zlib.decompressobj(-15)
    try:
        head = unpacker.decompress(packed, _DUMP_HEAD)
    except zlib.error as e:
        raise FileDamaged(place=path, detail=e) from e
    words = [w for w in ("CompatibilityMode", "CustomFlag", "IndexCompatibility", "UseMVCC") if w.encode() in head]
    if not head or not words:
        raise FileDamaged(place=path, detail=text(ru="нет заголовка выгрузки", en="the dump's head is missing"))
    facts: dict[str, object] = {
        text(ru="Параметры", en="Parameters"): ", ".join(words),
        text(ru="Чтение", en="Reading"): text(
            ru="содержимое открывает только 1С:Предприятие", en="only 1C:Enterprise opens the content"
        ),
    }
    return Inspection(path, "dump", _DUMP, True, mark.decode("ascii", "replace"), facts)


# --- the child ---


def _ask(what: str, path: Path) -> dict[str, Any]:
    """What the child found. ReaderMissing, FileDamaged, FileUnrecognised."""
    command = [sys.executable, "-m", "infobase.inspection.child", what, str(path.absolute())]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS * 2, check=False)
    except subprocess.TimeoutExpired as e:
        raise FileDamaged(place=path, detail=text(ru="чтение не кончается", en="reading does not end")) from e
    if done.returncode == MISSING:
        raise ReaderMissing(place=path)
    if done.returncode < 0 or len(done.stdout) > _ANSWER_BYTES:
        detail = text(
            ru="чтение превысило предел времени или памяти", en="reading exceeded its limit of time or memory"
        )
        raise FileDamaged(place=path, detail=detail)
    try:
        found = json.loads(done.stdout)
    except ValueError as e:
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][:300]
        raise FileDamaged(place=path, detail=said or "-") from e
    if found.get("unrecognised"):
        raise FileUnrecognised(place=path)
    if "error" in found:
        raise FileDamaged(place=path, detail=found["error"])
    return dict(found)


def _facts(found: dict[str, Any], **titles: str) -> dict[str, object]:
    known = {
        "configuration": text(ru="Конфигурация", en="Configuration"),
        "configuration_version": text(ru="Версия", en="Version"),
        **titles,
    }
    return {title: found[name] for name, title in known.items() if found.get(name) not in (None, "")}


def _tables(found: dict[str, Any]) -> list[tuple[str, int | None]]:
    return [(str(name), None if rows is None else int(rows)) for name, rows in found.get("tables", [])]
