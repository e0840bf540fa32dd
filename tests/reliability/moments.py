"""When to interrupt an operation, so that both the old state and the new one are met.

Two of three moments are spread evenly over its whole time and a little after its end; the third is aimed at its switch, the place where
the new state takes over, which each round's outcome tells more closely.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

AFTER = 0.15
"""How far past its end, as a part of the operation's time."""
NEAR = 0.1
"""How far from the switch a moment aimed at it may lie, as a part of the operation's time."""
AIMED_EVERY = 3
_GOLDEN = (5**0.5 - 1) / 2
_REMEMBERED = 24
"""Older outcomes say little: beside other work an operation's pace changes."""


@dataclass
class Moments:
    """`whole`: seconds the operation takes in peace. Seconds after its start, one for each round."""

    whole: float
    random: Random
    _met: list[tuple[float, bool]] = field(default_factory=list)

    def __iter__(self) -> Iterator[float]:
        place, turn = self.random.random(), 0
        while True:
            turn += 1
            if turn % AIMED_EVERY == 0:
                yield max(0.0, self.switch() + self.random.uniform(-NEAR, NEAR) * self.whole)
            else:
                place = (place + _GOLDEN) % 1.0
                yield place * (1.0 + AFTER) * self.whole

    def learn(self, moment: float, *, new: bool) -> None:
        self._met.append((moment, new))

    def switch(self) -> float:
        """Where old gives way to new with the fewest exceptions among the last outcomes. Until one of the two has been met: just
        before the end, later and later, or earlier and earlier."""
        met = sorted(self._met[-_REMEMBERED:])
        if not any(new for _, new in met):
            return max([0.95 * self.whole, *(1.05 * at for at, _ in met)])
        if all(new for _, new in met):
            return 0.9 * met[0][0]
        edges = [0.0, *((a + b) / 2 for (a, _), (b, _) in zip(met, met[1:], strict=False)), met[-1][0]]
        wrong = [sum(new != (at >= edge) for at, new in met) for edge in edges]
        best = [edge for edge, count in zip(edges, wrong, strict=True) if count == min(wrong)]
        return best[len(best) // 2]
