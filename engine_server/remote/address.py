"""`Srvr="[tcp://|tls://]host[:port][,host2[:port]]"` -> addresses to try in turn."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine_server.wire.protocol import DEFAULT_PORT
from infobase.errors import ConnectionStringInvalid
from infobase.i18n import text


@dataclass(frozen=True)
class Addresses:
    """`hosts`: (host, port), the first one preferred. `secure`: TLS."""

    hosts: tuple[tuple[str, int], ...]
    secure: bool = False

    def __str__(self) -> str:
        return ",".join(f"{host}:{port}" for host, port in self.hosts)


_PART = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:,/\[\]]+)(?::(?P<port>\d{1,5}))?")


def parse_server(given: str) -> Addresses:
    """ConnectionStringInvalid."""
    scheme, mark, rest = given.strip().rpartition("://")
    if mark and scheme.lower() not in ("tcp", "tls", "http", "https"):
        raise _invalid(given)
    hosts = []
    for part in rest.split(","):
        found = _PART.fullmatch(part.strip())
        port = int(found["port"] or DEFAULT_PORT) if found else 0
        if found is None or not 0 < port < 65536:
            raise _invalid(given)
        hosts.append((found["host"].strip("[]"), port))
    return Addresses(tuple(hosts), scheme.lower() in ("tls", "https"))


def _invalid(given: str) -> ConnectionStringInvalid:
    detail = text(ru="Srvr: нужно имя или имя:порт, через запятую", en="Srvr: host or host:port is needed, with commas")
    return ConnectionStringInvalid(value=given[:100], detail=detail)
