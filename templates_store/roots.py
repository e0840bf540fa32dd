"""Where templates are looked for: the user's own root and every `ConfigurationTemplatesLocation` of 1C's starter settings."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infobase.i18n import text
from infobase.starter_config import settings_of, starter_files

ROOTS_VARIABLE = "INFOBASE_TEMPLATES"
"""Roots separated as in PATH; given, they replace everything else."""
LOCATION_KEY = "ConfigurationTemplatesLocation"
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
    for file, settings in settings_of(starter_files(env)):
        for value in settings.get(LOCATION_KEY.casefold(), []):
            yield _local(os.path.expandvars(value), str(file))


def _local(place: str, origin: str) -> Root:
    if place.casefold().startswith(_REMOTE):
        said = text(
            ru="каталоги по HTTP и FTP не читаются; скачайте комплект и установите его: template install",
            en="roots behind HTTP and FTP are not read; download the package and install it: template install",
        )
        return Root(place, origin, said)
    path = (Path(origin).parent if origin else Path()) / Path(place).expanduser()
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
