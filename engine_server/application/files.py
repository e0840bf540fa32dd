"""Dumps out of the server and into it, as streams.

    GET  /<ref>/api/dump        needs the infobase's administrator (token) and the cluster's (X-Cluster-Authorization)
    PUT  /admin/restore/<name>  needs the cluster's administrator, and over a base that is there its administrator (X-Infobase-Authorization)

A dump is whole in a private folder of the server before its first byte is sent, so a broken download never looks like a dump.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from engine_server.application import entry, infobases, stewardship
from engine_server.application.admin import administrator
from engine_server.application.http import answer, chunks, guarded, token_of, worker_of
from engine_server.application.state import Worker
from engine_server.application.stewardship import NewContent
from engine_server.wire import packing
from engine_server.wire.values import encode
from infobase import infobase as bases
from infobase.appointing import Administrator
from infobase.errors import (
    AccessDenied,
    ClusterLoginFailed,
    InfobaseNotFound,
    LoginThrottled,
    RequestInvalid,
    TargetExists,
)
from infobase.i18n import Bilingual

T = TypeVar("T")
MOST_BYTES = 1 << 40
_RESTORE = Bilingual("Загрузка (нужен администратор кластера)", "Restore (the cluster's administrator is needed)")
_BOTH = Bilingual("Выгрузка (нужен и администратор кластера)", "Dump (the cluster's administrator is needed too)")


async def _aside(request: Request, work: Callable[[], T]) -> T:
    """Long work outside the queue of calls."""
    return await anyio.to_thread.run_sync(work, limiter=request.app.state.unbounded)


def _scratch(worker: Worker) -> Path:
    """A new name in a folder only the server can enter."""
    folder = worker.home.folder / "tmp"
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    return folder / f"{secrets.token_hex(8)}.dt"


def _secret(request: Request) -> str | None:
    given = request.headers.get("x-dump-password")
    if given is None:
        return None
    try:
        return base64.b64decode(given, validate=True).decode()
    except ValueError:  # not base64, not ASCII, not UTF-8
        raise RequestInvalid(detail="X-Dump-Password") from None


@guarded
async def dump(request: Request) -> Response:
    worker, ref, token = worker_of(request), request.path_params["ref"], token_of(request)
    try:
        await administrator(request, "x-cluster-authorization")
    except (ClusterLoginFailed, LoginThrottled):
        await _aside(request, lambda: refused(worker, ref, token, _BOTH))
        raise
    password, only = _secret(request), request.query_params.get("only_configuration") == "1"
    target = _scratch(worker)
    made = await _aside(request, lambda: _dump(worker, ref, token, target, password, only))
    headers = {"X-Content-SHA256": made, "Cache-Control": "no-store"}
    return FileResponse(
        target,
        headers=headers,
        media_type="application/octet-stream",
        background=BackgroundTask(target.unlink, missing_ok=True),
    )


def refused(worker: Worker, ref: str, token: str, what: Bilingual) -> None:
    """The attempt is in the event log of the base, under the name of its session."""
    with entry.entered(worker, ref, token) as context:
        context.session._log_denied(AccessDenied(right=what, object=context.base.record.name))


def _dump(worker: Worker, ref: str, token: str, target: Path, password: str | None, only: bool) -> str:
    """The file's SHA-256."""
    with entry.entered(worker, ref, token) as context:
        session = context.session
        session.access.demand_configuration("Administration")
        with worker.running(context.base, context.server, "dump", session):
            bases.dump_logged(session, context.base.base, target, password=password, only_configuration=only)
        target.chmod(0o600)
    with target.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@guarded
async def restore(request: Request) -> Response:
    worker, name, query = worker_of(request), request.path_params["name"], request.query_params
    token = request.headers.get("x-infobase-authorization", "").removeprefix("Bearer ").strip()
    try:
        who = await administrator(request)
    except (ClusterLoginFailed, LoginThrottled):
        if token:
            await _aside(request, lambda: refused(worker, name, token, _RESTORE))
        raise
    replace, wanted = query.get("replace") == "1", _wanted(request)
    await _aside(request, lambda: _may_replace(worker, name, token, replace=replace))
    source = _scratch(worker)
    try:
        with source.open("wb") as file:
            async for part in chunks(request, MOST_BYTES):
                file.write(part)
        made = await _aside(request, lambda: _restore(worker, name, source, wanted, who))
    finally:
        source.unlink(missing_ok=True)
    return answer({"result": encode(made)})


def _may_replace(worker: Worker, name: str, token: str, *, replace: bool) -> None:
    try:
        record = infobases.find(worker.cluster, name)
    except InfobaseNotFound:
        return
    if not replace:
        raise TargetExists(place=record.name)
    with entry.entered(worker, name, token) as context:
        context.session.access.demand_configuration("Administration")


def _restore(worker: Worker, name: str, source: Path, wanted: NewContent, who: str) -> dict[str, object]:
    try:
        record = infobases.find(worker.cluster, name)
    except InfobaseNotFound:
        return stewardship.restore_new(worker, name, source, wanted)
    return stewardship.restore_over(worker, record, source, wanted, holder=f"{who} (restore)")


def _wanted(request: Request) -> NewContent:
    """What the headers and the query say of the base to be. `X-Infobase-Place`: where a new database shall be, else beside the cluster's own."""
    query, headers = request.query_params, request.headers
    given = packing.from_header("X-Infobase-Administrator", headers.get("x-infobase-administrator", ""))
    try:
        own_id = uuid.UUID(query["own_id"]) if query.get("own_id") else None
    except ValueError:
        raise RequestInvalid(detail="own_id") from None
    return NewContent(
        title=query.get("title", "")[:200],
        password=_secret(request),
        own_id=own_id,
        administrator=_administrator(given) if given else None,
        place=packing.from_header("X-Infobase-Place", headers.get("x-infobase-place", "")),
    )


def _administrator(given: Mapping[str, object]) -> Administrator:
    name = None if given.get("name") is None else entry.text_of(given, "name")
    return Administrator(name, entry.text_of(given, "password"), given.get("allow_empty") is True)


def routes() -> list[BaseRoute]:
    return [
        Route("/{ref}/api/dump", dump, methods=["GET"]),
        Route("/admin/restore/{name}", restore, methods=["PUT"]),
    ]
