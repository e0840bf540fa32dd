"""The registry of infobases: where each lies (encrypted), and whether people may enter it. Field names follow `rac infobase`."""

from __future__ import annotations

import datetime as dt
import hmac
import uuid
from dataclasses import dataclass, field

from engine_server.application.cluster import ClusterDatabase
from engine_server.place import ServerPlace
from infobase.errors import InfobaseExists, InfobaseNameInvalid, InfobaseNotFound, SessionsBlocked
from infobase.i18n import text

RESERVED = frozenset(
    {"admin", "api", "healthz", "readyz", "metrics", "static", "ui", "ws", "odata", "cluster", "favicon.ico"}
)
MAX_NAME = 63
RECORD_COLUMNS = (
    "id, name, descr, scheduled_jobs_deny, sessions_deny, denied_from, denied_to, denied_message, denied_parameter, "
    "permission_code, epoch, exclusive_by, dsn, standby"
)


@dataclass(frozen=True)
class InfobaseRecord:
    """One registered infobase. `epoch` grows whenever workers must open it anew; `exclusive_by`: who has it alone now."""

    id: uuid.UUID
    name: str
    descr: str = ""
    scheduled_jobs_deny: bool = False
    sessions_deny: bool = False
    denied_from: dt.datetime | None = None
    denied_to: dt.datetime | None = None
    denied_message: str = ""
    denied_parameter: str = ""
    permission_code: str = field(default="", repr=False)
    epoch: int = 1
    exclusive_by: str = ""
    dsn: bytes = field(default=b"", repr=False)
    standby: bytes | None = field(default=None, repr=False)

    def denied(self, now: dt.datetime) -> bool:
        """Whether sessions are denied at this (local) moment."""
        started = self.denied_from is None or now >= self.denied_from
        return self.sessions_deny and started and (self.denied_to is None or now < self.denied_to)

    def opens_for(self, permission_code: str) -> bool:
        return bool(self.permission_code) and hmac.compare_digest(
            permission_code.encode(), self.permission_code.encode()
        )

    def demand_open(self, permission_code: str, now: dt.datetime) -> None:
        """SessionsBlocked within the period of the denial, unless the code opens the door."""
        if not self.denied(now) or self.opens_for(permission_code):
            return
        period = " - ".join(f"{d:%d.%m.%Y %H:%M:%S}" if d else "..." for d in (self.denied_from, self.denied_to))
        told = self.denied_message or text(ru="вход закрыт администратором", en="closed by the administrator")
        raise SessionsBlocked(detail=f"{told} ({period})")


def check_name(name: str) -> str:
    """The name as it is registered. InfobaseNameInvalid."""
    shown = name.strip()
    if not shown or len(shown) > MAX_NAME or not all(c.isalnum() or c in "_-." for c in shown) or shown.startswith("."):
        detail = text(
            ru=f"от 1 до {MAX_NAME} букв, цифр, знаков _ - и точек", en=f"1 to {MAX_NAME} letters, digits, _ - and dots"
        )
        raise InfobaseNameInvalid(name=shown[:MAX_NAME], detail=detail)
    if shown.casefold() in RESERVED:
        detail = text(ru="это слово занято сервером", en="the server keeps this word for itself")
        raise InfobaseNameInvalid(name=shown, detail=detail)
    return shown


def _record(row: tuple[object, ...]) -> InfobaseRecord:
    return InfobaseRecord(*row)  # type: ignore[arg-type]


def everything(cluster: ClusterDatabase) -> list[InfobaseRecord]:
    return [_record(r) for r in cluster.rows(f"SELECT {RECORD_COLUMNS} FROM cluster.infobases ORDER BY key")]


def find(cluster: ClusterDatabase, name: str) -> InfobaseRecord:
    """By name, without regard to case. InfobaseNotFound."""
    found = cluster.row(
        f"SELECT {RECORD_COLUMNS} FROM cluster.infobases WHERE key = %s", [name[:MAX_NAME].strip().casefold()]
    )
    if found is None:
        raise InfobaseNotFound(place=name[:MAX_NAME])
    return _record(found)


def demand_free(cluster: ClusterDatabase, name: str) -> None:
    """InfobaseExists, InfobaseNameInvalid."""
    shown = check_name(name)
    if cluster.row("SELECT 1 FROM cluster.infobases WHERE key = %s", [shown.casefold()]):
        raise InfobaseExists(place=shown)


def register(
    cluster: ClusterDatabase, name: str, place: ServerPlace, *, descr: str = "", standby: ServerPlace | None = None
) -> InfobaseRecord:
    """InfobaseExists, InfobaseNameInvalid."""
    demand_free(cluster, name)
    shown = check_name(name)
    sealed = cluster.vault.seal_place(place)
    aside = cluster.vault.seal_place(standby) if standby else None
    made = cluster.row(
        "INSERT INTO cluster.infobases (id, name, key, dsn, standby, descr) VALUES (%s, %s, %s, %s, %s, %s) "
        f"ON CONFLICT (key) DO NOTHING RETURNING {RECORD_COLUMNS}",
        [uuid.uuid4(), shown, shown.casefold(), sealed, aside, descr],
    )
    if made is None:
        raise InfobaseExists(place=shown)
    return _record(made)


UPDATABLE = (
    "descr",
    "scheduled_jobs_deny",
    "sessions_deny",
    "denied_from",
    "denied_to",
    "denied_message",
    "denied_parameter",
    "permission_code",
)


def update(cluster: ClusterDatabase, record: InfobaseRecord, changes: dict[str, object]) -> InfobaseRecord:
    """Change some of UPDATABLE."""
    known = {name: value for name, value in changes.items() if name in UPDATABLE}
    if known:
        sets = ", ".join(f"{name} = %s" for name in known)
        cluster.run(f"UPDATE cluster.infobases SET {sets} WHERE id = %s", [*known.values(), record.id])
    return find(cluster, record.name)


def move(
    cluster: ClusterDatabase, record: InfobaseRecord, *, place: ServerPlace | None, standby: ServerPlace | None
) -> None:
    """Another DSN; workers open the base anew."""
    if place is not None:
        cluster.run("UPDATE cluster.infobases SET dsn = %s WHERE id = %s", [cluster.vault.seal_place(place), record.id])
    if standby is not None:
        sealed = cluster.vault.seal_place(standby)
        cluster.run("UPDATE cluster.infobases SET standby = %s WHERE id = %s", [sealed, record.id])
    renew(cluster, record.id)


def renew(cluster: ClusterDatabase, infobase: uuid.UUID) -> None:
    """Have every worker open the base anew: its configuration or its database is another one."""
    cluster.run("UPDATE cluster.infobases SET epoch = epoch + 1 WHERE id = %s", [infobase])


def forget(cluster: ClusterDatabase, record: InfobaseRecord) -> None:
    """Take the base out of the registry; its sessions end with it."""
    cluster.run("DELETE FROM cluster.infobases WHERE id = %s", [record.id])
