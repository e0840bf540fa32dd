"""`infobase classifier`: which kinds there are, loading a real file, what is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from classifiers import loader
from classifiers.address_commands import address, address_options, ask_regions
from classifiers.bank_commands import check_account, pick, refresh
from classifiers.download import MAX_BYTES, MAX_SECONDS, Limits, downloaded
from classifiers.kind import ClassifierKind, Options
from classifiers.places import BUILTIN, builtin_file, template_file, watch
from classifiers.source import open_source
from classifiers.status import checklist
from infobase import infobase as bases
from infobase.commands.access import Login, connection_argument, login_options, opened
from infobase.commands.interface import command_in, group, json_option, option
from infobase.commands.output import print_json, print_table, progress, remark, say
from infobase.errors import UsageError
from infobase.i18n import text
from infobase.served import door_of
from infobase.session import Session

classifier = group(
    "classifier",
    ru="Классификаторы: банки, ОКОФ, валюты, адреса и другие",
    en="National classifiers: banks, fixed assets, currencies, addresses and others",
)

SHOWN_WARNINGS = 10
WATCH_SECONDS = 60.0


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


@dataclass(frozen=True, slots=True)
class Asked:
    """What the line says. `source`: a path, "builtin", or "" when it comes from elsewhere."""

    kind: ClassifierKind | None
    source: str
    connection: str


@command_in(
    classifier,
    "load",
    ru="""Загрузить классификатор из настоящего файла (целиком или никак)

KIND можно не указывать: вид узнаётся по содержимому. SOURCE - файл, папка, архив zip или 7z, либо слово builtin (встроенный список). Без
SOURCE ОКОФ и ЕНАОФ ищутся в папке шаблона.""",
    en="""Load a classifier from its real file (all of it, or nothing)

KIND may be left out: the content tells it. SOURCE is a file, a folder, a zip or 7z archive, or the word builtin (the list we bring). Without
SOURCE, OKOF and ENAOF are looked for in the folder of the template.""",
)
@click.argument("words", metavar="[KIND] [SOURCE] CONN", nargs=-1, required=True)
@option("--builtin", is_flag=True, ru="Встроенный список", en="The list that comes with the product")
@option(
    "--url", metavar="URL", ru="Взять файл из сети (http, https)", en="Take the file from the network (http, https)"
)
@option(
    "--watch",
    "watched",
    metavar="DIR",
    type=click.Path(path_type=Path),
    ru="Ждать, пока файл появится в этой папке (на диске), и загрузить всё, что там есть",
    en="Wait until a file appears in this folder (on the disk), and load whatever is there",
)
@option(
    "--wait",
    type=click.FloatRange(0, 86400),
    default=WATCH_SECONDS,
    metavar="S",
    ru="Сколько секунд ждать для --watch (60)",
    en="How many seconds --watch waits (60)",
)
@option(
    "--max-seconds",
    type=click.FloatRange(0, 86400, min_open=True),
    default=MAX_SECONDS,
    metavar="S",
    ru="Предел времени для --url (120)",
    en="Time limit of --url (120)",
)
@option(
    "--max-bytes",
    type=click.IntRange(1),
    default=MAX_BYTES,
    metavar="N",
    ru="Предел размера для --url (256 МБ)",
    en="Size limit of --url (256 MB)",
)
@option(
    "--allow-private",
    is_flag=True,
    ru="Разрешить для --url адреса своей сети и этой машины",
    en="Allow --url addresses of one's own network and this machine",
)
@option(
    "--accept-closures",
    is_flag=True,
    ru="Загрузить, даже если файл закрывает большую часть загруженного",
    en="Load even a file that closes a large part of what is loaded",
)
@address_options
@login_options
@json_option
def load(
    words: tuple[str, ...],
    builtin: bool,
    url: str | None,
    watched: Path | None,
    wait: float,
    max_seconds: float,
    max_bytes: int,
    allow_private: bool,
    accept_closures: bool,
    options: Options,
    login: Login,
    as_json: bool,
) -> None:
    asked = _asked(words, builtin=builtin)
    if sum((bool(asked.source), url is not None, watched is not None)) > 1:
        ru = "источник указан дважды: нужен один из SOURCE, --builtin, --url, --watch"
        raise UsageError(detail=text(ru=ru, en="two sources: give one of SOURCE, --builtin, --url, --watch"))
    limits = Limits(max_bytes, max_seconds, allow_private)
    options = {**options, "accept_closures": accept_closures}
    with opened(asked.connection, login) as (_, session), ExitStack() as stack:
        if watched is not None:
            reports = _load_watched(session, asked.kind, watched, wait, options)
        else:
            path, name = stack.enter_context(_source(session, asked, url, limits))
            reports = [_load(session, asked.kind.name if asked.kind else None, path, options, name)]
    if as_json:
        print_json(reports if watched is not None else reports[0])
        return
    for report in reports:
        say(report)


def _asked(words: tuple[str, ...], *, builtin: bool) -> Asked:
    """[KIND] [SOURCE] CONN from what stands in the line."""
    *given, connection = words
    match given:
        case []:
            asked = Asked(None, "", connection)
        case [word] if word in loader.KINDS:
            asked = Asked(loader.KINDS[word], "", connection)
        case [word]:
            asked = Asked(None, word, connection)
        case [kind, source]:
            asked = Asked(loader.find_kind(kind), source, connection)
        case _:
            detail = text(ru="нужны [KIND] [SOURCE] CONN", en="[KIND] [SOURCE] CONN are needed")
            raise UsageError(detail=detail)
    if builtin:
        if asked.source and asked.source != BUILTIN:
            raise UsageError(detail=text(ru="указаны и SOURCE, и --builtin", en="both SOURCE and --builtin are given"))
        asked = Asked(asked.kind, BUILTIN, connection)
    return asked


@contextmanager
def _source(session: Session, asked: Asked, url: str | None, limits: Limits) -> Iterator[tuple[Path, str]]:
    """Where the classifier is read from, and what the registry calls it ("": by its own name)."""
    if url is not None:
        with downloaded(url, limits) as path:
            yield path, path.name
    elif asked.source == BUILTIN and not Path(BUILTIN).exists():
        if asked.kind is None:
            raise UsageError(detail=text(ru="builtin: укажите вид", en="builtin: name the kind"))
        yield builtin_file(asked.kind), BUILTIN
    elif asked.source:
        yield Path(asked.source), ""
    elif asked.kind is not None:
        found = _in_templates(session, asked.kind)
        remark(text(ru=f"Найден {found}", en=f"Found {found}"))
        yield found, ""
    else:
        raise UsageError(detail=text(ru="не указан SOURCE", en="missing SOURCE"))


def _in_templates(session: Session, kind: ClassifierKind) -> Path:
    from templates_store.roots import find_roots

    configuration = session.kernel.configuration
    names = (configuration.naming.name, configuration.naming.ru, configuration.vendor)
    return template_file(kind, bases.template_folder(session), [r.path for r in find_roots()], names)


def _load(session: Session, kind: str | None, path: Path, options: Options, name: str = "") -> loader.LoadReport:
    with open_source(path) as opened_once:
        options = ask_regions(kind, opened_once, options)
        with progress() as step:
            report = loader.load(session, kind, opened_once, step, options, name)
    for line in report.remarks:
        remark(f"  {line}")
    for warning in report.warnings[:SHOWN_WARNINGS]:
        remark(f"  {warning}")
    if report.warning_count > SHOWN_WARNINGS:
        more = report.warning_count - SHOWN_WARNINGS
        remark(text(ru=f"  ... и ещё {more}", en=f"  ... and {more} more"))
    return report


def _load_watched(
    session: Session, kind: ClassifierKind | None, folder: Path, wait: float, options: Options
) -> list[loader.LoadReport]:
    """The kind asked for, or every one the configuration wants that the folder holds, each in its own transaction."""
    wanted = (
        [kind] if kind else [k for k in loader.KINDS.values() if k.name in session.kernel.configuration.classifiers]
    )
    with progress() as step:
        what = text(ru=f"Ожидание файла в {folder}", en=f"Waiting for a file in {folder}")
        found = watch(folder, wanted, wait, lambda: step(what, 0, 0))
    return [_load(session, k.name, folder, options) for k in found]


@command_in(
    classifier,
    "status",
    ru="Что загружено в базу, чего не хватает и как загрузить",
    en="What a base has loaded, what is missing, and how to load it",
)
@connection_argument()
@option(
    "--watch",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    ru="Папка (диск), где лежат файлы: команды назовут найденные в ней",
    en="A folder (the disk) with files: the commands name those found in it",
)
@login_options
@json_option
def status(connection: str, folder: Path | None, login: Login, as_json: bool) -> None:
    with opened(connection, login) as (_, session):
        local = door_of(session.kernel.engine) is None
        own = bases.template_folder(session) if local else ""
        folders = [*([folder] if folder else []), *([Path(own)] if own else [])]
        found = checklist(session, connection, folders=folders)
    if as_json:
        print_json(found)
        return
    if not found:
        ru, en = "Конфигурация не предусматривает классификаторов", "The configuration wants no classifiers"
        say(text(ru=ru, en=en))
        return
    headers = [
        text(ru="Вид", en="Kind"),
        text(ru="Состояние", en="State"),
        text(ru="Версия от", en="Version of"),
        text(ru="Записей", en="Records"),
        text(ru="Файл", en="File"),
        text(ru="Загружен", en="Loaded"),
        text(ru="Кем", en="By"),
        text(ru="Команда", en="Command"),
    ]
    rows = []
    for line in found:
        v = line.version
        rows.append(
            (
                line.kind,
                line.told,
                line.version_date,
                line.rows,
                v.source if v else "",
                v.loaded_at if v else None,
                v.loaded_by if v else "",
                "" if line.state in ("loaded", "replaced", "unwanted") else line.command,
            )
        )
    print_table(headers, rows)
    for line in found:
        if line.state in ("missing", "empty", "stale", "outdated") and line.bring and not line.file:
            ru = f"{line.kind}: нужен файл: {line.bring}; публикуется: {line.published}"
            remark(text(ru=ru, en=f"{line.kind}: a file is needed: {line.bring}; published at {line.published}"))


for _command in (address, pick, refresh, check_account):
    classifier.add_command(_command)
