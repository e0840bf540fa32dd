"""`infobase copy` and `infobase prepare`: from one base to the next client's."""

from __future__ import annotations

from pathlib import Path

import click

from infobase.commands.access import (
    Login,
    confirm,
    connection_argument,
    demand_administrator,
    login_options,
    opened,
)
from infobase.commands.interface import command, json_option, option, yes_option
from infobase.commands.listing import add_to_list, list_option
from infobase.commands.output import print_json, print_table, progress, remark, say
from infobase.connection_string import folder, parse
from infobase.copying import Copied, copies_text, copy_base
from infobase.errors import ConnectionStringInvalid, UsageError
from infobase.i18n import text
from infobase.list_file import resolve
from infobase.prepare import Stripped, Wanted, plan
from infobase.prepare import prepare as prepare_base


@command(
    "copy",
    ru="""Скопировать базу в новые папки, не прерывая работы

Все копии - одного момента, у каждой свой идентификатор. Копия базы на сервере - файловая база; на сервер базу переносит replicate.""",
    en="""Copy a base into new folders while people work

All copies are of one moment, each with an id of its own. A server base's copy is a file base; replicate moves a base to a server.""",
)
@connection_argument()
@click.argument("target", metavar="[DIR]", default="")
@option(
    "--to",
    "more",
    multiple=True,
    metavar="DIR",
    ru="Ещё одна папка (можно несколько раз)",
    en="One more folder (may be repeated)",
)
@option("--with-log", is_flag=True, ru="Вместе с журналом регистрации", en="With the event log")
@option("--name", default="", ru="Имя копии (иначе имя её папки)", en="Name of the copy (else its folder's)")
@option(
    "--list-group",
    "branch",
    default="",
    ru="Добавить копии в эту группу списка баз",
    en="Add the copies to this group of the list",
)
@list_option
@login_options
@json_option
def copy(
    connection: str,
    target: str,
    more: tuple[str, ...],
    with_log: bool,
    name: str,
    branch: str,
    file: Path | None,
    login: Login,
    as_json: bool,
) -> None:
    targets = [folder_of(t) for t in ((target, *more) if target else more)]
    if not targets:
        detail = text(
            ru="укажите папку копии: copy CONN DIR или --to DIR",
            en="give the copy's folder: copy CONN DIR, or --to DIR",
        )
        raise UsageError(detail=detail)
    if name and len(targets) > 1:
        raise UsageError(detail=text(ru="--name - для одной копии", en="--name is for one copy"))
    with opened(connection, login) as (base, session):
        demand_administrator(session)
        if not base.kernel.engine.traits.backup_opens:
            ru = "Копии базы на сервере - файловые базы. Копию на сервере сделает: infobase replicate"
            remark(text(ru=ru, en="Copies of a server base are file bases. For a copy on a server: infobase replicate"))
        with progress() as step:
            made = copy_base(base, targets, names=[name] if name else [], with_log=with_log, progress=step)
        log = base.kernel.engine.event_log()
        log.append([session.log_entry("_$InfoBase$_.Copied", comment=copies_text(made))])
    _print_copies(made, as_json=as_json)
    if branch:
        _list_copies(made, branch, file)


def folder_of(written: str) -> Path:
    """A folder, written plainly or as File="DIR"; UsageError for a place on a server."""
    try:
        where = parse(written)
    except ConnectionStringInvalid:
        return Path(written)
    if where.kind == "list":
        return Path(where.name)
    if where.kind != "file":
        ru = f"copy делает файловые базы; на сервер: infobase replicate CONN {where}"
        raise UsageError(detail=text(ru=ru, en=f"copy makes file bases; to a server: infobase replicate CONN {where}"))
    return where.file


def _print_copies(made: list[Copied], *, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    for c in made:
        say(text(ru=f"Копия базы «{c.name}»: {c.place}", en=f"A copy, {c.name!r}: {c.place}"))


def _list_copies(made: list[Copied], branch: str, file: Path | None) -> None:
    for c in made:
        listed = add_to_list(file, c.name, folder(c.place), branch)
        if listed:
            remark(
                text(
                    ru=f"В списке баз: {branch.rstrip('/')}/{listed}", en=f"In the list: {branch.rstrip('/')}/{listed}"
                )
            )


@command(
    "prepare",
    ru="""Подготовить базу к передаче следующему клиенту

Убирает журнал, задания, счётчики номеров, префикс, дату запрета, настройки пользователей и идентификатор базы. Классификаторы,
справочники, константы и предопределённые элементы остаются; документы и пользователи - по ключам.""",
    en="""Prepare a base to go to the next client

Strips the log, jobs, number counters, the prefix, the closed period, users' settings and the base's id. Classifiers, catalogs, constants
and predefined items stay; documents and users go on demand.""",
)
@connection_argument()
@option("--name", default="", ru="Новое имя базы", en="A new name for the base")
@option(
    "--remove-documents",
    "documents",
    is_flag=True,
    ru="Удалить документы и их движения",
    en="Remove documents and their records",
)
@option(
    "--remove-users",
    "users",
    is_flag=True,
    ru="Удалить всех, кроме администраторов",
    en="Remove all users but administrators",
)
@option(
    "--for-work",
    is_flag=True,
    ru="Снять отметку учебной базы: дальше в ней работают",
    en="Take the mark of a demonstration base off: it goes to work",
)
@option("--dry-run", is_flag=True, ru="Только показать, что будет убрано", en="Only show what would go")
@yes_option
@login_options
@json_option
def prepare(
    connection: str,
    name: str,
    documents: bool,
    users: bool,
    for_work: bool,
    dry_run: bool,
    yes: bool,
    login: Login,
    as_json: bool,
) -> None:
    wanted = Wanted(name, documents, users, for_work)
    with opened(resolve(connection), login) as (base, session):
        demand_administrator(session)
        if dry_run:
            _print_stripped(plan(session, wanted), as_json=as_json)
            return
        place = base.kernel.engine.place
        ru = f"Убрать из базы «{base.name}» ({place}) всё, что относится к этой установке? Вернуть это можно только из копии."
        en = f"Strip the base {base.name!r} ({place}) of what belongs to this installation? Only a backup brings it back."
        confirm(text(ru=ru, en=en), yes=yes)
        stripped = prepare_base(base, session, wanted)
    _print_stripped(stripped, as_json=as_json)
    if base.demo and not for_work:
        ru = "База остаётся учебной: в ней данные для обучения. Отметку снимает ключ --for-work."
        remark(text(ru=ru, en="It stays a demonstration base, filled for study; --for-work takes the mark off."))


def _print_stripped(stripped: list[Stripped], *, as_json: bool) -> None:
    if as_json:
        print_json([{"code": s.code, "what": str(s.what), "count": s.count} for s in stripped])
        return
    headers = [text(ru="Что убирается", en="What goes"), text(ru="Сколько", en="How much")]
    identity = text(ru="идентификатор базы", en="the base's id")
    print_table(headers, [*((str(s.what), s.count) for s in stripped), (identity, 1)])
