"""What users were served, kept where the process that started them sees it: a user who is ended in the middle of a deed has left word."""

from __future__ import annotations

import json
import mmap
import struct
from dataclasses import dataclass, field
from random import Random

SAMPLE = 2000
"""Latencies kept of each user, drawn evenly (reservoir sampling)."""
_HEAD = struct.Struct("=QQdd")
_NOTES = 1024
_SLOT = _HEAD.size + _NOTES + 8 * SAMPLE


@dataclass
class Served:
    """What one user was served: deeds, refusals by class, seconds of each deed (a sample), the longest; `unfinished`: seconds that the deed had
    taken which was going on when the time was over, 0 when there was none."""

    count: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    longest: float = 0.0
    unfinished: float = 0.0


class Tallies:
    """One page for all users of a task, made before they are forked. `deadline`: until when they work, by the monotonic clock."""

    def __init__(self, users: int) -> None:
        self._memory = mmap.mmap(-1, 8 + users * _SLOT)
        self.users = users

    @property
    def deadline(self) -> float:
        return float(struct.unpack_from("=d", self._memory)[0])

    @deadline.setter
    def deadline(self, at: float) -> None:
        struct.pack_into("=d", self._memory, 0, at)

    def of(self, user: int) -> Tally:
        return Tally(self._memory, 8 + user * _SLOT, user)

    def served(self, now: float) -> list[Served]:
        return [self.of(n).read(now) for n in range(self.users)]


class Tally:
    """One user's part. Only that user writes."""

    def __init__(self, memory: mmap.mmap, at: int, seed: int) -> None:
        self._memory, self._at, self._random = memory, at, Random(seed)
        self._count, self._taken, self._longest = 0, 0, 0.0
        self._errors: dict[str, int] = {}

    def begin(self, now: float) -> None:
        """A deed begins."""
        self._write(now)

    def end(self, taken: float, error: str = "") -> None:
        """The deed took so many seconds, and was refused with that class of error."""
        if error:
            self._errors[error] = self._errors.get(error, 0) + 1
            self._note()
        else:
            self._count += 1
        self._longest = max(self._longest, taken)
        place = self._taken if self._taken < SAMPLE else self._random.randrange(self._taken + 1)
        self._taken += 1
        if place < SAMPLE:
            struct.pack_into("=d", self._memory, self._at + _HEAD.size + _NOTES + 8 * place, taken)
        self._write(0.0)

    def _write(self, running: float) -> None:
        _HEAD.pack_into(self._memory, self._at, self._count, self._taken, self._longest, running)

    def _note(self) -> None:
        said = json.dumps(self._errors).encode()[: _NOTES - 1]
        self._memory[self._at + _HEAD.size : self._at + _HEAD.size + len(said) + 1] = said + b"\0"

    def read(self, now: float) -> Served:
        count, taken, longest, running = _HEAD.unpack_from(self._memory, self._at)
        start = self._at + _HEAD.size
        said = self._memory[start : start + _NOTES].partition(b"\0")[0]
        latencies = list(struct.unpack_from(f"={min(taken, SAMPLE)}d", self._memory, start + _NOTES))
        unfinished = now - running if running else 0.0
        return Served(count, json.loads(said) if said else {}, latencies, max(longest, unfinished), unfinished)
