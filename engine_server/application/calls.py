"""The business calls a remote session may make: a name, its arguments as JSON, an answer as JSON. Never SQL.

Rights are the kernel's own: every call ends in the same `Session` methods as a local one.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from importlib import import_module
from importlib.metadata import entry_points
from itertools import islice
from typing import Any

from engine_server.application import logins, object_locks, once
from engine_server.application.alone import alone
from engine_server.application.bases import OpenBase
from engine_server.application.cluster import ClusterDatabase
from engine_server.application.jobs_loop import runner_of
from engine_server.application.logins import ServerSession
from engine_server.application.settings import ServerSettings
from engine_server.application.state import Worker
from engine_server.failures import CallRepeated
from engine_server.sessions import own_prefix
from engine_server.wire import objects, values
from engine_server.wire.protocol import BATCH, LOG_PAGE
from infobase import configuration_update, query_json
from infobase.bulk_objects import BulkLoad
from infobase.errors import (
    ObjectNotFound,
    OperationForbidden,
    RequestInvalid,
    ScheduledJobsDenied,
    UnknownObject,
    VersionConflict,
)
from infobase.i18n import text
from infobase.job_runner import run_jobs
from infobase.metadata import canonical
from infobase.metadata.model import Configuration, Document
from infobase.metadata.types import Ref
from infobase.objects import BusinessObject, State, make_object, object_type
from infobase.operations import describe
from infobase.query_model import MAX_LIMIT
from infobase.served import SERVED, ServedFunction
from infobase.session import Session
from infobase.session_block import SessionBlock
from infobase.storage import LockInfo, LockKey, LogEntry, LogFilter, SessionAdministration, SessionInfo

Args = Mapping[str, Any]
SERVING = (
    "infobase.advice",
    "infobase.configuration_update",
    "infobase.connection",
    "infobase.infobase",
    "infobase.jobs",
    "infobase.prepare",
    "infobase.standard_jobs",
)
"""Modules whose served functions a server knows; their import makes them known."""
for _module in SERVING:
    import_module(_module)
for _point in entry_points(group="infobase.served"):
    _point.load()


@dataclass(frozen=True)
class Context:
    """One call's surroundings, or an interactive transaction's (`interactive`). `loads`: its bulk loads that are not finished, by type."""

    session: Session
    base: OpenBase
    server: ServerSession
    worker: Worker
    interactive: bool = False
    loads: dict[str, BulkLoad] = field(default_factory=dict)

    @property
    def cluster(self) -> ClusterDatabase:
        return self.worker.cluster

    @property
    def settings(self) -> ServerSettings:
        return self.worker.settings


Handler = Callable[[Context, Args], Any]


@dataclass(frozen=True)
class CallKind:
    """`changes`: it takes an idempotency key; `again`: what a repeat answers, None: the stored result."""

    handler: Handler
    changes: bool = False
    again: Handler | None = None


CALLS: dict[str, CallKind] = {}


def call(*, changes: bool = False, again: Handler | None = None) -> Callable[[Handler], Handler]:
    def add(handler: Handler) -> Handler:
        CALLS[handler.__name__] = CallKind(handler, changes, again)
        return handler

    return add


def perform(context: Context, name: str, args: Args, key: uuid.UUID | None) -> object:
    """Do a call. RequestInvalid for an unknown one or wrong arguments; the kernel's errors."""
    kind = CALLS.get(name)
    if kind is None:
        ru, en = f"нет вызова «{name[:40]}»", f"no call {name[:40]!r}"
        raise RequestInvalid(detail=text(ru=ru, en=en))
    try:
        if key is None or not kind.changes:
            return kind.handler(context, args)
        return _once(context, kind, args, key)
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        if not _is_about_arguments(e):
            raise
        ru, en = f"{name}: аргументы не подходят", f"{name}: the arguments do not fit"
        raise RequestInvalid(detail=text(ru=ru, en=en)) from e


def _is_about_arguments(e: Exception) -> bool:
    """Whether it was raised where arguments are taken apart, here or in the wire's codecs, and not in the kernel."""
    trace = e.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = trace.tb_frame.f_globals.get("__name__", "") if trace is not None else ""
    return place == __name__ or place.startswith("engine_server.wire.")


def _once(context: Context, kind: CallKind, args: Args, key: uuid.UUID) -> object:
    session = context.session
    try:
        with session.transaction(), once.claimed(session, key):
            result = kind.handler(context, args)
            if kind.again is None and result is not None:
                once.keep(session, key, result)
        if context.base.standby is not None:
            note_position(context)
        return result
    except CallRepeated:
        context.worker.metrics.duplicates.inc()
        return once.result(session, key) if kind.again is None else kind.again(context, args)


def note_position(context: Context) -> None:
    """After a commit: where the log is now, so that the standby answers this session with its own changes only."""
    with context.base.engine.reading_connection() as conn:
        row = conn.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
    assert row is not None
    logins.note_write(context.cluster, context.server.id, str(row[0]))


# --- objects ---


def _known_type(session: Session, full_name: str) -> str:
    if full_name not in session.kernel.layout.objects:
        raise UnknownObject(name=full_name[:100], hint="")
    return full_name


def received(session: Session, data: Args) -> BusinessObject:
    """The object a client sent: the stored one with the client's fields on top. VersionConflict when it is another version now."""
    ref = objects.ref_from_json(data["ref"])
    kind = object_type(session.kernel, _known_type(session, ref.type))
    given, sections = objects.state_from_json(data, tuple(kind.sections))
    if data.get("version") is None:
        blank = kind.fields.empty()
        blank["Ref"] = ref
        if "IsFolder" in blank:
            blank["IsFolder"] = bool(data.get("folder", False))
        obj = make_object(session, kind, State(blank, {name: [] for name in kind.sections}, None))
    else:
        obj = _stored(session, ref, data["version"], given)
    for name, value in given.items():
        obj[name] = value
    for name, rows in sections.items():
        obj.section(name).load(rows)
        _number(obj, name)
    return obj


def _number(obj: BusinessObject, section: str) -> None:
    """Lines are numbered before they are compared with the stored ones."""
    for n, row in enumerate(obj._state.sections[section], 1):
        row["LineNumber"] = Decimal(n)


def _stored(session: Session, ref: Ref, version: object, given: Mapping[str, Any]) -> BusinessObject:
    meta = object_type(session.kernel, ref.type).meta
    try:
        obj = session.load([ref])[0]
    except ObjectNotFound:
        raise VersionConflict(object=describe(meta, given)) from None
    if obj._state.values["DataVersion"] != version:
        raise VersionConflict(object=describe(meta, given))
    return obj


def _state(obj: BusinessObject) -> dict[str, object]:
    return objects.state_to_json(obj._state.values, obj._state.sections)


def _present_state(context: Context, args: Args) -> object:
    """The answer to a repeated change: the object as it is now."""
    return _state(context.session.load([objects.ref_from_json(args["object"]["ref"])])[0])


def _nothing(context: Context, args: Args) -> object:
    return None


@call()
def load(context: Context, args: Args) -> object:
    refs = [objects.ref_from_json(r) for r in args["refs"]]
    if len(refs) > BATCH:
        raise RequestInvalid(detail=text(ru=f"больше {BATCH} ссылок", en=f"more than {BATCH} references"))
    return [_state(obj) for obj in context.session.load(refs)]


def _incoming(context: Context, args: Args) -> BusinessObject:
    """The object to change, which nobody else is editing."""
    data = args["object"]
    if data.get("version") is not None:
        ref = objects.ref_from_json(data["ref"])
        object_locks.demand_free(context.cluster, context.server, ref, context.settings)
    return received(context.session, data)


@call(changes=True, again=_present_state)
def write(context: Context, args: Args) -> object:
    obj = _incoming(context, args)
    obj.write()
    return _state(obj)


@call(changes=True, again=_present_state)
def post(context: Context, args: Args) -> object:
    obj = _document(context, args)
    context.session.post(obj)
    return _state(obj)


@call(changes=True, again=_present_state)
def undo_post(context: Context, args: Args) -> object:
    obj = _document(context, args)
    context.session.undo_post(obj)
    return _state(obj)


def _document(context: Context, args: Args) -> BusinessObject:
    obj = _incoming(context, args)
    if not isinstance(obj._type.meta, Document):
        detail = text(ru="это не документ", en="this is no document")
        raise OperationForbidden(object=obj._type.meta.full_name, detail=detail)
    return obj


@call(changes=True, again=_present_state)
def set_deletion_mark(context: Context, args: Args) -> object:
    obj = _incoming(context, args)
    obj.set_deletion_mark(args["mark"] is True)
    return _state(obj)


@call(changes=True, again=_nothing)
def delete(context: Context, args: Args) -> object:
    _incoming(context, args).delete()
    return None


def _bulk_item(data: Args) -> tuple[dict[str, object], dict[str, object]]:
    fields = {str(name): values.decode(value) for name, value in data["values"].items()}
    sections: dict[str, object] = {
        str(name): [values.decode(r) for r in rows] for name, rows in data["sections"].items()
    }
    return fields, sections


@call(changes=True)
def bulk_write(context: Context, args: Args) -> object:
    """New items by the thousand; how many. `more`: further parts of the same load follow in this interactive transaction, and what the items
    refer to may be among them."""
    full_name = _known_type(context.session, args["type"])
    given = [_bulk_item(data) for data in islice(args["objects"], BATCH + 1)]
    if len(given) > BATCH:
        raise RequestInvalid(detail=text(ru=f"больше {BATCH} объектов", en=f"more than {BATCH} objects"))
    with context.session.transaction() as tx:
        load = context.loads.get(full_name)
        if load is None:
            load = context.loads[full_name] = BulkLoad(context.session, full_name, tx)
        count = load.take(given)
        if not (context.interactive and args.get("more") is True):
            finish_loads(context)
    return count


def finish_loads(context: Context) -> None:
    """Before a commit, whatever the client has told: nothing unchecked is committed. ReferenceBroken."""
    for full_name in list(context.loads):
        context.loads[full_name].finish()
        del context.loads[full_name]


@call(changes=True)
def delete_marked(context: Context, args: Args) -> object:
    return values.encode(context.session.delete_marked())


# --- reading ---


@call()
def query(context: Context, args: Args) -> object:
    """One page: with the query's own limit, or the server's; `more`: there are further rows, behind `after`."""
    wanted = query_json.from_json(args["query"])
    limit = min(wanted.limit or context.settings.page_rows, MAX_LIMIT)
    session = context.session
    if session._tx is None:
        session = context.base.reading_session(session, context.server.written)
    rows, after = session.query_page(replace(wanted, limit=limit))
    if after is None and wanted.limit is None and len(rows) == limit:
        rows = session.query(wanted)  # a query without a key to page by comes whole
    made = values.rows_to_json(rows)
    made["after"] = None if after is None else [values.encode(v) for v in after]
    made["more"] = after is not None and wanted.limit is None and len(rows) == limit
    return made


@call()
def presentations(context: Context, args: Args) -> object:
    session = context.session
    refs = [objects.ref_from_json(r) for r in args["refs"][:BATCH]]
    with session.reading():
        shown = []
        for ref in refs:
            session.access.demand("Read", _known_type(session, ref.type))
            shown.append(session.presentation(ref))
    return shown


# --- registers, constants, settings ---


@call(changes=True)
def register_write(context: Context, args: Args) -> object:
    records = [dict(r) for r in objects.rows_from_json(args["records"])]
    context.session.information_registers[args["register"]].write(records)
    return None


@call(changes=True)
def register_delete(context: Context, args: Args) -> object:
    context.session.information_registers[args["register"]].delete(values.decode(args["filter"]))
    return None


@call()
def constant_get(context: Context, args: Args) -> object:
    return values.encode(context.session.constants.get(str(args["name"])))


@call(changes=True)
def constant_set(context: Context, args: Args) -> object:
    context.session.constants.set(str(args["name"]), values.decode(args["value"]))
    return None


@call()
def setting_get(context: Context, args: Args) -> object:
    return context.session.settings.get(str(args["name"]))


@call(changes=True)
def setting_set(context: Context, args: Args) -> object:
    context.session.settings.set(str(args["name"]), str(args["value"]))
    return None


@call()
def classifiers_all(context: Context, args: Args) -> object:
    return values.encode(context.session.classifiers.all())


@call(changes=True)
def classifiers_register(context: Context, args: Args) -> object:
    context.session.access.demand_configuration("DataAdministration")
    given = {name: values.decode(args[name]) for name in ("kind", "version_date", "source", "sha256", "counts")}
    context.session.classifiers.register(**given)
    return None


# --- locks ---


@call()
def lock(context: Context, args: Args) -> object:
    """Managed locks to the end of the interactive transaction."""
    keys = [LockKey(str(space), str(value)) for space, value in args["keys"]]
    context.session.lock(keys, shared=args.get("shared") is True)
    return None


@call()
def lock_object(context: Context, args: Args) -> object:
    """A pessimistic lock for editing, taken or renewed."""
    ref = objects.ref_from_json(args["ref"])
    context.session.access.demand("Update", _known_type(context.session, ref.type))
    object_locks.take(context.cluster, context.server, ref, context.settings)
    return None


@call()
def unlock_object(context: Context, args: Args) -> object:
    object_locks.give(context.cluster, context.server, objects.ref_from_json(args["ref"]))
    return None


# --- users ---


def _after_user_change(context: Context, name: str, reason: str) -> None:
    """Tokens of the user die with what they rested on."""
    tx = context.session._tx

    def end() -> None:
        context.base.forget_users()
        logins.end_of_user(context.cluster, context.base.record.id, name, reason)

    if tx is None:
        end()
    else:
        tx.after_commit(end)


@call()
def users_all(context: Context, args: Args) -> object:
    return values.encode(context.session.users.all())


@call(changes=True)
def users_add(context: Context, args: Args) -> object:
    made = context.session.users.add(
        args["name"],
        args["password"],
        _texts(args["roles"]),
        args.get("full_name", ""),
        allow_empty=args.get("allow_empty") is True,
    )
    _after_user_change(context, "", "rights")
    return values.encode(made)


@call(changes=True)
def users_remove(context: Context, args: Args) -> object:
    context.session.users.remove(args["name"])
    _after_user_change(context, args["name"], "rights")
    return None


@call(changes=True)
def users_set_password(context: Context, args: Args) -> object:
    allow = args.get("allow_empty") is True
    changed = context.session.users.set_password(args["name"], args["password"], allow_empty=allow)
    _after_user_change(context, changed.name, "password")
    return values.encode(changed)


@call(changes=True)
def users_set_roles(context: Context, args: Args) -> object:
    changed = context.session.users.set_roles(args["name"], _texts(args["roles"]))
    _after_user_change(context, changed.name, "rights")
    return values.encode(changed)


@call(changes=True)
def users_set_enabled(context: Context, args: Args) -> object:
    changed = context.session.users.set_enabled(args["name"], args["enabled"] is True)
    _after_user_change(context, changed.name, "rights")
    return values.encode(changed)


def _texts(given: Sequence[object]) -> list[str]:
    return [str(x) for x in given]


# --- the base as a whole ---


@call()
def configuration(context: Context, args: Args) -> object:
    """The configuration's JSON: names and types, no data. Every user needs it to show anything."""
    return canonical.to_json(context.session.kernel.configuration).decode()


def _words(terminate: object) -> str:
    """The reason sessions are ended with; "" when they must not be."""
    return "" if terminate is None else str(terminate)[:200] or "terminated"


@call()
def update_configuration(context: Context, args: Args) -> object:
    """Restructure to another configuration, alone in the base: other sessions are a hindrance, or ended with a message."""
    context.session.access.demand_configuration("UpdateDataBaseConfiguration")
    made, terminate = values.decode(args["configuration"]), args["terminate"]
    if not isinstance(made, Configuration):
        raise values.refused("configuration")
    record, engine = context.base.record, context.base.engine
    with alone(context.worker, record, str(context.server), keep=own_prefix(engine.id), end=_words(terminate)):
        configuration_update.update_configuration(context.base.base, made, user=context.session.info.user)
    return None


@call()
def sessions(context: Context, args: Args) -> object:
    context.session.access.demand_configuration("Administration")
    found = logins.everyone(context.cluster, context.base.record.id)
    return values.encode(
        [
            SessionInfo(s.id, s.number, s.user_name, s.application, s.host, 0, s.started.replace(microsecond=0))
            for s in found
        ]
    )


def _administration(context: Context) -> SessionAdministration:
    context.session.access.demand_configuration("Administration")
    return context.base.engine.administration()


@call()
def session_block(context: Context, args: Args) -> object:
    """Every user may know of it: he should finish before it begins. The code is the administrator's."""
    found = context.base.engine.administration().block()
    return values.encode(None if found is None else replace(found, code=""))


@call()
def session_set_block(context: Context, args: Args) -> object:
    block = values.decode(args["block"])
    if block is not None and not isinstance(block, SessionBlock):
        raise values.refused("block")
    _administration(context).set_block(block)
    return None


@call()
def session_terminate(context: Context, args: Args) -> object:
    """The named sessions, or with null everybody else's."""
    _administration(context)
    wanted = args["sessions"]
    found = [
        s.id
        for s in logins.everyone(context.cluster, context.base.record.id)
        if (wanted is None and s.id != context.server.id) or (wanted is not None and str(s.id) in wanted)
    ]
    return logins.end(context.cluster, found, str(args["message"]) or "terminated")


@call()
def session_locks(context: Context, args: Args) -> object:
    kernel = context.session.kernel
    found = _administration(context).locks([*kernel.layout.objects, *kernel.layout.registers])
    return values.encode([_named(context, lock) for lock in found])


def _named(context: Context, lock: LockInfo) -> LockInfo:
    """A holder by name where the store knows only the number of his session."""
    return replace(lock, holder=context.worker.named(lock.holder), blocked_by=context.worker.named(lock.blocked_by))


@call()
def log_read(context: Context, args: Args) -> object:
    context.session.access.demand_configuration("EventLog")
    wanted = values.decode(args["filter"])
    if not isinstance(wanted, LogFilter):
        raise values.refused("filter")
    most = min(wanted.limit or LOG_PAGE, LOG_PAGE)
    entries = context.base.engine.event_log().read(replace(wanted, limit=most))
    return [values.encode(e) for e in entries]


@call()
def log_append(context: Context, args: Args) -> object:
    """Notes of an administrator: event, severity and comment are his, everything else is the session's own."""
    session = context.session
    session.access.demand_configuration("Administration")
    given = [e for e in map(values.decode, args["entries"]) if isinstance(e, LogEntry)]
    entries = [session.log_entry(e.event, severity=e.severity, comment=e.comment) for e in given]
    context.base.engine.event_log().append(entries)
    return None


@call()
def log_trim(context: Context, args: Args) -> object:
    context.session.access.demand_configuration("Administration")
    return context.base.engine.event_log().trim(values.decode(args["before"]), int(args.get("last", 0)))


@call()
def jobs_run(context: Context, args: Args) -> object:
    """The due jobs of the base, or the one named, run now by this worker. ScheduledJobsDenied where the cluster's administrator denies them."""
    context.session.access.demand_configuration("Administration")
    record = context.base.record
    if record.scheduled_jobs_deny:
        raise ScheduledJobsDenied(place=record.name)
    with (
        context.worker.direct.use(record, by=str(context.server)) as base,
        runner_of(base, context.session.info.user) as runner,
    ):
        return values.encode(run_jobs(runner, str(args["name"])))


@call()
def engine_check(context: Context, args: Args) -> object:
    context.session.access.demand_configuration("Administration")
    return values.encode(context.base.engine.check())


@call()
def engine_size(context: Context, args: Args) -> object:
    context.session.access.demand_configuration("Administration")
    found = context.base.engine.size()
    return {"bytes": found.bytes, "details": dict(found.details)}


@call()
def served(context: Context, args: Args) -> object:
    """A function of the kernel that is served by name; see `infobase.served`."""
    found = SERVED.get(str(args["function"]))
    if found is None or found.file:
        raise RequestInvalid(detail=text(ru="нет такой функции", en="there is no such function"))
    return values.encode(perform_served(context, found, values.decode(args["arguments"])))


def perform_served(context: Context, found: ServedFunction, given: dict[str, Any]) -> object:
    """A served function, under the rights of the session."""
    session = context.session
    if found.right:
        session.access.demand_configuration(found.right)
    if "user" in given:
        given["user"] = session.info.user  # who does it is not the client's to say
    subject: object = context.base.base if found.takes == "base" else session
    return found.function(subject, **given)
