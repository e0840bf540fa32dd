"""The settings of 1C's starter, `1cestart.cfg`: where they lie and what they say; the common lists of infobases they name.

`Key=Value` lines, UTF-16LE with BOM as 1C writes them, or UTF-8; a key may stand many times, in any case. The user's file, that of all users
and the common one (`1cescmn.cfg` where `CommonCfgLocation` says) are read together.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infobase.i18n import text
from infobase.text_files import decode

STARTER_VARIABLE = "INFOBASE_1CESTART"
"""Path of the `1cestart.cfg` to read in place of 1C's own."""
STARTER_FILE = "1cestart.cfg"
COMMON_KEY, COMMON_FILE = "CommonCfgLocation", "1cescmn.cfg"
LISTS_KEY = "CommonInfoBases"
SERVICE_KEYS = ("InternetService", "WebCommonInfoBases")
_HTTP, _REMOTE = ("http://", "https://"), ("http://", "https://", "ftp://")
_MAX_BYTES = 4 << 20


def starter_files(environment: Mapping[str, str] | None = None) -> list[Path]:
    """The settings of 1C's starter on this system, the user's first; they may be absent."""
    env = os.environ if environment is None else environment
    if env.get(STARTER_VARIABLE):
        return [Path(env[STARTER_VARIABLE]).expanduser()]
    if os.name == "nt":
        homes = [env[name] for name in ("APPDATA", "ALLUSERSPROFILE") if env.get(name)]
        return [Path(home) / "1C" / "1CEStart" / STARTER_FILE for home in homes]
    return [Path.home() / ".1C" / "1cestart" / STARTER_FILE]


def read_settings(file: Path) -> dict[str, list[str]]:
    """Key (in lower case) -> its values in order. An absent or unreadable file has none: settings of another program must not stop us."""
    try:
        with file.open("rb") as handle:
            raw = handle.read(_MAX_BYTES)
    except OSError:
        return {}
    found: dict[str, list[str]] = {}
    for line in decode(raw).text.splitlines():
        key, mark, value = line.strip().partition("=")
        value = value.strip().strip('"')
        if mark and key.strip() and value:
            found.setdefault(key.strip().casefold(), []).append(value)
    return found


def settings_of(files: list[Path]) -> list[tuple[Path, dict[str, list[str]]]]:
    """Each file's settings, with the common files they point to, every file once."""
    made: list[tuple[Path, dict[str, list[str]]]] = []
    waiting, seen = list(files), set[Path]()
    while waiting:
        file = waiting.pop(0)
        if file in seen:
            continue
        seen.add(file)
        settings = read_settings(file)
        made.append((file, settings))
        waiting += [_common_file(file, value) for value in settings.get(COMMON_KEY.casefold(), [])]
    return made


def _common_file(named_in: Path, value: str) -> Path:
    place = _local(named_in, value)
    return place if place.suffix.casefold() == ".cfg" else place / COMMON_FILE


def _local(named_in: Path, value: str) -> Path:
    return named_in.parent / os.path.expanduser(os.path.expandvars(value))  # noqa: PTH111 - an unknown ~user stays as it is


@dataclass(frozen=True, slots=True)
class CommonList:
    """A shared list of infobases. `named_in`: the settings that name it; `trouble`: why it is not read, "" when it can be. One behind HTTP has
    its `url`, and in `place` the copy that was read; `stale`: why that is not the newest, "" when it is."""

    place: Path
    named_in: Path
    trouble: str = ""
    url: str = ""
    stale: str = ""

    @property
    def label(self) -> str:
        """What people know it by."""
        return self.url or str(self.place)


def common_lists(files: list[Path]) -> list[CommonList]:
    """The lists named by `CommonInfoBases`, each once, in order."""
    found: dict[str, CommonList] = {}
    for named_in, settings in settings_of(files):
        for value in settings.get(LISTS_KEY.casefold(), []):
            if value.casefold().startswith(_REMOTE):
                if value not in found:
                    found[value] = _remote(value, named_in)
                continue
            place = _local(named_in, value)
            found.setdefault(os.path.normcase(place), CommonList(place, named_in, _trouble(place)))
        for value in (v for key in SERVICE_KEYS for v in settings.get(key.casefold(), [])):
            said = text(
                ru="это веб-сервис 1С, не файл .v8i; укажите путь или адрес файла в CommonInfoBases",
                en="a web service of 1C, not a .v8i file; name the path or the address of a file in CommonInfoBases",
            )
            found.setdefault(value, CommonList(Path(), named_in, said, value))
    return list(found.values())


def _remote(url: str, named_in: Path) -> CommonList:
    if not url.casefold().startswith(_HTTP):
        said = text(ru="списки по FTP не читаются", en="lists behind FTP are not read")
        return CommonList(Path(), named_in, said, url)
    # Asked for only where such a list is named: reading the settings alone wants no HTTP client.
    from infobase.remote_lists import fetch

    read = fetch(url)
    if read.file is None:
        return CommonList(Path(), named_in, read.trouble, url)
    return CommonList(read.file, named_in, "", url, read.trouble)


def _trouble(place: Path) -> str:
    if os.name != "nt" and "\\" in str(place) and not place.exists():
        return text(ru="путь Windows на этой системе недоступен", en="a Windows path, out of reach on this system")
    try:
        place.stat()
    except OSError as e:
        return e.strerror or str(e)
    return "" if place.is_file() else text(ru="это не файл", en="not a file")
