"""`dump`, `verify`, `restore`, `replicate`: content on the move."""

from __future__ import annotations

from pathlib import Path

import click

from infobase import infobase as bases
from infobase import restore as restoring
from infobase.commands.access import (
    Login,
    ask_password,
    can_ask,
    connection_argument,
    demand_administrator,
    login_options,
    opened,
    secret_in,
    store,
)
from infobase.commands.backing_up import print_verdicts
from infobase.commands.bases import DEMO_WORDS, ask_to_replace
from infobase.commands.interface import command, json_option, option, yes_option
from infobase.commands.output import print_facts, print_json, print_table, progress, say, size_text
from infobase.dump_format import DumpSummary
from infobase.errors import DumpEncrypted
from infobase.i18n import text
from infobase.list_file import resolve

_FILE = click.Path(dir_okay=False, path_type=Path)

_replace_option = option(
    "--replace", is_flag=True, ru="Заменить базу, которая уже здесь", en="Replace the base that is already here"
)
_secret_option = option(
    "--dump-password-file", "secret", type=_FILE, ru="Файл с паролем выгрузки", en="File with the dump's password"
)


def _secret(file: Path | None) -> str | None:
    return None if file is None else secret_in(file)


@command("dump", ru="Выгрузить базу в файл .dt, не прерывая работы", en="Dump a base into a .dt while people work")
@connection_argument()
@click.argument("target", metavar="FILE.dt", type=_FILE)
@login_options
@option("--replace", is_flag=True, ru="Заменить файл, если он есть", en="Replace the file if there is one")
@option("--only-configuration", is_flag=True, ru="Только конфигурация, без данных", en="The configuration, no data")
@_secret_option
@json_option
def dump(
    connection: str,
    target: Path,
    login: Login,
    replace: bool,
    only_configuration: bool,
    secret: Path | None,
    as_json: bool,
) -> None:
    with opened(connection, login) as (base, session), progress() as step:
        made = bases.dump_logged(
            session,
            base,
            target,
            password=_secret(secret),
            replace=replace,
            only_configuration=only_configuration,
            progress=step,
        )
    _print_summary(made, as_json=as_json)


@command(
    "verify",
    ru="Проверить целиком файл .dt, резервную копию или папку копий, не трогая баз",
    en="Verify a .dt, a backup or a folder of backups as a whole; no base is touched",
)
@click.argument("source", metavar="FILE.dt|BACKUP", type=click.Path(path_type=Path))
@_secret_option
@json_option
def verify(source: Path, secret: Path | None, as_json: bool) -> None:
    if source.is_dir():
        print_verdicts(source, full=True, key_file=secret, as_json=as_json)
        return
    password = _secret(secret)
    try:
        with progress() as step:
            found = restoring.verify_dump(source, password, step)
    except DumpEncrypted:
        if password is not None or not can_ask():
            raise
        password = ask_password(text(ru="Пароль выгрузки", en="The dump's password"))
        with progress() as step:
            found = restoring.verify_dump(source, password, step)
    _print_summary(found, as_json=as_json)


def _print_summary(found: DumpSummary, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    print_facts(
        {
            text(ru="Файл", en="File"): found.path,
            text(ru="Размер", en="Size"): size_text(found.bytes),
            text(ru="Таблиц", en="Tables"): found.tables,
            text(ru="Строк", en="Rows"): found.rows,
            text(ru="Хеш содержимого", en="Content digest"): found.content_digest,
            **({text(ru="Назначение", en="Purpose"): DEMO_WORDS} if found.demo else {}),
        }
    )


@command("restore", ru="Загрузить базу из файла .dt", en="Restore a base from a .dt")
@click.argument("source", metavar="FILE.dt", type=_FILE)
@connection_argument()
@option("--name", default="", ru="Имя новой базы", en="Name of the new base")
@_replace_option
@yes_option
@login_options
@_secret_option
def restore(
    source: Path, connection: str, name: str, replace: bool, yes: bool, login: Login, secret: Path | None
) -> None:
    where = resolve(connection)
    with store(where) as engine:
        ask_to_replace(engine, where, login, replace=replace, yes=yes)
        with progress() as step:
            base = bases.restore_base(
                engine, source, name=name, password=_secret(secret), replace=replace, progress=step
            )
        ru = f"Загружена база «{base.name}»: {engine.place}"
        say(text(ru=ru, en=f"Restored the base {base.name!r}: {engine.place}"))


@command(
    "replicate",
    ru="Перенести базу в другое место, из любого режима в любой, и сравнить",
    en="Move a base to another place, from any mode to any, and compare",
)
@connection_argument("source", "SRC")
@connection_argument("target", "DST")
@_replace_option
@yes_option
@login_options
@json_option
def replicate(source: str, target: str, replace: bool, yes: bool, login: Login, as_json: bool) -> None:
    where = resolve(target)
    with opened(source, login) as (base, session):
        demand_administrator(session)
        with store(where) as engine, progress() as step:
            ask_to_replace(engine, where, login, replace=replace, yes=yes)
            found = bases.replicate_base(base, engine, replace=replace, progress=step)
            places = (base.kernel.engine.place, engine.place)
    if as_json:
        print_json(found)
        return
    headers = [
        text(ru="Что сравнивали", en="Compared"),
        text(ru="Строк", en="Rows"),
        text(ru="Совпало", en="Equal"),
    ]
    rows = [
        (c.what, c.rows_a, c.digest_a == c.digest_b and c.rows_a == c.rows_b) for c in (*found.tables, *found.totals)
    ]
    print_table(headers, [row for row in rows if row[1] or not row[2]])
    ru = f"Перенесено: {places[0]} -> {places[1]}. Хеш содержимого совпал: {found.content_digest_b}"
    say(text(ru=ru, en=f"Moved: {places[0]} -> {places[1]}. The content digests agree: {found.content_digest_b}"))
