"""`infobase config`: a configuration out of a base and into it; checking one that is no base yet."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

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
from infobase.commands.output import print_json, print_table, remark, say
from infobase.errors import ConfigurationInvalid, TargetExists
from infobase.i18n import text
from infobase.metadata import canonical
from infobase.metadata.archive import load_configuration, write_cf
from infobase.metadata.model import Configuration
from infobase.metadata.writer import write_folder
from infobase.schema.restructure import RestructurePlan

config = group(
    "config", ru="Конфигурация: выгрузить, загрузить, проверить", en="The configuration: export, import, check"
)

_SOURCE = click.Path(exists=True, path_type=Path)


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


@command_in(
    config,
    "import",
    ru="Загрузить конфигурацию в базу и перестроить таблицы (данные сохраняются)",
    en="Import a configuration into a base and restructure its tables (data is kept)",
)
@click.argument("source", metavar="DIR|F.cf", type=_SOURCE)
@connection_argument()
@yes_option
@login_options
def import_(source: Path, connection: str, yes: bool, login: Login) -> None:
    configuration = load_configuration(source)
    with opened(connection, login) as (base, session):
        session.access.demand_configuration("UpdateDataBaseConfiguration")
        if canonical.digest(configuration) == canonical.digest(base.kernel.configuration):
            say(text(ru="В базе уже эта конфигурация", en="The base has this configuration already"))
            return
        plan = bases.plan_update(base, configuration)
        _announce(plan, yes=yes)
        bases.update_configuration(base, configuration)
    ru = f"Конфигурация обновлена: {configuration.name} {configuration.version}"
    say(text(ru=ru, en=f"The configuration is updated: {configuration.name} {configuration.version}"))


def _announce(plan: RestructurePlan, *, yes: bool) -> None:
    """Every change; a yes is needed only where data would be lost."""
    for change in plan.changes:
        remark(f"  {change}")
    if plan.losses:
        count = len(plan.losses)
        ru, en = f"Будут потеряны данные ({count}). Продолжить?", f"Data will be lost ({count}). Go on?"
        confirm(text(ru=ru, en=en), yes=yes)


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
