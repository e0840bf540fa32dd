"""Named procedures: what a configuration may call by name, provided by installed packages through the entry-point group
`infobase.procedures` (each entry point is a callable that takes the Registry). Archives carry names, never code.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points

from infobase.errors import UnknownProcedure
from infobase.i18n import Bilingual

Check = Callable[[str], Bilingual | None]
"""Judges a text: None when it is fine, else the reason why not."""

GROUP = "infobase.procedures"


class Registry:
    """Procedures by name."""

    def __init__(self) -> None:
        self.checks: dict[str, Check] = {}

    def add_check(self, name: str, function: Check) -> None:
        """Make a check known; the last one registered under a name wins."""
        self.checks[name] = function


@cache
def registry() -> Registry:
    """The registry with everything installed packages provide, discovered once."""
    made = Registry()
    for entry in entry_points(group=GROUP):
        entry.load()(made)
    return made


def register_check(name: str, function: Check) -> None:
    """Make a check known in this process."""
    registry().add_check(name, function)


def check(name: str) -> Check:
    """A check by name. UnknownProcedure."""
    found = registry().checks.get(name)
    if found is None:
        raise UnknownProcedure(name=name)
    return found
