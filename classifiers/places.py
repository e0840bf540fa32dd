"""Sources that need no path: the product's own lists, the folders of templates, and a folder watched until a disk is put in."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from itertools import islice
from pathlib import Path

from classifiers.kind import ClassifierKind
from classifiers.source import open_source
from infobase.errors import ClassifierInvalid, ClassifierUnknown, UsageError
from infobase.i18n import Bilingual, text

BUILTIN = "builtin"
MAX_TEMPLATE_DEPTH = 5
MAX_LOOKED_AT = 200
"""Files of a folder that are opened to find classifiers in it."""
NO_CLASSIFIERS = frozenset({".cf", ".cfu", ".dt", ".efd", ".mft", ".1cd", ".epf", ".erf", ".exe"})
POLL_SECONDS = 0.5


def builtin_file(kind: ClassifierKind) -> Path:
    """The list of a kind that comes with the product. UsageError when there is none."""
    if not kind.builtin:
        detail = text(
            ru=f"для {kind.name} встроенного списка нет; нужен файл: {kind.bring}",
            en=f"there is no list of {kind.name} in the product; a file is needed: {kind.bring}",
        )
        raise UsageError(detail=detail)
    return Path(str(files("classifiers") / "data" / kind.builtin))


# --- templates ---


def template_file(kind: ClassifierKind, own: str, roots: Sequence[Path], names: Sequence[str]) -> Path:
    """The file of a kind in a template's folder: `own`, the folder of the template the base came from, else the newest version in the
    template roots, those first whose path has one of `names` (configuration, vendor). ClassifierUnknown tells where it was looked for."""
    if not kind.template_file:
        detail = text(
            ru=f"укажите файл для {kind.name}: {kind.bring}", en=f"name the file of {kind.name}: {kind.bring}"
        )
        raise UsageError(detail=detail)
    looked = [Path(own)] if own else []
    for folder in looked:
        for file in _named(folder, kind.template_file):
            return file
    found = [file for root in roots for file in _named(root, kind.template_file)]
    if found:
        return max(found, key=lambda f: (_answers(f, names), _version(f), str(f)))
    places = ", ".join(str(p) for p in (*looked, *roots)) or "-"
    raise ClassifierUnknown(
        place=kind.template_file,
        detail=Bilingual(
            f"файл не найден в папках шаблонов ({places}); укажите его: classifier load {kind.name} ФАЙЛ CONN",
            f"not found in the folders of templates ({places}); name it: classifier load {kind.name} FILE CONN",
        ),
    )


def found_files(folders: Sequence[Path], kinds: Sequence[ClassifierKind]) -> dict[str, Path]:
    """Kind -> a file or archive in one of the folders that holds it, by content; of several in a folder the last by name, of folders the
    first. Sets of plain tables are their folder. What cannot be read is passed over: loading it tells what is wrong."""
    found: dict[str, Path] = {}
    for folder in folders:
        here: dict[str, Path] = {}
        for file in islice(_files(folder), MAX_LOOKED_AT):
            for kind in kinds:
                if kind.name not in found and _holds(file, kind):
                    plain = kind.beside_data and file.suffix.casefold() not in (".zip", ".7z")
                    here[kind.name] = file.parent if plain else file
        found = {**here, **found}
    return found


def _files(folder: Path, depth: int = MAX_TEMPLATE_DEPTH) -> Iterator[Path]:
    """Files that may be a classifier, a few levels deep: none of the product's own kinds."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return  # no such folder, or none of ours: there is nothing in it
    for entry in entries:
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        if entry.is_dir():
            yield from _files(entry, depth - 1) if depth else ()
        elif entry.suffix.casefold() not in NO_CLASSIFIERS and entry.is_file():
            yield entry


def _holds(file: Path, kind: ClassifierKind) -> bool:
    try:
        with open_source(file) as source:
            return any(form.select(source) for form in kind.formats)
    except ClassifierInvalid:
        return False


def _named(folder: Path, name: str, depth: int = MAX_TEMPLATE_DEPTH) -> Iterator[Path]:
    """Files of that name, in any case, in a folder and a few levels below it."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return  # no such folder, or none of ours: there is nothing in it
    yield from (e for e in entries if e.name.casefold() == name.casefold() and e.is_file())
    for inner in entries if depth else ():
        if inner.is_dir() and not inner.is_symlink() and not inner.name.startswith("."):
            yield from _named(inner, name, depth - 1)


def _answers(file: Path, names: Sequence[str]) -> bool:
    parts = {p.casefold() for p in file.parts}
    return any(n.casefold() in parts for n in names if n)


def _version(file: Path) -> tuple[int, ...]:
    """3_0_30_10 -> (3, 0, 30, 10)."""
    for part in reversed(file.parts[:-1]):
        if re.fullmatch(r"\d+(_\d+)+", part):
            return tuple(int(n) for n in part.split("_"))
    return ()


# --- a folder that is watched ---


def watch(
    folder: Path, kinds: Sequence[ClassifierKind], seconds: float, tick: Callable[[], None]
) -> list[ClassifierKind]:
    """Wait at most so long until the folder holds a classifier of one of the kinds, whole: its files keep their sizes between two looks.
    The kinds that are there. When the time is over, what is wrong with the folder (ClassifierInvalid), else ClassifierUnknown. `tick` is
    called at every look."""
    deadline = time.monotonic() + seconds
    before: dict[str, int] | None = None
    trouble: ClassifierInvalid | None = None
    while True:
        now = _sizes(folder)
        if now and now == before:
            found, trouble = _kinds_in(folder, kinds)
            if found:
                return found
        if time.monotonic() >= deadline and (before is not None or not now):
            ru = f"за {seconds:g} с здесь не появилось ни одного классификатора"
            en = f"no classifier has appeared here in {seconds:g} s"
            raise trouble or ClassifierUnknown(place=folder, detail=Bilingual(ru, en))
        before = now
        tick()
        time.sleep(POLL_SECONDS)


def _sizes(folder: Path) -> dict[str, int]:
    """Files and sizes; nothing while there is no such folder: the disk is not in yet."""
    try:
        return {str(p): p.stat().st_size for p in folder.rglob("*") if p.is_file()}
    except OSError:
        return {}


def _kinds_in(folder: Path, kinds: Sequence[ClassifierKind]) -> tuple[list[ClassifierKind], ClassifierInvalid | None]:
    """The kinds, or why the folder cannot be read: an archive may still be on its way, so that only the end of the wait tells."""
    try:
        with open_source(folder) as source:
            return [kind for kind in kinds if any(form.select(source) for form in kind.formats)], None
    except ClassifierInvalid as error:
        return [], error
