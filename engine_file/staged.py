"""What a staged store keeps until it is published."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from engine_file.folder import Neighbour
from infobase.storage import LogEntry, LogFilter


class Staging:
    """Its file, whether its folder is new, and its log entries: it stands in for the event log."""

    def __init__(self, neighbour: Neighbour, made_folder: bool) -> None:
        self.neighbour, self.made_folder = neighbour, made_folder
        self.entries: list[LogEntry] = []
        self.published = False

    def append(self, entries: Sequence[LogEntry]) -> None:
        self.entries.extend(entries)

    def read(self, wanted: LogFilter) -> Iterator[LogEntry]:
        return iter(self.entries)

    def trim(self, before: dt.datetime, last: int = 0) -> int:
        kept = [e for e in self.entries if e.date >= before]
        removed = len(self.entries) - len(kept)
        self.entries = kept
        return removed

    def clear(self) -> None:
        self.entries = []
