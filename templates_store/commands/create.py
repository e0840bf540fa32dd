"""`create`: an infobase from a template, from a configuration in source form, or empty; without a place, the wizard."""

from __future__ import annotations

from pathlib import Path

import click

from infobase import infobase as bases
from infobase.commands.access import can_ask, new_password, store
from infobase.commands.bases import default_name
from infobase.commands.interface import command, json_option, option
from infobase.commands.listing import add_to_list
from infobase.commands.output import print_json
from infobase.list_file import resolve
from infobase.storage import StorageEngine
from templates_store.commands.making import created_json, make, tell
from templates_store.commands.template import settled_roots
from templates_store.commands.wizard import run_wizard
from templates_store.creating import NewBase
from templates_store.source import find_source
from templates_store.tree import collect


@command(
    "create",
    ru="""Создать информационную базу; без CONN - с помощником

Шаблон - имя в дереве шаблонов (template list), папка комплекта или манифест, файл .cf или .dt, папка конфигурации; без него конфигурация пустая.""",
    en="""Create an infobase; without CONN, by the wizard

A template is a name in the tree (template list), a package's folder or manifest, a .cf or .dt, a configuration folder; without one the configuration is empty.""",
)
@click.argument("connection", metavar="[CONN]", required=False, default="")
@option("--template", default="", metavar="PATH|NAME", ru="Шаблон: путь или имя", en="The template: a path or a name")
@option(
    "--template-version",
    "version",
    default="",
    ru="Версия шаблона (иначе новейшая)",
    en="The template's version (else the newest)",
)
@option(
    "--root",
    "given",
    multiple=True,
    type=click.Path(file_okay=False, path_type=Path),
    ru="Каталог шаблонов вместо обычных (можно несколько раз)",
    en="A root of templates in place of the usual ones (repeatable)",
)
@option("--name", default="", ru="Имя базы (иначе имя папки)", en="The base's name (else the folder's)")
@option("--admin", default=None, ru="Имя администратора («» - не создавать)", en='The administrator ("" for none)')
@option("--password-env", default="", ru="Переменная с его паролем", en="Variable with his password")
@option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    ru="Файл с его паролем",
    en="File with his password",
)
@option("--ask-password", is_flag=True, ru="Спросить его пароль", en="Ask for his password")
@option(
    "--allow-empty-password",
    is_flag=True,
    ru="Разрешить базу на сервере без пароля",
    en="Allow a base on a server without a password",
)
@option(
    "--no-cache",
    is_flag=True,
    ru="Не готовить и не использовать эталон шаблона",
    en="Neither make nor use the template's golden base",
)
@option("--add-to-list", "listed", is_flag=True, ru="Добавить базу в список", en="Add the base to the list")
@option("--group", "branch", default="/", ru="Группа списка для --add-to-list", en="The list's group for --add-to-list")
@json_option
def create(
    connection: str,
    template: str,
    version: str,
    given: tuple[Path, ...],
    name: str,
    admin: str | None,
    password_env: str,
    password_file: Path | None,
    ask_password: bool,
    allow_empty_password: bool,
    no_cache: bool,
    listed: bool,
    branch: str,
    as_json: bool,
) -> None:
    if not connection:
        run_wizard(given)
        return
    source = find_source(template, version, lambda: collect(settled_roots(given))) if template else None
    where = resolve(connection)
    with store(where) as engine:
        bases.demand_free(engine)
        wanted = NewBase(
            name or default_name(where),
            admin,
            _password(engine, admin, password_env, password_file, ask_password, allow_empty_password),
            allow_empty_password,
            source.title if source else "",
            not no_cache,
        )
        base = make(engine, source, wanted)
        shown = add_to_list(None, base.name, where, branch) if listed else ""
        if as_json:
            print_json(created_json(base, source, shown))
        else:
            tell(base, shown)


def _password(
    engine: StorageEngine, admin: str | None, variable: str, file: Path | None, ask: bool, allow_empty: bool
) -> str:
    """What was given; asked for where one is demanded and there is somebody to ask."""
    if admin == "":
        return ""
    given = new_password(variable, file, ask=ask)
    if given or allow_empty or ask or not engine.traits.demands_password or not can_ask():
        return given
    return new_password("", None, ask=True)
