"""What the cluster's administrator does with infobases, sessions and locks. Synchronous."""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from engine_server.application import administrators, infobases, locks, logins
from engine_server.application.alone import alone
from engine_server.application.entry import text_of
from engine_server.application.infobases import InfobaseRecord
from engine_server.application.jobs_loop import add_standard_jobs
from engine_server.application.logins import ServerSession
from engine_server.application.state import Worker
from engine_server.engine import ServerEngine
from engine_server.place import ServerPlace, place_of
from infobase import infobase as bases
from infobase.appointing import Administrator
from infobase.digest import base_digest
from infobase.errors import InfobaseNotFound, RequestInvalid, SessionEnded
from infobase.i18n import text
from infobase.infobase import Infobase
from infobase.jobs import Job, Jobs
from infobase.metadata import canonical
from infobase.storage import StorageEngine

Args = Mapping[str, Any]
_log = logging.getLogger("infobase.server")
ADMIN_CALLS: dict[str, Callable[[Worker, Args], Any]] = {}


def admin_call(function: Callable[[Worker, Args], Any]) -> Callable[[Worker, Args], Any]:
    ADMIN_CALLS[function.__name__] = function
    return function


def perform(worker: Worker, name: str, args: Args) -> object:
    """RequestInvalid for an unknown call."""
    found = ADMIN_CALLS.get(name)
    if found is None:
        raise RequestInvalid(detail=text(ru=f"нет вызова {name[:40]}", en=f"no call {name[:40]}"))
    return found(worker, args)


def login(worker: Worker, name: str, password: str, address: str) -> str:
    """The administrator's name. ClusterLoginFailed, LoginThrottled."""
    logins.demand_calm(worker.cluster, worker.settings, "/cluster", name, address)
    try:
        return administrators.authenticate(worker.cluster, name, password)
    except Exception:
        logins.note_failure(worker.cluster, "/cluster", name, address)
        _log.warning("a login of the cluster's administrator was refused")
        raise


# --- infobases ---


def summary(record: InfobaseRecord) -> dict[str, object]:
    """The fields of `rac infobase info` that mean something here; where the base lies is not among them."""

    def moment(value: dt.datetime | None) -> str:
        return f"{value:%Y-%m-%dT%H:%M:%S}" if value else ""

    return {
        "infobase": str(record.id),
        "name": record.name,
        "dbms": "PostgreSQL",
        "scheduled-jobs-deny": "on" if record.scheduled_jobs_deny else "off",
        "sessions-deny": "on" if record.sessions_deny else "off",
        "denied-from": moment(record.denied_from),
        "denied-message": record.denied_message,
        "denied-parameter": record.denied_parameter,
        "denied-to": moment(record.denied_to),
        "permission-code": record.permission_code,
        "descr": record.descr,
    }


def _place(worker: Worker, fields: object, name: str) -> ServerPlace:
    """Where the caller says, else a database of that name beside the cluster's own."""
    if isinstance(fields, dict) and fields:
        return place_of({str(k): str(v) for k, v in fields.items()})
    return worker.cluster.place.at(name)


def _engine(worker: Worker, place: ServerPlace, name: str) -> ServerEngine:
    made = ServerEngine(place, pool_size=2, prepare=not worker.settings.pooled)
    made.place = name
    return made


@admin_call
def infobase_list(worker: Worker, args: Args) -> object:
    return [summary(r) for r in infobases.everything(worker.cluster)]


@admin_call
def infobase_info(worker: Worker, args: Args) -> object:
    return summary(infobases.find(worker.cluster, text_of(args, "name")))


@admin_call
def infobase_create(worker: Worker, args: Args) -> object:
    """A new database with a configuration, registered. Nothing is left of it when something fails."""
    name = infobases.check_name(text_of(args, "name"))
    infobases.demand_free(worker.cluster, name)
    configuration = canonical.from_json(text_of(args, "configuration", 64 * 1024 * 1024).encode())
    place = _place(worker, args.get("place"), name)
    engine = _engine(worker, place, name)
    try:
        bases.create(
            cast(StorageEngine, engine),
            configuration,
            name=text_of(args, "title") or name,
            admin=text_of(args, "admin"),
            password=text_of(args, "password"),
        )
        return _registered(worker, name, place, engine, text_of(args, "descr"))
    finally:
        engine.close()


def _registered(worker: Worker, name: str, place: ServerPlace, engine: ServerEngine, descr: str) -> object:
    try:
        record = infobases.register(worker.cluster, name, place, descr=descr)
    except BaseException:
        engine.drop()
        raise
    return _with_jobs(worker, record)


def _with_jobs(worker: Worker, record: InfobaseRecord) -> object:
    try:
        add_standard_jobs(worker, record)
    except BaseException:
        infobases.forget(worker.cluster, record)
        raise
    return summary(record)


@dataclass(frozen=True)
class NewContent:
    """What a dump shall become. `own_id`: the id of the base it was made of, which a base that comes back keeps. `place`: where a new database
    shall be, empty: beside the cluster's own."""

    title: str = ""
    password: str | None = field(default=None, repr=False)
    own_id: uuid.UUID | None = None
    administrator: Administrator | None = None
    place: Mapping[str, object] = field(default_factory=dict, repr=False)


def restore_new(worker: Worker, name: str, source: Path, wanted: NewContent) -> dict[str, object]:
    """A base from a dump, registered."""
    shown = infobases.check_name(name)
    infobases.demand_free(worker.cluster, shown)
    place = _place(worker, wanted.place, shown)
    engine = _engine(worker, place, shown)
    try:
        made = bases.restore_base(
            cast(StorageEngine, engine),
            source,
            name=wanted.title or shown,
            password=wanted.password,
            own_id=wanted.own_id,
            administrator=wanted.administrator,
        )
        found = base_digest(made.kernel).content_digest
        told = cast("dict[str, object]", _registered(worker, shown, place, engine, ""))
        return {**told, "content-digest": found}
    finally:
        engine.close()


def restore_over(
    worker: Worker, record: InfobaseRecord, source: Path, wanted: NewContent, *, holder: str
) -> dict[str, object]:
    """Put a dump in a registered base's place; everyone's session ends. The old base stays whole until the new one is. A dump of that very base
    keeps its id and its jobs; any other has the jobs every base of a server has."""
    from infobase.restore import verify_dump

    verify_dump(source, wanted.password)
    with alone(worker, record, holder, end="restored"):
        engine = worker.direct.engine(record)
        try:
            own_id, jobs = _coming_back(cast(StorageEngine, engine), wanted)
            made = bases.restore_base(
                cast(StorageEngine, engine),
                source,
                name=wanted.title or record.name,
                password=wanted.password,
                replace=True,
                own_id=own_id,
                administrator=wanted.administrator,
            )
            found = base_digest(made.kernel).content_digest
            _bring_jobs(made, jobs)
        finally:
            engine.close()
    for session in logins.everyone(worker.cluster, record.id):
        logins.end(worker.cluster, [session.id], "restored")
    now = infobases.find(worker.cluster, record.name)
    add_standard_jobs(worker, now)
    return {**summary(now), "content-digest": found}


def _coming_back(engine: StorageEngine, wanted: NewContent) -> tuple[uuid.UUID | None, list[Job]]:
    """The id and the jobs of the base that is there, when the dump was made of it."""
    former = bases.open_base(engine)
    if former.id != wanted.own_id:
        return None, []
    with engine.transaction(write=False) as tx:
        return former.id, Jobs(former.kernel).all(tx)


def _bring_jobs(base: Infobase, kept: list[Job]) -> None:
    jobs = Jobs(base.kernel)
    with base.kernel.engine.transaction(write=True) as tx:
        for job in kept:
            jobs.put(tx, job, job.next_run)


@admin_call
def infobase_register(worker: Worker, args: Args) -> object:
    """A database that holds an infobase already. InfobaseNotFound when it does not."""
    name = infobases.check_name(text_of(args, "name"))
    infobases.demand_free(worker.cluster, name)
    place = _place(worker, args.get("place"), name)
    engine = _engine(worker, place, name)
    try:
        bases.open_base(cast(StorageEngine, engine))
    finally:
        engine.close()
    standby = args.get("standby")
    aside = place_of({str(k): str(v) for k, v in standby.items()}) if isinstance(standby, dict) and standby else None
    record = infobases.register(worker.cluster, name, place, descr=text_of(args, "descr"), standby=aside)
    return _with_jobs(worker, record)


@admin_call
def infobase_update(worker: Worker, args: Args) -> object:
    record = infobases.find(worker.cluster, text_of(args, "name"))
    changes = dict(args.get("changes") or {})
    for name in ("denied_from", "denied_to"):
        if name in changes:
            changes[name] = _moment(changes[name], name)
    for name in ("sessions_deny", "scheduled_jobs_deny"):
        if name in changes and not isinstance(changes[name], bool):
            raise RequestInvalid(detail=f"{name}: true / false")
    for name in ("descr", "denied_message", "denied_parameter", "permission_code"):
        if name in changes:
            changes[name] = text_of(changes, name)
    place, standby = args.get("place"), args.get("standby")
    if place or standby:
        infobases.move(
            worker.cluster,
            record,
            place=_place(worker, place, record.name) if place else None,
            standby=_place(worker, standby, record.name) if standby else None,
        )
    return summary(infobases.update(worker.cluster, record, changes))


def _moment(given: object, name: str) -> dt.datetime | None:
    if not given:
        return None
    try:
        return dt.datetime.fromisoformat(str(given)).replace(tzinfo=None)
    except ValueError:
        detail = text(ru=f"{name}: нужна дата ГГГГ-ММ-ДДTЧЧ:ММ:СС", en=f"{name}: YYYY-MM-DDTHH:MM:SS is needed")
        raise RequestInvalid(detail=detail) from None


@admin_call
def infobase_drop(worker: Worker, args: Args) -> object:
    """Out of the registry; with `drop_database` the data too."""
    record = infobases.find(worker.cluster, text_of(args, "name"))
    if args.get("drop_database") is True:
        with alone(worker, record, "infobase drop", end="terminated"):
            engine = worker.direct.engine(record)
            try:
                engine.drop()
            except InfobaseNotFound:
                pass  # the database is gone already: only the registry still knows it
            finally:
                engine.close()
    infobases.forget(worker.cluster, record)
    worker.drop(record.id)
    return None


# --- sessions and locks ---


def _named(worker: Worker, args: Args) -> InfobaseRecord | None:
    name = text_of(args, "name")
    return infobases.find(worker.cluster, name) if name else None


@admin_call
def session_list(worker: Worker, args: Args) -> object:
    """Who works where, what he runs, how long, and what he holds."""
    record = _named(worker, args)
    names = {r.id: r.name for r in infobases.everything(worker.cluster)}
    held = locks.by_session(worker, record)
    now = logins.utc_now()
    return [
        _shown(s, names.get(s.infobase, "-"), held, now)
        for s in logins.everyone(worker.cluster, record.id if record else None)
    ]


def _shown(s: ServerSession, name: str, held: Mapping[int, list[str]], now: dt.datetime) -> dict[str, object]:
    return {
        "session": str(s.id),
        "session-id": s.number,
        "infobase": name,
        "user-name": s.user_name,
        "host": s.host,
        "address": s.address,
        "app-id": s.application,
        "started-at": f"{s.started:%Y-%m-%dT%H:%M:%S}",
        "last-active-at": f"{s.last_active:%Y-%m-%dT%H:%M:%S}",
        "current-call": s.call,
        "duration-current": round((now - s.call_started).total_seconds() * 1000) if s.call_started else 0,
        "worker": s.worker if s.call else "",
        "locks": held.get(s.number, []),
    }


def _session(worker: Worker, args: Args) -> ServerSession:
    wanted = str(args.get("session", ""))
    for s in logins.everyone(worker.cluster):
        if wanted in (str(s.id), str(s.number)):
            return s
    raise SessionEnded(detail=logins.REASONS["unknown"])


@admin_call
def session_terminate(worker: Worker, args: Args) -> object:
    found = _session(worker, args)
    logins.end(worker.cluster, [found.id], text_of(args, "message", 200) or "terminated")
    return str(found.id)


@admin_call
def session_interrupt(worker: Worker, args: Args) -> object:
    found = _session(worker, args)
    logins.interrupt(worker.cluster, found.id, text_of(args, "message", 200))
    return str(found.id)


@admin_call
def lock_list(worker: Worker, args: Args) -> object:
    return locks.everything(worker, _named(worker, args))


# --- administrators ---


@admin_call
def administrator_list(worker: Worker, args: Args) -> object:
    return administrators.names(worker.cluster)


@admin_call
def administrator_add(worker: Worker, args: Args) -> object:
    administrators.add(worker.cluster, text_of(args, "name"), text_of(args, "password", 2000))
    return None


@admin_call
def administrator_remove(worker: Worker, args: Args) -> object:
    administrators.remove(worker.cluster, text_of(args, "name"))
    return None


@admin_call
def cluster_info(worker: Worker, args: Args) -> object:
    row = worker.cluster.row("SELECT id, name FROM cluster.cluster")
    assert row is not None
    made: dict[str, object] = {"cluster": str(row[0]), "name": row[1], "worker": worker.name}
    made["infobases"] = len(infobases.everything(worker.cluster))
    made["sessions"] = len(logins.everyone(worker.cluster))
    return made
