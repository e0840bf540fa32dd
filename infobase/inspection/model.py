"""What `inspect` tells of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from infobase.i18n import Bilingual


@dataclass(frozen=True)
class Inspection:
    """`kind`: a stable word for programs, `title` for people; `genuine`: made by 1C:Enterprise itself, None where that cannot be told.

    `format`: the format's own version; `facts`: name -> value, in the order to be shown; `tables`: name -> rows, None where not counted.
    """

    path: Path
    kind: str
    title: Bilingual
    genuine: bool | None
    format: str
    facts: Mapping[str, object] = field(default_factory=dict)
    tables: Sequence[tuple[str, int | None]] = ()

    def json(self) -> dict[str, object]:
        """The documented shape of `inspect --json`."""
        return {
            "path": self.path,
            "kind": self.kind,
            "genuine": self.genuine,
            "format": self.format,
            "bytes": self.path.stat().st_size if self.path.is_file() else None,
            "facts": dict(self.facts),
            "tables": dict(self.tables),
        }
