"""The group `infobase bench`, which the modules of commands put their commands into, and how its figures are printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from infobase.commands.interface import group
from infobase.commands.output import print_facts, print_table, say
from infobase.i18n import text

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.harness import Figure
    from benchmarks.results import Results

ENGINES = ("file", "server")

bench = group(
    "bench",
    ru="Измерить скорость: рядом с голым драйвером, в отношениях",
    en="Measure the speed: beside the bare driver, in ratios",
)


def print_figures(figures: tuple[Figure, ...]) -> None:
    """A table of figures with their targets and whether they are met."""
    from benchmarks.page import shown

    answers = {True: text(ru="да", en="yes"), False: text(ru="НЕТ", en="NO"), None: ""}
    headers = (
        text(ru="Сценарий", en="Scenario"),
        text(ru="Режим", en="Mode"),
        text(ru="Показатель", en="Figure"),
        text(ru="Значение", en="Value"),
        text(ru="Цель", en="Target"),
        text(ru="Достигнута", en="Met"),
        "",
    )
    print_table(headers, [(*f.key, shown(f), f.target, answers[f.met], f.note) for f in figures])


def give_out(made: Results, target: Path | None, *, as_json: bool) -> None:
    """Save a run's results where that is asked for, and print them."""
    from benchmarks import results

    if target is not None:
        results.save(made, target)
    if as_json:
        say(json.dumps(made.as_json(), ensure_ascii=False, indent=1))
    else:
        print_facts(made.environment)
        print_figures(made.figures)
