"""Which regions of an address classifier are loaded: named by code or by name, or chosen from a list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from classifiers.kind import Work
from classifiers.regions import regions
from infobase.errors import RegionUnknown
from infobase.schema.search import search_key

KINDS = frozenset({"респ", "обл", "край", "г", "ао", "аобл"})
"""Of regions, as KLADR and GAR abbreviate them."""
Available = Mapping[str, tuple[str, int]]
"""Region -> (name, records)."""


def chosen_regions(work: Work, available: Available) -> list[str]:
    """The regions the options name (`regions`: codes or names), or all there are. RegionUnknown."""
    wanted = cast("Iterable[str]", work.options.get("regions") or ())
    if not wanted:
        return list(available)
    return sorted({find_region(name, available) for name in wanted})


def find_region(wanted: str, available: Available) -> str:
    """A region by its code (1 or 01) or by its name or the beginning of it, «Адыгея», «респ адыгея», «Республика Адыгея».

    Names are those of the file, else those the law gives: a table alone has none."""
    given = wanted.strip()
    if given.isascii() and given.isdigit() and given.zfill(2) in available:
        return given.zfill(2)
    words = search_key(given).split()
    names = {region: name for region, (name, _) in available.items()}
    found = _named(names, words) or _named({r: regions()[r].ru for r in names if r in regions()}, words)
    exact = [r for r in found if search_key(names[r]).split()[: len(words)] == words]
    if len(exact) == 1 or len(found) == 1:
        return (exact if len(exact) == 1 else found)[0]
    options = ", ".join(f"{r} {name}".strip() for r, (name, _) in available.items() if not found or r in found)
    raise RegionUnknown(region=wanted, options=options)


def _named(names: Mapping[str, str], words: list[str]) -> list[str]:
    return [region for region, name in names.items() if words and _answers(name, words)]


def _answers(name: str, words: list[str]) -> bool:
    """Whether every word begins a word of the name, or is its kind written out: «область» for «обл»."""
    own = search_key(name).replace("(", " ").split()
    kinds = [part for part in own if part in KINDS]
    return all(any(p.startswith(w) for p in own) or any(w.startswith(k) for k in kinds) for w in words)
