"""`infobase config`: a configuration out of a base and into it; checking one that is no base yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from infobase import configuration_update as updates
from infobase import infobase as bases
from infobase.commands.access import (
    Login,
    confirm,
    connection_argument,
    demand_administrator,
    login_options,
    opened,
)
from infobase.commands.interface import command_in, group, json_option, option, yes_option
from infobase.commands.output import print_json, print_table, progress, remark, say
from infobase.errors import ConfigurationInvalid, NothingToApply, TargetExists
from infobase.i18n import text
from infobase.metadata import canonical
from infobase.metadata.archive import load_configuration, write_cf
from infobase.metadata.model import Configuration
from infobase.metadata.writer import write_folder
from infobase.session import Session

config = group(
    "config",
    ru="Конфигурация: выгрузить, сравнить, загрузить, обновить базу, проверить",
    en="The configuration: export, compare, load, update the base, check",
)

_SOURCE = click.Path(exists=True, path_type=Path)
_WAIT_SECONDS = 2.0


@dataclass(frozen=True)
class UpdateOptions:
    """How an update treats those who work in the base."""

    yes: bool
    terminate: bool
    message: str
    wait: float


def update_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `UpdateOptions`; the command receives one `options`."""

    @yes_option
    @option("--terminate-sessions", is_flag=True, ru="Завершить сеансы остальных", en="End the sessions of the others")
    @option("--message", default="", ru="Что сообщить их пользователям", en="What to tell their users")
    @option(
        "--wait",
        type=click.FloatRange(min=0),
        default=_WAIT_SECONDS,
        ru="Сколько секунд ждать, пока остальные выйдут",
        en="Seconds to wait until the others leave",
    )
    @wraps(function)
    def command(*args: Any, yes: bool, terminate_sessions: bool, message: str, wait: float, **rest: Any) -> Any:
        said = message or text(
            ru="Обновляется конфигурация базы.", en="The configuration of the base is being updated."
        )
        return function(*args, options=UpdateOptions(yes, terminate_sessions, said, wait), **rest)

    return command


@command_in(config, "export", ru="Выгрузить конфигурацию базы в .cf или папку", en="Export into a .cf or a folder")
@connection_argument()
@click.argument("target", metavar="F.cf|DIR", type=click.Path(path_type=Path))
@option("--replace", is_flag=True, ru="Заменить файл .cf, если он есть", en="Replace the .cf if there is one")
@login_options
def export(connection: str, target: Path, replace: bool, login: Login) -> None:
    with opened(connection, login) as (base, session):
        demand_administrator(session)
        configuration = base.kernel.configuration
    _write(configuration, target, replace=replace)
    ru = f"Конфигурация {configuration.name} {configuration.version} выгружена: {target}"
    say(text(ru=ru, en=f"Exported the configuration {configuration.name} {configuration.version}: {target}"))


def _write(configuration: Configuration, target: Path, *, replace: bool) -> None:
    if target.suffix.casefold() != ".cf":
        write_folder(configuration, target)
        return
    if target.exists() and not replace:
        raise TargetExists(place=target)
    write_cf(configuration, target)


# --- updating ---


@command_in(
    config,
    "import",
    ru="""Загрузить конфигурацию в базу, не меняя таблиц; обновит их config apply

Загруженная конфигурация ждёт в базе; люди продолжают работать с прежней.""",
    en="""Load a configuration into a base without touching the tables; config apply updates them

The loaded configuration waits in the base while people go on working with the old one.""",
)
@click.argument("source", metavar="DIR|F.cf", type=_SOURCE)
@connection_argument()
@option("--apply", "at_once", is_flag=True, ru="Сразу обновить и таблицы", en="Update the tables at once")
@update_options
@login_options
def import_(source: Path, connection: str, at_once: bool, options: UpdateOptions, login: Login) -> None:
    configuration = load_configuration(source)
    with opened(connection, login) as (base, session):
        session.access.demand_configuration("UpdateDataBaseConfiguration")
        if _is_current(base, configuration):
            return
        if at_once:
            _update(base, session, configuration, options)
            return
        updates.load_pending(base, configuration, user=session.info.user)
    ru = f"Загружена {configuration.name} {configuration.version}; обновить базу: infobase config apply"
    en = f"Loaded {configuration.name} {configuration.version}; to update the base: infobase config apply"
    say(text(ru=ru, en=en))


@command_in(
    config,
    "apply",
    ru="""Обновить таблицы базы по загруженной или указанной конфигурации (данные сохраняются)

Одна транзакция: прежнее состояние или новое. Пока работают другие, отказывает и называет их; --terminate-sessions завершает их сеансы.""",
    en="""Update the tables of a base to the loaded or the given configuration (data is kept)

One transaction: the old state or the new. While others work it refuses and names them; --terminate-sessions ends their sessions.""",
)
@connection_argument()
@click.argument("source", metavar="[DIR|F.cf]", type=_SOURCE, required=False)
@update_options
@login_options
def apply(connection: str, source: Path | None, options: UpdateOptions, login: Login) -> None:
    with opened(connection, login) as (base, session):
        session.access.demand_configuration("UpdateDataBaseConfiguration")
        configuration = _wanted(base, source)
        if _is_current(base, configuration):
            updates.drop_pending(base, user=session.info.user)
            return
        _update(base, session, configuration, options)


@command_in(config, "reset", ru="Отбросить загруженную конфигурацию", en="Drop the loaded configuration")
@connection_argument()
@login_options
def reset(connection: str, login: Login) -> None:
    with opened(connection, login) as (base, session):
        session.access.demand_configuration("UpdateDataBaseConfiguration")
        there = updates.drop_pending(base, user=session.info.user)
    if there:
        say(text(ru="Загруженная конфигурация отброшена", en="The loaded configuration is dropped"))
    else:
        say(text(ru="Загруженной конфигурации не было", en="There was no loaded configuration"))


@command_in(
    config,
    "diff",
    ru="Показать, что обновление добавит, изменит и потеряет (с числом строк); ничего не меняет",
    en="Show what an update would add, change and lose (with the rows); changes nothing",
)
@connection_argument()
@click.argument("source", metavar="[DIR|F.cf]", type=_SOURCE, required=False)
@login_options
@json_option
def diff(connection: str, source: Path | None, login: Login, as_json: bool) -> None:
    with opened(connection, login) as (base, session):
        demand_administrator(session)
        configuration = _wanted(base, source)
        found = updates.preview(base, configuration)
    if as_json:
        print_json(preview_json(base.kernel.configuration, configuration, found))
        return
    if not found.objects:
        say(text(ru="Различий нет", en="No differences"))
        return
    for line in preview_lines(found):
        say(line)


def _wanted(base: bases.Infobase, source: Path | None) -> Configuration:
    configuration = load_configuration(source) if source is not None else updates.pending(base)
    if configuration is None:
        raise NothingToApply(place=base.kernel.engine.place)
    return configuration


def _is_current(base: bases.Infobase, configuration: Configuration) -> bool:
    if canonical.digest(configuration) != canonical.digest(base.kernel.configuration):
        return False
    say(text(ru="В базе уже эта конфигурация", en="The base has this configuration already"))
    return True


def _update(base: bases.Infobase, session: Session, configuration: Configuration, options: UpdateOptions) -> None:
    found = updates.preview(base, configuration)
    for line in preview_lines(found):
        remark(line)
    if found.plan.losses:
        rows = sum(found.rows)
        ru, en = f"Будут потеряны данные (строк: {rows}). Продолжить?", f"Data will be lost (rows: {rows}). Go on?"
        confirm(text(ru=ru, en=en), yes=options.yes)
    with progress() as step:
        updates.update_configuration(
            base,
            configuration,
            timeout=options.wait,
            terminate=options.message if options.terminate else None,
            user=session.info.user,
            progress=step,
        )
    ru = f"Конфигурация обновлена: {configuration.name} {configuration.version}"
    say(text(ru=ru, en=f"The configuration is updated: {configuration.name} {configuration.version}"))


# --- showing ---

_MARKS = {"added": "+", "removed": "-", "changed": "*"}
_DETAILS_SHOWN = 20


def preview_lines(found: updates.Preview) -> Iterator[str]:
    """The metadata, then what happens to the tables; a line that loses data ends in the rows it concerns."""
    for difference in found.objects:
        yield f"{_MARKS[difference.kind]} {difference.place}"
        for detail in difference.details[:_DETAILS_SHOWN]:
            yield f"    {detail}"
        if len(difference.details) > _DETAILS_SHOWN:
            count = len(difference.details) - _DETAILS_SHOWN
            yield text(ru=f"    и ещё {count}", en=f"    and {count} more")
    if found.plan.changes:
        yield text(ru="Таблицы:", en="Tables:")
    for change in found.plan.changes:
        rows = found.lost_rows(change)
        tail = "" if rows is None else text(ru=f", строк: {rows}", en=f", rows: {rows}")
        yield f"  {change}{tail}"


def preview_json(old: Configuration, new: Configuration, found: updates.Preview) -> dict[str, object]:
    """The documented shape of `config diff --json`."""
    ends = {
        name: {"name": c.name, "version": c.version, "digest": canonical.digest(c)}
        for name, c in (("from", old), ("to", new))
    }
    storage = [
        {"kind": c.kind, "place": c.place, "detail": c.detail, "lost": c.lost, "rows": found.lost_rows(c)}
        for c in found.plan.changes
    ]
    return {**ends, "objects": found.objects, "storage": storage, "lost_rows": sum(found.rows)}


@command_in(config, "check", ru="Проверить папку конфигурации или .cf", en="Check a configuration folder or a .cf")
@click.argument("source", metavar="DIR|F.cf", type=_SOURCE)
@json_option
def check(source: Path, as_json: bool) -> None:
    try:
        configuration = load_configuration(source)
    except ConfigurationInvalid as e:
        if as_json:
            names = ("file", "line", "key", "message", "expected")
            print_json([{name: getattr(p, name) for name in names} for p in e.problems])
        raise
    if as_json:
        print_json([])
        return
    kinds = Counter(o.kind for o in configuration.objects.values())
    ru = f"{configuration.name} {configuration.version}: ошибок нет"
    say(text(ru=ru, en=f"{configuration.name} {configuration.version}: no faults"))
    print_table([text(ru="Вид", en="Kind"), text(ru="Объектов", en="Objects")], list(kinds.items()))
