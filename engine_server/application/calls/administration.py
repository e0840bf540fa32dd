"""Sessions, their block and locks, and the event log, for the base's administrator."""

from __future__ import annotations

from dataclasses import replace

from engine_server.application import logins
from engine_server.application.calls.registry import Args, Context, call
from engine_server.wire import values
from engine_server.wire.protocol import LOG_PAGE
from infobase.rights import CONFIGURATION
from infobase.session_block import SessionBlock
from infobase.storage import LockInfo, LogEntry, LogFilter, SessionAdministration, SessionInfo


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
def demand(context: Context, args: Args) -> object:
    """Whether the user has a right, for a client that has already refused: the refusal is in the event log. AccessDenied."""
    right, place = str(args["right"]), str(args["object"])
    known = context.session.kernel.configuration.objects
    context.session.access.demand(right[:100], place if place in known else CONFIGURATION)
    return None


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
