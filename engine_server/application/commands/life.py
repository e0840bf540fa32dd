"""`server init | start | stop | status`."""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import replace
from pathlib import Path

import click

from engine_server.application import administrators, cluster, demo, process, tuning, vault
from engine_server.application import settings as server_settings
from engine_server.application.cluster import ClusterDatabase
from engine_server.application.commands.common import DEFAULT_ADMINISTRATOR, data_option, folder_of, home_of, server
from engine_server.application.settings import FILE, ServerHome, ServerSettings
from engine_server.application.state import cluster_place
from engine_server.application.state import embedded as embedded_cluster
from engine_server.place import ServerPlace, place_of
from engine_server.pool import connect
from engine_server.remote.door import CLUSTER_PASSWORD
from infobase.commands.access import ask_password, can_ask, secret_in
from infobase.commands.interface import command_in, json_option, option
from infobase.commands.output import print_facts, print_json, remark, say
from infobase.connection_string import parse
from infobase.errors import ServerNotInitialised, ServerNotRunning, TargetExists, UsageError
from infobase.files import write_atomically
from infobase.i18n import text

DSN_VARIABLE = "INFOBASE_SERVER_DSN"
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_host_option = option("--host", default=None, ru="Адрес, который слушать", en="Address to listen at")
_port_option = option("--port", type=click.IntRange(1, 65535), default=None, ru="Порт (1541)", en="Port (1541)")
_workers_option = option(
    "--workers", type=click.IntRange(1, 256), default=None, ru="Рабочих процессов", en="Worker processes"
)
_embedded_option = option(
    "--embedded", is_flag=True, ru="Встроенный PostgreSQL в папке сервера", en="An embedded PostgreSQL"
)


@command_in(
    server,
    "init",
    ru=f"""Создать сервер: папку, ключ, базу данных кластера, администратора кластера

PostgreSQL - из файла --dsn-file, переменной {DSN_VARIABLE} или встроенный (--embedded). Пользователю СУБД нужно право CREATEDB.""",
    en=f"""Make a server: its folder, key, cluster database, and the cluster's administrator

PostgreSQL comes from --dsn-file, the variable {DSN_VARIABLE}, or is embedded (--embedded). Its user needs CREATEDB.""",
)
@data_option
@_embedded_option
@option("--dsn-file", type=_FILE, ru="Файл с адресом PostgreSQL", en="File with the address of PostgreSQL")
@option("--name", default="infobase", ru="Имя кластера", en="Name of the cluster")
@option("--key-file", type=_FILE, ru="Ключ другого узла того же кластера", en="Key of another host of the same cluster")
@option("--cluster-user", default=DEFAULT_ADMINISTRATOR, ru="Администратор кластера", en="Administrator of the cluster")
@_host_option
@_port_option
@_workers_option
def init(
    folder: Path | None,
    embedded: bool,
    dsn_file: Path | None,
    name: str,
    key_file: Path | None,
    cluster_user: str,
    host: str | None,
    port: int | None,
    workers: int | None,
) -> None:
    place = None if embedded else _cluster_dsn(dsn_file)
    settings = _with(ServerSettings(name=name, embedded=embedded), host, port, workers)
    home, told = make(folder_of(folder), settings, place, cluster_user, key_file)
    say(text(ru=f"Сервер создан: {home.folder}", en=f"Made a server: {home.folder}"))
    _tell_password(cluster_user, told)


def _with(settings: ServerSettings, host: str | None, port: int | None, workers: int | None) -> ServerSettings:
    given = {"host": host, "port": port, "workers": workers}
    return replace(settings, **{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]


def _cluster_dsn(file: Path | None) -> ServerPlace:
    given = secret_in(file) if file else os.environ.get(DSN_VARIABLE, "")
    if not given:
        detail = text(
            ru=f"укажите PostgreSQL: --dsn-file, {DSN_VARIABLE} или --embedded",
            en=f"give a PostgreSQL: --dsn-file, {DSN_VARIABLE} or --embedded",
        )
        raise UsageError(detail=detail)
    where = parse(given)
    fields = dict(where.pairs)
    if where.kind != "dbms":
        raise UsageError(
            detail=text(ru="нужна строка DBMS=... или postgresql://", en="DBMS=... or postgresql:// is needed")
        )
    return place_of(fields)


def _tell_password(user: str, generated: str) -> None:
    if generated:
        ru = f"Администратор кластера {user}, пароль {generated} - запишите, второй раз он показан не будет."
        remark(
            text(
                ru=ru,
                en=f"The cluster's administrator is {user}, password {generated} - note it, it is not shown again.",
            )
        )


def make(
    folder: Path, settings: ServerSettings, place: ServerPlace | None, user: str, key_file: Path | None = None
) -> tuple[ServerHome, str]:
    """A data folder, the cluster's database and its administrator; the password if it had to be invented. Nothing half-made stays."""
    if (folder / FILE).exists():
        raise TargetExists(place=folder / FILE)
    folder.mkdir(mode=0o711 if settings.embedded else 0o700, parents=True, exist_ok=True)
    home = ServerHome(folder, settings)
    key = _key(folder, key_file)
    if place is not None:
        placed = place if place.database != "postgres" else place.at(settings.cluster_database)
        write_atomically(folder / "cluster.dsn", key.seal_place(placed))
        (folder / "cluster.dsn").chmod(0o600)
    started = embedded_cluster(home) if settings.embedded else None
    try:
        where = cluster_place(home, key, started)
        cluster.create_database(where, settings.name)
        generated = _first_administrator(ClusterDatabase(where, key), user)
    finally:
        if started is not None:
            started.stop()
    write_atomically(folder / FILE, server_settings.to_toml(settings).encode())
    return home, generated


def _key(folder: Path, key_file: Path | None) -> vault.Vault:
    if key_file is not None:
        shutil.copyfile(key_file, folder / vault.KEY_FILE)
        (folder / vault.KEY_FILE).chmod(0o600)
    elif not (folder / vault.KEY_FILE).exists():
        return vault.create(folder)
    return vault.load(folder)


def _first_administrator(database: ClusterDatabase, user: str) -> str:
    try:
        if administrators.names(database):
            return ""
        given = os.environ.get(CLUSTER_PASSWORD)
        if given is None and can_ask():
            given = ask_password(
                text(ru=f"Пароль администратора кластера {user}", en=f"Password of {user}"), twice=True
            )
        generated = "" if given else secrets.token_urlsafe(12)
        administrators.add(database, user, given or generated)
        return generated
    finally:
        database.close()


@command_in(
    server,
    "start",
    ru="""Запустить сервер (в этом терминале; --background - отдельно от него)

--embedded создаёт сервер со встроенным PostgreSQL, если его ещё нет; --demo добавляет базу demo с демонстрационными данными.""",
    en="""Start the server (in this terminal; --background: apart from it)

--embedded makes a server with an embedded PostgreSQL where there is none; --demo adds the base `demo` with data to try.""",
)
@data_option
@_embedded_option
@option(
    "--demo", "with_demo", is_flag=True, ru="Добавить демонстрационную базу demo", en="Add the demonstration base demo"
)
@option(
    "--background",
    is_flag=True,
    ru="В фоне; вернуться, когда сервер готов",
    en="In the background; return when it is ready",
)
@_host_option
@_port_option
@_workers_option
def start(
    folder: Path | None,
    embedded: bool,
    with_demo: bool,
    background: bool,
    host: str | None,
    port: int | None,
    workers: int | None,
) -> None:
    home = _home(folder_of(folder), embedded=embedded)
    settings = _with(home.settings, host, port, workers)
    if settings != home.settings:
        write_atomically(home.folder / FILE, server_settings.to_toml(settings).encode())
        home = ServerHome(home.folder, settings)
    _check(home)
    if with_demo:
        _add_demo(home)
    if not background:
        _tell_where(home)
        process.serve(home)
        return
    pid = process.start_in_background(home)
    _tell_where(home)
    say(text(ru=f"Сервер работает, процесс {pid}", en=f"The server runs, pid {pid}"))


def _check(home: ServerHome) -> None:
    """PostgreSQL's version, settings and rights: faults stop the start, remarks are told."""
    if process.is_held(home):
        return
    key = vault.load(home.folder)
    started = embedded_cluster(home) if home.settings.embedded else None
    try:
        place = cluster_place(home, key, started)
        with connect(place, application="infobase-cluster", prepare=False) as conn:
            findings = tuning.examine(conn, home.settings, home.settings.name)
    finally:
        if started is not None:
            started.stop()
    for finding in findings:
        remark(f"  {finding.message}")
    tuning.demand(findings)


def _home(folder: Path, *, embedded: bool) -> ServerHome:
    try:
        return server_settings.load(folder)
    except ServerNotInitialised:
        if not embedded:
            raise
    home, generated = make(folder, ServerSettings(embedded=True), None, DEFAULT_ADMINISTRATOR)
    _tell_password(DEFAULT_ADMINISTRATOR, generated)
    return home


def _add_demo(home: ServerHome) -> None:
    if process.is_held(home):
        raise UsageError(detail=text(ru="--demo: сначала остановите сервер", en="--demo: stop the server first"))
    made = demo.add(home)
    if made:
        say(text(ru=f"Добавлена база {demo.NAME}", en=f"Added the base {demo.NAME}"))


def _tell_where(home: ServerHome) -> None:
    place = f"{home.settings.host}:{home.settings.port}"
    ru, en = (
        f'Сервер: {place}. Подключение: Srvr="{place}";Ref="имя";',
        f'Server: {place}. Connect: Srvr="{place}";Ref="name";',
    )
    remark(text(ru=ru, en=en))


@command_in(
    server, "stop", ru="Остановить сервер этой папки, дав вызовам закончиться", en="Stop the server, letting calls end"
)
@data_option
def stop(folder: Path | None) -> None:
    home = home_of(folder)
    pid = process.stop(home)
    say(text(ru=f"Сервер остановлен (процесс {pid})", en=f"The server is stopped (pid {pid})"))


@command_in(server, "status", ru="Работает ли сервер", en="Whether the server runs")
@data_option
@json_option
def status(folder: Path | None, as_json: bool) -> None:
    home = home_of(folder)
    running, ready = process.is_held(home), process.ready(home)
    found = {
        "folder": str(home.folder),
        "address": f"{home.settings.host}:{home.settings.port}",
        "running": running,
        "ready": ready is not None,
        "pid": process.pid_of(home) if running else None,
        "workers": home.settings.workers,
        "embedded": home.settings.embedded,
    }
    if as_json:
        print_json(found)
    else:
        names = (
            text(ru="Папка", en="Folder"),
            text(ru="Адрес", en="Address"),
            text(ru="Работает", en="Running"),
            text(ru="Готов", en="Ready"),
            text(ru="Процесс", en="Process"),
            text(ru="Рабочих процессов", en="Workers"),
            text(ru="Встроенный PostgreSQL", en="Embedded PostgreSQL"),
        )
        print_facts(dict(zip(names, found.values(), strict=True)))
    if not running:
        raise ServerNotRunning(place=home.folder)
