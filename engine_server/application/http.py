"""Requests and answers: bodies under limits, errors in one shape, work in threads of a bounded number."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from engine_server.application import entry
from engine_server.application.state import Worker
from engine_server.application.threads import CallThreads
from engine_server.wire import failures, packing
from engine_server.wire.protocol import VERSION, VERSION_HEADER
from infobase.errors import InfobaseError, InternalError, RequestInvalid, RequestTooLarge, SessionEnded
from infobase.i18n import LANGUAGES, set_language, text

T = TypeVar("T")
LEAST_PACE = 16 * 1024
"""Bytes a second a body must come at, on the average, beside the seconds everybody has."""
Endpoint = Callable[[Request], Awaitable[Response]]
_log = logging.getLogger("infobase.server")


def worker_of(connection: HTTPConnection) -> Worker:
    worker: Worker = connection.app.state.worker
    return worker


def choose_language(connection: HTTPConnection) -> None:
    """Messages in the client's language, Russian unless he says otherwise."""
    wanted = connection.headers.get("accept-language", "")[:2].lower()
    set_language(wanted if wanted in LANGUAGES else "ru")


def token_of(connection: HTTPConnection) -> str:
    """The bearer token. SessionEnded when there is none."""
    kind, _, token = connection.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise SessionEnded(detail=text(ru="нет токена сеанса", en="no session token"))
    return token.strip()


def credentials_of(connection: HTTPConnection, header: str = "authorization") -> tuple[str, str]:
    """User and password of a Basic header; empty ones when there is none. RequestInvalid."""
    kind, _, given = connection.headers.get(header, "").partition(" ")
    if kind.lower() != "basic":
        return "", ""
    try:
        name, _, password = base64.b64decode(given, validate=True).decode("utf-8").partition(":")
    except ValueError:  # not base64, not ASCII, not UTF-8
        raise RequestInvalid(detail=text(ru="заголовок Authorization", en="the Authorization header")) from None
    return name, password


def address_of(connection: HTTPConnection) -> str:
    """The peer's address; what a proxy says of it only where the proxy is trusted."""
    peer = connection.client.host if connection.client else "-"
    trusted = {a.strip() for a in worker_of(connection).settings.trusted_proxies.split(",") if a.strip()}
    if peer in trusted:
        told = connection.headers.get("x-forwarded-for", "").split(",")[-1].strip()
        return told[:64] or peer
    return peer


# --- bodies ---


async def chunks(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body as it comes. RequestTooLarge beyond `limit`, ServerBusy from a client that has fallen silent."""
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > limit:
        raise RequestTooLarge(limit=limit)
    seconds = worker_of(request).settings.body_seconds
    stream, received, begun = request.stream(), 0, time.monotonic()
    while True:
        # A client that drips bytes has no more time than one that is silent: the whole body must keep a least pace.
        left = begun + seconds + received / LEAST_PACE - time.monotonic()
        try:
            async with asyncio.timeout(min(seconds, max(left, 0.001))):
                part = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            detail = text(ru=f"тело запроса не пришло за {seconds:g} с", en=f"no body within {seconds:g} s")
            raise RequestInvalid(detail=detail) from None
        received += len(part)
        if received > limit:
            raise RequestTooLarge(limit=limit)
        yield part


async def json_body(request: Request) -> Any:
    """RequestInvalid, RequestTooLarge."""
    limit = worker_of(request).settings.body_megabytes * 1024 * 1024
    body = b"".join([part async for part in chunks(request, limit)])
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if len(body) < 64 * 1024:
        return packing.unpack(body, encoding, limit)
    return await anyio.to_thread.run_sync(packing.unpack, body, encoding, limit)


# --- work ---


async def in_thread(connection: HTTPConnection, work: Callable[[], T]) -> T:
    """Run blocking work in one of the worker's threads. ServerBusy when the queue is too long."""
    threads: CallThreads = connection.app.state.threads
    return await threads.run(work)


# --- answers ---


def answer(data: object, status: int = 200) -> Response:
    body, encoding = packing.pack(data)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        VERSION_HEADER: str(VERSION),
        "Cache-Control": "no-store",
    }
    headers["X-Content-Type-Options"] = "nosniff"
    if encoding:
        headers["Content-Encoding"] = encoding
    return Response(body, status, headers)


def failure(error: InfobaseError, ref: str = "", worker: Worker | None = None) -> Response:
    shown = entry.public(error, ref or "-")
    if worker is not None:
        worker.metrics.failures.labels(type(error).__name__).inc()
    if shown is not error or isinstance(error, InternalError):
        _log.error("%s: %s", type(error).__name__, error)
    made = answer(failures.to_json(shown), failures.status_of(shown))
    if made.status_code == 401:
        made.headers["WWW-Authenticate"] = 'Bearer realm="infobase"'
    return made


def as_error(e: Exception) -> InfobaseError:
    """Whatever happened, as one of the product's errors; a fault of ours is logged with its traceback, and told without details."""
    if isinstance(e, InfobaseError):
        return e
    _log.exception("unexpected %s", type(e).__name__)
    debug = text(ru="Подробности в журнале сервера.", en="Details are in the server's log.")
    return InternalError(kind=type(e).__name__, detail="", debug=debug)


def guarded(endpoint: Endpoint) -> Endpoint:
    """The endpoint in the client's language, its errors as answers."""

    async def call(request: Request) -> Response:
        choose_language(request)
        try:
            return await endpoint(request)
        except Exception as e:
            return failure(as_error(e), request.path_params.get("ref", ""), worker_of(request))

    return call
