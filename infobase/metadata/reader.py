"""A configuration as a folder of TOML files, one per object, laid out as 1C lays out a configuration exported to files.

The form of the files is described in docs/configuration.md.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from infobase.errors import ConfigurationInvalid, ConfigurationUnreadable, Problem
from infobase.i18n import Bilingual, text
from infobase.metadata.build import build
from infobase.metadata.model import KINDS, Configuration
from infobase.metadata.tables import Source, key_lines

HEAD = "Configuration.toml"
MAX_FILE = 4 * 1024 * 1024
MAX_FILES = 10_000
MAX_NESTING = 64
_TOML_LINE = re.compile(r"at line (\d+)")


def read_folder(path: Path) -> Configuration:
    """The configuration in `path`. ConfigurationUnreadable when there is none, ConfigurationInvalid with every fault in it."""
    head = path / HEAD
    if not head.is_file():
        detail = text(ru=f"в папке нет {HEAD}", en=f"the folder has no {HEAD}")
        raise ConfigurationUnreadable(place=path, detail=detail)
    problems: list[Problem] = []
    head_source = _read(head, HEAD, problems)
    objects: list[tuple[str, Source]] = []
    folders = {k.folder: k.name for k in KINDS.values()}
    try:
        for folder in sorted(p for p in path.iterdir() if p.is_dir()):
            if folder.name in folders:
                objects += _read_kind(folder, folders[folder.name], problems)
            elif not folder.name.startswith((".", "_")):
                message = Bilingual(f"неизвестная папка «{folder.name}»", f"unknown folder {folder.name!r}")
                problems.append(Problem(folder.name, 0, "-", message, ", ".join(folders)))
    except OSError as e:
        raise ConfigurationUnreadable(place=path, detail=e) from e
    if problems or head_source is None:
        problems += _also(head_source, objects)
        raise ConfigurationInvalid(problems)
    return build(head_source, objects)


def _also(head: Source | None, objects: list[tuple[str, Source]]) -> list[Problem]:
    """Faults of the files that could be read, so that one run shows everything."""
    if head is None:
        return []
    try:
        build(head, objects)
    except ConfigurationInvalid as e:
        return e.problems
    return []


def _read_kind(folder: Path, kind: str, problems: list[Problem]) -> list[tuple[str, Source]]:
    found = []
    for file in sorted(folder.iterdir())[:MAX_FILES]:
        if file.suffix != ".toml" or not file.is_file():
            continue
        shown = f"{folder.name}/{file.name}"
        source = _read(file, shown, problems)
        if source is None:
            continue
        name = source.data.get("name")
        if isinstance(name, str) and name != file.stem:
            message = Bilingual(f"имя «{name}» не равно имени файла", f"the name {name!r} is not the file's name")
            problems.append(Problem(shown, source.line("name"), "name", message, file.stem))
        found.append((kind, source))
    return found


def _read(file: Path, shown: str, problems: list[Problem]) -> Source | None:
    try:
        if file.stat().st_size > MAX_FILE:
            message = Bilingual("файл слишком велик", "the file is too large")
            problems.append(Problem(shown, 0, "-", message, f"<= {MAX_FILE} B"))
            return None
        written = file.read_bytes().decode("utf-8-sig")
        _refuse_deep(written)
        return Source(shown, tomllib.loads(written), key_lines(written))
    except UnicodeDecodeError as e:
        line = e.object[: e.start].count(b"\n") + 1
        problems.append(Problem(shown, line, "-", Bilingual("не UTF-8", "not UTF-8"), "UTF-8"))
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as e:
        match = _TOML_LINE.search(str(e))
        message = Bilingual(f"ошибка TOML: {e}", f"TOML error: {e}")
        problems.append(Problem(shown, int(match[1]) if match else _last_line(str(e), file), "-", message, "TOML"))
    except OSError as e:
        raise ConfigurationUnreadable(place=file, detail=e) from e
    return None


def _last_line(message: str, file: Path) -> int:
    return file.read_bytes().count(b"\n") + 1 if "end of document" in message else 0


def _refuse_deep(written: str) -> None:
    """tomllib recurses; an absurdly nested text is refused before it."""
    depth = 0
    for c in written:
        if c in "[{":
            depth += 1
            if depth > MAX_NESTING:
                raise ValueError("nested too deeply")
        elif c in "]}":
            depth = max(0, depth - 1)
        elif c == "\n" and depth == 1:
            depth = 0
