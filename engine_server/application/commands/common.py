"""What the commands share: the data folder, who administers the cluster, calls to a running server."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from engine_server.application import settings as server_settings
from engine_server.application.settings import ServerHome
from engine_server.remote.address import Addresses, parse_server
from engine_server.remote.door import CLUSTER_PASSWORD, CLUSTER_USER
from engine_server.remote.transport import Transport
from infobase.commands.access import ask_password, can_ask, secret_in
from infobase.commands.interface import group, option
from infobase.connection_string import parse
from infobase.errors import ServerNotInitialised, UsageError
from infobase.i18n import text

server = group(
    "server", ru="Сервер приложений: базы, сеансы, блокировки", en="The application server: bases, sessions, locks"
)
infobases = group("infobases", ru="Базы кластера", en="Infobases of the cluster")
sessions = group("sessions", ru="Сеансы кластера", en="Sessions of the cluster")
administrators = group("administrators", ru="Администраторы кластера", en="Administrators of the cluster")
for _group in (infobases, sessions, administrators):
    server.add_command(_group)

data_option = option(
    "--data",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    ru=f"Папка сервера (иначе {server_settings.FOLDER_VARIABLE} или ~/.infobase/server)",
    en=f"The server's folder (else {server_settings.FOLDER_VARIABLE}, or ~/.infobase/server)",
)


def folder_of(given: Path | None) -> Path:
    return (given or server_settings.default_folder()).absolute()


def home_of(given: Path | None) -> ServerHome:
    """ServerNotInitialised."""
    return server_settings.load(folder_of(given))


@dataclass(frozen=True)
class Steward:
    """The cluster's administrator at a running server."""

    addresses: Addresses
    user: str
    password: str

    def call(self, name: str, args: Mapping[str, object] | None = None) -> Any:
        """One administrative call. ClusterLoginFailed, ServerUnavailable."""
        transport = Transport(self.addresses, "")
        given = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        try:
            asked = {"call": name, "args": dict(args or {})}
            return transport.post("/admin/call", asked, repeat=False, headers={"Authorization": f"Basic {given}"})[
                "result"
            ]
        finally:
            transport.close()


def steward_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--server`, `--cluster-user`, `--cluster-password-file`; the command receives one `steward`."""

    @option(
        "--server",
        "address",
        default="",
        ru="Сервер: узел[:порт] (иначе этот)",
        en="Server: host[:port] (else this one)",
    )
    @option(
        "--cluster-user",
        default="",
        ru=f"Администратор кластера ({CLUSTER_USER})",
        en=f"Administrator ({CLUSTER_USER})",
    )
    @option(
        "--cluster-password-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        ru=f"Файл с его паролем (иначе {CLUSTER_PASSWORD} или вопрос)",
        en=f"File with his password (else {CLUSTER_PASSWORD}, or a question)",
    )
    @data_option
    @wraps(function)
    def command(
        *args: Any,
        address: str,
        cluster_user: str,
        cluster_password_file: Path | None,
        folder: Path | None,
        **rest: Any,
    ) -> Any:
        user = cluster_user or os.environ.get(CLUSTER_USER, "") or DEFAULT_ADMINISTRATOR
        password = secret_in(cluster_password_file) if cluster_password_file else os.environ.get(CLUSTER_PASSWORD)
        if password is None and can_ask():
            password = ask_password(text(ru=f"Пароль администратора кластера {user}", en=f"Password of {user}"))
        return function(*args, steward=Steward(_addresses(address, folder), user, password or ""), **rest)

    return command


DEFAULT_ADMINISTRATOR = "admin"


def _addresses(given: str, folder: Path | None) -> Addresses:
    if given:
        return parse_server(given)
    try:
        settings = home_of(folder).settings
    except ServerNotInitialised:
        return parse_server("localhost")
    host = "localhost" if settings.host in ("0.0.0.0", "::") else settings.host
    return Addresses(((host, settings.port),), bool(settings.tls_certificate))


def place_option() -> Callable[[Any], Any]:
    return option(
        "--place-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        ru="Файл с местом в СУБД: DBMS=PostgreSQL;DBSrvr=..;DB=..;DBUID=..;DBPwd=..; или postgresql://",
        en="File with the place in the DBMS: DBMS=PostgreSQL;DBSrvr=..;DB=..;DBUID=..;DBPwd=..; or postgresql://",
    )


def place_fields(file: Path | None) -> dict[str, str]:
    """The fields of a connection string to the DBMS; it comes from a file because passwords have no place in `ps`."""
    if file is None:
        return {}
    where = parse(secret_in(file))
    if where.kind != "dbms":
        detail = text(
            ru=f"{file}: нужна строка DBMS=... или postgresql://", en=f"{file}: DBMS=... or postgresql:// is needed"
        )
        raise UsageError(detail=detail)
    return dict(where.pairs)
