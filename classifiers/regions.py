"""The regions of Russia: codes of the tax service (the first two digits of KLADR and FIAS codes), names and OKATO codes.

The list comes with the product (`data/regions.csv`), so that regions can be chosen by name before any address classifier is loaded.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from infobase.i18n import text


@dataclass(frozen=True, slots=True)
class Region:
    """`code`: two digits. `okato`: 2 or 5 digits."""

    code: str
    ru: str
    en: str
    okato: str

    @property
    def name(self) -> str:
        """In the current language."""
        return text(ru=self.ru, en=self.en)


@cache
def regions() -> Mapping[str, Region]:
    """Every region by its code, in the order of codes."""
    source = files("classifiers").joinpath("data", "regions.csv").read_text("utf-8")
    rows = csv.DictReader(source.splitlines(), delimiter=";")
    return {r["Code"]: Region(r["Code"], r["Name"], r["NameEn"], r["OKATO"]) for r in rows}
