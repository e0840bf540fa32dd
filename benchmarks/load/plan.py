"""What a run of the two modes measures, and in which order: the corners of the picture first, then what lies between, so that a run that has to
stop has something to say of every network, deed and mode."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.load.deeds import DEEDS
from benchmarks.load.network import NETWORKS

MODES = ("file", "server")
USERS = (1, 2, 3, 5, 10, 20, 50)
DOCUMENTS = (10_000, 100_000, 1_000_000)
SHORTEST, LONGEST = 1.5, 20.0
"""Seconds of one cell."""
LEAST_DEEDS = 6
"""Of each user in a cell, where users think between deeds."""
OVERHEAD_SECONDS = 2.5
"""What starting the users of a cell takes beside measuring, about."""
LAYING_SECONDS = 0.00025
"""What a document of a base takes to be laid, once for each mode, about."""
SLOW_SECONDS = 12.0
"""What entering and finishing a slow deed add, about, where every operation of a file waits for a slow link."""

Key = tuple[str, str, int, str, int]
"""Mode, network, documents, deed, users."""


@dataclass(frozen=True)
class Plan:
    """What is to be measured. `minutes`: of the whole run."""

    minutes: float
    users: tuple[int, ...] = USERS
    documents: tuple[int, ...] = DOCUMENTS
    networks: tuple[str, ...] = tuple(NETWORKS)
    deeds: tuple[str, ...] = tuple(DEEDS)
    modes: tuple[str, ...] = MODES

    def combinations(self) -> Iterator[Key]:
        """In the order of a table."""
        for network in self.networks:
            for documents in self.documents:
                for deed in self.deeds:
                    for users in self.users:
                        for mode in self.modes:
                            yield mode, network, documents, deed, users

    def order(self) -> list[Key]:
        """In the order of measuring. The least number of users and the smallest base come first, then the greatest, then the middle ones; a
        size takes as long to come as two numbers of users. Modes take turns, so that a drift of the machine hits both."""
        users = {u: n for n, u in enumerate(_outside_in(self.users))}
        documents = {d: n for n, d in enumerate(_outside_in(self.documents))}
        return sorted(self.combinations(), key=lambda k: (users[k[4]] + 2 * documents[k[2]], documents[k[2]]))

    def seconds(self, deed: str) -> float:
        """Of each cell. Users who think need the time to do something in between."""
        cells = sum(1 for _ in self.combinations())
        fair = self.minutes * 60 / max(cells, 1) - OVERHEAD_SECONDS
        return max(min(LONGEST, max(SHORTEST, fair)), DEEDS[deed].think * LEAST_DEEDS)

    def cost(self, key: Key) -> float:
        """Seconds a cell takes, about."""
        mode, network, _, deed, users = key
        slow = SLOW_SECONDS if mode == "file" and NETWORKS[network].delay > 0.01 and users > 1 else 0.0
        return self.seconds(deed) + OVERHEAD_SECONDS + slow

    def laying(self, documents: int) -> float:
        """Seconds it takes to lay a base of one mode and to copy it, about."""
        return documents * LAYING_SECONDS

    def whole(self) -> float:
        """Seconds the whole plan takes, about, with the laying of all bases."""
        laying = sum(map(self.laying, self.documents)) * len(self.modes)
        return laying + sum(map(self.cost, self.combinations()))


def _outside_in(numbers: tuple[int, ...]) -> list[int]:
    """The first, the last, the middle one, the middles of what is left ..."""
    ordered = sorted(numbers)
    found = [ordered[0], ordered[-1]]
    gaps = [(0, len(ordered) - 1)]
    while gaps:
        low, high = gaps.pop(0)
        if high - low > 1:
            middle = (low + high) // 2
            found.append(ordered[middle])
            gaps += [(low, middle), (middle, high)]
    return list(dict.fromkeys(found))
