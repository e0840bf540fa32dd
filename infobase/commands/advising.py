"""`infobase advise`: file mode or a server, for this base."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from infobase import advice
from infobase.commands.access import Login, connection_argument, demand_administrator, login_options, opened
from infobase.commands.interface import command, json_option, option
from infobase.commands.output import print_json, print_table, say
from infobase.connection_string import ConnectionString, folder, parse
from infobase.i18n import text
from infobase.infobase import Infobase
from infobase.list_file import resolve


@command(
    "advise",
    ru="""Посоветовать файловый режим или сервер для этой базы и показать команду перехода

Взвешивает размер, число сеансов (сейчас и по журналу), конфликты блокировок и измеренную скорость. Измерение короткое и ничего не оставляет.""",
    en="""Advise file mode or a server for this base, with the command that moves it

Weighs size, sessions (now and in the event log), lock conflicts and measured speed. The measurement is short and leaves nothing behind.""",
)
@connection_argument()
@option("--to", "target", default="", ru="Куда переносить, для команды", en="Where to move it, for the command")
@login_options
@json_option
def advise(connection: str, target: str, login: Login, as_json: bool) -> None:
    where = resolve(connection)
    with opened(where, login) as (base, session):
        demand_administrator(session)
        found = advice.measure(base)
    made = advice.weigh(found)
    line = move_command(base, where, made, target)
    if as_json:
        print_json(
            {
                "recommended": made.recommended,
                "move": made.move,
                "reason": made.reason,
                "criteria": made.criteria,
                "command": line,
            }
        )
        return
    headers = [
        text(ru="Что", en="What"),
        text(ru="Измерено", en="Measured"),
        text(ru="Предел", en="Limit"),
        text(ru="Вывод", en="Verdict"),
    ]
    verdicts = {
        "ok": text(ru="в норме", en="fine"),
        "warning": text(ru="близко", en="near"),
        "exceeded": text(ru="превышен", en="exceeded"),
    }
    rows = [(c.name, c.measured, "" if c.limit is None else c.limit, verdicts[c.verdict]) for c in made.criteria]
    print_table(headers, rows)
    word = {"file": text(ru="файловый режим", en="file mode"), "server": text(ru="сервер", en="a server")}
    say(
        text(
            ru=f"Совет: {word[made.recommended]} - {made.reason}",
            en=f"Advice: {word[made.recommended]} - {made.reason}",
        )
    )
    say(text(ru=f"Команда перехода: {line}", en=f"The command that moves it: {line}"))


def move_command(base: Infobase, where: ConnectionString, made: advice.Advice, target: str) -> str:
    """To the other mode, ready to be run; passwords are left out, `replicate` asks for them. Without `target`: an embedded PostgreSQL beside a
    file base, a folder of the current one for a server base."""
    away_from_file = made.recommended == ("server" if made.move else "file")
    place = parse(target) if target else _suggested(base, away_from_file=away_from_file)
    return shlex.join(["infobase", "replicate", where.without_secrets().format(), place.without_secrets().format()])


def _suggested(base: Infobase, *, away_from_file: bool) -> ConnectionString:
    name = re.sub(r"[^a-z0-9_]+", "_", base.name.casefold()).strip("_") or "infobase"
    if not away_from_file:
        return folder(Path.cwd() / name)
    cluster = Path(base.kernel.engine.place).parent / "postgresql"
    return parse(f'DBMS=PostgreSQL;DBSrvr="{cluster}";DB="{name}";')
