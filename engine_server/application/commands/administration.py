"""`server infobases | sessions | locks | administrators`: the cluster's administrator at work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine_server.application.commands.common import (
    Steward,
    administrators,
    infobases,
    place_fields,
    place_option,
    server,
    sessions,
    steward_options,
)
from infobase.commands.access import confirm, secret_in
from infobase.commands.interface import command_in, json_option, option, yes_option
from infobase.commands.output import print_facts, print_json, print_table, say
from infobase.errors import UsageError
from infobase.i18n import text
from infobase.metadata import canonical
from infobase.metadata.archive import load_configuration

_SWITCH = click.Choice(["on", "off"])


def _table(rows: list[dict[str, Any]], columns: dict[str, str], *, as_json: bool) -> None:
    """The chosen columns for people; everything, under rac's names, for machines."""
    if as_json:
        print_json(rows)
        return
    print_table(list(columns.values()), [[_cell(row[name]) for name in columns] for row in rows])


def _cell(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


# --- infobases ---


@command_in(infobases, "list", ru="Показать базы кластера", en="Show the infobases of the cluster")
@steward_options
@json_option
def list_infobases(steward: Steward, as_json: bool) -> None:
    columns = {
        "name": text(ru="Имя", en="Name"),
        "dbms": text(ru="СУБД", en="DBMS"),
        "sessions-deny": text(ru="Вход запрещён", en="Sessions denied"),
        "scheduled-jobs-deny": text(ru="Задания запрещены", en="Jobs denied"),
        "descr": text(ru="Описание", en="Description"),
    }
    _table(steward.call("infobase_list"), columns, as_json=as_json)


@command_in(
    infobases, "info", ru="Сведения о базе (без адреса СУБД: он секретен)", en="About a base (its DSN is secret)"
)
@click.argument("name", metavar="REF")
@steward_options
@json_option
def info(name: str, steward: Steward, as_json: bool) -> None:
    found = steward.call("infobase_info", {"name": name})
    if as_json:
        print_json(found)
    else:
        print_facts(found)


@command_in(
    infobases,
    "create",
    ru="Создать базу и зарегистрировать её\n\nБез --place-file - рядом с базой данных кластера.",
    en="Make a base and register it\n\nWithout --place-file it lies beside the cluster's database.",
)
@click.argument("name", metavar="REF")
@option(
    "--template",
    type=click.Path(exists=True, path_type=Path),
    required=True,
    ru="Папка конфигурации или .cf",
    en="A configuration",
)
@option("--title", default="", ru="Название базы", en="The base's title")
@option("--admin", default="", ru="Администратор базы", en="The base's administrator")
@option(
    "--admin-password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    ru="Файл с его паролем",
    en="His password",
)
@option("--descr", default="", ru="Описание", en="Description")
@place_option()
@steward_options
def create(
    name: str,
    template: Path,
    title: str,
    admin: str,
    admin_password_file: Path | None,
    descr: str,
    place_file: Path | None,
    steward: Steward,
) -> None:
    args = {
        "name": name,
        "configuration": canonical.to_json(load_configuration(template)).decode(),
        "title": title,
        "admin": admin or text(ru="Администратор", en="Administrator"),
        "password": secret_in(admin_password_file) if admin_password_file else "",
        "descr": descr,
        "place": place_fields(place_file),
    }
    made = steward.call("infobase_create", args)
    say(f"infobase : {made['infobase']}")


@command_in(infobases, "register", ru="Зарегистрировать существующую базу", en="Register a base that is there")
@click.argument("name", metavar="REF")
@option("--descr", default="", ru="Описание", en="Description")
@option(
    "--standby-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    ru="Место реплики для отчётов",
    en="Standby for reports",
)
@place_option()
@steward_options
def register(name: str, descr: str, standby_file: Path | None, place_file: Path | None, steward: Steward) -> None:
    args = {"name": name, "descr": descr, "place": place_fields(place_file), "standby": place_fields(standby_file)}
    made = steward.call("infobase_register", args)
    say(f"infobase : {made['infobase']}")


@command_in(
    infobases,
    "update",
    ru="Изменить: запрет сеансов с периодом, сообщением и кодом разрешения; запрет заданий; место",
    en="Change: denial of sessions with period, message and permission code; denial of jobs; the place",
)
@click.argument("name", metavar="REF")
@option("--sessions-deny", type=_SWITCH, ru="Запретить сеансы", en="Deny sessions")
@option("--denied-from", ru="Начало запрета, ГГГГ-ММ-ДДTЧЧ:ММ:СС", en="Begin of the denial")
@option("--denied-to", ru="Конец запрета", en="End of the denial")
@option("--denied-message", ru="Сообщение", en="Message")
@option("--denied-parameter", ru="Параметр", en="Parameter")
@option("--permission-code", ru="Код разрешения", en="Permission code")
@option("--scheduled-jobs-deny", type=_SWITCH, ru="Запретить регламентные задания", en="Deny scheduled jobs")
@option("--descr", ru="Описание", en="Description")
@option(
    "--standby-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    ru="Место реплики для отчётов",
    en="Standby for reports",
)
@place_option()
@steward_options
@json_option
def update(
    name: str, standby_file: Path | None, place_file: Path | None, steward: Steward, as_json: bool, **given: str | None
) -> None:
    changes: dict[str, object] = {k: v for k, v in given.items() if v is not None}
    for switch in ("sessions_deny", "scheduled_jobs_deny"):
        if switch in changes:
            changes[switch] = changes[switch] == "on"
    args = {"name": name, "changes": changes, "place": place_fields(place_file), "standby": place_fields(standby_file)}
    found = steward.call("infobase_update", args)
    if as_json:
        print_json(found)
    else:
        print_facts(found)


@command_in(
    infobases,
    "drop",
    ru="Убрать базу из кластера; с --drop-database - вместе с данными",
    en="Remove a base from the cluster",
)
@click.argument("name", metavar="REF")
@option("--drop-database", is_flag=True, ru="Удалить и базу данных", en="Remove the database too")
@yes_option
@steward_options
def drop(name: str, drop_database: bool, yes: bool, steward: Steward) -> None:
    ru = f"Убрать базу {name} из кластера" + (" и удалить её данные?" if drop_database else "?")
    confirm(text(ru=ru, en=f"Remove {name} from the cluster" + (" with its data?" if drop_database else "?")), yes=yes)
    steward.call("infobase_drop", {"name": name, "drop_database": drop_database})
    say(text(ru=f"База {name} убрана из кластера", en=f"{name} is removed from the cluster"))


# --- sessions ---


@command_in(sessions, "list", ru="Показать сеансы: кто, откуда, что выполняет, что держит", en="Show the sessions")
@option("--infobase", "name", default="", ru="Только этой базы", en="Of one base only")
@steward_options
@json_option
def list_sessions(name: str, steward: Steward, as_json: bool) -> None:
    columns = {
        "session-id": text(ru="Сеанс", en="Session"),
        "infobase": text(ru="База", en="Infobase"),
        "user-name": text(ru="Пользователь", en="User"),
        "host": text(ru="Компьютер", en="Host"),
        "app-id": text(ru="Приложение", en="Application"),
        "started-at": text(ru="Начало (UTC)", en="Started (UTC)"),
        "current-call": text(ru="Вызов", en="Call"),
        "duration-current": text(ru="Длится, мс", en="Duration, ms"),
        "locks": text(ru="Блокировки", en="Locks"),
    }
    _table(steward.call("session_list", {"name": name}), columns, as_json=as_json)


@command_in(sessions, "terminate", ru="Завершить сеанс", en="Terminate a session")
@click.argument("session", metavar="N|UUID")
@option("--error-message", default="", ru="Что увидит пользователь", en="What the user will see")
@steward_options
def terminate(session: str, error_message: str, steward: Steward) -> None:
    steward.call("session_terminate", {"session": session, "message": error_message})
    say(text(ru=f"Сеанс {session} завершён", en=f"Session {session} is terminated"))


@command_in(sessions, "interrupt", ru="Прервать текущий вызов сеанса", en="Interrupt the session's current call")
@click.argument("session", metavar="N|UUID")
@option("--error-message", default="", ru="Что увидит пользователь", en="What the user will see")
@steward_options
def interrupt(session: str, error_message: str, steward: Steward) -> None:
    steward.call("session_interrupt", {"session": session, "message": error_message})
    say(text(ru=f"Вызов сеанса {session} прерывается", en=f"The call of session {session} is being interrupted"))


@command_in(server, "locks", ru="Показать блокировки и очередь к ним", en="Show the locks and the queue for them")
@option("--infobase", "name", default="", ru="Только этой базы", en="Of one base only")
@steward_options
@json_option
def list_locks(name: str, steward: Steward, as_json: bool) -> None:
    columns = {
        "infobase": text(ru="База", en="Infobase"),
        "session-id": text(ru="Сеанс", en="Session"),
        "kind": text(ru="Вид", en="Kind"),
        "object": text(ru="Что", en="What"),
        "mode": text(ru="Режим", en="Mode"),
        "granted": text(ru="Получена", en="Granted"),
        "duration": text(ru="Длится, мс", en="Duration, ms"),
        "blocked-by": text(ru="Мешают сеансы", en="Blocked by"),
    }
    _table(steward.call("lock_list", {"name": name}), columns, as_json=as_json)


# --- administrators ---


@command_in(administrators, "list", ru="Показать администраторов кластера", en="Show the cluster's administrators")
@steward_options
@json_option
def list_administrators(steward: Steward, as_json: bool) -> None:
    rows = [{"name": name} for name in steward.call("administrator_list")]
    _table(rows, {"name": text(ru="Имя", en="Name")}, as_json=as_json)


@command_in(
    administrators, "add", ru="Добавить администратора или сменить его пароль", en="Add one, or change his password"
)
@click.argument("name", metavar="NAME")
@option(
    "--new-password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    ru="Файл с паролем",
    en="File with the password",
)
@steward_options
def add_administrator(name: str, new_password_file: Path | None, steward: Steward) -> None:
    if new_password_file is None:
        raise UsageError(detail=text(ru="нужен --new-password-file", en="--new-password-file is needed"))
    steward.call("administrator_add", {"name": name, "password": secret_in(new_password_file)})
    say(text(ru=f"Администратор кластера: {name}", en=f"Administrator of the cluster: {name}"))


@command_in(administrators, "remove", ru="Убрать администратора кластера", en="Remove an administrator")
@click.argument("name", metavar="NAME")
@steward_options
def remove_administrator(name: str, steward: Steward) -> None:
    steward.call("administrator_remove", {"name": name})
    say(text(ru=f"Администратор {name} убран", en=f"Removed the administrator {name}"))
