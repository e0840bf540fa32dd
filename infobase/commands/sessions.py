"""`infobase sessions`: who works in a base, blocks of new sessions, ending sessions, how many may work at once."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence

import click

from infobase import infobase as bases
from infobase.commands.access import (
    Login,
    administered,
    confirm,
    connection_argument,
    demand_administrator,
    login_options,
    opened,
)
from infobase.commands.interface import Group, command_in, json_option, option, yes_option
from infobase.commands.log import moment
from infobase.commands.output import print_json, print_table, remark, say
from infobase.connection import SESSION_LIMIT, sessions_allowed
from infobase.errors import UsageError
from infobase.i18n import Bilingual, text
from infobase.kernel import Kernel
from infobase.session_block import SessionBlock
from infobase.storage import LockInfo, SessionInfo


class _Sessions(Group):
    """`sessions CONN` lists; `sessions CONN block` is understood as `sessions block CONN`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            verb = next((a for a in args[1:2] if a in self.commands), None)
            args = [verb, args[0], *args[2:]] if verb else ["list", *args]
        return super().resolve_command(ctx, args)


sessions = _Sessions(
    "sessions",
    says=Bilingual(
        "Сеансы базы: кто работает, блокировка начала сеансов, завершение\n\ninfobase sessions CONN - то же, что sessions list CONN.",
        "Sessions of a base: who works, blocks of new sessions, ending them\n\ninfobase sessions CONN is sessions list CONN.",
    ),
)


# --- list ---


@command_in(
    sessions,
    "list",
    ru="Показать сеансы, блокировки данных и блокировку начала сеансов",
    en="Show the sessions, the locks and the block of new sessions",
)
@connection_argument()
@login_options
@json_option
def list_sessions(connection: str, login: Login, as_json: bool) -> None:
    with administered(connection, login) as (base, _):
        administration = base.kernel.engine.administration()
        found = base.kernel.engine.sessions()
        locks = administration.locks(lock_spaces(base.kernel))
        block, leftovers = administration.block(), administration.leftovers()
    now = dt.datetime.now()
    if as_json:
        shown = None if block is None else {**_block_json(block), "state": block.explain(now)}
        print_json({"sessions": found, "locks": locks, "block": shown, "removed_leftovers": leftovers})
        return
    _print_sessions(found, locks)
    if block is not None:
        say(f"{block.explain(now)}. {block.message}".strip())
        if block.overdue(now) or block.until is None:
            say(
                text(
                    ru=f"Снять: infobase sessions unblock {connection}",
                    en=f"To lift it: infobase sessions unblock {connection}",
                )
            )
    for left in leftovers:
        ru = f"Убран след завершившегося процесса: {left}"
        remark(text(ru=ru, en=f"Removed what a dead process had left: {left}"))


def _block_json(block: SessionBlock) -> dict[str, object]:
    """Without the code: it is a secret of the administrator's."""
    return {"since": block.since, "until": block.until, "message": block.message, "parameter": block.parameter}


def lock_spaces(kernel: Kernel) -> list[str]:
    """Every space managed locks are taken in."""
    return [*kernel.layout.objects, *kernel.layout.registers]


def _print_sessions(found: Sequence[SessionInfo], locks: Sequence[LockInfo]) -> None:
    if not found:
        say(text(ru="Сеансов нет", en="No sessions"))
    else:
        headers = [
            text(ru="Номер", en="Number"),
            text(ru="Пользователь", en="User"),
            text(ru="Приложение", en="Application"),
            text(ru="Компьютер", en="Computer"),
            text(ru="Процесс", en="Process"),
            text(ru="Начало", en="Started"),
            text(ru="Состояние", en="State"),
        ]
        print_table(
            headers, [(s.number, s.user, s.application, s.host, s.pid, _local(s.started), _state(s)) for s in found]
        )
    if locks:
        headers = [
            text(ru="Сеанс", en="Session"),
            text(ru="Кто", en="Who"),
            text(ru="Блокировка", en="Lock"),
            text(ru="Вид", en="Kind"),
            text(ru="Начало", en="Since"),
            text(ru="Ждёт", en="Waits for"),
        ]
        print_table(
            headers, [(k.number or "", k.holder, k.what, _kind(k), _local(k.since), k.blocked_by) for k in locks]
        )


def _state(session: SessionInfo) -> str:
    if session.terminated:
        return text(ru="завершается", en="being ended")
    return text(ru="монопольный", en="exclusive") if session.exclusive else ""


def _kind(lock: LockInfo) -> str:
    if lock.waiting:
        return text(ru="ожидает", en="waits")
    return text(ru="разделяемая", en="shared") if lock.shared else text(ru="исключительная", en="exclusive")


def _local(moment: dt.datetime | None) -> dt.datetime | None:
    """Technical stamps are UTC; people read local time."""
    return moment and moment.replace(tzinfo=dt.UTC).astimezone().replace(tzinfo=None)


# --- block ---


@command_in(
    sessions,
    "block",
    ru="Запретить начало новых сеансов (в файловой базе - 1Cv8.cdn)",
    en="Block new sessions (1Cv8.cdn in a file base)",
)
@connection_argument()
@option("--message", default="", ru="Сообщение тем, кого не пустили", en="Message for those who are not let in")
@option(
    "--from", "since", default="", ru="Начало (2026-02-01T18:00), иначе сразу", en="Begin (2026-02-01T18:00), else now"
)
@option("--to", "until", default="", ru="Конец, иначе до снятия", en="End, else until it is lifted")
@option(
    "--code",
    default="",
    ru="Код разрешения, с которым можно войти; здесь то же говорит --permission-code",
    en="Permission code that lets in; --permission-code says the same here",
)
@option("--parameter", default="", ru="Параметр блокировки", en="Parameter of the block")
@login_options
def block(connection: str, message: str, since: str, until: str, code: str, parameter: str, login: Login) -> None:
    made = SessionBlock(moment(since), moment(until), message, code or login.permission_code, parameter)
    if made.since and made.until and made.since >= made.until:
        raise UsageError(detail=text(ru="--from должно быть раньше --to", en="--from must be before --to"))
    if made.overdue(dt.datetime.now()):
        raise UsageError(detail=text(ru="срок --to уже прошёл", en="--to is already over"))
    with administered(connection, login) as (base, access):
        base.kernel.engine.administration().set_block(made)
        _log(
            base, access.user_name, text(ru="Блокировка начала сеансов: ", en="Block of new sessions: ") + made.period()
        )
        present = base.kernel.engine.sessions()
    say(made.explain(dt.datetime.now()))
    if present:
        names = "; ".join(map(str, present))
        say(text(ru=f"Уже работают: {names}", en=f"Already at work: {names}"))


@command_in(sessions, "unblock", ru="Снять запрет начала сеансов", en="Lift the block of new sessions")
@connection_argument()
@login_options
def unblock(connection: str, login: Login) -> None:
    with administered(connection, login) as (base, access):
        administration = base.kernel.engine.administration()
        found = administration.block()
        administration.set_block(None)
        if found is not None:
            _log(
                base,
                access.user_name,
                text(ru="Блокировка начала сеансов снята", en="The block of new sessions is lifted"),
            )
    if found is None:
        say(text(ru="Блокировки не было", en="There was no block"))
        return
    ru = f"Снята: {found.explain(dt.datetime.now())}"
    say(text(ru=ru, en=f"Lifted: {found.explain(dt.datetime.now())}"))


def _log(base: bases.Infobase, user: str, comment: str) -> None:
    session = bases.system_session(base.kernel, user)
    base.kernel.engine.event_log().append([session.log_entry("_$InfoBase$_.InfoBaseAdmParamsUpdate", comment=comment)])


# --- terminate ---


@command_in(
    sessions,
    "terminate",
    ru="Завершить сеансы: по номерам или все чужие\n\nСледующий вызов завершённого сеанса закончится ошибкой, незаконченное откатывается.",
    en="End sessions: by number, or all the others\n\nThe next call of an ended session fails; what it had not committed is rolled back.",
)
@connection_argument()
@click.argument("numbers", metavar="[NUMBER]...", nargs=-1, type=click.IntRange(min=1))
@option("--all", "everybody", is_flag=True, ru="Все сеансы, кроме этого", en="All sessions but this one")
@option("--message", default="", ru="Что сообщить их пользователям", en="What to tell their users")
@yes_option
@login_options
def terminate(
    connection: str, numbers: tuple[int, ...], everybody: bool, message: str, yes: bool, login: Login
) -> None:
    if everybody == bool(numbers):
        raise UsageError(detail=text(ru="укажите номера сеансов или --all", en="give session numbers, or --all"))
    with administered(connection, login) as (base, access):
        engine = base.kernel.engine
        found = [s for s in engine.sessions() if not s.terminated and (everybody or s.number in numbers)]
        _demand_known(numbers, found)
        if everybody:
            names = "; ".join(map(str, found)) or "-"
            confirm(text(ru=f"Завершить сеансы: {names}?", en=f"End the sessions: {names}?"), yes=yes)
        end_sessions(base, access.user_name, found, message, everybody=everybody)
    names = "; ".join(map(str, found)) or "-"
    say(text(ru=f"Завершено сеансов: {len(found)} ({names})", en=f"Ended sessions: {len(found)} ({names})"))


def _demand_known(numbers: Sequence[int], found: Sequence[SessionInfo]) -> None:
    unknown = set(numbers) - {s.number for s in found}
    if unknown:
        listing = ", ".join(map(str, sorted(unknown)))
        detail = text(ru=f"нет таких сеансов: {listing}", en=f"there are no such sessions: {listing}")
        raise UsageError(detail=detail)


def end_sessions(
    base: bases.Infobase, user: str, found: Sequence[SessionInfo], message: str, *, everybody: bool = False
) -> None:
    """End these sessions; `everybody`: and whatever else has the base open."""
    ids: list[uuid.UUID] | None = None if everybody else [s.id for s in found]
    base.kernel.engine.administration().terminate(ids, message)
    for ended in found:
        _log(
            base, user, text(ru=f"Завершён сеанс {ended.number}: {ended}", en=f"Ended session {ended.number}: {ended}")
        )


# --- limit ---


@command_in(
    sessions,
    "limit",
    ru="Показать или задать, сколько сеансов может работать сразу (0 - сколько угодно, - - как советует режим)",
    en="Show or set how many sessions may work at once (0: any number, -: as the mode advises)",
)
@connection_argument()
@click.argument("number", required=False, default="")
@login_options
@json_option
def limit(connection: str, number: str, login: Login, as_json: bool) -> None:
    if number and number != "-" and not number.isdecimal():
        raise UsageError(detail=text(ru=f"«{number}» - не число сеансов", en=f"{number!r} is not a number of sessions"))
    with opened(connection, login) as (base, session):
        demand_administrator(session)
        if number:
            session.settings.set(SESSION_LIMIT, "" if number == "-" else number)
        now, advised = sessions_allowed(base), base.kernel.engine.traits.max_users
    if as_json:
        print_json({"limit": now, "advised": advised})
        return
    shown = now or text(ru="не ограничено", en="any number")
    say(text(ru=f"Сеансов одновременно: {shown}", en=f"Sessions at once: {shown}"))
