"""Where a server infobase lives: host, port, database, user and password, never shown with the password."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from infobase.errors import ConnectionStringInvalid
from infobase.i18n import text

DEFAULT_PORT = 5432
MAINTENANCE_DATABASE = "postgres"
"""The database from which others are created, renamed and dropped."""


@dataclass(frozen=True)
class ServerPlace:
    """One database of one PostgreSQL server. `host` may be a folder with the server's unix socket.

    `cluster`: folder of an embedded cluster that is started on first use; host, port and user then come from it.
    `extra`: further libpq parameters (sslmode, target_session_attrs ...).
    Several hosts, as libpq takes them: `host` "a,b", and their ports in `extra` under "port" ("5432,5433"); `port` is the first.
    """

    host: str
    port: int
    database: str
    user: str = ""
    password: str = field(default="", repr=False)
    cluster: Path | None = None
    extra: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        if self.cluster is not None:
            return f"{self.cluster}/{self.database}"
        return f"{self.host or 'localhost'}:{self.port}/{self.database}"

    def at(self, database: str) -> ServerPlace:
        """The same server, another database."""
        return replace(self, database=database)

    def conninfo(self, **more: str | int) -> str:
        """A libpq connection string, with the password: never to be shown."""
        given: dict[str, str | int] = {"dbname": self.database, "port": self.port, **dict(self.extra), **more}
        optional = {"host": self.host, "user": self.user, "password": self.password}
        given.update({name: value for name, value in optional.items() if value})
        return make_conninfo(**given)  # type: ignore[arg-type]


def from_url(url: str) -> ServerPlace:
    """`postgresql://user:password@host:port/database?...`. ConnectionStringInvalid, which never repeats the password."""
    try:
        found = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    except ProgrammingError:
        detail = text(ru="адрес postgresql:// не разобран", en="cannot parse the postgresql:// address")
        raise ConnectionStringInvalid(value="postgresql://...", detail=detail) from None
    host, port = found.pop("host", ""), found.pop("port", "") or str(DEFAULT_PORT)
    first = _several(host, port, found)
    return ServerPlace(
        host=host,
        port=first,
        database=_demand_database(found.pop("dbname", "")),
        user=found.pop("user", ""),
        password=found.pop("password", ""),
        extra=tuple(sorted(found.items())),
    )


def _several(host: str, port: str, extra: dict[str, str]) -> int:
    """The first port; several hosts or ports go to `extra` as they are, and then the one that takes writes is looked for."""
    ports = [_port(p) for p in port.split(",")]
    if "," in host or len(ports) > 1:
        extra["port"] = ",".join(map(str, ports))
        extra.setdefault("target_session_attrs", "read-write")
    return ports[0]


def place_of(fields: Mapping[str, str]) -> ServerPlace:
    """From the fields of `DBMS=PostgreSQL;DBSrvr="host port=5433";DB=..;DBUID=..;DBPwd=..;` (names in any case), or `url`.

    A folder as DBSrvr is an embedded cluster, unless a server's socket lies in it.
    """
    known = {name.casefold(): value for name, value in fields.items()}
    if known.get("url"):
        return from_url(known["url"])
    dbms = known.get("dbms", "PostgreSQL")
    if dbms.casefold() not in ("postgresql", "postgres"):
        detail = text(ru="поддерживается только DBMS=PostgreSQL", en="only DBMS=PostgreSQL is supported")
        raise ConnectionStringInvalid(value=f"DBMS={dbms}", detail=detail)
    database = _demand_database(known.get("db", ""))
    host, ports = _split_server(known.get("dbsrvr", ""))
    extra: dict[str, str] = {}
    port = _several(host, ports, extra)
    user, password = known.get("dbuid", ""), known.get("dbpwd", "")
    if _is_folder(host) and not _has_socket(host):
        return ServerPlace("", DEFAULT_PORT, database, user, password, cluster=Path(host).absolute())
    return ServerPlace(host, port, database, user, password, extra=tuple(sorted(extra.items())))


def _is_folder(host: str) -> bool:
    return "/" in host or "\\" in host or host.startswith((".", "~"))


def _has_socket(folder: str) -> bool:
    try:
        return any(Path(folder).glob(".s.PGSQL.*"))
    except (OSError, ValueError) as e:  # a name no file system takes
        raise ConnectionStringInvalid(value=f"DBSrvr={folder[:100]}", detail=str(getattr(e, "strerror", e))) from None


def _split_server(server: str) -> tuple[str, str]:
    """'host port=5433' or 'host:5433' or 'host' or 'a,b port=5432,5433' -> (hosts, ports)."""
    found = re.fullmatch(r"(?P<host>.*?)(?:[\s,]+port=(?P<port>\S+)|(?<!:):(?P<short>\d+))?\s*", server.strip())
    if found is None:
        return server, str(DEFAULT_PORT)
    port = found["port"] or found["short"] or str(DEFAULT_PORT)
    return str(Path(found["host"]).expanduser()) if found["host"].startswith("~") else found["host"], port


def _port(value: str) -> int:
    if not value:
        return DEFAULT_PORT
    if not value.isdecimal() or len(value) > 9 or not 0 < int(value) < 65536:
        detail = text(ru="порт - число от 1 до 65535", en="a port is a number from 1 to 65535")
        raise ConnectionStringInvalid(value=f"port={value}", detail=detail)
    return int(value)


def _demand_database(name: str) -> str:
    if name and len(name.encode()) <= 63 and "\x00" not in name:
        return name
    detail = text(
        ru="укажите DB - имя базы данных, не длиннее 63 байт", en="give DB, a database name of at most 63 bytes"
    )
    raise ConnectionStringInvalid(value=f"DB={name}", detail=detail)
