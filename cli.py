"""The `infobase` program: assembles the command groups that the packages define."""

from __future__ import annotations

import sys

import click

import infobase
from benchmarks.commands import bench
from classifiers.commands import classifier
from crm.commands import demo
from engine_server.application.commands import administration, life, tune
from engine_server.application.commands.common import server
from engine_server.odata import commands as odata_commands
from infobase.commands import (
    advising,
    backing_up,
    bases,
    checking,
    configuration,
    copying,
    documents,
    inspecting,
    job_running,
    listing,
    log,
    moving,
    querying,
    runner,
    sessions,
    users,
)
from infobase.commands.interface import Option, group
from infobase.i18n import Bilingual
from infobase.inspection.recognise import register as register_inspection
from templates_store.commands.create import create
from templates_store.commands.template import template
from templates_store.commands.wizard import wizard
from templates_store.inspection import inspect_manifest

root = group(
    "infobase",
    ru="""Эмулятор платформы 1С:Предприятие 8: информационные базы в файле и в PostgreSQL

CONN - строка соединения (File="DIR"; или DBMS=PostgreSQL;DBSrvr=..;DB=..;), адрес postgresql://, папка или имя из списка баз.""",
    en="""An emulator of the 1C:Enterprise 8 platform: infobases in one file and in PostgreSQL

CONN is a connection string (File="DIR"; or DBMS=PostgreSQL;DBSrvr=..;DB=..;), a postgresql:// URL, a folder, or a name from the list.""",
)

COMMANDS: tuple[click.Command, ...] = (
    demo,
    create,
    wizard,
    bases.drop,
    listing.listing,
    bases.info,
    querying.query,
    documents.post,
    moving.dump,
    moving.verify,
    moving.restore,
    copying.copy,
    copying.prepare,
    moving.replicate,
    advising.advise,
    inspecting.inspect,
    backing_up.backup,
    job_running.jobs,
    checking.check,
    configuration.config,
    sessions.sessions,
    users.user,
    users.role,
    log.log,
    odata_commands.serve,
    odata_commands.odata,
    classifier,
    bench,
    template,
    server,
)
_PARTS = (administration, life, tune)
"""Modules whose import adds their commands to the group `server`."""

register_inspection(".mft", inspect_manifest)
for _command in COMMANDS:
    root.add_command(_command)
_version = click.version_option(
    infobase.__version__, prog_name="infobase", cls=Option, says=Bilingual("Показать версию", "Show the version")
)
_version(root)


def main() -> None:
    """Entry point of the console script."""
    sys.exit(runner.run(root))


if __name__ == "__main__":
    main()
