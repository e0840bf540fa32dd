"""The `infobase` program: assembles the command groups that the packages define, each imported when it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module

import click

import infobase
from infobase.commands import runner
from infobase.commands.interface import Deferred, Option, group
from infobase.i18n import Bilingual


def _at(place: str) -> Callable[[], click.Command]:
    """The command that stands at "module:name"."""

    def load() -> click.Command:
        module, _, name = place.partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    return load


def _inspect() -> click.Command:
    from infobase.commands.inspecting import inspect
    from infobase.inspection.recognise import register
    from templates_store.inspection import inspect_manifest

    register(".mft", inspect_manifest)
    return inspect


def _server() -> click.Command:
    """The parts are imported for their commands, which they add to the group."""
    for part in ("administration", "life", "tune"):
        import_module(f"engine_server.application.commands.{part}")
    from engine_server.application.commands.common import server

    return server


COMMANDS: dict[str, Callable[[], click.Command]] = {
    "demo": _at("crm.commands:demo"),
    "create": _at("templates_store.commands.create:create"),
    "wizard": _at("templates_store.commands.wizard:wizard"),
    "drop": _at("infobase.commands.bases:drop"),
    "list": _at("infobase.commands.listing:listing"),
    "info": _at("infobase.commands.bases:info"),
    "query": _at("infobase.commands.querying:query"),
    "post": _at("infobase.commands.documents:post"),
    "dump": _at("infobase.commands.moving:dump"),
    "verify": _at("infobase.commands.moving:verify"),
    "restore": _at("infobase.commands.moving:restore"),
    "copy": _at("infobase.commands.copying:copy"),
    "prepare": _at("infobase.commands.copying:prepare"),
    "replicate": _at("infobase.commands.moving:replicate"),
    "advise": _at("infobase.commands.advising:advise"),
    "inspect": _inspect,
    "backup": _at("infobase.commands.backing_up:backup"),
    "jobs": _at("infobase.commands.job_running:jobs"),
    "check": _at("infobase.commands.checking:check"),
    "config": _at("infobase.commands.configuration:config"),
    "sessions": _at("infobase.commands.sessions:sessions"),
    "user": _at("infobase.commands.users:user"),
    "role": _at("infobase.commands.users:role"),
    "log": _at("infobase.commands.log:log"),
    "serve": _at("engine_server.odata.commands:serve"),
    "odata": _at("engine_server.odata.commands:odata"),
    "classifier": _at("classifiers.commands:classifier"),
    "bench": _at("benchmarks.commands:bench"),
    "template": _at("templates_store.commands.template:template"),
    "server": _server,
}
"""In the order of a day's work."""

root = group(
    "infobase",
    ru="""Эмулятор платформы 1С:Предприятие 8: информационные базы в файле и в PostgreSQL

CONN - строка соединения (File="DIR"; или DBMS=PostgreSQL;DBSrvr=..;DB=..;), адрес postgresql://, папка или имя из списка баз.""",
    en="""An emulator of the 1C:Enterprise 8 platform: infobases in one file and in PostgreSQL

CONN is a connection string (File="DIR"; or DBMS=PostgreSQL;DBSrvr=..;DB=..;), a postgresql:// URL, a folder, or a name from the list.""",
    commands=Deferred(COMMANDS),
)
_version = click.version_option(
    infobase.__version__, prog_name="infobase", cls=Option, says=Bilingual("Показать версию", "Show the version")
)
_version(root)


def main() -> None:
    """Entry point of the console script."""
    sys.exit(runner.run(root))


if __name__ == "__main__":
    main()
