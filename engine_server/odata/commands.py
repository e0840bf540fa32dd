"""`infobase serve` and `infobase odata`."""

from __future__ import annotations

import sys
from contextlib import suppress

import click

from engine_server.odata import publication, serving
from engine_server.odata.model import PUBLISHABLE, type_name
from engine_server.odata.sessions import LIMIT, SessionPool
from infobase.commands.access import Login, connection_argument, login_options, opened, store
from infobase.commands.interface import command, command_in, group, json_option, option
from infobase.commands.output import print_json, print_table, remark, say
from infobase.errors import InfobaseNotFound, UsageError
from infobase.i18n import text
from infobase.list_file import resolve
from infobase.metadata.model import Configuration
from infobase.served import door_of

odata = group(
    "odata",
    ru="""Состав стандартного интерфейса OData

Публикуется только то, что отмечено; права пользователей действуют как везде.""",
    en="""What the standard OData interface publishes

Only what is ticked is published; users' rights hold as everywhere.""",
)


@command(
    "serve",
    ru="""Опубликовать базу по HTTP: стандартный интерфейс OData

Адрес: http://HOST:PORT/odata/standard.odata/. Пользователи входят под своим именем и паролем (HTTP Basic). Что опубликовано: infobase odata.""",
    en="""Serve an infobase over HTTP: the standard OData interface

The address: http://HOST:PORT/odata/standard.odata/. Users sign in with their name and password (HTTP Basic). What is published: infobase odata.""",
)
@connection_argument()
@option("--host", default="127.0.0.1", show_default=True, ru="Адрес, на котором слушать", en="Address to listen at")
@option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    ru="Порт (0 - любой свободный)",
    en="Port (0: any free one)",
)
@option(
    "--sessions",
    type=click.IntRange(1, 200),
    default=LIMIT,
    show_default=True,
    ru="Сеансов одновременно, не больше",
    en="Sessions at once, at most",
)
def serve(connection: str, host: str, port: int, sessions: int) -> None:
    where = resolve(connection)
    with store(where) as engine:
        if door_of(engine) is not None:
            address = f"http://{engine.place}{serving.PREFIX}/"
            raise UsageError(
                detail=text(ru=f"базу уже публикует сервер: {address}", en=f"the server serves the base: {address}")
            )
        if not engine.exists():
            raise InfobaseNotFound(place=engine.place)
        place = engine.place
    pool = SessionPool(where, limit=sessions)
    with serving.listening(host, port) as listener:
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}{serving.PREFIX}/"
        say(text(ru=f"{place}: {address} (остановить: Ctrl-C)", en=f"{place}: {address} (stop: Ctrl-C)"))
        sys.stdout.flush()
        try:
            with suppress(KeyboardInterrupt):
                serving.server_of(serving.one_base(pool)).run([listener])
        finally:
            pool.close()
    remark(text(ru="Служба остановлена.", en="The service has stopped."))


@command_in(odata, "show", ru="Показать состав", en="Show what is published")
@connection_argument()
@login_options
@json_option
def show(connection: str, login: Login, as_json: bool) -> None:
    with opened(connection, login) as (_, session):
        configuration = session.kernel.configuration
        names = publication.published(session)
        possible = [n for n, o in configuration.objects.items() if o.kind in PUBLISHABLE]
    if as_json:
        print_json(
            [{"object": n, "set": type_name(configuration.objects[n]), "published": n in names} for n in possible]
        )
        return
    yes, no = text(ru="да", en="yes"), ""
    headers = [text(ru="Объект", en="Object"), text(ru="Набор", en="Set"), text(ru="Опубликован", en="Published")]
    print_table(headers, [[n, type_name(configuration.objects[n]), yes if n in names else no] for n in possible])


@command_in(
    odata,
    "publish",
    ru="""Опубликовать объекты

NAMES - имена на любом языке: Справочник.Контрагенты, Catalog.Counterparties, Catalog_Контрагенты; * - всё.""",
    en="""Publish objects

NAMES are in either language: Справочник.Контрагенты, Catalog.Counterparties, Catalog_Контрагенты; * is everything.""",
)
@connection_argument()
@click.argument("names", nargs=-1, required=True)
@login_options
@json_option
def publish(connection: str, names: tuple[str, ...], login: Login, as_json: bool) -> None:
    with opened(connection, login) as (_, session):
        _report(session.kernel.configuration, publication.publish(session, names), as_json)


@command_in(odata, "unpublish", ru="Убрать объекты из состава", en="Take objects back")
@connection_argument()
@click.argument("names", nargs=-1, required=True)
@login_options
@json_option
def unpublish(connection: str, names: tuple[str, ...], login: Login, as_json: bool) -> None:
    with opened(connection, login) as (_, session):
        _report(session.kernel.configuration, publication.unpublish(session, names), as_json)


def _report(configuration: Configuration, names: list[str], as_json: bool) -> None:
    sets = [type_name(configuration.objects[n]) for n in names]
    if as_json:
        print_json(sets)
        return
    say(text(ru=f"Опубликовано объектов: {len(sets)}", en=f"Objects published: {len(sets)}"))
    for name in sets:
        say(f"  {name}")
