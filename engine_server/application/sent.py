"""`PUT /<ref>/api/sent`: a file comes to the server, and a served function works with it; see `infobase.served`.

The file lies in a folder only the server can enter until the work is done, under the name it had at the client, which formats may be told by.
"""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from engine_server.application import calls, entry
from engine_server.application.http import answer, chunks, guarded, token_of, worker_of
from engine_server.application.state import Worker
from engine_server.wire import packing, values
from infobase.errors import RequestInvalid
from infobase.i18n import text
from infobase.served import SERVED, ServedFunction

MOST_BYTES = 1 << 40
SIGN_OF_LIFE = 64 << 20
"""After so many bytes the session is looked at again: it must not end as idle, nor go on when it was ended."""


@guarded
async def sent(request: Request) -> Response:
    worker, ref, token = worker_of(request), request.path_params["ref"], token_of(request)
    work = request.app.state.unbounded
    asked = packing.from_header("X-Infobase-Call", request.headers.get("x-infobase-call", ""))
    name, found, given = _asked(asked)
    await anyio.to_thread.run_sync(lambda: _demand(worker, ref, token, found), limiter=work)
    folder = _folder(worker)
    try:
        place, done = folder / name, 0
        with place.open("wb") as file:
            async for part in chunks(request, MOST_BYTES):
                file.write(part)
                before, done = done, done + len(part)
                if before // SIGN_OF_LIFE != done // SIGN_OF_LIFE:
                    await anyio.to_thread.run_sync(lambda: _demand(worker, ref, token, found), limiter=work)
        made = await anyio.to_thread.run_sync(
            lambda: _perform(worker, ref, token, found, {**given, found.file: place}), limiter=work
        )
    finally:
        await anyio.to_thread.run_sync(lambda: shutil.rmtree(folder, ignore_errors=True), limiter=work)
    return answer({"result": made})


def _asked(asked: dict[str, object]) -> tuple[str, ServedFunction, dict[str, Any]]:
    """(name of the file, the function, its arguments). RequestInvalid."""
    found = SERVED.get(str(asked.get("function")))
    if found is None or not found.file:
        raise RequestInvalid(detail=text(ru="нет такой функции", en="there is no such function"))
    name = str(asked.get("name"))
    if name != Path(name).name or name in ("", ".", "..") or "\0" in name or len(name.encode()) > 200:
        raise values.refused(name)
    given = values.decode(asked.get("arguments"))
    if not isinstance(given, dict) or found.file in given:
        raise values.refused("arguments")
    return name, found, given


def _demand(worker: Worker, ref: str, token: str, found: ServedFunction) -> None:
    with entry.entered(worker, ref, token) as context:
        context.session.access.demand_configuration(found.right)


def _folder(worker: Worker) -> Path:
    parent = worker.home.folder / "tmp"
    parent.mkdir(mode=0o700, exist_ok=True)
    parent.chmod(0o700)
    made = parent / secrets.token_hex(8)
    made.mkdir(mode=0o700)
    return made


def _perform(worker: Worker, ref: str, token: str, found: ServedFunction, given: dict[str, Any]) -> object:
    with (
        entry.entered(worker, ref, token) as context,
        worker.running(context.base, context.server, found.function.__name__, context.session),
    ):
        return values.encode(calls.perform_served(context, found, given))


def routes() -> list[BaseRoute]:
    return [Route("/{ref}/api/sent", sent, methods=["PUT"])]
