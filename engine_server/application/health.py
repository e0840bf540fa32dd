"""`/healthz`: the process lives. `/readyz`: it can serve. `/metrics`: Prometheus."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from engine_server.application.http import in_thread, worker_of
from infobase.errors import InfobaseError


async def healthz(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """503 while the cluster's database does not answer or the worker is about to stop."""
    worker = worker_of(request)
    if worker.draining:
        return JSONResponse({"status": "stopping"}, 503)
    try:
        await in_thread(request, lambda: worker.cluster.row("SELECT 1"))
    except InfobaseError as e:
        return JSONResponse({"status": "unavailable", "error": type(e).__name__}, 503)
    return JSONResponse({"status": "ready"})


async def metrics(request: Request) -> Response:
    worker = worker_of(request)
    worker.show_pools()
    return Response(worker.metrics.text(), media_type="text/plain; version=0.0.4")


def routes() -> list[BaseRoute]:
    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
