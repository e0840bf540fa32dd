"""`session.transaction()` over the wire: one WebSocket for the transaction's calls, opened by its first call."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlencode

from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.sync.client import ClientConnection, connect

from engine_server.remote.transport import CONNECT_SECONDS, Transport
from engine_server.wire import failures, packing
from engine_server.wire.protocol import MAX_BODY
from infobase.errors import (
    CommitOutcomeUnknown,
    InfobaseError,
    NotOverTheWire,
    ServerUnavailable,
    TransactionExpired,
    TransactionFailed,
)
from infobase.i18n import text
from infobase.storage import LogEntry, Row, Statement


class RemoteTransaction:
    """Stands where a local session has a transaction on the store. SQL does not travel: `run` and `stream` refuse."""

    def __init__(self, transport: Transport, *, writable: bool, timeout: float) -> None:
        self.writable = writable
        self._transport, self._timeout = transport, timeout
        self._socket: ClientConnection | None = None
        self._resources = ExitStack()
        self._key = uuid.uuid4()
        self._actions: list[Callable[[], None]] = []
        self._failed: TransactionFailed | None = None

    # --- the contract of a transaction ---

    def run(self, statements: Sequence[Statement], *, last: bool = False) -> list[list[Row]]:
        raise NotOverTheWire(what="SQL")

    def stream(self, statement: Statement) -> Iterator[Row]:
        raise NotOverTheWire(what="SQL")

    def log(self, entries: Sequence[LogEntry]) -> None:
        raise NotOverTheWire(what=text(ru="Запись в журнал регистрации", en="Writing to the event log"))

    def after_commit(self, action: Callable[[], None]) -> None:
        self._actions.append(action)

    def fail(self, reason: BaseException) -> None:
        if self._failed is None:
            self._failed = TransactionFailed(detail=str(reason) or type(reason).__name__)

    # --- calls ---

    def call(self, name: str, args: Mapping[str, object]) -> Any:
        """One call inside the transaction. TransactionExpired when the server or the connection has ended it."""
        self._demand_sound()
        socket = self._opened()
        body, encoding = packing.pack({"call": name, "args": args})
        try:
            socket.send(body if encoding else body.decode())
            return self._read(socket.recv())
        except (WebSocketException, OSError) as e:
            self._drop()
            detail = text(ru="соединение с сервером прервано", en="the connection to the server broke")
            raise TransactionExpired(detail=detail) from e

    def _demand_sound(self) -> None:
        if self._failed is not None:
            raise self._failed

    def _read(self, message: str | bytes) -> Any:
        packed = isinstance(message, bytes)
        data = packing.unpack(
            message if isinstance(message, bytes) else message.encode(), "gzip" if packed else "", 4 * MAX_BODY
        )
        if isinstance(data, dict) and "result" in data:
            return data["result"]
        error = failures.from_json(data)
        if isinstance(error, TransactionExpired):
            self._drop()
        raise error

    def _opened(self) -> ClientConnection:
        if self._socket is None:
            trouble: Exception | None = None
            for _, host, port in self._transport.hosts:
                try:
                    self._socket = self._connect(host, port)
                    return self._socket
                except (InvalidHandshake, OSError, TimeoutError) as e:
                    trouble = e
            detail = text(ru="транзакция не открыта", en="cannot open a transaction")
            raise ServerUnavailable(place=self._transport.addresses, detail=detail) from trouble
        return self._socket

    def _connect(self, host: str, port: int) -> ClientConnection:
        asked = {"write": "1" if self.writable else "0", "timeout": f"{self._timeout:g}", "key": str(self._key)}
        url = self._transport.base_url(host, port, "ws") + self._transport.path("transaction") + "?" + urlencode(asked)
        headers = {k: v for k, v in self._transport.headers().items() if k != "Accept-Encoding"}
        opening = connect(
            url,
            additional_headers=headers,
            open_timeout=CONNECT_SECONDS + self._timeout,
            max_size=MAX_BODY,
            compression=None,
            proxy=None,
            ping_interval=None,
        )
        return self._resources.enter_context(opening)

    # --- its end ---

    def commit(self) -> None:
        """CommitOutcomeUnknown only when the server cannot be asked either."""
        self._demand_sound()
        if self._socket is not None:
            if self.writable:
                self._commit()
            self._drop()
        for action in self._actions:
            action()

    def _commit(self) -> None:
        try:
            self.call("commit", {})
        except TransactionExpired as e:
            if not self._was_committed(e):
                raise

    def _was_committed(self, lost: InfobaseError) -> bool:
        try:
            asked = {"key": str(self._key)}
            return bool(self._transport.post(self._transport.path("outcome"), asked, repeat=True)["result"])
        except InfobaseError as e:
            raise CommitOutcomeUnknown(detail=str(e)) from lost

    def roll_back(self) -> None:
        self._drop()

    def _drop(self) -> None:
        """The end of the connection is the end of the transaction."""
        self._socket = None
        self._resources.close()
