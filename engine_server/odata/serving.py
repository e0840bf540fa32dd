"""One infobase served over HTTP: `infobase serve`. OData lives at `/odata/standard.odata/`; other doors are mounted beside it."""

from __future__ import annotations

import re
import socket

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from engine_server.odata.application import odata_application
from engine_server.odata.sessions import SessionPool
from infobase.errors import ServiceNotStarted

PREFIX = "/odata/standard.odata"
CLOSING_SECONDS = 5
"""How long requests under way may take to end when the service stops."""


_ADDRESS = re.compile(r"/(?:[^/]*/)?odata/standard\.odata(?=/|$)")


class OneBase:
    """The application of one base: `/odata/standard.odata`, with or without a slash at its end. Clients written for 1C want the name of a
    publication before it; here there is one base, so any name will do."""

    def __init__(self, odata: ASGIApp) -> None:
        self._odata = odata

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        found = _ADDRESS.match(scope["path"])
        if found is None:
            await _nothing(send)
            return
        await self._odata({**scope, "root_path": scope.get("root_path", "") + found[0]}, receive, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return


async def _nothing(send: Send) -> None:
    headers = [(b"content-type", b"text/plain;charset=utf-8")]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": f"{PREFIX}/".encode()})


def one_base(pool: SessionPool) -> OneBase:
    """The application over the sessions of a base."""
    return OneBase(odata_application(pool.open))


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0: any free one. ServiceNotStarted."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, kind, protocol)
    except OSError as e:
        raise ServiceNotStarted(place=f"{host}:{port}", detail=e.strerror or str(e)) from e
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(512)
    except OSError as e:
        made.close()
        raise ServiceNotStarted(place=f"{host}:{port}", detail=e.strerror or str(e)) from e
    return made


def server_of(application: ASGIApp) -> uvicorn.Server:
    """A server for one process; it logs no requests, which hold data and names."""
    return uvicorn.Server(
        uvicorn.Config(
            application,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=CLOSING_SECONDS,
            timeout_keep_alive=30,
            h11_max_incomplete_event_size=256 * 1024,
        )
    )
