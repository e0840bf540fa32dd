"""`infobase bench`: measure, compare, document. What measures is imported only when it is asked for: it needs the whole server side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

import benchmarks.load.commands
import benchmarks.peers.commands  # noqa: F401
from benchmarks.group import ENGINES, bench, give_out
from infobase.commands.interface import command_in, json_option, option
from infobase.commands.output import print_table, progress, remark, say
from infobase.errors import BenchmarkMissed, BenchmarkSlower
from infobase.i18n import text

if TYPE_CHECKING:
    from benchmarks.results import Change

__all__ = ["SCENARIOS", "bench"]

SCENARIOS = ("save", "posting", "balance", "addresses", "contention", "dump", "backup", "template", "banks", "http")
QUICK_ROWS, QUICK_SECONDS = 100_000, 2.0
_RUN = click.Path(exists=True, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


@command_in(bench, "run", ru="Измерить (всё или названные сценарии)", en="Measure (everything or the named scenarios)")
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO]...", type=click.Choice(SCENARIOS))
@option("--engine", type=click.Choice([*ENGINES, "both"]), default="both", ru="Какой режим", en="Which mode")
@option("--rows", default=1_000_000, show_default=True, ru="Строк в больших базах", en="Rows of the big bases")
@option("--seconds", default=5.0, show_default=True, ru="Длительность состязания", en="Length of the contention")
@option(
    "--minutes",
    type=click.FloatRange(min=0),
    ru="Сколько времени есть (сценарии, которые не успеть, пропускаются)",
    en="How much time there is (scenarios that no longer fit are left out)",
)
@option("--quick", is_flag=True, ru="100 000 строк и 2 секунды", en="100,000 rows and 2 seconds")
@option(
    "--folder", type=click.Path(file_okay=False, exists=True, path_type=Path), ru="Диск для замера", en="The disk to measure"
)  # fmt: skip
@option("--save", "target", type=_FILE, ru="Записать результаты в файл JSON", en="Write the results into a JSON file")
@option("--strict", is_flag=True, ru="Ошибка, если цель не достигнута", en="An error when a target is missed")
@json_option
def run_command(
    scenarios: tuple[str, ...],
    engine: str,
    rows: int,
    seconds: float,
    minutes: float | None,
    quick: bool,
    folder: Path | None,
    target: Path | None,
    strict: bool,
    as_json: bool,
) -> None:
    from benchmarks import suite

    size = (QUICK_ROWS, QUICK_SECONDS) if quick else (rows, seconds)
    engines = ENGINES if engine == "both" else (engine,)
    with progress() as step:
        made = suite.run(
            scenarios or SCENARIOS,
            engines,
            rows=size[0],
            seconds=size[1],
            minutes=minutes,
            folder=folder,
            progress=step,
        )
    give_out(made, target, as_json=as_json)
    left = [f"{k.partition(': ')[2]} - {v}" for k, v in made.settings.items() if k.startswith("skipped: ")]
    if left:
        names = "; ".join(left)
        remark(text(ru=f"Не хватило времени, пропущено: {names}", en=f"No time was left for: {names}"))
    missed = [f for f in made.figures if f.met is False]
    if strict and missed:
        raise BenchmarkMissed(listing="; ".join(f"{' '.join(f.key)}: {f.value:.3g} ({f.target})" for f in missed))


@command_in(
    bench,
    "compare",
    ru="""Сравнить два замера с учётом разброса

A и B - файлы, записанные bench run --save, или папки с такими файлами: их повторы складываются.""",
    en="""Compare two runs with an eye on the noise

A and B are files written by `bench run --save`, or folders of such files, whose rounds are pooled.""",
)
@click.argument("a", metavar="A", type=_RUN)
@click.argument("b", metavar="B", type=_RUN)
@option(
    "--tolerance",
    default=5.0,
    show_default=True,
    ru="Изменение в %, которым пренебречь",
    en="Ignore changes of so many %",
)
@option("--strict", is_flag=True, ru="Ошибка, если что-то стало хуже", en="An error when something has become worse")
@json_option
def compare_command(a: Path, b: Path, tolerance: float, strict: bool, as_json: bool) -> None:
    from benchmarks import results

    changes = results.compare(results.load(a), results.load(b), tolerance / 100)
    if as_json:
        say(json.dumps([_as_json(c) for c in changes], ensure_ascii=False, indent=1))
    else:
        _print_changes(changes)
    worse = [c for c in changes if c.verdict == "worse"]
    if strict and worse:
        raise BenchmarkSlower(listing="; ".join(f"{' '.join(c.before.key)}: {c.ratio:.2f}x" for c in worse))


def _as_json(change: Change) -> dict[str, object]:
    scenario, engine, name = change.before.key
    return {
        "scenario": scenario,
        "engine": engine,
        "figure": name,
        "unit": change.before.unit,
        "a": change.before.value,
        "b": change.after.value,
        "ratio": change.ratio,
        "low": change.low,
        "high": change.high,
        "verdict": change.verdict,
    }


def _print_changes(changes: list[Change]) -> None:
    words = {
        "better": text(ru="лучше", en="better"),
        "worse": text(ru="ХУЖЕ", en="WORSE"),
        "same": text(ru="так же", en="same"),
        "noise": text(ru="не различить за разбросом", en="lost in the noise"),
        "incomparable": text(ru="разные машины", en="different machines"),
    }
    headers = (
        text(ru="Сценарий", en="Scenario"),
        text(ru="Режим", en="Mode"),
        text(ru="Показатель", en="Figure"),
        "A",
        "B",
        "B/A",
        "99 %",
        text(ru="Вывод", en="Verdict"),
    )
    rows = [
        (
            *c.before.key,
            f"{c.before.value:.3g} {c.before.unit}",
            f"{c.after.value:.3g} {c.after.unit}",
            f"{c.ratio:.2f}",
            f"{c.low:.2f}..{c.high:.2f}",
            words[c.verdict],
        )
        for c in changes
    ]
    print_table(headers, rows)


@command_in(
    bench,
    "page",
    ru="""Вставить результаты замера в страницу документации

RUN - файл, записанный --save, или папка `bench modes`.""",
    en="""Put the figures of a run into the documentation's page

RUN is a file written by --save, or a folder of `bench modes`.""",
)
@click.argument("run", metavar="RUN", type=_RUN)
@click.argument("page", metavar="PAGE.md", type=_FILE)
def page_command(run: Path, page: Path) -> None:
    from benchmarks import page as pages
    from benchmarks import results
    from benchmarks.load import modes, report

    keeper = modes.Keeper(run)
    pages.put(report.markdown(keeper.load()) if keeper.path.is_file() else pages.rendered(results.load(run)), page)
