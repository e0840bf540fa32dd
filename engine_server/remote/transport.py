"""Calls over HTTP: several hosts, repeats of what is safe to repeat, one token, errors raised as they were at the server."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import urllib3

from engine_server.remote.address import Addresses
from engine_server.wire import failures, packing
from engine_server.wire.protocol import MAX_BODY, VERSION, VERSION_HEADER
from infobase.errors import (
    CommitOutcomeUnknown,
    InfobaseError,
    ProtocolMismatch,
    RequestTooLarge,
    ServerBusy,
    ServerUnavailable,
)
from infobase.i18n import language, text

CONNECT_SECONDS = 5.0
CALL_SECONDS = 3600.0
"""A call may be long (a report, a restructuring); a dead server is noticed by its closed connection."""
REPEAT_SECONDS = 20.0
_GATEWAY = (502, 504)
_LOST = (urllib3.exceptions.HTTPError, OSError)


class Transport:
    """One client's way to the servers of a cluster. Not for several threads at once."""

    def __init__(self, addresses: Addresses, ref: str, *, repeat_seconds: float = REPEAT_SECONDS) -> None:
        self.addresses, self.ref, self.repeat_seconds = addresses, ref, repeat_seconds
        self.token = ""
        self._preferred = 0
        self._pools = urllib3.PoolManager(num_pools=len(addresses.hosts), maxsize=2, retries=False)

    # --- places ---

    @property
    def hosts(self) -> Iterator[tuple[int, str, int]]:
        """All hosts, the one that answered last first."""
        count = len(self.addresses.hosts)
        for step in range(count):
            number = (self._preferred + step) % count
            yield number, *self.addresses.hosts[number]

    def base_url(self, host: str, port: int, scheme: str = "http") -> str:
        shown = f"[{host}]" if ":" in host else host
        return f"{scheme}{'s' if self.addresses.secure else ''}://{shown}:{port}"

    def path(self, tail: str) -> str:
        return f"/{quote(self.ref, safe='')}/api/{tail}"

    def headers(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        made = {"Accept-Language": language(), "Accept-Encoding": "gzip", VERSION_HEADER: str(VERSION)}
        if self.token:
            made["Authorization"] = f"Bearer {self.token}"
        return {**made, **(more or {})}

    # --- calls ---

    def post(self, path: str, data: object, *, repeat: bool, headers: Mapping[str, str] | None = None) -> Any:
        """The answer's JSON. `repeat`: the request may be sent again when its answer was lost. ServerUnavailable, and the server's errors."""
        body, encoding = packing.pack(data)
        if len(body) > MAX_BODY:
            raise RequestTooLarge(limit=MAX_BODY)
        sent = self.headers({"Content-Type": "application/json", **(headers or {})})
        if encoding:
            sent["Content-Encoding"] = encoding
        deadline = time.monotonic() + (self.repeat_seconds if repeat else 0)
        pause = 0.05
        while True:
            trouble = self._round(path, body, sent, repeat=repeat)
            if not isinstance(trouble, InfobaseError):
                return trouble
            if time.monotonic() + pause > deadline:
                raise trouble
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, 1.0)

    def _round(self, path: str, body: bytes, headers: dict[str, str], *, repeat: bool) -> Any:
        """One try of every host; the answer, or the last trouble that may pass. Other errors are raised."""
        trouble: InfobaseError = ServerUnavailable(place=self.addresses, detail="-")
        for number, host, port in self.hosts:
            try:
                answer = self._pools.request(
                    "POST",
                    self.base_url(host, port) + path,
                    body=body,
                    headers=headers,
                    timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=CALL_SECONDS),
                    redirect=False,
                    decode_content=False,
                )
            except _LOST as e:
                trouble = self.unavailable(host, port, e)
                if not repeat and not _never_sent(e):
                    raise trouble from e
                continue
            self._preferred = number
            if answer.status in _GATEWAY:
                trouble = self.unavailable(host, port, answer.status)
                continue
            try:
                return self.read(answer.status, answer.data, answer.headers)
            except (CommitOutcomeUnknown, ServerBusy, ServerUnavailable) as e:
                if not repeat:
                    raise
                trouble = e
        return trouble

    def read(self, status: int, body: bytes, headers: Mapping[str, str]) -> Any:
        """The JSON of an answer, or the server's error."""
        found = headers.get(VERSION_HEADER)
        if found is None:
            detail = text(ru=f"отвечает не сервер Infobase (HTTP {status})", en=f"no Infobase server (HTTP {status})")
            raise ServerUnavailable(place=self.addresses, detail=detail)
        if found != str(VERSION):
            raise ProtocolMismatch(found=found, expected=VERSION)
        data = packing.unpack(body, headers.get("Content-Encoding", ""), limit=4 * MAX_BODY)
        if status >= 400:
            raise failures.from_json(data)
        return data

    def unavailable(self, host: str, port: int, what: object) -> ServerUnavailable:
        detail = _plainly(what)
        return ServerUnavailable(place=f"{host}:{port}", detail=detail)

    def request(
        self, method: str, path: str, *, seconds: float = CALL_SECONDS, **more: Any
    ) -> urllib3.BaseHTTPResponse:
        """One streamed request to the preferred host, not repeated; `seconds`: how long its answer may take. ServerUnavailable."""
        _, host, port = next(iter(self.hosts))
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=seconds)
        try:
            return self._pools.request(
                method, self.base_url(host, port) + path, timeout=timeout, redirect=False, preload_content=False, **more
            )
        except _LOST as e:
            raise self.unavailable(host, port, e) from e

    def close(self) -> None:
        self._pools.clear()


def _never_sent(e: BaseException) -> bool:
    return isinstance(e, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)


def _plainly(what: object) -> str:
    if isinstance(what, int):
        return f"HTTP {what}"
    if isinstance(what, urllib3.exceptions.NewConnectionError):
        return text(ru="соединение не установлено", en="cannot connect")
    if isinstance(what, urllib3.exceptions.TimeoutError | TimeoutError):
        return text(ru="нет ответа", en="no answer")
    return text(ru="соединение прервано", en="the connection broke")
