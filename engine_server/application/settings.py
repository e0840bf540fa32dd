"""The server's settings: a folder with `server.toml`, the key file and, encrypted by it, the cluster's DSN.

data folder/
    server.toml      what a person may edit
    server.key       the key of all secrets, mode 0600; copy it to every host of the cluster, keep it out of backups
    cluster.dsn      the DSN of the cluster's database, encrypted (absent with an embedded PostgreSQL)
    postgresql/      the embedded PostgreSQL, if any
    server.pid       of the running server
    server.log       of a server started in the background
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from engine_server.wire.protocol import DEFAULT_PORT, PAGE_ROWS, TRANSACTION_IDLE_SECONDS, TRANSACTION_SECONDS
from infobase.errors import ServerNotInitialised, ServerSettingsInvalid
from infobase.i18n import text

FILE = "server.toml"
FOLDER_VARIABLE = "INFOBASE_SERVER_DATA"


@dataclass(frozen=True)
class ServerSettings:
    """What server.toml holds. Seconds, minutes, hours and megabytes as the names say."""

    name: str = "infobase"
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    workers: int = 2
    embedded: bool = False
    cluster_database: str = "infobase_cluster"
    pool_size: int = 8
    """Connections to one infobase that a worker may hold; half of them for interactive transactions."""
    session_idle_minutes: int = 120
    session_hours: int = 24
    """A session ends after so long without a call, and after so long in all."""
    transaction_idle_seconds: float = TRANSACTION_IDLE_SECONDS
    transaction_seconds: float = TRANSACTION_SECONDS
    object_lock_minutes: int = 20
    """An edit lock that is not renewed ends after so long."""
    login_failures: int = 5
    """Failed logins of one user from one address within a minute, before he waits."""
    address_failures: int = 30
    user_failures: int = 100
    retry_seconds: float = 10.0
    """How long a call is repeated after a lost connection or a serialization failure."""
    body_megabytes: int = 64
    body_seconds: float = 30.0
    """A client that sends nothing for so long is cut off."""
    page_rows: int = PAGE_ROWS
    jobs_seconds: float = 10.0
    """How often a worker looks for due jobs."""
    pooled: bool = False
    """True behind PgBouncer in transaction mode: no prepared statements, no start-up options."""
    direct: str = ""
    """Behind a pooler: `pooler:port=server:port` with commas, the way past it for jobs, backups, restores and restructuring; "" = none."""
    trusted_proxies: str = ""
    """Addresses whose X-Forwarded-For is believed, with commas; "" = nobody's."""
    tls_certificate: str = ""
    tls_key: str = ""
    idle_close_minutes: int = 10
    """A worker closes an infobase nobody has called for so long."""


@dataclass(frozen=True)
class ServerHome:
    """The data folder and its settings."""

    folder: Path
    settings: ServerSettings

    @property
    def pid_file(self) -> Path:
        return self.folder / "server.pid"

    @property
    def log_file(self) -> Path:
        return self.folder / "server.log"

    @property
    def postgresql(self) -> Path:
        return self.folder / "postgresql"


def default_folder() -> Path:
    given = os.environ.get(FOLDER_VARIABLE)
    return Path(given) if given else Path.home() / ".infobase" / "server"


def load(folder: Path) -> ServerHome:
    """ServerNotInitialised, ServerSettingsInvalid."""
    place = folder / FILE
    try:
        given = tomllib.loads(place.read_text("utf-8"))
    except FileNotFoundError:
        detail = text(ru="нет файла server.toml", en="no server.toml")
        raise ServerNotInitialised(place=folder, detail=detail) from None
    except (
        OSError,
        ValueError,
        RecursionError,
    ) as e:  # also what tomllib lets through: too many digits, nested too deep
        raise ServerSettingsInvalid(place=place, detail=str(e)) from e
    return ServerHome(folder.absolute(), from_dict(given, place))


def from_dict(given: dict[str, object], place: Path) -> ServerSettings:
    known = {f.name: f for f in fields(ServerSettings)}
    defaults = ServerSettings()
    for name, value in given.items():
        if name not in known:
            options = ", ".join(known)
            raise _invalid(place, f"неизвестный ключ {name}; есть: {options}", f"unknown key {name}; known: {options}")
        wanted = type(getattr(defaults, name))
        if isinstance(value, bool) != (wanted is bool) or not isinstance(
            value, (int, float) if wanted is float else wanted
        ):
            raise _invalid(place, f"{name}: нужно {wanted.__name__}", f"{name}: {wanted.__name__} is needed")
        if isinstance(value, int | float) and not isinstance(value, bool) and value <= 0 and name != "port":
            raise _invalid(place, f"{name}: нужно больше нуля", f"{name}: must be positive")
    made = ServerSettings(**given)  # type: ignore[arg-type]
    pairs(made.direct)
    if not 0 <= made.port < 65536:
        raise _invalid(place, "port: от 0 до 65535", "port: 0 to 65535")
    return made


def pairs(direct: str) -> dict[tuple[str, int], tuple[str, int]]:
    """`a:6432=b:5432, ...` as addresses. ServerSettingsInvalid."""
    made = {}
    for part in filter(None, (p.strip() for p in direct.split(","))):
        found = re.fullmatch(r"(\S+):(\d+)\s*=\s*(\S+):(\d+)", part)
        if found is None:
            raise _invalid(Path(FILE), f"direct: нужно pooler:6432=server:5432, а не {part}", f"direct: not {part!r}")
        made[found[1], int(found[2])] = found[3], int(found[4])
    return made


def to_toml(settings: ServerSettings) -> str:
    lines = ["# Settings of the application server; the meaning of each is in docs/server.md."]
    for f in fields(settings):
        value = getattr(settings, f.name)
        shown = (
            str(value).lower()
            if isinstance(value, bool)
            else repr(value)
            if not isinstance(value, str)
            else _quoted(value)
        )
        lines.append(f"{f.name} = {shown}")
    return "\n".join(lines) + "\n"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _invalid(place: Path, ru: str, en: str) -> ServerSettingsInvalid:
    return ServerSettingsInvalid(place=place, detail=text(ru=ru, en=en))
