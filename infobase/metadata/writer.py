"""A configuration -> a folder of TOML files that `read_folder` reads back as the same configuration."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from infobase.errors import TargetExists
from infobase.metadata.model import KINDS, Configuration
from infobase.metadata.raw import head_of, raw_of
from infobase.metadata.reader import HEAD

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def write_folder(configuration: Configuration, path: Path) -> None:
    """Into `path`, which must be missing or empty (TargetExists); all files or none."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise TargetExists(place=path)
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        _write(staged / HEAD, head_of(configuration))
        for o in configuration.objects.values():
            _write(staged / KINDS[o.kind].folder / f"{o.name}.toml", raw_of(o))
        if path.exists():
            path.rmdir()
        staged.rename(path)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _write(file: Path, raw: Mapping[str, object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="\n") as out:
        out.write(to_toml(raw))
        out.flush()
        os.fsync(out.fileno())


def to_toml(raw: Mapping[str, object], prefix: str = "") -> str:
    """Plain keys first, then tables, then lists of tables."""
    lines = [f"{_key(k)} = {_inline(v)}" for k, v in raw.items() if not _is_block(k, v)]
    text = "\n".join(lines) + ("\n" if lines else "")
    for k, v in raw.items():
        if not _is_block(k, v):
            continue
        name = f"{prefix}{_key(k)}"
        if isinstance(v, Mapping):
            for inner, table in v.items():
                assert isinstance(table, Mapping)
                full = f"{name}.{_key(inner)}"
                text += f"\n[{full}]\n{to_toml(table, full + '.')}"
        elif isinstance(v, list):
            text += "".join(f"\n[[{name}]]\n{to_toml(table, name + '.')}" for table in v)
    return text


def _is_block(key: str, value: object) -> bool:
    if isinstance(value, Mapping):
        return bool(value) and all(isinstance(v, Mapping) for v in value.values()) and key != "synonym"
    return isinstance(value, list) and bool(value) and all(isinstance(v, Mapping) for v in value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _quoted(name)


def _quoted(value: str) -> str:
    # JSON's string escapes are TOML's too; DEL is the one control character JSON leaves bare.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _inline(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_inline(v) for v in value) + "]"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_inline(v)}" for k, v in value.items()) + " }" if value else "{}"
    raise TypeError(f"{type(value).__name__} has no TOML form")
