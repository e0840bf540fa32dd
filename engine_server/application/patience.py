"""A limit to waiting for a request's head: a client that sends it byte by byte must not hold a connection for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 20.0


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's own protocol with a clock on heads. Between requests its keep-alive limit holds."""

    _clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wind()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._wind()

    def on_headers_complete(self) -> None:
        self._stop()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _wind(self) -> None:
        self._stop()
        self._clock = self.loop.call_later(HEAD_SECONDS, self._cut)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _cut(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.abort()
