"""`infobase config`: a configuration out of a base and into it; checking one that is no base yet."""

from __future__ import annotations

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
from infobase.errors import ConfigurationInvalid, ConfigurationUnreadable, TargetExists
from infobase.i18n import text
from infobase.metadata import archive, canonical, reader
from infobase.metadata.model import Configuration

config = group("config", ru="Конфигурация: выгрузить, загрузить, проверить", en="The configuration: export, import, check")

_SOURCE = click.Path(exists=True, path_type=Path)


def read_configuration(place: Path) -> Configuration:
    """From a folder or a `.cf`. ConfigurationUnreadable, ConfigurationInvalid with every problem, GenuineFile."""
    if place.is_dir():
        return reader.read_folder(place)
    return archive.read_cf(place)


@command_in(config, "export", ru="Выгрузить конфигурацию базы в .cf или папку", en="Export into a .cf or a folder")
@connection_argument()
@click.argument("target", metavar="F.cf|DIR", type=click.Path(path_type=Path))
@option("--replace", is_flag=True, ru="Заменить, если есть", en="Replace what is there")
@login_options
def export(connection: str, target: Path, replace: bool, login: Login) -> None:
    with opened(connection, login) as (base, session):
        demand_administrator(session)
        configuration = base.kernel.configuration
    _write(configuration, target, replace=replace)
    ru = f"Конфигурация {configuration.name} {configuration.version} выгружена: {target}"
    say(text(ru=ru, en=f"Exported the configuration {configuration.name} {configuration.version}: {target}"))


def _write(configuration: Configuration, target: Path, *, replace: bool) -> None:
    if target.exists() and not replace:
        raise TargetExists(place=target)
    archive.write_cf(configuration, target)


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
    configuration = read_configuration(source)
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


def _announce(plan: bases.restructure.RestructurePlan, *, yes: bool) -> None:
    """Every change; a yes is needed only where data would be lost."""
    for change in plan.changes:
        remark(f"  {change}")
    lost = [c for c in plan.changes if c.loses_data]
    if lost:
        ru, en = f"Будут потеряны данные ({len(lost)}). Продолжить?", f"Data will be lost ({len(lost)}). Go on?"
        confirm(text(ru=ru, en=en), yes=yes)


@command_in(config, "check", ru="Проверить папку конфигурации или .cf", en="Check a configuration folder or a .cf")
@click.argument("source", metavar="DIR|F.cf", type=_SOURCE)
@json_option
def check(source: Path, as_json: bool) -> None:
    try:
        configuration = read_configuration(source)
    except ConfigurationInvalid as e:
        if as_json:
            names = ("file", "line", "key", "message", "expected")
            print_json([{name: getattr(p, name) for name in names} for p in e.problems])
        raise
    if as_json:
        print_json([])
        return
    rows = [(kind, len(list(configuration.of_kind(kind)))) for kind in dict.fromkeys(o.kind for o in configuration.objects.values())]
    ru = f"{configuration.name} {configuration.version}: ошибок нет"
    say(text(ru=ru, en=f"{configuration.name} {configuration.version}: no faults"))
    print_table([text(ru="Вид", en="Kind"), text(ru="Объектов", en="Objects")], rows)
