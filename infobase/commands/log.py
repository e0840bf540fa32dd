"""`infobase log`: the event log of a base, and logs that are files."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any

import click

from infobase import log_export, log_files
from infobase.commands.access import Login, login_options, opened
from infobase.commands.interface import command_in, group, json_option, option
from infobase.commands.output import print_json, print_table, say, shown
from infobase.errors import TargetExists, UsageError
from infobase.files import kept_before_the_deed
from infobase.i18n import text
from infobase.log_names import event_name
from infobase.metadata.model import KINDS
from infobase.session import Session
from infobase.storage import EventLogStore, LogEntry, LogFilter

log = group("log", ru="Журнал регистрации", en="The event log")

_RUSSIAN_DATE = re.compile(r"(\d\d)\.(\d\d)\.(\d{4})(.*)")
SEVERITIES = ("Information", "Error", "Warning", "Note")
_LOOK_SECONDS = 1.0
_LATE_ENTRIES = 1000
"""Entries commit in another order than they are numbered: a follower looks again at so many."""


def filter_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filters; the command receives one `wanted`, whose events are their names."""

    @option("--since", default="", ru="С момента (2026-02-01 или 01.02.2026)", en="From (2026-02-01)")
    @option("--until", default="", ru="До момента, не включая его", en="Up to, not including")
    @option(
        "--event",
        multiple=True,
        ru="Событие: _$Data$_.Post или Данные. Проведение",
        en="Event: _$Data$_.Post or Data. Post",
    )
    @option("--of-user", multiple=True, ru="События пользователя", en="Events of a user")
    @option("--severity", multiple=True, type=click.Choice(SEVERITIES), ru="Важность", en="Severity")
    @option(
        "--object",
        "--metadata",
        "objects",
        multiple=True,
        ru="Объект: Справочник.Контрагенты или Catalog.Counterparties",
        en="Object: Catalog.Counterparties, in either language",
    )
    @option(
        "--text", "words", default="", ru="Слова в комментарии или представлении", en="Words in the comment or the data"
    )
    @wraps(function)
    def command(
        *args: Any,
        since: str,
        until: str,
        event: tuple[str, ...],
        of_user: tuple[str, ...],
        severity: tuple[str, ...],
        objects: tuple[str, ...],
        words: str,
        **rest: Any,
    ) -> Any:
        wanted = LogFilter(
            since=moment(since),
            until=moment(until),
            events=tuple(map(event_name, event)),
            users=of_user,
            severities=severity,
            metadata=objects,
            text=words,
        )
        return function(*args, wanted=wanted, **rest)

    return command


def log_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.argument("place", metavar="CONN|LOG")(function)


@dataclass(frozen=True)
class _Source:
    """Where entries come from: a base's own log, or a file."""

    read: Callable[[LogFilter], Iterator[LogEntry]]
    session: Session | None = None


@contextmanager
def _source(place: str, login: Login) -> Iterator[_Source]:
    path = Path(place).expanduser()
    if path.exists() and log_files.is_log(path):
        yield _Source(lambda wanted: log_files.read_log(path, wanted))
        return
    with opened(place, login) as (base, session):
        session.access.demand_configuration("EventLog")
        store = base.kernel.engine.event_log()
        yield _Source(lambda wanted: store.read(_in_both_languages(session, wanted)), session)


def _in_both_languages(session: Session, wanted: LogFilter) -> LogFilter:
    """The log names objects in the language of the configuration; people may use the other."""
    names = list(wanted.metadata)
    for written in wanted.metadata:
        found = session.kernel.configuration.find(written)
        if found is not None:
            names += [found.full_name, f"{KINDS[found.kind].ru}.{found.naming.ru}"]
    return replace(wanted, metadata=tuple(names))


# --- show ---


@command_in(
    log,
    "show",
    ru="""Показать события базы или файла журнала, последние - первыми

LOG - файл 1Cv8.lgd, 1Cv8.lgf или *.lgp (и настоящей 1С) или папка с ними.""",
    en="""Show the events of a base or of a log file, the latest first

LOG is a file 1Cv8.lgd, 1Cv8.lgf or *.lgp (of a real 1C too), or a folder of them.""",
)
@log_argument
@login_options
@filter_options
@option("--limit", type=click.IntRange(min=0), default=100, ru="Не больше событий (0 - все)", en="At most (0: all)")
@option("--oldest-first", is_flag=True, ru="В порядке записи", en="In the order of writing")
@option("--follow", is_flag=True, ru="Ждать новых событий и показывать их", en="Wait for new events and show them")
@json_option
def show(
    place: str, login: Login, wanted: LogFilter, limit: int, oldest_first: bool, follow: bool, as_json: bool
) -> None:
    with _source(place, login) as source:
        entries = list(source.read(replace(wanted, limit=limit, newest_first=not oldest_first)))
        if follow:
            latest = entries if oldest_first else entries[::-1]
            with suppress(KeyboardInterrupt):  # Ctrl-C is how following ends
                _follow(source, wanted, latest, as_json=as_json)
            return
    if as_json:
        print_json(entries)
        return
    headers = [
        text(ru="Дата", en="Date"),
        text(ru="Важность", en="Severity"),
        text(ru="Событие", en="Event"),
        text(ru="Пользователь", en="User"),
        text(ru="Объект", en="Object"),
        text(ru="Данные", en="Data"),
        text(ru="Комментарий", en="Comment"),
    ]
    print_table(headers, map(_row, entries))


def _row(e: LogEntry) -> Sequence[object]:
    return (e.date, e.severity, e.event, e.user, e.metadata, e.presentation, e.comment)


def _follow(source: _Source, wanted: LogFilter, first: Sequence[LogEntry], *, as_json: bool) -> None:
    """Print these, then every new entry once, until Ctrl-C. JSON: one line an entry."""
    if source.session is None:
        raise UsageError(
            detail=text(ru="--follow следит за базой, а не за файлом", en="--follow watches a base, not a file")
        )
    newest = list(source.read(LogFilter(limit=1, newest_first=True)))
    last = newest[0].number if newest else 0
    seen = {e.number for e in source.read(LogFilter(after=max(last - _LATE_ENTRIES, 0)))}
    _print_lines(first, as_json=as_json)
    while True:
        fresh = [e for e in source.read(replace(wanted, after=max(last - _LATE_ENTRIES, 0))) if e.number not in seen]
        _print_lines(fresh, as_json=as_json)
        seen.update(e.number for e in fresh)
        last = max([last, *(e.number for e in fresh)])
        seen = {n for n in seen if n > last - 2 * _LATE_ENTRIES}
        time.sleep(_LOOK_SECONDS)


def _print_lines(entries: Iterable[LogEntry], *, as_json: bool) -> None:
    for entry in entries:
        line = log_export.json_line(entry) if as_json else "  ".join(shown(v) for v in _row(entry))
        print(line, flush=True)


# --- export ---

_FORMS = (*log_export.FORMS, "lgd")


@command_in(
    log,
    "export",
    ru="""Выгрузить события в файл: CSV, строки JSON, XML в формате 1С или архив .lgd

Вид - по расширению файла. В CSV тексты, похожие на формулы, получают апостроф.""",
    en="""Export events into a file: CSV, JSON lines, 1C's XML, or an archive .lgd

The form follows the file's suffix. In CSV texts that look like formulas get an apostrophe.""",
)
@log_argument
@click.argument("target", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@option("--format", "form", type=click.Choice(_FORMS), default=None, ru="Вид файла", en="Form of the file")
@option("--delimiter", default=",", ru="Разделитель CSV", en="Delimiter of CSV")
@option("--replace", "over", is_flag=True, ru="Заменить файл, если он есть", en="Replace the file if there is one")
@login_options
@filter_options
def export(
    place: str, target: Path, form: str | None, delimiter: str, over: bool, login: Login, wanted: LogFilter
) -> None:
    kind = form or target.suffix.removeprefix(".").casefold()
    if kind not in _FORMS:
        forms = ", ".join(_FORMS)
        detail = text(ru=f"вид файла не ясен; укажите --format: {forms}", en=f"which form? give --format: {forms}")
        raise UsageError(detail=detail)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise UsageError(detail=text(ru="--delimiter - один символ", en="--delimiter is one character"))
    with _source(place, login) as source:
        count = log_export.export(source.read(wanted), target, kind, replace=over, delimiter=delimiter)
    say(text(ru=f"Выгружено событий: {count} ({target})", en=f"Exported events: {count} ({target})"))


# --- trim ---


@command_in(
    log,
    "trim",
    ru="""Сократить журнал: удалить события до момента, сохранив их в архив

Архив - файл .lgd, его читают log show и log export. Удаляется только то, что в нём уже сохранено.""",
    en="""Cut the log: remove the events before a moment, saved into an archive

The archive is an .lgd, read by log show and log export. Only what it holds already is removed.""",
)
@click.argument("connection", metavar="CONN")
@option("--before", required=True, ru="Момент (2026-02-01 или 01.02.2026)", en="The moment (2026-02-01)")
@option(
    "--save-as",
    type=click.Path(dir_okay=False, path_type=Path),
    ru="Файл архива (иначе ИМЯ-log-before-ДАТА.lgd в текущей папке)",
    en="File of the archive (else NAME-log-before-DATE.lgd in the current folder)",
)
@option("--no-archive", is_flag=True, ru="Не сохранять архив", en="Keep no archive")
@login_options
def trim(connection: str, before: str, save_as: Path | None, no_archive: bool, login: Login) -> None:
    until = moment(before)
    if until is None or (save_as is not None and no_archive):
        raise UsageError(
            detail=text(
                ru="--before и одно из --save-as, --no-archive", en="--before, and one of --save-as, --no-archive"
            )
        )
    until = min(until, dt.datetime.now())
    with opened(connection, login) as (base, session):
        session.access.demand_configuration("Administration")
        target = (
            None if no_archive else save_as or Path(f"{_file_name(base.name)}-log-before-{until:%Y%m%d-%H%M%S}.lgd")
        )
        store = base.kernel.engine.event_log()
        removed = _cut(store, until, target)
        kept = f" ({target})" if target and removed else ""
        comment = text(ru=f"до {until}: {removed}{kept}", en=f"before {until}: {removed}{kept}")
        store.append([session.log_entry("_$InfoBase$_.EventLogReduce", comment=comment)])
    said = text(ru=f"Удалено событий: {removed}", en=f"Removed events: {removed}")
    say(f"{said}; {text(ru='архив', en='archive')}: {target}" if target and removed else said)


def _cut(store: EventLogStore, until: dt.datetime, target: Path | None) -> int:
    """Archive first; remove nothing that is not in the archive."""
    newest = next(iter(store.read(LogFilter(until=until, limit=1, newest_first=True))), None)
    if newest is None:
        return 0
    if target is None:
        return store.trim(until, newest.number)
    if target.exists():
        raise TargetExists(place=target)
    wanted = LogFilter(until=until)
    with kept_before_the_deed():
        log_export.write_lgd((e for e in store.read(wanted) if e.number <= newest.number), target)
    return store.trim(until, newest.number)


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name)[:60].strip("._") or "infobase"


def moment(written: str) -> dt.datetime | None:
    """A date or a moment, ISO or Russian; None for ""."""
    if not written:
        return None
    found = _RUSSIAN_DATE.fullmatch(written.strip())
    iso = f"{found[3]}-{found[2]}-{found[1]}{found[4]}" if found else written.strip()
    try:
        made = dt.datetime.fromisoformat(iso)
    except ValueError:
        detail = text(ru=f"«{written}» - не дата", en=f"{written!r} is not a date")
        raise UsageError(detail=detail) from None
    return made.replace(tzinfo=None)
