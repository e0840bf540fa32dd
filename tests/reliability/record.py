"""What long runs came to, kept in `docs/reliability.json`, and the page's tables made of it.

python -m tests.reliability page          (writes the tables into docs/reliability.md)
"""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import sqlite3
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import portalocker

from engine_server.embedded import find_binaries

DOCS = Path(__file__).parents[2] / "docs"
RESULTS, PAGE = DOCS / "reliability.json", DOCS / "reliability.md"
BEGIN, END = "<!-- results: made by python -m tests.reliability page -->", "<!-- end of results -->"


@dataclass(frozen=True)
class Result:
    """One line of a table. `counts`: column -> number or words."""

    table: str
    name: str
    counts: dict[str, int | str]
    date: str = ""
    machine: str = ""


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    asked = subprocess.run(
        [find_binaries().program("postgres"), "--version"], capture_output=True, text=True, check=True
    )
    postgres = asked.stdout.split()[2]
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    return f"{os.cpu_count()} cores, {memory} GB, {system}, SQLite {sqlite3.sqlite_version}, PostgreSQL {postgres}"


def save(table: str, name: str, counts: dict[str, int | str], path: Path = RESULTS) -> None:
    """Keep a result in place of an older one of the same name."""
    made = Result(table, name, counts, dt.date.today().isoformat(), machine())
    with portalocker.Lock(f"{path}.lock", "a"):
        kept = [r for r in load(path) if (r.table, r.name) != (table, name)]
        text = json.dumps([asdict(r) for r in [*kept, made]], ensure_ascii=False, indent=1)
        path.write_text(text + "\n", "utf-8")


def load(path: Path = RESULTS) -> list[Result]:
    return [Result(**r) for r in json.loads(path.read_text("utf-8"))] if path.exists() else []


def tables(results: Iterable[Result]) -> str:
    """One table for each command, with the dates and machines its lines come from."""
    by_table: dict[str, list[Result]] = {}
    for r in results:
        by_table.setdefault(r.table, []).append(r)
    return "\n".join(_table(name, rows) for name, rows in sorted(by_table.items()))


def _table(name: str, rows: list[Result]) -> str:
    columns = list(dict.fromkeys(c for r in rows for c in r.counts))
    lines = [f"### `{name}`", "", "; ".join(sorted({f"{r.date}, {r.machine}" for r in rows})) + ".", ""]
    lines.append(f"| | {' | '.join(columns)} |")
    lines.append("|---|" + "---:|" * len(columns))
    for r in sorted(rows, key=lambda r: r.name):
        lines.append(f"| {r.name} | {' | '.join(_cell(r.counts.get(c, '')) for c in columns)} |")
    numbers = [c for c in columns if all(isinstance(r.counts.get(c, 0), int) for r in rows)]
    sums = [_cell(sum(int(r.counts.get(c, 0)) for r in rows)) if c in numbers else "" for c in columns]
    return "\n".join([*lines, f"| **all** | {' | '.join(sums)} |", ""])


def _cell(value: int | str) -> str:
    return f"{value:,}" if isinstance(value, int) else value


def page(text: str, results: Iterable[Result]) -> str:
    """The page with its tables made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables(results)}\n{END}{after}"
