"""Two of the same operation at once on one base: one is done, the other is done after it or told why not; nothing is lost between them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from random import Random

from infobase.errors import InternalError
from tests.reliability import states
from tests.reliability.ground import Ground
from tests.reliability.interrupted import close, leftovers, mode_of, usual_time
from tests.reliability.moments import Moments
from tests.reliability.operations import NEW, Operation


@dataclass
class Twins:
    """How pairs ended. `both`: both were done, one after the other; `one`: the other was refused by an error with a name."""

    operation: str
    mode: str
    both: int = 0
    one: int = 0
    refusals: Counter[int] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    @property
    def rounds(self) -> int:
        return self.both + self.one + len(self.broken)

    @property
    def sound(self) -> bool:
        return not self.broken

    def counts(self) -> dict[str, int | str]:
        """As a line of a table."""
        codes = ", ".join(f"{code} ({n})" for code, n in sorted(self.refusals.items()))
        broken = len(self.broken)
        return {"pairs": self.rounds, "both": self.both, "one": self.one, "exit codes": codes, "broken": broken}

    def __str__(self) -> str:
        told = f"{self.operation} ({self.mode}, two at once): {self.rounds} pairs, both {self.both}, one {self.one}, "
        told += f"refused with {dict(sorted(self.refusals.items()))}, broken {len(self.broken)}"
        return told + "".join(f"\n    {b[:600]}" for b in self.broken[:3])


def twins(ground: Ground, operation: Operation, rounds: int, seed: int = 1) -> Twins:
    """The second of each pair starts at some moment of the first one's time; every fifth with it."""
    found = Twins(operation.name, mode_of(ground))
    moments = Moments(usual_time(operation, ground, rounds), Random(seed))
    before = set(leftovers(ground))
    for n, moment in enumerate(islice(moments, rounds)):
        operation.prepare(ground)
        _pair(ground, operation, 0.0 if n % 5 == 0 else moment, found)
    close(found.broken, operation, ground, before)
    return found


def _pair(ground: Ground, operation: Operation, moment: float, found: Twins) -> None:
    first, second = (ground.start(operation.arguments(ground)) for _ in range(2))
    first.go()
    first.process.join(moment)
    second.go()
    codes = [p.wait() for p in (first, second)]
    said = [p.said() for p in (first, second)]
    for p in (first, second):
        p.output.unlink()
    done = sum(code in operation.good for code in codes)
    refused = [code for code in codes if code not in operation.good]
    try:
        state = operation.state(ground)
    except (states.Broken, Exception) as e:
        state = f"{type(e).__name__}: {e}"
    if state != NEW or not done or InternalError.exit_code in refused or min(codes) < 0:
        found.broken.append(f"{state}, exit codes {codes}: {' | '.join(said)}")
        return
    found.refusals.update(refused)
    found.both += done == 2
    found.one += done == 1
