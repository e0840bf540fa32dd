"""What a package is built from: a folder with `configuration/` and, beside it, `template.toml` and the files of `template/`.

    demo = "crm"                                  # provider of demonstration data; "" for none
    vendor = "Infobase"                           # else the configuration's
    name = "CustomerManagement"                   # else the configuration's
    [catalog]
    ru = "Инфобаза:CRM/CRM"                       # place in the tree; else made of the vendor and the configuration's synonym
    [destination]
    ru = "Infobase/CRM"                           # suggested folder of a new base; else vendor and name

Every key may be left out. Demonstration data come from code that is installed, never from the folder: a provider is an entry point of the group
`infobase.demo_data`, a function (session, progress) that fills an empty base.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import cast

from infobase.errors import PackageNotBuilt
from infobase.i18n import text
from infobase.metadata.model import Configuration
from infobase.metadata.reader import HEAD, read_folder
from infobase.session import Session

Progress = Callable[[str, int, int], None]
Provider = Callable[[Session, Progress | None], None]
PROVIDERS = "infobase.demo_data"
SETTINGS, FILES, CONFIGURATION = "template.toml", "template", "configuration"
VERSION = re.compile(r"\d{1,9}(\.\d{1,9}){1,3}")
_KEYS = {"demo": str, "vendor": str, "name": str, "catalog": dict, "destination": dict}
_LANGUAGES = ("ru", "en")


@dataclass(frozen=True)
class Recipe:
    """`catalog`, `destination`: language -> text. `demo`: the provider's name, "" for a package without a demonstration base. `files`: a folder of
    files to add as they are, None when there is none."""

    place: Path
    configuration: Configuration
    vendor: str
    name: str
    catalog: Mapping[str, str]
    destination: Mapping[str, str]
    demo: str = ""
    files: Path | None = field(default=None)

    @property
    def version(self) -> str:
        return self.configuration.version


def read_recipe(given: str, version: str, *, vendor: str = "", demo: bool = True) -> Recipe:
    """`given`: a folder, or the name of a provider of an installed package. PackageNotBuilt, ConfigurationInvalid."""
    place = find_place(given)
    if not VERSION.fullmatch(version):
        ru, en = f"версия «{version}»: нужны 2-4 числа через точку", f"version {version!r}: 2 to 4 numbers and dots"
        raise _refuse(place, ru, en)
    settings = _settings(place / SETTINGS)
    source = place if (place / HEAD).is_file() else place / CONFIGURATION
    configuration = dataclasses.replace(read_folder(source), version=version)
    vendor = vendor or cast(str, settings.get("vendor", "")) or configuration.vendor
    name = cast(str, settings.get("name", "")) or configuration.name
    if not vendor:
        raise _refuse(place, "не указан поставщик: ключ --vendor", "the vendor is not known: give --vendor")
    provider = cast(str, settings.get("demo", _provider_for(place)))
    return Recipe(
        place,
        configuration,
        vendor,
        name,
        cast(dict[str, str], settings.get("catalog")) or _catalog(configuration, vendor),
        cast(dict[str, str], settings.get("destination")) or {"ru": f"{vendor}/{name}"},
        provider if demo else "",
        place / FILES if (place / FILES).is_dir() else None,
    )


def find_place(given: str) -> Path:
    """The folder, or that of the installed package which registers the provider of this name."""
    place = Path(given).expanduser()
    if place.is_dir():
        return place.absolute()
    for point in entry_points(group=PROVIDERS, name=given):
        spec = importlib.util.find_spec(point.module.split(".")[0])
        if spec is not None and spec.submodule_search_locations:
            return Path(next(iter(spec.submodule_search_locations)))
    raise _refuse(place, "такой папки нет", "there is no such folder")


def load_provider(recipe: Recipe) -> Provider:
    """The installed code that fills a demonstration base. PackageNotBuilt."""
    known: dict[str, EntryPoint] = {p.name: p for p in entry_points(group=PROVIDERS)}
    if recipe.demo not in known:
        listed = ", ".join(sorted(known)) or "-"
        ru = f"нет поставщика демонстрационных данных «{recipe.demo}»; установлены: {listed}. Собрать без него: --no-demo"
        en = f"no provider of demonstration data {recipe.demo!r}; installed: {listed}. To build without: --no-demo"
        raise _refuse(recipe.place, ru, en)
    return cast(Provider, known[recipe.demo].load())


def _provider_for(place: Path) -> str:
    """Without settings: the provider that is called like the folder, if there is one."""
    return place.name if any(p.name == place.name for p in entry_points(group=PROVIDERS)) else ""


def _catalog(configuration: Configuration, vendor: str) -> dict[str, str]:
    labels = {language: configuration.naming.label(language).replace("/", "-") for language in _LANGUAGES}
    return {language: f"{vendor.replace('/', '-')}:{label}/{label}" for language, label in labels.items()}


def _settings(file: Path) -> dict[str, object]:
    """The settings, every key and type checked; none where there is no file."""
    if not file.is_file():
        return {}
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (
        OSError,
        ValueError,
        RecursionError,
    ) as e:  # also what tomllib lets through: too many digits, nested too deep
        raise _refuse(file, str(e), str(e)) from e
    for key, value in found.items():
        expected = _KEYS.get(key)
        if expected is None:
            known = ", ".join(_KEYS)
            raise _refuse(file, f"неизвестный ключ {key}; есть: {known}", f"unknown key {key}; there are: {known}")
        texts = value.values() if isinstance(value, dict) else [value]
        named = set(value) <= set(_LANGUAGES) if isinstance(value, dict) else True
        if not isinstance(value, expected) or not named or not all(isinstance(t, str) and _fits(t) for t in texts):
            ru = f"{key}: ожидается строка, для catalog и destination - строки ru и en"
            raise _refuse(file, ru, f"{key}: a text is expected; texts ru and en for catalog and destination")
    return found


def _fits(value: str) -> bool:
    """One line: a manifest holds no more."""
    return value == value.strip() and value.isprintable()


def _refuse(place: Path, ru: str, en: str) -> PackageNotBuilt:
    return PackageNotBuilt(place=place, detail=text(ru=ru, en=en))
