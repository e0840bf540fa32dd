"""`server tune`: the profile of PostgreSQL for this machine, and why."""

from __future__ import annotations

from pathlib import Path

import click

from engine_server.application import settings as server_settings
from engine_server.application import tuning
from engine_server.application.commands.common import data_option, folder_of, server
from engine_server.application.settings import ServerSettings
from infobase.commands.interface import command_in, json_option, option
from infobase.commands.output import print_json, say
from infobase.errors import ServerNotInitialised


@command_in(
    server,
    "tune",
    ru="""Показать настройки PostgreSQL для этой машины и зачем они

Вывод - готовые строки postgresql.conf; ничего не меняется.""",
    en="""Print the settings of PostgreSQL for this machine, and why

The output is lines for postgresql.conf; nothing is changed.""",
)
@data_option
@option(
    "--memory",
    type=click.IntRange(min=512),
    default=None,
    ru="Память, МБ (иначе этой машины)",
    en="Memory, MB (else this machine's)",
)
@option(
    "--cores", type=click.IntRange(min=1), default=None, ru="Ядер (иначе этой машины)", en="Cores (else this machine's)"
)
@option("--dedicated", is_flag=True, ru="Кроме PostgreSQL на машине ничего нет", en="Nothing but PostgreSQL runs there")
@json_option
def tune(folder: Path | None, memory: int | None, cores: int | None, dedicated: bool, as_json: bool) -> None:
    here = tuning.this_machine()
    machine = tuning.Machine(memory * tuning.MB if memory else here.memory, cores or here.cores)
    try:
        settings = server_settings.load(folder_of(folder)).settings
    except ServerNotInitialised:
        settings = ServerSettings()
    advice = tuning.profile(machine, settings, shared=not dedicated)
    if as_json:
        print_json([{"setting": a.setting, "value": a.value, "why": str(a.why)} for a in advice])
        return
    width = max(len(f"{a.setting} = {a.value}") for a in advice)
    for a in advice:
        line = f"{a.setting} = {a.value}"
        say(f"{line:<{width}}  # {a.why}")
