"""`infobase list`: the list of infobases, the same `ibases.v8i` that 1C's starter shows."""

from __future__ import annotations

from pathlib import Path

import click

from infobase import list_file
from infobase.commands.interface import command_in, group, json_option, option
from infobase.commands.output import print_json, print_table, say
from infobase.connection_string import folder, masked, parse
from infobase.i18n import text

listing = group("list", ru="Список информационных баз (ibases.v8i)", en="The list of infobases (ibases.v8i)")

_file_option = option(
    "--list",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    ru="Файл списка (иначе INFOBASE_LIST или список 1С этого пользователя)",
    en="File of the list (else INFOBASE_LIST, or this user's 1C list)",
)


@command_in(listing, "show", ru="Показать базы списка", en="Show the bases of the list")
@_file_option
@json_option
def show(file: Path | None, as_json: bool) -> None:
    found = list_file.read(file or list_file.default_place())
    rows = [(s.name, s.folder, masked(s.connect)) for s in found.bases]
    if as_json:
        print_json([{"name": n, "folder": f, "connect": c} for n, f, c in rows])
        return
    if not rows:
        say(text(ru=f"Список пуст: {found.place}", en=f"The list is empty: {found.place}"))
        return
    print_table([text(ru="Имя", en="Name"), text(ru="Группа", en="Group"), text(ru="Соединение", en="Connect")], rows)


@command_in(listing, "add", ru="Добавить базу в список", en="Add a base to the list")
@click.argument("name", metavar="NAME")
@click.argument("connection", metavar="CONN")
@option("--folder", "branch", default="/", ru="Группа, например /Учёт", en="Group, such as /Accounting")
@_file_option
def add(name: str, connection: str, branch: str, file: Path | None) -> None:
    where = parse(connection)
    if where.kind == "list":
        where = folder(where.name)
    if where.kind == "file":
        where = folder(where.file.absolute())
    with list_file.editing(file or list_file.default_place()) as found:
        made = found.add(name, where, branch if branch.startswith("/") else f"/{branch}")
    say(text(ru=f"Добавлена база «{made.name}»: {made.connect}", en=f"Added {made.name!r}: {made.connect}"))
    if where.without_secrets() != where:
        ru = "Пароли в списке не хранятся: передавайте их через INFOBASE_PASSWORD, пароль СУБД - через PGPASSWORD."
        say(text(ru=ru, en="Passwords are not kept in the list: pass INFOBASE_PASSWORD, and PGPASSWORD for the DBMS."))


@command_in(
    listing, "remove", ru="Убрать базу из списка (сама база остаётся)", en="Take a base off the list (the base stays)"
)
@click.argument("name", metavar="NAME")
@_file_option
def remove(name: str, file: Path | None) -> None:
    with list_file.editing(file or list_file.default_place()) as found:
        gone = found.remove(name)
    say(text(ru=f"Убрана база «{gone.name}»", en=f"Removed {gone.name!r}"))
