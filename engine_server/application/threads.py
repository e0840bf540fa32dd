"""The threads in which a worker's calls block, as many as it has connections for them, and the queue before them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from engine_server.application.metrics import Metrics
from infobase.errors import ServerBusy
from infobase.i18n import text

T = TypeVar("T")
QUEUE_PER_THREAD = 64


class CallThreads:
    """Used from the event loop alone. `close` waits for the calls at work."""

    def __init__(self, count: int, metrics: Metrics) -> None:
        self._executor = ThreadPoolExecutor(count, thread_name_prefix="infobase-call")
        self._most = count * (1 + QUEUE_PER_THREAD)
        self._present = 0
        self._metrics = metrics

    async def run(self, work: Callable[[], T]) -> T:
        """The work's result, in the caller's language. ServerBusy when the queue is too long."""
        if self._present >= self._most:
            raise ServerBusy(detail=text(ru="очередь вызовов полна", en="the queue of calls is full"))
        metrics, begun = self._metrics, False

        def at_work() -> T:
            nonlocal begun
            begun = True
            metrics.queue.dec()
            with metrics.running.track_inprogress():
                return work()

        metrics.queue.inc()
        self._present += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, copy_context().run, at_work)
        finally:
            self._present -= 1
            if not begun:
                metrics.queue.dec()

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)
