"""`/<ref>/api/...`: login, calls, interactive transactions."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from engine_server.application import entry, http, live
from engine_server.application.http import answer, guarded, in_thread, json_body, token_of, worker_of
from engine_server.application.live import LiveTransaction
from engine_server.wire import failures, packing
from infobase.errors import InfobaseError, RequestInvalid, ServerBusy, TransactionExpired
from infobase.i18n import text


@guarded
async def login(request: Request) -> Response:
    worker, ref, address = worker_of(request), request.path_params["ref"], http.address_of(request)
    data = await json_body(request)
    if not isinstance(data, dict):
        raise RequestInvalid(detail=text(ru="нужен объект JSON", en="a JSON object is needed"))
    async with request.app.state.logins:
        made = await in_thread(request, lambda: entry.login(worker, ref, data, address))
    return answer(made)


@guarded
async def logout(request: Request) -> Response:
    worker, ref, token = worker_of(request), request.path_params["ref"], token_of(request)
    await in_thread(request, lambda: entry.logout(worker, ref, token))
    return answer({"result": None})


@guarded
async def call(request: Request) -> Response:
    worker, ref, token = worker_of(request), request.path_params["ref"], token_of(request)
    data = await json_body(request)
    return answer({"result": await in_thread(request, lambda: entry.answer(worker, ref, token, data))})


@guarded
async def outcome(request: Request) -> Response:
    worker, ref, token = worker_of(request), request.path_params["ref"], token_of(request)
    data = await json_body(request)
    try:
        key = uuid.UUID(data["key"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise RequestInvalid(detail=text(ru="key: нужен UUID", en="key: a UUID is needed")) from None
    return answer({"result": await in_thread(request, lambda: live.outcome(worker, ref, token, key))})


# --- interactive transactions ---


async def transaction(socket: WebSocket) -> None:
    """Text frames are JSON, binary ones gzipped JSON; every message gets one answer."""
    http.choose_language(socket)
    worker = worker_of(socket)
    try:
        made = _asked_for(socket)
        await _limited(socket, made)
    except (WebSocketDisconnect, asyncio.CancelledError):
        raise
    except Exception as e:
        error = http.as_error(e)
        worker.metrics.failures.labels(type(error).__name__).inc()
        if socket.client_state == WebSocketState.CONNECTING:
            await socket.accept()
        if socket.client_state == WebSocketState.CONNECTED:
            await _say(socket, failures.to_json(entry.public(error, socket.path_params["ref"])))
            await socket.close(1008)


def _asked_for(socket: WebSocket) -> LiveTransaction:
    given = socket.query_params
    try:
        timeout, key = float(given.get("timeout", "20")), given.get("key")
        made = uuid.UUID(key) if key else None
    except ValueError:
        raise RequestInvalid(detail=text(ru="timeout или key", en="timeout or key")) from None
    write = given.get("write", "1") == "1"
    worker, ref = worker_of(socket), socket.path_params["ref"]
    return LiveTransaction(worker, ref, token_of(socket), write=write, timeout=timeout, key=made)


async def _limited(socket: WebSocket, made: LiveTransaction) -> None:
    places: anyio.CapacityLimiter = socket.app.state.transactions
    try:
        places.acquire_on_behalf_of_nowait(made)
    except anyio.WouldBlock:
        raise ServerBusy(detail=text(ru="слишком много открытых транзакций", en="too many open transactions")) from None
    try:
        await _thread(socket, made.begin)
        await socket.accept()
        await _serve(socket, made)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(lambda: made.end(commit=False), limiter=socket.app.state.unbounded)
        places.release_on_behalf_of(made)


async def _thread(socket: WebSocket, work: Any) -> Any:
    # Not through the queue of calls: what waits there may wait for this transaction's locks.
    return await anyio.to_thread.run_sync(work, limiter=socket.app.state.unbounded)


async def _serve(socket: WebSocket, made: LiveTransaction) -> None:
    idle = made.worker.settings.transaction_idle_seconds
    while made.open:
        left = min(idle, made.deadline - time.monotonic())
        try:
            message = await asyncio.wait_for(socket.receive(), max(left, 0.01))
        except TimeoutError:
            detail = text(ru=f"нет обращений {idle:g} с или она слишком долгая", en=f"idle for {idle:g} s, or too long")
            raise TransactionExpired(detail=detail) from None
        if message["type"] == "websocket.disconnect":
            return
        try:
            data: Any = _read(made, message)
            result = await _thread(socket, lambda data=data: made.call(data))
        except InfobaseError as e:
            made.worker.metrics.failures.labels(type(e).__name__).inc()
            await _say(socket, failures.to_json(entry.public(e, socket.path_params["ref"])))
            continue
        await _say(socket, {"result": result})
    await socket.close()


def _read(made: LiveTransaction, message: Any) -> object:
    limit = made.worker.settings.body_megabytes * 1024 * 1024
    packed = message.get("bytes")
    if packed is not None:
        return packing.unpack(packed, "gzip", limit)
    return packing.unpack((message.get("text") or "").encode(), "", limit)


async def _say(socket: WebSocket, data: object) -> None:
    body, encoding = packing.pack(data)
    if encoding:
        await socket.send_bytes(body)
    else:
        await socket.send_text(body.decode())


def routes() -> list[BaseRoute]:
    return [
        Route("/{ref}/api/login", login, methods=["POST"]),
        Route("/{ref}/api/logout", logout, methods=["POST"]),
        Route("/{ref}/api/call", call, methods=["POST"]),
        Route("/{ref}/api/outcome", outcome, methods=["POST"]),
        WebSocketRoute("/{ref}/api/transaction", transaction),
    ]
