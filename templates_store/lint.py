"""What is wrong with a template package, each fault with its file and line, and what was expected."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from infobase.errors import ConfigurationInvalid, GenuineFile, InfobaseError
from infobase.i18n import text
from infobase.metadata.archive import read_cf
from infobase.restore import open_dump
from templates_store import manifest as mft
from templates_store.manifest import Entry, Keys, Pair, Reading
from templates_store.roots import Root
from templates_store.supply import description_files
from templates_store.tree import KINDS, find_manifests, locate, read_limited

KNOWN_HEAD = ("Vendor", "Name", "Version", "AppVersion")
KNOWN_ENTRY = ("Source", "Catalog", "Destination")
DEMANDED = ("Vendor", "Name", "Version")
_VERSION = re.compile(r"\d+(\.\d+){1,4}")
_VERSION_FOLDER = re.compile(r"\d+([._]\d+)+")
_DRIVE = re.compile(r"[A-Za-z]:|[/\\]")


@dataclass(frozen=True)
class Fault:
    """`severity`: "error" (a template does not work), "warning" (1C or another tool may stumble), "note". `code` is stable. `line`: 1-based,
    0 when the fault is of the whole file."""

    severity: str
    code: str
    file: Path
    line: int
    message: str

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.line else str(self.file)


def lint_root(root: Root) -> list[Fault]:
    """Every package under a root."""
    if root.trouble:
        return [
            Fault("warning", "root.unreadable", Path(root.origin or root.place), 0, f"{root.place}: {root.trouble}")
        ]
    return [fault for file in find_manifests(root.path) for fault in lint_manifest(file)]


def lint_path(place: Path) -> list[Fault]:
    """A manifest, or a folder with one or many."""
    if place.is_file():
        return lint_manifest(place)
    files = list(find_manifests(place))
    if not files:
        said = text(ru="манифест *.mft не найден", en="no manifest *.mft found")
        return [Fault("error", "manifest.missing", place, 0, said)]
    return [fault for file in files for fault in lint_manifest(file)]


def lint_manifest(file: Path) -> list[Fault]:
    """Every fault of one manifest and of the files it names."""
    try:
        reading = mft.read(read_limited(file))
    except OSError as e:
        return [Fault("error", "manifest.unreadable", file, 0, e.strerror or str(e))]
    return _Linter(file, reading).run()


class _Linter:
    def __init__(self, file: Path, reading: Reading) -> None:
        self.file, self.reading = file, reading
        self.found: list[Fault] = []

    def run(self) -> list[Fault]:
        self._text()
        self._head(self.reading.manifest.head)
        entries = self.reading.manifest.entries
        if not entries:
            self._say("error", "manifest.empty", 0, "нет ни одного шаблона (секции)", "there is no template (section)")
        for name, count in Counter(e.section.casefold() for e in entries).items():
            if count > 1:
                line = [e.line for e in entries if e.section.casefold() == name][1]
                self._say("warning", "section.repeated", line, f"секция [{name}] повторяется", f"[{name}] is repeated")
        for entry in entries:
            self._entry(entry)
        if not description_files(self.file.parent):
            self._say(
                "note", "supply.undescribed", 0, "нет описания поставки (ReadMe)", "no supply description (ReadMe)"
            )
        return sorted(self.found, key=lambda f: f.line)

    def _say(self, severity: str, code: str, line: int, ru: str, en: str) -> None:
        self.found.append(Fault(severity, code, self.file, line, text(ru=ru, en=en)))

    # --- the text ---

    def _text(self) -> None:
        decoded = self.reading.text
        if decoded.damaged:
            self._say("error", "text.damaged", 0, "файл не является текстом", "the file is not text")
        if decoded.encoding != "utf-8-bom":
            ru = f"кодировка {decoded.encoding}; 1С пишет UTF-8 с BOM"
            self._say("warning", "text.encoding", 0, ru, f"encoding {decoded.encoding}; 1C writes UTF-8 with BOM")
        if self.reading.bare_line_feeds:
            ru = "концы строк LF; 1С пишет CRLF"
            self._say("note", "text.lines", 0, ru, "line ends are LF; 1C writes CRLF")
        for stray in self.reading.strays:
            ru = f"ожидается Ключ=Значение или [Секция]: {stray.text[:80]}"
            self._say("error", "line.stray", stray.line, ru, f"expected Key=Value or [Section]: {stray.text[:80]}")
        for line in self.reading.spaced:
            ru = "пробелы вокруг «=» или по краям строки: 1С их не ожидает"
            self._say("warning", "line.spaces", line, ru, 'blanks around "=" or at the ends: 1C does not expect them')

    # --- keys ---

    def _head(self, head: Keys) -> None:
        self._keys(head, KNOWN_HEAD, languages=False)
        for key in DEMANDED:
            if not head.get(key):
                found = head.find(key)
                ru, en = f"не указан {key}", f"{key} is missing"
                self._say("error", "head.missing", found.line if found else 1, ru, en)
        version = head.find(mft.KEY_VERSION)
        if version is not None and version.value:
            self._version(version)

    def _version(self, version: Pair) -> None:
        if not _VERSION.fullmatch(version.value):
            ru, en = (
                f"Version={version.value}: ожидаются числа через точку",
                f"Version={version.value}: numbers and dots",
            )
            self._say("error", "version.form", version.line, ru, en)
        folder = self.file.parent.name
        if _VERSION_FOLDER.fullmatch(folder) and folder.replace("_", ".") != version.value:
            ru = f"Version={version.value}, а папка называется {folder}"
            self._say("warning", "version.folder", version.line, ru, f"Version={version.value} in a folder {folder}")

    def _keys(self, keys: Keys, known: tuple[str, ...], *, languages: bool) -> None:
        folded = [k.casefold() for k in known]
        seen: set[str] = set()
        for pair in keys.pairs:
            key = pair.key.casefold()
            if key in seen:
                ru, en = f"ключ {pair.key} повторяется, действует первый", f"{pair.key} is repeated, the first counts"
                self._say("warning", "key.repeated", pair.line, ru, en)
            seen.add(key)
            base = key.split("_", 1)[0] if languages else key
            if base not in folded:
                ru, en = f"неизвестный ключ {pair.key}", f"unknown key {pair.key}"
                self._say("note", "key.unknown", pair.line, ru, en)

    # --- one template ---

    def _entry(self, entry: Entry) -> None:
        if not entry.section:
            self._say("warning", "section.unnamed", entry.line, "у секции нет имени", "the section has no name")
        self._keys(entry.keys, KNOWN_ENTRY, languages=True)
        self._catalogs(entry)
        self._destinations(entry)
        self._source(entry)

    def _catalogs(self, entry: Entry) -> None:
        pairs = [p for p in entry.keys.pairs if p.key.casefold().split("_", 1)[0] == "catalog"]
        if not any(p.value for p in pairs):
            ru = f"[{entry.section}]: нет Catalog - места в дереве шаблонов"
            self._say(
                "error", "catalog.missing", entry.line, ru, f"[{entry.section}]: no Catalog, the place in the tree"
            )
        for pair in pairs:
            if "\\" in pair.value:
                ru, en = f"{pair.key}: уровни разделяет «/», а не «\\»", f"{pair.key}: levels are split by /, not \\"
                self._say("warning", "catalog.backslash", pair.line, ru, en)
            parts = re.split(r"[/\\]", pair.value)
            if pair.value and not all(p.strip() for p in parts):
                self._say(
                    "warning", "catalog.level", pair.line, f"{pair.key}: пустой уровень", f"{pair.key}: an empty level"
                )

    def _destinations(self, entry: Entry) -> None:
        pairs = [p for p in entry.keys.pairs if p.key.casefold().split("_", 1)[0] == "destination"]
        if not any(p.value for p in pairs):
            ru = f"[{entry.section}]: нет Destination, папку новой базы придётся вводить"
            en = f"[{entry.section}]: no Destination, the new base's folder will have to be typed"
            self._say("note", "destination.missing", entry.line, ru, en)
        for pair in pairs:
            if _DRIVE.match(pair.value) or ".." in re.split(r"[/\\]", pair.value):
                ru = f"{pair.key}={pair.value}: ожидается путь внутри папки баз"
                en = f"{pair.key}={pair.value}: a path inside the folder of bases is expected"
                self._say("error", "destination.outside", pair.line, ru, en)

    def _source(self, entry: Entry) -> None:
        pair = entry.keys.find(mft.KEY_SOURCE)
        line = pair.line if pair else entry.line
        place, reason = locate(self.file.parent, entry.source)
        if place is None:
            self._say("error", "source.missing", line, f"[{entry.section}]: {reason}", f"[{entry.section}]: {reason}")
            return
        if place.relative_to(self.file.parent).as_posix() != "/".join(mft.levels(entry.source)):
            ru = f"Source={entry.source}, а файл называется {place.name}: другой регистр букв"
            self._say(
                "warning", "source.case", line, ru, f"Source={entry.source}, the file is {place.name}: letter case"
            )
        suffix = place.suffix.casefold()
        if suffix not in KINDS:
            ru = f"Source={entry.source}: ожидается .cf, .dt или .cfu"
            self._say("error", "source.kind", line, ru, f"Source={entry.source}: a .cf, .dt or .cfu is expected")
        elif suffix in _READERS:
            self._content(place, line, _READERS[suffix])

    def _content(self, place: Path, line: int, reader: Callable[[Path], tuple[str, str]]) -> None:
        """The file itself, and that it holds what the manifest says."""
        try:
            name, version = reader(place)
        except GenuineFile as e:
            self._say("warning", "source.genuine", line, str(e), str(e))
            return
        except ConfigurationInvalid as e:
            self._say("error", "source.damaged", line, str(e), str(e))
            return
        except InfobaseError as e:
            self._say("error", "source.damaged", line, str(e), str(e))
            return
        for key, value in ((mft.KEY_NAME, name), (mft.KEY_VERSION, version)):
            stated = self.reading.manifest.head.get(key)
            if stated and stated not in value.split("\n"):
                shown = value.replace("\n", " / ")
                ru = f"в манифесте {key}={stated}, а в {place.name} - {shown}"
                self._say("warning", "source.differs", line, ru, f"{key}={stated} here, but {shown} in {place.name}")


def _cf(place: Path) -> tuple[str, str]:
    found = read_cf(place)
    return f"{found.name}\n{found.naming.ru}", found.version


def _dt(place: Path) -> tuple[str, str]:
    with open_dump(place) as dump:
        found = dump.configuration
        return f"{found.name}\n{found.naming.ru}", found.version


_READERS = {".cf": _cf, ".dt": _dt}


def by_severity(faults: list[Fault]) -> Iterator[Fault]:
    """The worst first, otherwise as found."""
    order = {"error": 0, "warning": 1, "note": 2}
    return iter(sorted(faults, key=lambda f: order[f.severity]))
