"""`infobase log show`: the event log."""

from __future__ import annotations

import datetime as dt
import re

import click

from infobase.commands.access import Login, connection_argument, login_options, opened
from infobase.commands.interface import command_in, group, json_option, option
from infobase.commands.output import print_json, print_table
from infobase.errors import UsageError
from infobase.i18n import text
from infobase.storage import LogFilter

log = group("log", ru="Журнал регистрации", en="The event log")

_RUSSIAN_DATE = re.compile(r"(\d\d)\.(\d\d)\.(\d{4})(.*)")
SEVERITIES = ("Information", "Error", "Warning", "Note")


@command_in(log, "show", ru="Показать события, последние - первыми", en="Show the events, the latest first")
@connection_argument()
@login_options
@option("--since", default="", ru="С момента (2026-02-01 или 01.02.2026)", en="From (2026-02-01)")
@option("--until", default="", ru="До момента, не включая его", en="Up to, not including")
@option("--event", multiple=True, ru="Имя события: _$Data$_.Post", en="Event name: _$Data$_.Post")
@option("--of-user", multiple=True, ru="События пользователя", en="Events of a user")
@option("--severity", multiple=True, type=click.Choice(SEVERITIES), ru="Важность", en="Severity")
@option("--metadata", multiple=True, ru="Имя объекта, как в журнале", en="Name of the object, as in the log")
@option(
    "--text", "words", default="", ru="Слова в комментарии или представлении", en="Words in the comment or the data"
)
@option("--limit", type=click.IntRange(min=0), default=100, ru="Не больше событий (0 - все)", en="At most (0: all)")
@option("--oldest-first", is_flag=True, ru="В порядке записи", en="In the order of writing")
@json_option
def show(
    connection: str,
    login: Login,
    since: str,
    until: str,
    event: tuple[str, ...],
    of_user: tuple[str, ...],
    severity: tuple[str, ...],
    metadata: tuple[str, ...],
    words: str,
    limit: int,
    oldest_first: bool,
    as_json: bool,
) -> None:
    wanted = LogFilter(
        since=moment(since),
        until=moment(until),
        events=event,
        users=of_user,
        severities=severity,
        metadata=metadata,
        text=words,
        limit=limit,
        newest_first=not oldest_first,
    )
    with opened(connection, login) as (base, session):
        session.access.demand_configuration("EventLog")
        entries = list(base.kernel.engine.event_log().read(wanted))
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
    print_table(
        headers, [(e.date, e.severity, e.event, e.user, e.metadata, e.presentation, e.comment) for e in entries]
    )


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
