"""`infobase inspect`: what a file is."""

from __future__ import annotations

from pathlib import Path

import click

from infobase.commands.interface import command, json_option
from infobase.commands.output import print_facts, print_json, print_table, size_text
from infobase.i18n import text
from infobase.inspection.recognise import inspect_file


@command(
    "inspect",
    ru="""Рассказать, что за файл: .1CD, .cf, .dt, .efd, .v8i, .mft, .lgd, .lgf, .lgp, .cdn - этой программы и настоящей 1С

Показывает версию формата, конфигурацию и её версию, таблицы и число строк, где это читается. Ничего не меняет.""",
    en="""Tell what a file is: .1CD, .cf, .dt, .efd, .v8i, .mft, .lgd, .lgf, .lgp, .cdn - of this product and of a real 1C

Shows the format's version, the configuration and its version, tables and rows where they can be read. Changes nothing.""",
)
@click.argument("file", metavar="FILE", type=click.Path(exists=True, path_type=Path))
@json_option
def inspect(file: Path, as_json: bool) -> None:
    found = inspect_file(file)
    if as_json:
        print_json(found.json())
        return
    facts: dict[str, object] = {
        text(ru="Файл", en="File"): found.path,
        text(ru="Что это", en="What it is"): found.title,
        text(ru="Формат", en="Format"): found.format,
    }
    if found.path.is_file():
        facts[text(ru="Размер", en="Size")] = size_text(found.path.stat().st_size)
    print_facts(facts | dict(found.facts))
    if found.tables:
        shown = [(name, "-" if rows is None else rows) for name, rows in found.tables]
        print_table([text(ru="Таблица", en="Table"), text(ru="Строк", en="Rows")], shown)
