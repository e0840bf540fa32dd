"""The base as a whole: configuration, jobs, check, size, and functions of the kernel that are served by name."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from engine_server.application.alone import alone
from engine_server.application.calls.registry import Args, Context, call
from engine_server.application.jobs_loop import runner_of
from engine_server.sessions import own_prefix
from engine_server.wire import values
from infobase import configuration_update
from infobase.errors import (
    RequestInvalid,
    ScheduledJobsDenied,
)
from infobase.i18n import text
from infobase.job_runner import run_jobs
from infobase.metadata import canonical
from infobase.metadata.model import Configuration
from infobase.served import SERVED, ServedFunction

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
