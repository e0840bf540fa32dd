"""The figures of a run as a part of a page in docs/: prose around it is written by hand and left alone."""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness import Figure
from benchmarks.results import Results
from infobase.errors import BenchmarkUnreadable
from infobase.files import write_atomically

BEGIN, END = "<!-- figures of the latest run: begin -->", "<!-- figures of the latest run: end -->"
_MET = {True: "yes", False: "**no**", None: ""}


def put(figures: str, page: Path) -> None:
    """Replace the part between the marks by Markdown. BenchmarkUnreadable when the page has none."""
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise BenchmarkUnreadable(place=page, detail=f"{BEGIN} ... {END}")
    write_atomically(page, f"{head}{BEGIN}\n{figures}{END}{tail}".encode())


def rendered(results: Results) -> str:
    """Markdown: where and when, then every figure with its target."""
    lines = [f"Taken {results.taken} UTC.", "", "| environment | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in {**results.environment, **results.settings}.items() if value]
    lines += ["", "| scenario | engine | figure | value | target | met | |", "|---|---|---|---:|---|---|---|"]
    lines += [_row(f) for f in results.figures]
    return "\n".join(lines) + "\n"


def _row(f: Figure) -> str:
    spread = f"; rounds {min(f.samples):.3g}..{max(f.samples):.3g}" if len(f.samples) > 1 else ""
    note = (f.note + spread).removeprefix("; ")
    return f"| {f.scenario} | {f.engine} | {f.name} | {shown(f)} | {f.target} | {_MET[f.met]} | {note} |"


def shown(f: Figure) -> str:
    """The value with its unit, three digits."""
    value = f"{f.value:.0f}" if f.value >= 1000 else f"{f.value:.3g}"
    return f"{value} {f.unit}".strip()
