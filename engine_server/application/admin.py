"""`/admin/...`: the cluster's administrator, by name and password with every call."""

from __future__ import annotations

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from engine_server.application import entry, http, stewardship
from engine_server.application.http import answer, guarded, in_thread, json_body, worker_of


async def administrator(request: Request, header: str = "authorization") -> str:
    """Who administers. ClusterLoginFailed, LoginThrottled."""
    worker, address = worker_of(request), http.address_of(request)
    name, password = http.credentials_of(request, header)
    async with request.app.state.logins:
        return await in_thread(request, lambda: stewardship.login(worker, name, password, address))


@guarded
async def call(request: Request) -> Response:
    await administrator(request)
    worker = worker_of(request)
    name, args, _ = entry.unpacked(await json_body(request))
    # Not in the queue of calls: an administrator must get through when it is full.
    work = request.app.state.unbounded
    result = await anyio.to_thread.run_sync(lambda: stewardship.perform(worker, name, args), limiter=work)
    return answer({"result": result})


def routes() -> list[BaseRoute]:
    return [Route("/admin/call", call, methods=["POST"])]
