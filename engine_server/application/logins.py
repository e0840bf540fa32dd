"""Sessions of the server: tokens, their ends and limits; and what keeps guessers out.

A token is 256 random bits, new at every login; the cluster's database holds only its SHA-256. A session ends by its own wish, by an
administrator, by a change of its user's password, roles or permission to enter, by being idle too long or being too old.

Failed logins are counted per user and address, per address, and per user, within one minute. The first two slow one guesser down without
shutting out the real user elsewhere; the third bounds a guessing from many addresses.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
import uuid
from dataclasses import dataclass

from engine_server.application import infobases
from engine_server.application.cluster import ClusterDatabase
from engine_server.application.infobases import MAX_NAME, RECORD_COLUMNS, InfobaseRecord
from engine_server.application.settings import ServerSettings
from infobase.errors import LoginThrottled, SessionEnded
from infobase.i18n import Bilingual

WINDOW_SECONDS = 60
TOUCH_SECONDS = 15
"""How exactly `last_active` is kept."""
ENDED_HOURS = 48
"""How long it is remembered why a token died."""
REASONS = {
    "closed": Bilingual("сеанс закрыт", "the session was closed"),
    "terminated": Bilingual("завершён администратором", "terminated by an administrator"),
    "password": Bilingual("пароль пользователя изменён", "the user's password was changed"),
    "rights": Bilingual("права или состояние пользователя изменены", "the user's rights or state were changed"),
    "blocked": Bilingual("вход в базу запрещён администратором", "the administrator closed the infobase"),
    "idle": Bilingual("долгое бездействие", "idle for too long"),
    "old": Bilingual("наибольшая длительность сеанса исчерпана", "the longest life of a session is over"),
    "restored": Bilingual("база загружена заново", "the infobase was restored"),
    "unknown": Bilingual("сеанс неизвестен серверу", "the server knows no such session"),
}


@dataclass(frozen=True)
class ServerSession:
    """A live session. Times are UTC, naive. `stamp`: what the user's record looked like at login."""

    id: uuid.UUID
    number: int
    infobase: uuid.UUID
    user_name: str
    user_id: uuid.UUID | None
    stamp: str
    application: str
    host: str
    address: str
    started: dt.datetime
    last_active: dt.datetime
    call: str = ""
    call_started: dt.datetime | None = None
    worker: str = ""
    backend: int = 0
    interrupt: str = ""
    permitted: bool = False
    """Entered with the permission code, so a denial of sessions does not end it."""
    written: str = ""
    """Position in PostgreSQL's log behind the session's last change, where a standby serves its queries."""

    def __str__(self) -> str:
        return f"{self.user_name or '-'} ({self.application}, {self.host}, #{self.number})"


_COLUMNS = (
    "id, number, infobase, user_name, user_id, stamp, application, host, address, started, last_active, call, call_started, "
    "worker, backend, interrupt, permitted, written"
)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


# --- life of a session ---


def enter(
    cluster: ClusterDatabase,
    infobase: uuid.UUID,
    *,
    user_name: str,
    user_id: uuid.UUID | None,
    stamp: str,
    application: str,
    host: str,
    address: str,
    permitted: bool = False,
) -> tuple[str, ServerSession]:
    """A new session and its token."""
    token = secrets.token_urlsafe(32)
    now = utc_now()
    made = cluster.row(
        "INSERT INTO cluster.sessions (id, number, token_hash, infobase, user_name, user_id, stamp, application, host, address, "
        "started, last_active, permitted) VALUES (%s, nextval('cluster.session_number'), %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
        f"RETURNING {_COLUMNS}",
        [
            uuid.uuid4(),
            _hash(token),
            infobase,
            user_name,
            user_id,
            stamp,
            application[:100],
            host[:100],
            address,
            now,
            now,
            permitted,
        ],
    )
    assert made is not None
    return token, ServerSession(*made)


def entrance(
    cluster: ClusterDatabase, name: str, token: str, settings: ServerSettings
) -> tuple[InfobaseRecord, ServerSession]:
    """The infobase of that name and the token's session in it: one question to the cluster. InfobaseNotFound, SessionEnded."""
    row = cluster.row(_ENTRANCE, [_hash(token), name[:MAX_NAME].strip().casefold()])
    if row is None:
        infobases.find(cluster, name)
        raise ended(_reason(cluster, token))
    record, found = InfobaseRecord(*row[:_RECORD_WIDTH]), ServerSession(*row[_RECORD_WIDTH:])
    _demand_young(cluster, found, settings)
    if record.denied(dt.datetime.now()) and not found.permitted:
        end(cluster, [found.id], "blocked")
        raise ended("blocked")
    return record, found


_RECORD_WIDTH = len(RECORD_COLUMNS.split(","))
_ENTRANCE = (
    "SELECT "
    + ", ".join(f"i.{c.strip()}" for c in RECORD_COLUMNS.split(","))
    + ", "
    + ", ".join(f"s.{c.strip()}" for c in _COLUMNS.split(","))
    + " FROM cluster.sessions s JOIN cluster.infobases i ON i.id = s.infobase WHERE s.token_hash = %s AND i.key = %s"
)


def _demand_young(cluster: ClusterDatabase, found: ServerSession, settings: ServerSettings) -> None:
    now = utc_now()
    if now - found.last_active > dt.timedelta(minutes=settings.session_idle_minutes):
        end(cluster, [found.id], "idle")
        raise ended("idle")
    if now - found.started > dt.timedelta(hours=settings.session_hours):
        end(cluster, [found.id], "old")
        raise ended("old")
    if now - found.last_active > dt.timedelta(seconds=TOUCH_SECONDS):
        cluster.run("UPDATE cluster.sessions SET last_active = %s WHERE id = %s", [now, found.id])


def ended(reason: str) -> SessionEnded:
    return SessionEnded(detail=REASONS.get(reason) or reason)


def _reason(cluster: ClusterDatabase, token: str) -> str:
    row = cluster.row("SELECT reason FROM cluster.ended WHERE token_hash = %s", [_hash(token)])
    return str(row[0]) if row else "unknown"


def end(cluster: ClusterDatabase, sessions: list[uuid.UUID], reason: str) -> int:
    """End sessions at once; a running call of theirs is interrupted by its worker. `reason`: of REASONS, or an administrator's words."""
    return cluster.run(
        "WITH gone AS (DELETE FROM cluster.sessions WHERE id = ANY(%s) RETURNING token_hash) "
        "INSERT INTO cluster.ended (token_hash, reason) SELECT token_hash, %s FROM gone ON CONFLICT DO NOTHING",
        [sessions, reason],
    )


def end_of_user(
    cluster: ClusterDatabase, infobase: uuid.UUID, user: str, reason: str, keep: uuid.UUID | None = None
) -> int:
    """End every session of a user, but `keep`."""
    rows = cluster.rows(
        "SELECT id FROM cluster.sessions WHERE infobase = %s AND lower(user_name) = lower(%s) AND id IS DISTINCT FROM %s",
        [infobase, user, keep],
    )
    return end(cluster, [row[0] for row in rows], reason)


def everyone(cluster: ClusterDatabase, infobase: uuid.UUID | None = None) -> list[ServerSession]:
    where, params = ("WHERE infobase = %s", [infobase]) if infobase else ("", [])
    return [
        ServerSession(*row)
        for row in cluster.rows(f"SELECT {_COLUMNS} FROM cluster.sessions {where} ORDER BY number", params)
    ]


def note_write(cluster: ClusterDatabase, session: uuid.UUID, position: str) -> None:
    """Remember how far a standby must have come for this session to see its own changes."""
    cluster.run("UPDATE cluster.sessions SET written = %s WHERE id = %s", [position, session])


def interrupt(cluster: ClusterDatabase, session: uuid.UUID, reason: str) -> int:
    """Ask whichever worker runs the session's call to stop it."""
    return cluster.run("UPDATE cluster.sessions SET interrupt = %s WHERE id = %s", [reason or "-", session])


def tidy(cluster: ClusterDatabase, settings: ServerSettings) -> None:
    """End what is over, forget old failures and reasons."""
    now = utc_now()
    _forget_the_future(cluster, now)
    for reason, column, limit in (
        ("idle", "last_active", dt.timedelta(minutes=settings.session_idle_minutes, seconds=TOUCH_SECONDS)),
        ("old", "started", dt.timedelta(hours=settings.session_hours)),
    ):
        rows = cluster.rows(f"SELECT id FROM cluster.sessions WHERE {column} < %s", [now - limit])
        if rows:
            end(cluster, [row[0] for row in rows], reason)
    cluster.run("DELETE FROM cluster.ended WHERE at < %s", [now - dt.timedelta(hours=ENDED_HOURS)])
    cluster.run("DELETE FROM cluster.login_failures WHERE at < %s", [now - dt.timedelta(seconds=2 * WINDOW_SECONDS)])


def _forget_the_future(cluster: ClusterDatabase, now: dt.datetime) -> None:
    """After the clock was set back nothing may last longer for it: what happened "later" than now happened now."""
    ahead = now + dt.timedelta(seconds=TOUCH_SECONDS)  # the clocks of several servers may differ by less
    for table, columns in _STAMPED.items():
        moved = ", ".join(f"{c} = least({c}, %s)" for c in columns)
        cluster.run(
            f"UPDATE cluster.{table} SET {moved} WHERE greatest({', '.join(columns)}) > %s",
            [*[now] * len(columns), ahead],
        )


_STAMPED = {
    "sessions": ("started", "last_active"),
    "object_locks": ("taken", "renewed"),
    "login_failures": ("at",),
    "ended": ("at",),
}


# --- guessers ---


def _keys(infobase: str, user: str, address: str) -> tuple[str, str, str]:
    name = hashlib.sha256(user.strip().casefold().encode("utf-8", "replace")).hexdigest()[:32]
    return f"{infobase}/{name}@{address}", f"@{address}", f"{infobase}/{name}"


def demand_calm(cluster: ClusterDatabase, settings: ServerSettings, infobase: str, user: str, address: str) -> None:
    """LoginThrottled, whether the password is right or not."""
    keys = _keys(infobase, user, address)
    limits = (settings.login_failures, settings.address_failures, settings.user_failures)
    now = utc_now()
    rows = cluster.rows(
        "SELECT key, count(*), min(at) FROM cluster.login_failures WHERE key = ANY(%s) AND at > %s GROUP BY key",
        [list(keys), now - dt.timedelta(seconds=WINDOW_SECONDS)],
    )
    for key, count, since in rows:
        if count >= limits[keys.index(key)]:
            left = WINDOW_SECONDS - (now - since).total_seconds()
            raise LoginThrottled(seconds=max(1, round(left)))


def note_failure(cluster: ClusterDatabase, infobase: str, user: str, address: str) -> None:
    now = utc_now()
    cluster.run(
        "INSERT INTO cluster.login_failures (key, at) SELECT k, %s FROM unnest(%s::text[]) AS k",
        [now, list(_keys(infobase, user, address))],
    )


def note_success(cluster: ClusterDatabase, infobase: str, user: str, address: str) -> None:
    """A right password clears the user's own count at this address."""
    cluster.run("DELETE FROM cluster.login_failures WHERE key = %s", [_keys(infobase, user, address)[0]])
