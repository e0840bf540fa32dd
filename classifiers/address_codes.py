"""Codes of address objects of both sources: KLADR's digits, and GAR's path "99.1460768.1456865" (region, numbers of the objects from the top)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from classifiers import kladr
from infobase.bulk_records import range_end


def is_path(code: str) -> bool:
    """Whether the code is GAR's."""
    return "." in code


@lru_cache(maxsize=1 << 14)
def ancestors(code: str) -> Sequence[str]:
    """Codes of the live objects above, the topmost first; some may not exist."""
    if not is_path(code):
        return tuple(kladr.ancestors(code))
    parts = code.split(".")
    return tuple(".".join(parts[:end]) for end in range(2, len(parts)))


def below(code: str) -> tuple[str, str]:
    """The half-open range of the codes of everything below an object, houses included."""
    if is_path(code):
        return code + ".", code + "/"
    begins = kladr.prefix_of(code)
    return begins, range_end(begins)
