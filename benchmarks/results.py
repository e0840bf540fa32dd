"""Runs as JSON: written, read, pooled, and compared with an eye on the noise."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from random import Random
from typing import Any, Literal

from benchmarks.environment import COMPARED
from benchmarks.harness import Figure
from infobase.errors import BenchmarkUnreadable
from infobase.files import write_atomically

FORMAT = 1
RESAMPLES = 2000
TOLERANCE = 0.05
"""Changes of less than this part are of no interest."""
_FEWEST = 3
"""Rounds without which a spread is not known."""
_ABSOLUTE = ("s", "ms", "/s")
"""Units that mean nothing beside another machine's."""

Verdict = Literal["better", "worse", "same", "noise", "incomparable"]


@dataclass(frozen=True)
class Results:
    """`taken`: when, in UTC."""

    taken: str
    environment: dict[str, str]
    settings: dict[str, object]
    figures: tuple[Figure, ...]

    def as_json(self) -> dict[str, object]:
        """With `met` for each figure that has a target."""
        shown = [asdict(f) | {"met": f.met} for f in self.figures]
        return {"format": FORMAT, **asdict(self), "figures": shown}


def save(results: Results, target: Path) -> None:
    text = json.dumps(results.as_json(), ensure_ascii=False, indent=1)
    write_atomically(target, text.encode() + b"\n")


def load(place: Path) -> Results:
    """A run, or all runs of a folder pooled: rounds together, the first one's environment. BenchmarkUnreadable."""
    files = sorted(place.glob("*.json")) if place.is_dir() else [place]
    if not files:
        raise BenchmarkUnreadable(place=place, detail="*.json")
    runs = [_load(f) for f in files]
    return Results(runs[0].taken, runs[0].environment, runs[0].settings, tuple(_pooled(runs)))


def _load(file: Path) -> Results:
    try:
        read: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if read["format"] != FORMAT:
            raise ValueError(f"format {read['format']!r}")
        figures = tuple(_figure(f) for f in read["figures"])
        return Results(str(read["taken"]), dict(read["environment"]), dict(read["settings"]), figures)
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise BenchmarkUnreadable(place=file, detail=problem) from problem


def _figure(read: dict[str, Any]) -> Figure:
    known = {f.name: read[f.name] for f in fields(Figure)}
    made = Figure(**known | {"samples": tuple(float(s) for s in known["samples"]), "value": float(known["value"])})
    if not all(isinstance(x, str) for x in (*made.key, made.unit, made.target, made.note, made.better)):
        raise TypeError(f"{made.key}")
    return made


def _pooled(runs: Sequence[Results]) -> Iterable[Figure]:
    found: dict[tuple[str, str, str], list[Figure]] = {}
    for run in runs:
        for f in run.figures:
            found.setdefault(f.key, []).append(f)
    for same in found.values():
        samples = tuple(s for f in same for s in (f.samples or (f.value,)))
        value = statistics.median(f.value for f in same)
        yield same[0] if len(same) == 1 else Figure(**asdict(same[0]) | {"samples": samples, "value": value})


@dataclass(frozen=True)
class Change:
    """One figure in two runs. `ratio`: after to before; `low`, `high`: where that ratio lies in 99 of 100 cases, as far as the rounds
    tell: a run has dozens of figures, of which one in twenty would else be found changed without a change."""

    before: Figure
    after: Figure
    ratio: float
    low: float
    high: float
    verdict: Verdict


def compare(before: Results, after: Results, tolerance: float = TOLERANCE) -> list[Change]:
    """Every figure that both have."""
    others = {f.key: f for f in after.figures}
    alike = all(before.environment.get(k) == after.environment.get(k) for k in COMPARED)
    return [_change(f, others[f.key], tolerance, alike) for f in before.figures if f.key in others]


def _change(before: Figure, after: Figure, tolerance: float, alike: bool) -> Change:
    if before.value <= 0 or after.value <= 0:
        equal = before.value == after.value
        ratio = 1.0 if equal else float("inf") if before.value < after.value else 0.0
        low = high = ratio
    else:
        ratio = after.value / before.value
        low, high = _interval(before.samples, after.samples, ratio)
    verdict: Verdict = _verdict(low, high, tolerance, before.better)
    if verdict != "same" and not _spread_known(before, after):
        verdict = "noise"
    if before.unit in _ABSOLUTE and not alike:
        verdict = "incomparable"
    return Change(before, after, ratio, low, high, verdict)


def _spread_known(before: Figure, after: Figure) -> bool:
    """Counts have no spread; of anything else a lone measurement says nothing about it."""
    counted = before.unit == "" and float(before.value).is_integer() and float(after.value).is_integer()
    return counted or min(len(before.samples), len(after.samples)) >= _FEWEST


def _interval(before: Sequence[float], after: Sequence[float], ratio: float) -> tuple[float, float]:
    """The bootstrap's 99 % interval of the ratio of medians; a point where there are no rounds to tell."""
    if min(len(before), len(after)) < _FEWEST:
        return ratio, ratio
    random = Random(1)
    made = sorted(
        statistics.median(random.choices(after, k=len(after)))
        / statistics.median(random.choices(before, k=len(before)))
        for _ in range(RESAMPLES)
    )
    return made[RESAMPLES * 5 // 1000], made[RESAMPLES * 995 // 1000]


def _verdict(low: float, high: float, tolerance: float, better: str) -> Verdict:
    if low > 1 + tolerance:
        return "worse" if better == "lower" else "better"
    if high < 1 - tolerance:
        return "better" if better == "lower" else "worse"
    return "same" if 1 - tolerance <= low and high <= 1 + tolerance else "noise"
