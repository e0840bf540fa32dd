"""The Bank of Russia's own codes of currencies (`R01235`), which its rates for a period are published under -> ISO 4217 codes.

The list comes with the product (`data/cbr-currencies.csv`), from the Bank's XML_valFull.asp and its daily rates since 1992; a code stands for one money: a
currency that was redenominated has another one before and after. The two that never had ISO codes are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Currency:
    """`code`: three digits, `letters`: three letters (ISO 4217, or of the day the rates are of)."""

    code: str
    letters: str
    name: str


@cache
def currencies() -> Mapping[str, Currency]:
    """Every currency by the Bank's code."""
    source = files("classifiers").joinpath("data", "cbr-currencies.csv").read_text("utf-8")
    rows = (line.split(";") for line in source.splitlines()[1:])
    return {own: Currency(code, letters, name) for own, code, letters, name in rows}
