"""Managed locks, and locks of objects for editing."""

from __future__ import annotations

from engine_server.application import object_locks
from engine_server.application.calls.registry import Args, Context, call, known_type
from engine_server.wire import objects
from infobase.storage import LockKey


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
    context.session.access.demand("Update", known_type(context.session, ref.type))
    object_locks.take(context.cluster, context.server, ref, context.settings)
    return None


@call()
def unlock_object(context: Context, args: Args) -> object:
    object_locks.give(context.cluster, context.server, objects.ref_from_json(args["ref"]))
    return None
