"""`infobase user` and `infobase role`: who may work in a base, and as what."""

from __future__ import annotations

import os
from pathlib import Path

import click

from infobase.commands.access import (
    Login,
    ask_password,
    can_ask,
    connection_argument,
    demand_administrator,
    login_options,
    opened,
    secret_in,
)
from infobase.commands.interface import command_in, group, json_option, option
from infobase.commands.output import print_json, print_table, say
from infobase.errors import UsageError
from infobase.i18n import language, text

user = group("user", ru="Пользователи базы", en="Users of a base")
role = group("role", ru="Роли конфигурации", en="Roles of the configuration")

NEW_PASSWORD_VARIABLE = "INFOBASE_NEW_PASSWORD"

_new_password_options = (
    option(
        "--new-password-file",
        "secret",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        ru=f"Файл с новым паролем (иначе {NEW_PASSWORD_VARIABLE} или вопрос в терминале)",
        en=f"File with the new password (else {NEW_PASSWORD_VARIABLE}, or a question in the terminal)",
    ),
    option("--empty-password", is_flag=True, ru="Пустой пароль", en="An empty password"),
)


def _new_password(name: str, secret: Path | None, *, empty: bool) -> str:
    if empty:
        return ""
    if secret is not None:
        return secret_in(secret)
    if NEW_PASSWORD_VARIABLE in os.environ:
        return os.environ[NEW_PASSWORD_VARIABLE]
    if can_ask():
        return ask_password(text(ru=f"Новый пароль пользователя {name}", en=f"New password of {name}"), twice=True)
    ru = f"нужен пароль: --new-password-file, {NEW_PASSWORD_VARIABLE} или --empty-password"
    raise UsageError(detail=text(ru=ru, en=ru.replace("нужен пароль", "a password is needed").replace(" или ", " or ")))


@command_in(user, "list", ru="Показать пользователей", en="Show the users")
@connection_argument()
@login_options
@json_option
def list_users(connection: str, login: Login, as_json: bool) -> None:
    with opened(connection, login) as (_, session):
        found = session.users.all()
    if as_json:
        print_json(found)
        return
    headers = [
        text(ru="Имя", en="Name"),
        text(ru="Полное имя", en="Full name"),
        text(ru="Роли", en="Roles"),
        text(ru="Вход разрешён", en="Enabled"),
        text(ru="Пароль", en="Password"),
    ]
    rows = [(u.name, u.full_name, ", ".join(u.roles), u.enabled, u.has_password) for u in found]
    print_table(headers, rows)


@command_in(user, "add", ru="Добавить пользователя", en="Add a user")
@connection_argument()
@click.argument("name", metavar="NAME")
@option("--role", "roles", multiple=True, ru="Роль; можно несколько раз", en="A role; may be repeated")
@option("--full-name", default="", ru="Полное имя", en="Full name")
@_new_password_options[0]
@_new_password_options[1]
@login_options
def add(
    connection: str,
    name: str,
    roles: tuple[str, ...],
    full_name: str,
    secret: Path | None,
    empty_password: bool,
    login: Login,
) -> None:
    with opened(connection, login) as (_, session):
        demand_administrator(session)
        password = _new_password(name, secret, empty=empty_password)
        session.users.add(name, password, roles, full_name, allow_empty=empty_password)
    say(text(ru=f"Добавлен пользователь «{name}»", en=f"Added the user {name!r}"))


@command_in(user, "remove", ru="Удалить пользователя", en="Remove a user")
@connection_argument()
@click.argument("name", metavar="NAME")
@login_options
def remove(connection: str, name: str, login: Login) -> None:
    with opened(connection, login) as (_, session):
        session.users.remove(name)
    say(text(ru=f"Удалён пользователь «{name}»", en=f"Removed the user {name!r}"))


@command_in(user, "password", ru="Сменить пароль пользователя", en="Change a user's password")
@connection_argument()
@click.argument("name", metavar="NAME")
@_new_password_options[0]
@_new_password_options[1]
@login_options
def password(connection: str, name: str, secret: Path | None, empty_password: bool, login: Login) -> None:
    with opened(connection, login) as (_, session):
        if name.casefold() != session.info.user.casefold():
            demand_administrator(session)
        new = _new_password(name, secret, empty=empty_password)
        session.users.set_password(name, new, allow_empty=empty_password)
    say(text(ru=f"Пароль пользователя «{name}» сменён", en=f"The password of {name!r} is changed"))


@command_in(
    user, "roles", ru="Назначить роли пользователю (вместо прежних)", en="Give a user roles (instead of the old)"
)
@connection_argument()
@click.argument("name", metavar="NAME")
@click.argument("roles", metavar="ROLE...", nargs=-1, required=True)
@login_options
def roles(connection: str, name: str, roles: tuple[str, ...], login: Login) -> None:
    with opened(connection, login) as (_, session):
        changed = session.users.set_roles(name, roles)
    shown = ", ".join(changed.roles)
    say(text(ru=f"Роли пользователя «{changed.name}»: {shown}", en=f"Roles of {changed.name!r}: {shown}"))


@command_in(role, "list", ru="Показать роли и что они дают", en="Show the roles and what they give")
@connection_argument()
@login_options
@json_option
def list_roles(connection: str, login: Login, as_json: bool) -> None:
    with opened(connection, login) as (base, session):
        demand_administrator(session)
        found = base.kernel.configuration.roles
    if as_json:
        print_json([{"name": r.name, "ru": r.naming.ru, "all_rights": r.all_rights, "rights": r.rights} for r in found])
        return
    everything = text(ru="все права", en="all rights")
    rows = [
        (r.name, r.naming.label(language()), everything if r.all_rights else len({x.object for x in r.rights}))
        for r in found
    ]
    headers = [text(ru="Роль", en="Role"), text(ru="Название", en="Title"), text(ru="Объектов", en="Objects")]
    print_table(headers, rows)
