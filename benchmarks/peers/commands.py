"""`infobase bench peers`."""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.group import bench, give_out
from benchmarks.peers.registry import ENGINES, PEERS
from infobase.commands.interface import command_in, json_option, option
from infobase.commands.output import progress, remark
from infobase.errors import UsageError
from infobase.i18n import text

_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


@command_in(
    bench,
    "peers",
    ru="""Сравнить с другими продуктами: ORM, Tryton, средства СУБД

Каждый ставится в своё виртуальное окружение и делает ту же работу по очереди с нами; кто не ставится, пропускается с указанием причины.""",
    en="""Compare with other products: ORMs, Tryton, the database's tools

Each is installed into its own virtual environment and does the same work in turns with ours; what cannot be installed is skipped with the reason.""",
)
@click.argument("peers", nargs=-1, metavar="[PEER]...", type=click.Choice(tuple(PEERS)))
@option("--engine", type=click.Choice([*ENGINES, "both"]), default="both", ru="Какой режим", en="Which mode")
@option(
    "--operations",
    type=click.IntRange(min=1),
    default=300,
    show_default=True,
    ru="Сколько раз делать каждую операцию",
    en="How often each operation is done",
)
@option("--folder", type=_FOLDER, ru="На каком диске мерить", en="The disk to measure")
@option(
    "--environments",
    type=_FOLDER,
    ru="Папка, где окружения остаются для следующего раза",
    en="A folder that keeps the environments for the next time",
)
@option("--save", "target", type=_FILE, ru="Записать результаты в файл JSON", en="Write the results to a JSON file")
@option("--strict", is_flag=True, ru="Ошибка, если кто-то пропущен", en="An error when somebody was skipped")
@json_option
def peers_command(
    peers: tuple[str, ...],
    engine: str,
    operations: int,
    folder: Path | None,
    environments: Path | None,
    target: Path | None,
    strict: bool,
    as_json: bool,
) -> None:
    from benchmarks.peers import measure

    engines = ENGINES if engine == "both" else (engine,)
    if not measure.plan(peers or tuple(PEERS), engines):
        detail = text(ru=f"{', '.join(peers)}: не для режима {engine}", en=f"{', '.join(peers)}: not for {engine}")
        raise UsageError(detail=detail)
    with progress() as step:
        done = measure.run(
            peers or tuple(PEERS),
            engines,
            operations=operations,
            folder=folder,
            environments=environments,
            progress=step,
        )
    made = done.results
    give_out(made, target, as_json=as_json)
    for name, error in done.skipped.items():
        remark(text(ru=f"Пропущено, {name}: {error}", en=f"Skipped, {name}: {error}"))
    if strict and done.skipped:
        raise next(iter(done.skipped.values()))
