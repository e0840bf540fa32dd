"""The manifest of a template package, `1cv8.mft`: read tolerantly, written as 1C writes it (UTF-8 with BOM, CRLF).

    Vendor=Фирма "1С"
    Name=УправлениеНебольшойФирмой
    Version=3.0.10.1
    AppVersion=8.3
    [Config1]
    Catalog=1С:УНФ/УНФ
    Catalog_en=1C:Company management/Company management
    Destination=1C\\UNF
    Source=1Cv8.cf

Keys before the first section tell of the package; each section, whatever its name, is one template. Manifests of small vendors have
`\\` in Catalog, no Destination, no BOM, cp1251, bare line feeds.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from infobase.text_files import Decoded, decode

KEY_VENDOR, KEY_NAME, KEY_VERSION, KEY_PLATFORM = "Vendor", "Name", "Version", "AppVersion"
KEY_SOURCE, KEY_CATALOG, KEY_DESTINATION = "Source", "Catalog", "Destination"
MAX_BYTES = 1 << 20
"""A manifest is a page of text; more is not a manifest."""
_NEWLINE = re.compile(r"\r\n|\n|\r")
_HEADER = re.compile(r"\s*\[(.*)\]\s*")
_LEVEL = re.compile(r"[/\\]")
COMMENTS = (";", "#")


@dataclass(frozen=True, slots=True)
class Pair:
    """`Key=Value`. `line` is where it was read (1-based, 0: nowhere) and takes no part in equality."""

    key: str
    value: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Keys:
    """Pairs in the order written; names in any case, the first of equals counts."""

    pairs: tuple[Pair, ...] = ()

    def find(self, key: str) -> Pair | None:
        return next((p for p in self.pairs if p.key.casefold() == key.casefold()), None)

    def get(self, key: str) -> str:
        found = self.find(key)
        return found.value if found else ""

    def in_language(self, key: str, language: str) -> str:
        """`Key_<language>` when it is there and filled, else the bare key, else any language's."""
        prefix = f"{key}_".casefold()
        others = (p.value for p in self.pairs if p.key.casefold().startswith(prefix) and p.value)
        return self.get(f"{key}_{language}") or self.get(key) or next(others, "")


@dataclass(frozen=True)
class Entry:
    """One template of the manifest: a section."""

    section: str
    keys: Keys
    line: int = field(default=0, compare=False)

    @property
    def source(self) -> str:
        return self.keys.get(KEY_SOURCE)

    def catalog(self, language: str) -> tuple[str, ...]:
        """Levels of the tree, the last one is the template's own name; empty when there is no Catalog."""
        return levels(self.keys.in_language(KEY_CATALOG, language))

    def destination(self, language: str) -> str:
        """The suggested folder of a new base, relative, levels split by "/"; "" when there is none."""
        return "/".join(levels(self.keys.in_language(KEY_DESTINATION, language)))


@dataclass(frozen=True)
class Manifest:
    """`head`: the keys before the first section."""

    head: Keys
    entries: tuple[Entry, ...]

    @property
    def vendor(self) -> str:
        return self.head.get(KEY_VENDOR)

    @property
    def name(self) -> str:
        return self.head.get(KEY_NAME)

    @property
    def version(self) -> str:
        return self.head.get(KEY_VERSION)


@dataclass(frozen=True)
class Stray:
    """A line that is neither a pair nor a section."""

    line: int
    text: str


@dataclass(frozen=True)
class Reading:
    """A manifest and everything about its text that `lint` has an opinion on. `spaced`: lines with blanks around "="."""

    manifest: Manifest
    text: Decoded
    strays: tuple[Stray, ...]
    spaced: tuple[int, ...]
    bare_line_feeds: bool


def levels(path: str) -> tuple[str, ...]:
    """`A/B`, `A\\B` and `/A//B/` alike: ("A", "B")."""
    return tuple(part for part in (p.strip() for p in _LEVEL.split(path)) if part)


def read(raw: bytes) -> Reading:
    """Any bytes make a reading; what is wrong with them shows in it."""
    decoded = decode(raw)
    found = _Lines()
    for number, line in enumerate(_NEWLINE.split(decoded.text), 1):
        found.take(number, line)
    bare = "\n" in decoded.text.replace("\r\n", "")
    return Reading(found.manifest(), decoded, tuple(found.strays), tuple(found.spaced), bare)


def parse(raw: bytes) -> Manifest:
    return read(raw).manifest


def to_bytes(manifest: Manifest) -> bytes:
    """The canonical text: `parse(to_bytes(m)) == m` for every manifest that `make` or `parse` gave."""
    lines = [_line(p) for p in manifest.head.pairs]
    for entry in manifest.entries:
        lines.append(f"[{entry.section}]")
        lines += [_line(p) for p in entry.keys.pairs]
    return codecs.BOM_UTF8 + "".join(f"{line}\r\n" for line in lines).encode("utf-8")


def make(head: Iterable[tuple[str, str]], entries: Sequence[tuple[str, Iterable[tuple[str, str]]]]) -> Manifest:
    """A manifest of given keys. ValueError for a key, value or section that would be read back as something else."""
    made = Manifest(_keys(head), tuple(Entry(section, _keys(pairs)) for section, pairs in entries))
    if parse(to_bytes(made)) != made:
        raise ValueError("a key, value or section name that a manifest cannot hold")
    return made


def _keys(pairs: Iterable[tuple[str, str]]) -> Keys:
    return Keys(tuple(Pair(key, value) for key, value in pairs))


def _line(pair: Pair) -> str:
    return f"{pair.key}={pair.value}"


class _Lines:
    """Collects lines into a manifest."""

    def __init__(self) -> None:
        self.head: list[Pair] = []
        self.sections: list[tuple[str, int, list[Pair]]] = []
        self.strays: list[Stray] = []
        self.spaced: list[int] = []

    def take(self, number: int, line: str) -> None:
        header = _HEADER.fullmatch(line)
        if header is not None:
            self.sections.append((header[1].strip(), number, []))
            return
        key, mark, value = line.partition("=")
        if not mark or not key.strip() or key.lstrip().startswith(COMMENTS):
            if line.strip() and not line.lstrip().startswith(COMMENTS):
                self.strays.append(Stray(number, line.strip()))
            return
        if key != key.strip() or value != value.strip():
            self.spaced.append(number)
        pairs = self.sections[-1][2] if self.sections else self.head
        pairs.append(Pair(key.strip(), value.strip(), number))

    def manifest(self) -> Manifest:
        entries = (Entry(name, Keys(tuple(pairs)), line) for name, line, pairs in self.sections)
        return Manifest(Keys(tuple(self.head)), tuple(entries))
