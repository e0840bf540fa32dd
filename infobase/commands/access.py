"""From what the user typed (CONN, user, password) to an open session; confirmations and passwords asked on the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from infobase.commands.interface import option
from infobase.commands.output import remark
from infobase.connection import administrator_at, engine_of, sign_in
from infobase.connection_string import ConnectionString
from infobase.errors import Cancelled, LoginFailed, UsageError
from infobase.i18n import text
from infobase.infobase import Infobase
from infobase.list_file import resolve
from infobase.rights import Access
from infobase.session import Session
from infobase.storage import SERVICE_APPLICATION, StorageEngine

APPLICATION = SERVICE_APPLICATION
PASSWORD_VARIABLE = "INFOBASE_PASSWORD"


@dataclass(frozen=True)
class Login:
    """Who opens the base. `password` None: not given, ask when there is someone to ask."""

    user: str = ""
    password: str | None = None
    permission_code: str = ""


def connection_argument(name: str = "connection", metavar: str = "CONN") -> Callable[[Any], Any]:
    return click.argument(name, metavar=metavar)


def login_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--user`, `--password-file`, `--permission-code`; the command receives one `login`."""

    @option("--user", "-u", default="", ru="Пользователь базы", en="User of the infobase")
    @option(
        "--password-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        ru=f"Файл с паролем (иначе {PASSWORD_VARIABLE} или вопрос в терминале)",
        en=f"File with the password (else {PASSWORD_VARIABLE}, or a question in the terminal)",
    )
    @option(
        "--permission-code",
        default="",
        ru="Код разрешения, если начало сеансов запрещено (как /UC)",
        en="Permission code where new sessions are blocked (as /UC)",
    )
    @wraps(function)
    def command(*args: Any, user: str, password_file: Path | None, permission_code: str, **rest: Any) -> Any:
        return function(*args, login=Login(user, given_password(password_file), permission_code), **rest)

    return command


def given_password(file: Path | None, variable: str = PASSWORD_VARIABLE) -> str | None:
    """From the file (its first line), else from the environment; None when neither is there."""
    if file is not None:
        return secret_in(file)
    return os.environ.get(variable)


def secret_in(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig").split("\n", 1)[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as e:
        detail = text(ru=f"не прочитан файл с паролем {file}", en=f"cannot read the password file {file}")
        raise UsageError(detail=detail) from e


def new_password(variable: str, file: Path | None, *, ask: bool) -> str:
    """The administrator's password of a base being made: from the file, the named variable, a question, or INFOBASE_PASSWORD; "" when nobody
    gave one. UsageError."""
    if file is not None:
        return secret_in(file)
    if variable and variable not in os.environ:
        detail = text(ru=f"переменная {variable} не задана", en=f"the variable {variable} is not set")
        raise UsageError(detail=detail)
    if ask:
        if not can_ask():
            detail = text(ru="--ask-password: нет терминала", en="--ask-password: there is no terminal")
            raise UsageError(detail=detail)
        return ask_password(text(ru="Пароль администратора", en="Administrator's password"), twice=True)
    return os.environ.get(variable or PASSWORD_VARIABLE, "")


def can_ask() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask_password(question: str, *, twice: bool = False) -> str:
    confirmation: bool | str = text(ru="Ещё раз", en="Again") if twice else False
    found = click.prompt(
        question, default="", show_default=False, hide_input=True, confirmation_prompt=confirmation, err=True
    )
    return str(found)


def confirm(question: str, *, yes: bool) -> None:
    """Go on only with a yes. Without a terminal there is nobody to ask: UsageError names `--yes`."""
    if yes:
        return
    if not can_ask():
        detail = text(ru=f"{question} Подтвердите ключом --yes.", en=f"{question} Confirm with --yes.")
        raise UsageError(detail=detail)
    if not click.confirm(question, default=False, err=True):
        raise Cancelled()


@contextmanager
def store(connection: str | ConnectionString) -> Iterator[StorageEngine]:
    """The engine of a place, closed afterwards; nobody logs in."""
    engine = engine_of(resolve(connection) if isinstance(connection, str) else connection)
    try:
        yield engine
    finally:
        engine.close()


@contextmanager
def opened(connection: str | ConnectionString, login: Login) -> Iterator[tuple[Infobase, Session]]:
    """An open base and the user's session on it, closed afterwards."""
    where = resolve(connection) if isinstance(connection, str) else connection
    with store(where) as engine:
        base, session = log_in(engine, where, login)
        with session:
            yield base, session


def log_in(engine: StorageEngine, where: ConnectionString, login: Login) -> tuple[Infobase, Session]:
    """The base behind an engine and the user's session; what is missing is asked on the terminal. LoginFailed."""
    user = login.user or where.user
    password = login.password if login.password is not None else where.password
    if user and not password and login.password is None and can_ask():
        password = ask_password(text(ru=f"Пароль пользователя {user}", en=f"Password of {user}"))
    code = login.permission_code or where.permission_code
    try:
        return sign_in(engine, user, password, APPLICATION, code)
    except LoginFailed:
        if not user and not can_ask():
            remark(text(ru="Укажите пользователя: --user ИМЯ", en="Give the user: --user NAME"))
        if user or login.password is not None or not can_ask():
            raise
    user = click.prompt(text(ru="Пользователь", en="User"), err=True)
    return sign_in(engine, user, ask_password(text(ru="Пароль", en="Password")), APPLICATION, code)


@contextmanager
def administered(connection: str | ConnectionString, login: Login) -> Iterator[tuple[Infobase, Access]]:
    """An open base and its administrator's rights without a session, so that a block of new sessions does not keep him out."""
    where = resolve(connection) if isinstance(connection, str) else connection
    with store(where) as engine:
        user = login.user or where.user
        password = login.password if login.password is not None else where.password
        if user and not password and login.password is None and can_ask():
            password = ask_password(text(ru=f"Пароль пользователя {user}", en=f"Password of {user}"))
        base, access = administrator_at(engine, user, password, APPLICATION)
        access.demand_configuration("Administration")
        yield base, access


def demand_administrator(session: Session) -> None:
    """AccessDenied unless the user administers the base."""
    session.access.demand_configuration("Administration")
