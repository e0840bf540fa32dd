"""`infobase bench gilev` and `bench modes`."""

from __future__ import annotations

import dataclasses
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import portalocker

from benchmarks.group import bench
from infobase.commands.access import connection_argument
from infobase.commands.interface import command_in, json_option, option
from infobase.commands.output import print_facts, print_json, print_table, progress, remark, say
from infobase.errors import UsageError
from infobase.i18n import text
from infobase.list_file import resolve

if TYPE_CHECKING:
    from benchmarks.load.modes import Run
    from benchmarks.load.plan import Plan

_FOLDER = click.Path(file_okay=False, path_type=Path)


def _numbers(_: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        found = tuple(sorted({int(part) for part in value.split(",")}))
    except ValueError:
        found = ()
    if not found or found[0] < 1:
        detail = text(ru=f"{parameter.opts[0]}: числа через запятую", en=f"{parameter.opts[0]}: numbers, with commas")
        raise UsageError(detail=detail)
    return found


@command_in(
    bench,
    "gilev",
    ru="""Скорость базы: один пользователь и всё больше сеансов

Рядом с указанной базой (на том же диске или сервере) создаётся пустая временная, в ней проводятся заказы; потом она удаляется.""",
    en="""The speed of a base: one user, then ever more sessions

An empty scratch base is made beside the given one (same disk, same server), orders are posted in it, and it is removed.""",
)
@connection_argument()
@option("--seconds", default=5.0, show_default=True, ru="Длительность каждой части", en="Length of each part")
@json_option
def gilev_command(connection: str, seconds: float, as_json: bool) -> None:
    from benchmarks.load import gilev

    with progress() as step:
        score = gilev.measure(resolve(connection), seconds, step)
    if as_json:
        print_json(score)
        return
    print_facts(
        {
            text(ru="Место", en="Place"): score.place,
            text(ru="Режим", en="Mode"): score.mode,
            text(ru="Проведение, мс", en="Posting, ms"): f"{score.single['post'] * 1000:.1f}",
            text(ru="Чтение, мс", en="Reading, ms"): f"{score.single['read'] * 1000:.1f}",
            text(ru="Перепроведение, мс", en="Posting again, ms"): f"{score.single['repost'] * 1000:.1f}",
            text(ru="Индекс скорости", en="Speed index"): f"{score.index:.1f} ({score.grade})",
            text(ru="Пропускная способность", en="Throughput"): f"{score.throughput:.1f} "
            + text(ru="документов в секунду", en="documents a second")
            + ("" if score.saturated else text(ru=", насыщение не достигнуто", en=", not saturated")),
            text(ru="Рекомендуемое число пользователей", en="Recommended users"): score.users,
        }
    )
    titles = [
        text(ru="Сеансов", en="Sessions"),
        text(ru="Документов в секунду", en="Documents a second"),
        text(ru="Половина, мс", en="Median, ms"),
        text(ru="95 %, мс", en="95 %, ms"),
        text(ru="Дольше всех, с", en="Longest, s"),
        text(ru="Ошибок", en="Errors"),
    ]
    shown = [
        (s.sessions, f"{s.rate:.1f}", f"{s.median * 1000:.1f}", f"{s.p95 * 1000:.1f}", f"{s.longest:.2f}", s.errors)
        for s in score.steps
    ]
    print_table(titles, shown)


@command_in(
    bench,
    "modes",
    ru="""Сравнить файловый режим и сервер: операции, пользователи, размеры, сети

Результаты складываются в папку OUT по мере получения: прерванный замер продолжается той же командой. В конце - report.html с ответами.""",
    en="""Compare file mode and server: deeds, users, sizes, networks

Results are kept in the folder OUT as they come: an interrupted run goes on by the same command. The end is report.html with the answers.""",
)
@click.argument("out", metavar="OUT", type=_FOLDER)
@option("--minutes", default=30.0, show_default=True, ru="Сколько времени есть", en="How much time there is")
@option(
    "--users",
    default="1,2,3,5,10,20,50",
    show_default=True,
    callback=_numbers,
    ru="Числа пользователей",
    en="Numbers of users",
)
@option(
    "--documents",
    default="10000,100000,1000000",
    show_default=True,
    callback=_numbers,
    ru="Размеры баз",
    en="Sizes of bases",
)
@option("--network", "networks", multiple=True, type=click.Choice(["local", "lan", "slow"]), ru="Сеть", en="A network")
@option(
    "--deed",
    "deeds",
    multiple=True,
    type=click.Choice(["post", "find", "list", "report", "close_month", "office"]),
    ru="Операция",
    en="A deed",
)
@option("--folder", type=_FOLDER, ru="На каком диске мерить", en="The disk to measure")
@option(
    "--bases",
    type=_FOLDER,
    ru="То же, но базы остаются в этой папке для следующих замеров",
    en="The same, but the bases stay in this folder for the next runs",
)
@json_option
def modes_command(
    out: Path,
    minutes: float,
    users: tuple[int, ...],
    documents: tuple[int, ...],
    networks: tuple[str, ...],
    deeds: tuple[str, ...],
    folder: Path | None,
    bases: Path | None,
    as_json: bool,
) -> None:
    from benchmarks.load import charts, modes, report, verdicts
    from benchmarks.load.plan import Plan

    charts.demand_charts()
    plan = Plan(minutes, users, documents)
    plan = dataclasses.replace(plan, networks=networks or plan.networks, deeds=deeds or plan.deeds)
    remark(_estimate(plan))
    with _scratch(folder, bases) as (scratch, kept), progress() as step:
        run = modes.measure(plan, out, scratch, kept, step)
    page = report.write(run, out)
    if as_json:
        facts = {
            "machine": run.machine,
            "complete": run.complete,
            "sizes": run.sizes,
            "cells": [dataclasses.asdict(c) | {"rate": c.rate} for c in run.cells.values()],
            "answers": verdicts.sentences(run),
            "report": str(page),
        }
        say(json.dumps(facts, ensure_ascii=False, indent=1))
        return
    print_table(report.headers(), list(report.rows(run)))
    for sentence in verdicts.sentences(run):
        say(f"- {sentence}")
    if not run.complete:
        say(_left(run))
    say(text(ru=f"Отчёт: {page}", en=f"The report: {page}"))


def _left(run: Run) -> str:
    done, cells = len(run.cells), sum(1 for _ in run.plan.combinations())
    return text(
        ru=f"Время вышло, измерено {done} из {cells}; та же команда продолжит замер.",
        en=f"Time is out, {done} of {cells} are measured; the same command goes on.",
    )


def _estimate(plan: Plan) -> str:
    cells = sum(1 for _ in plan.combinations())
    whole = plan.whole() / 60
    return text(
        ru=f"Клеток: {cells}; на все нужно около {whole:.0f} мин, отведено {plan.minutes:g}: сначала крайние случаи, потом то, что между ними.",
        en=f"Cells: {cells}; all of them take about {whole:.0f} minutes, given are {plan.minutes:g}: the extremes come first, then what lies between.",
    )


@contextmanager
def _scratch(folder: Path | None, bases: Path | None) -> Iterator[tuple[Path, Path]]:
    """A folder for the run and one for bases, on one disk. UsageError when another run has those bases."""
    if bases is not None:
        bases.mkdir(parents=True, exist_ok=True)
        bases.chmod(0o755)
    scratch = Path(tempfile.mkdtemp(prefix="infobase-bench-", dir=bases or folder))
    scratch.chmod(0o755)
    kept = bases or scratch / "bases"
    try:
        kept.mkdir(exist_ok=True)
        with portalocker.Lock(str(kept / "bases.lock"), "a", timeout=0, fail_when_locked=True):
            yield scratch, kept
    except portalocker.LockException as e:
        detail = text(ru=f"{kept}: там идёт другой замер", en=f"{kept}: another run works there")
        raise UsageError(detail=detail) from e
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
