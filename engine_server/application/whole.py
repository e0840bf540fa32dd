"""`POST /<ref>/api/whole`: works with a base as a whole, for its administrator (the token) and the cluster's (X-Cluster-Authorization) together.

What is kept of the base before such a work lies in the server's own folder, encrypted with the key of its backups.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, get_args

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from engine_server.application import entry
from engine_server.application.admin import administrator
from engine_server.application.alone import alone
from engine_server.application.calls import Context
from engine_server.application.files import refused
from engine_server.application.http import answer, guarded, json_body, token_of, worker_of
from engine_server.application.jobs_loop import add_standard_jobs, backup_key
from engine_server.application.state import Worker
from engine_server.sessions import own_prefix
from engine_server.wire import values
from infobase import prepare as preparing
from infobase import repair as repairs
from infobase.errors import ClusterLoginFailed, InfobaseBusy, LoginThrottled, RequestInvalid
from infobase.i18n import Bilingual, text
from infobase.standard_jobs import BackupParameters, schedule_backup, typed

Args = Mapping[str, Any]
Handler = Callable[[Context, Args], object]
WHOLE: dict[str, Handler] = {}
LONGEST_WAIT = 600.0
_RETRY_SECONDS = 0.3
_BOTH = Bilingual("База целиком (нужен и администратор кластера)", "The whole base (the cluster's administrator too)")


def whole(handler: Handler) -> Handler:
    WHOLE[handler.__name__] = handler
    return handler


@guarded
async def call(request: Request) -> Response:
    worker, ref, token = worker_of(request), request.path_params["ref"], token_of(request)
    work = request.app.state.unbounded
    try:
        await administrator(request, "x-cluster-authorization")
    except (ClusterLoginFailed, LoginThrottled):
        await anyio.to_thread.run_sync(lambda: refused(worker, ref, token, _BOTH), limiter=work)
        raise
    name, args, _ = entry.unpacked(await json_body(request))
    given = {key: values.decode(value) for key, value in args.items()}
    made = await anyio.to_thread.run_sync(lambda: _perform(worker, ref, token, name, given), limiter=work)
    return answer({"result": made})


def _perform(worker: Worker, ref: str, token: str, name: str, args: Args) -> object:
    handler = WHOLE.get(name)
    if handler is None:
        raise RequestInvalid(detail=text(ru=f"нет вызова {name[:40]}", en=f"no call {name[:40]}"))
    with entry.entered(worker, ref, token) as context:
        context.session.access.demand_configuration("Administration")
        with worker.running(context.base, context.server, name, context.session):
            return values.encode(handler(context, args))


@contextmanager
def _alone(context: Context, patience: float) -> Iterator[None]:
    """The base for this session alone, once the others have left. InfobaseBusy after `patience` seconds."""
    record, keep = context.base.record, own_prefix(context.base.engine.id)
    deadline = time.monotonic() + min(patience, LONGEST_WAIT)
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(alone(context.worker, record, str(context.server), keep=keep))
                break
            except InfobaseBusy:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_RETRY_SECONDS)
        yield


# --- check --fix, check --copy ---


def _bad_refs(args: Args) -> repairs.BadRefs:
    wanted = args.get("bad_refs")
    for known in get_args(repairs.BadRefs):
        if wanted == known:
            return known  # type: ignore[no-any-return]
    raise values.refused("bad_refs")


@whole
def repair(context: Context, args: Args) -> object:
    """Mend the base, alone in it. What it was before is a dump beside its backups, encrypted with their key."""
    bad_refs, name = _bad_refs(args), context.base.record.name
    with _alone(context, float(args.get("patience", 0))):
        report = repairs.repair(
            context.base.base,
            bad_refs=bad_refs,
            backup=_kept_in(context.worker, name),
            secret=backup_key(context.worker, name).secret,
            user=context.session.info.user,
        )
    return repairs.as_map(report)


def _kept_in(worker: Worker, name: str) -> Path:
    return worker.home.folder / "backups" / name


@whole
def check_copy(context: Context, args: Args) -> object:
    return repairs.check_copy(context.base.base)


@whole
def repair_copy(context: Context, args: Args) -> object:
    user = context.session.info.user
    return repairs.as_map(repairs.repair_copy(context.base.base, bad_refs=_bad_refs(args), user=user))


# --- prepare ---


@whole
def prepare(context: Context, args: Args) -> object:
    """Strip the base, alone in it. It stays on this server, so it has the jobs every base here has."""
    wanted = args["wanted"]
    if not isinstance(wanted, preparing.Wanted):
        raise values.refused("wanted")
    with _alone(context, preparing.PATIENCE):
        stripped = preparing.prepare(context.base.base, context.session, wanted)
    add_standard_jobs(context.worker, context.base.record)
    return stripped


# --- backups ---


@whole
def backup_schedule(context: Context, args: Args) -> object:
    """A job that writes into a folder of the server's computer. Without a key of its own it takes that of the server's backups."""
    given = typed(BackupParameters, args["parameters"], "backup")
    if not given.plain and not given.key_file:
        key = backup_key(context.worker, context.base.record.name)
        given = BackupParameters(given.folder, given.keep, str(key.place), given.plain)
    return schedule_backup(context.base.base, context.session, given, int(args["every"]), str(args["name"])[:100])


def routes() -> list[BaseRoute]:
    return [Route("/{ref}/api/whole", call, methods=["POST"])]
