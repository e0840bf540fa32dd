"""`infobase classifier`: which kinds there are, loading a real file, what is loaded."""

from __future__ import annotations

from pathlib import Path

import click

from classifiers import loader
from infobase.commands.access import Login, connection_argument, login_options, opened
from infobase.commands.interface import command_in, group, json_option
from infobase.commands.output import print_json, print_table, progress, remark, say
from infobase.errors import UsageError
from infobase.i18n import text

classifier = group("classifier", ru="Классификаторы: банки и другие", en="Classifiers: banks and others")

SHOWN_WARNINGS = 10


@command_in(
    classifier, "kinds", ru="Какие классификаторы загружаются и откуда", en="Which classifiers load, and from where"
)
@json_option
def kinds(as_json: bool) -> None:
    rows = [(k.name, str(k.title), str(k.bring), k.published) for k in loader.KINDS.values()]
    if as_json:
        print_json([dict(zip(("kind", "title", "bring", "published"), row, strict=True)) for row in rows])
        return
    headers = [
        text(ru="Вид", en="Kind"),
        text(ru="Что это", en="What it is"),
        text(ru="Какой файл нужен", en="File to bring"),
        text(ru="Где взять", en="Published at"),
    ]
    print_table(headers, rows)


@command_in(
    classifier,
    "load",
    ru="Загрузить классификатор из настоящего файла (целиком или никак)",
    en="Load a classifier from its real file (all of it, or nothing)",
)
@click.argument("words", metavar="[KIND] SOURCE CONN", nargs=-1, required=True)
@login_options
@json_option
def load(words: tuple[str, ...], login: Login, as_json: bool) -> None:
    kind, source, connection = _asked(words)
    with opened(connection, login) as (_, session), progress() as step:
        report = loader.load(session, kind, source, step)
    for line in report.remarks:
        remark(f"  {line}")
    for warning in report.warnings[:SHOWN_WARNINGS]:
        remark(f"  {warning}")
    if report.warning_count > SHOWN_WARNINGS:
        more = report.warning_count - SHOWN_WARNINGS
        remark(text(ru=f"  ... и ещё {more}", en=f"  ... and {more} more"))
    if as_json:
        print_json(report)
    else:
        say(report)


def _asked(words: tuple[str, ...]) -> tuple[str | None, Path, str]:
    """KIND, SOURCE, CONN from what stands in the line; KIND may be left out."""
    match words:
        case [kind, source, connection]:
            return loader.find_kind(kind).name, Path(source), connection
        case [source, connection]:
            return None, Path(source), connection
    detail = text(ru="нужны [KIND] SOURCE CONN", en="[KIND] SOURCE CONN are needed")
    raise UsageError(detail=detail)


@command_in(classifier, "status", ru="Что загружено в базу", en="What a base has loaded")
@connection_argument()
@login_options
@json_option
def status(connection: str, login: Login, as_json: bool) -> None:
    with opened(connection, login) as (_, session):
        found = session.classifiers.all()
    if as_json:
        print_json(found)
        return
    if not found:
        say(text(ru="Классификаторы не загружались", en="No classifier has been loaded"))
        return
    headers = [
        text(ru="Вид", en="Kind"),
        text(ru="Версия от", en="Version of"),
        text(ru="Записей", en="Records"),
        text(ru="Файл", en="File"),
        text(ru="Загружен", en="Loaded"),
        text(ru="Кем", en="By"),
    ]
    rows = [(v.kind, v.version_date, v.counts.get("records", 0), v.source, v.loaded_at, v.loaded_by) for v in found]
    print_table(headers, rows)
