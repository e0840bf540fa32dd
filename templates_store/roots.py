"""Where templates are looked for: the user's own root and every `ConfigurationTemplatesLocation` of 1C's starter settings.

`1cestart.cfg` (UTF-16LE with BOM as 1C writes it, or UTF-8) holds `Key=Value` lines; a key may stand many times, in any case. The user's file,
that of all users and the common one (`1cescmn.cfg` where `CommonCfgLocation` says) are read together.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infobase.i18n import text
from infobase.text_files import decode

ROOTS_VARIABLE = "INFOBASE_TEMPLATES"
"""Roots separated as in PATH; given, they replace everything else."""
STARTER_VARIABLE = "INFOBASE_1CESTART"
"""Path of the `1cestart.cfg` to read in place of 1C's own."""
LOCATION_KEY, COMMON_KEY = "ConfigurationTemplatesLocation", "CommonCfgLocation"
COMMON_FILE = "1cescmn.cfg"
_REMOTE = ("http://", "https://", "ftp://")


@dataclass(frozen=True)
class Root:
    """A place of templates. `origin`: the file that names it, "" for the user's default or one given. `trouble`: why it cannot be read."""

    place: str
    origin: str = ""
    trouble: str = ""

    @property
    def path(self) -> Path:
        return Path(self.place)


def user_root(environment: Mapping[str, str] | None = None) -> Path:
    """Where 1C's installers put templates for the user of this system."""
    env = os.environ if environment is None else environment
    if os.name == "nt" and env.get("APPDATA"):
        return Path(env["APPDATA"]) / "1C" / "1cv8" / "tmplts"
    return Path.home() / ".1cv8" / "1C" / "1cv8" / "tmplts"


def starter_files(environment: Mapping[str, str] | None = None) -> list[Path]:
    """The settings of 1C's starter on this system, the user's first; they may be absent."""
    env = os.environ if environment is None else environment
    if env.get(STARTER_VARIABLE):
        return [Path(env[STARTER_VARIABLE]).expanduser()]
    if os.name == "nt":
        homes = [env[name] for name in ("APPDATA", "ALLUSERSPROFILE") if env.get(name)]
        return [Path(home) / "1C" / "1CEStart" / "1cestart.cfg" for home in homes]
    return [Path.home() / ".1C" / "1cestart" / "1cestart.cfg"]


def find_roots(given: Sequence[str | Path] = (), environment: Mapping[str, str] | None = None) -> list[Root]:
    """The roots in the order they are searched, each once. `given` (from the command line) replace all others."""
    env = os.environ if environment is None else environment
    if not given and env.get(ROOTS_VARIABLE):
        given = [p for p in env[ROOTS_VARIABLE].split(os.pathsep) if p]
    if given:
        return _each_once(_local(str(place), "") for place in given)
    return _each_once(_configured(env))


def install_root(given: str | Path | None = None, environment: Mapping[str, str] | None = None) -> Path:
    """Where a package goes: the one given, else the first of INFOBASE_TEMPLATES, else the user's own root."""
    env = os.environ if environment is None else environment
    if given is not None:
        return Path(given).expanduser()
    listed = [p for p in env.get(ROOTS_VARIABLE, "").split(os.pathsep) if p]
    return Path(listed[0]).expanduser() if listed else user_root(env)


def _configured(env: Mapping[str, str]) -> Iterator[Root]:
    yield _local(str(user_root(env)), "")
    seen: set[Path] = set()
    waiting = starter_files(env)
    while waiting:
        file = waiting.pop(0)
        if file in seen:
            continue
        seen.add(file)
        settings = read_settings(file)
        for value in settings.get(LOCATION_KEY.casefold(), []):
            yield _local(os.path.expandvars(value), str(file))
        waiting += [_common(os.path.expandvars(v)) for v in settings.get(COMMON_KEY.casefold(), [])]


def _common(value: str) -> Path:
    place = Path(value).expanduser()
    return place if place.suffix.casefold() == ".cfg" else place / COMMON_FILE


def read_settings(file: Path) -> dict[str, list[str]]:
    """Key (in lower case) -> its values in order. An absent or unreadable file has none: settings of another program must not stop us."""
    try:
        raw = file.read_bytes()
    except OSError:
        return {}
    found: dict[str, list[str]] = {}
    for line in decode(raw).text.splitlines():
        key, mark, value = line.strip().partition("=")
        value = value.strip().strip('"')
        if mark and key.strip() and value:
            found.setdefault(key.strip().casefold(), []).append(value)
    return found


def _local(place: str, origin: str) -> Root:
    if place.casefold().startswith(_REMOTE):
        said = text(ru="каталоги в сети по HTTP и FTP не читаются", en="roots behind HTTP and FTP are not read")
        return Root(place, origin, said)
    path = Path(place).expanduser()
    return Root(str(path), origin, _trouble(path, named=bool(origin)))


def _trouble(path: Path, *, named: bool) -> str:
    if os.name != "nt" and "\\" in str(path) and not path.exists():
        return text(ru="путь Windows на этой системе недоступен", en="a Windows path, out of reach on this system")
    try:
        if path.is_dir():
            next(path.iterdir(), None)
            return ""
    except OSError as e:
        return e.strerror or str(e)
    if path.exists():
        return text(ru="это не папка", en="not a folder")
    return text(ru="папки нет", en="there is no such folder") if named else text(ru="папки ещё нет", en="no folder yet")


def _each_once(roots: Iterator[Root]) -> list[Root]:
    found: dict[str, Root] = {}
    for root in roots:
        found.setdefault(os.path.normcase(os.path.realpath(root.place)) if not root.trouble else root.place, root)
    return list(found.values())
