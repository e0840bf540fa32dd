"""The ASGI application of one worker process."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from starlette.applications import Starlette

from engine_server.application import admin, api, files, health, journal, odata_door, sent, whole
from engine_server.application.jobs_loop import JobsLoop
from engine_server.application.settings import FOLDER_VARIABLE, default_folder
from engine_server.application.state import Worker, worker_at
from engine_server.application.threads import CallThreads
from engine_server.application.worker import Loop

_log = logging.getLogger("infobase.server")
LOGINS_AT_ONCE = 2
"""Checking a password takes 64 MB and all cores for a moment."""


def create(worker: Worker) -> Starlette:
    """The application over a worker, which it closes at its end."""

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        size = worker.settings.pool_size
        app.state.threads = CallThreads(max(size // 2, 2), worker.metrics)
        app.state.transactions = anyio.CapacityLimiter(max(size // 2, 1))
        app.state.unbounded = anyio.CapacityLimiter(1000)
        app.state.logins = anyio.CapacityLimiter(LOGINS_AT_ONCE)
        loop = Loop(worker)
        loop.start()
        jobs = JobsLoop(worker)
        if worker.has_direct():
            jobs.start()
        else:
            _log.warning("scheduled jobs do not run: behind a pooler they need the setting `direct`")
        try:
            yield
        finally:
            worker.draining = True
            jobs.stop()
            loop.stop()
            app.state.threads.close()
            worker.close()

    own = [*api.routes(), *whole.routes(), *sent.routes(), *health.routes(), *admin.routes(), *files.routes()]
    app = Starlette(routes=[*own, *odata_door.routes(worker)], lifespan=life)
    app.state.worker = worker
    return app


def from_environment() -> Starlette:
    """What uvicorn calls in each worker process."""
    journal.set_up()
    made = create(worker_at(Path(os.environ.get(FOLDER_VARIABLE) or default_folder())))
    gc.freeze()  # what was imported stays: the collector need not look at it again
    return made
