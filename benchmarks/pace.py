"""Runs that are bounded in time: how much longer than estimated work takes on this machine, and so what still fits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Pace:
    """Of what has been done so far, in seconds."""

    estimated: float = 0.0
    taken: float = 0.0

    def note(self, estimated: float, taken: float) -> None:
        self.estimated += estimated
        self.taken += taken

    def expected(self, estimated: float) -> float:
        """Never less than estimated: a good beginning promises nothing."""
        return estimated * max(1.0, self.taken / self.estimated if self.estimated else 1.0)
