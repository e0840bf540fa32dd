"""The tree of templates as 1C shows it: levels of Catalog, the template's name, under it the versions found in any root."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from infobase.i18n import language, text
from templates_store.manifest import MAX_BYTES, Entry, Manifest, parse
from templates_store.roots import Root

MAX_DEPTH = 5
"""Folders below a root in which manifests are looked for: vendor, configuration, version, and some."""
SUFFIX = ".mft"
Kind = Literal["configuration", "dump", "update", "unknown"]
KINDS: dict[str, Kind] = {".cf": "configuration", ".dt": "dump", ".cfu": "update"}


@dataclass(frozen=True)
class Template:
    """One entry of one manifest. `path`: levels of Catalog; `source`: the file, None when it cannot be used (`reason` says why)."""

    path: tuple[str, ...]
    version: str
    kind: Kind
    manifest_file: Path
    manifest: Manifest
    entry: Entry
    source: Path | None
    reason: str = ""

    @property
    def name(self) -> str:
        return self.path[-1]

    @property
    def folder(self) -> Path:
        return self.manifest_file.parent

    @property
    def destination(self) -> str:
        return self.entry.destination(language())

    def __str__(self) -> str:
        return "/".join((*self.path, self.version))


@dataclass
class Node:
    """A level of the tree: what lies below by name, and the templates that end here, newest first."""

    below: dict[str, Node] = field(default_factory=dict)
    templates: list[Template] = field(default_factory=list)


def find_manifests(folder: Path, depth: int = MAX_DEPTH) -> Iterator[Path]:
    """Manifests under a folder, in order of path. Hidden folders (an installation under way) and links to folders are passed by."""
    try:
        with os.scandir(folder) as listing:
            found = sorted(listing, key=lambda e: e.name)
    except OSError:
        return
    for entry in found:
        if entry.name.casefold().endswith(SUFFIX) and entry.is_file():
            yield Path(entry.path)
    for entry in found:
        if depth and not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
            yield from find_manifests(Path(entry.path), depth - 1)


def collect(roots: Iterable[Root]) -> list[Template]:
    """Every template of the readable roots, in the order of the tree, newest version first."""
    found = [t for root in roots if not root.trouble for file in find_manifests(root.path) for t in templates_in(file)]
    found.sort(key=lambda t: (t.path, _descending(t.version)))
    return found


def templates_in(file: Path) -> list[Template]:
    """The entries of one manifest; none when it cannot be read (`lint` tells why)."""
    try:
        raw = read_limited(file)
    except OSError:
        return []
    manifest = parse(raw)
    return [_template(file, manifest, entry) for entry in manifest.entries]


def read_limited(file: Path) -> bytes:
    """A manifest's bytes; more than a manifest can have is cut. OSError."""
    with file.open("rb") as handle:
        return handle.read(MAX_BYTES)


def _template(file: Path, manifest: Manifest, entry: Entry) -> Template:
    path = entry.catalog(language()) or (manifest.name or file.parent.name, entry.section or file.name)
    version = manifest.version or file.parent.name.replace("_", ".")
    kind = KINDS.get(os.path.splitext(entry.source)[1].casefold(), "unknown")  # noqa: PTH122
    source, reason = locate(file.parent, entry.source)
    if source is not None and kind == "update":
        source, reason = (
            None,
            text(ru="это обновление, новую базу оно не создаёт", en="an update; it makes no new base"),
        )
    elif source is not None and kind == "unknown":
        source, reason = None, text(ru="ожидается файл .cf или .dt", en="a .cf or .dt file is expected")
    return Template(path, version, kind, file, manifest, entry, source, reason)


def locate(folder: Path, source: str) -> tuple[Path | None, str]:
    """The file a manifest names, letter case aside, and why it cannot be used ("" when it can)."""
    if not source:
        return None, text(ru="в манифесте не указан Source", en="the manifest gives no Source")
    parts = re.split(r"[/\\]", source)
    if source[0] in "/\\" or ":" in source or ".." in parts or "\0" in source:
        ru = f"Source выходит за папку шаблона: {source}"
        return None, text(ru=ru, en=f"Source leads out of the template's folder: {source}")
    place = folder
    for part in parts:
        if part in ("", "."):
            continue
        found = _without_case(place, part)
        if found is None:
            return None, text(ru=f"нет файла {source}", en=f"the file {source} is missing")
        place = found
    if not place.is_file():
        return None, text(ru=f"{source} - не файл", en=f"{source} is not a file")
    if not place.resolve().is_relative_to(folder.resolve()):
        ru = f"{source} - ссылка за пределы папки шаблона"
        return None, text(ru=ru, en=f"{source} is a link out of the template's folder")
    return place, ""


def _without_case(folder: Path, name: str) -> Path | None:
    """The neighbour of this name: exactly so, else in another case."""
    try:
        names = [p.name for p in folder.iterdir()]
    except OSError:
        return None
    alike = sorted(n for n in names if n.casefold() == name.casefold())
    if not alike:
        return None
    return folder / (name if name in alike else alike[0])


def build(templates: Iterable[Template]) -> Node:
    """The tree: equal Catalogs of many versions, and of many roots, are one node."""
    root = Node()
    for template in templates:
        node = root
        for level in template.path:
            node = node.below.setdefault(level, Node())
        node.templates.append(template)
    for node in _all(root):
        node.templates.sort(key=lambda t: _descending(t.version))
    return root


def _all(node: Node) -> Iterator[Node]:
    yield node
    for below in node.below.values():
        yield from _all(below)


def version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """Orders 3.0.9 before 3.0.10; parts that are no numbers come first."""
    parts: Sequence[str] = re.split(r"[._-]", version)
    return tuple((1, int(p), "") if p.isascii() and p.isdigit() and len(p) < 10 else (0, 0, p) for p in parts)


class _Descending:
    """Reverses an order inside a sort key."""

    def __init__(self, key: tuple[tuple[int, int, str], ...]) -> None:
        self.key = key

    def __lt__(self, other: _Descending) -> bool:
        return other.key < self.key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)


def _descending(version: str) -> _Descending:
    return _Descending(version_key(version))
