"""What an opened set of KLADR and one of GAR have in common: the kind writes it itself, part by part, and counts while it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from classifiers.kind import Item, Options
from classifiers.model import FileWarning


class AddressFile:
    """An opened set of addresses. `found`: records read, by table or kind of file. Its kind's `write` reads it: the items of the shared
    shape would be millions of objects."""

    counted: Sequence[str] = ()
    """What makes up the number of records told: these of `found`, or all."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.found: dict[str, int] = {}
        self.settled = 0
        """Records of the regions that needed no reading."""

    def items(self) -> Iterator[Item]:
        """Nothing: see the class."""
        return iter(())

    def counts(self) -> Mapping[str, int]:
        read = sum(self.found.get(part, 0) for part in self.counted or self.found)
        return {"records": read + self.settled, **self.found}

    def warning_count(self) -> int:
        return 0

    def warnings(self) -> Sequence[FileWarning]:
        return ()
