"""A classifier from an address, for those who have a network: http and https, with limits of size and time, and never from inside one's own network.

The host is looked up once and the connection goes to that very address, so that the name cannot lead elsewhere between the check and the
use; every redirect is judged anew.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from infobase.errors import DownloadRefused
from infobase.i18n import Bilingual
from infobase.scratch import temporary_folder

MAX_BYTES = 256 * 1024 * 1024
MAX_SECONDS = 120.0
MAX_REDIRECTS = 5
CHUNK_BYTES = 64 * 1024
STEP_SECONDS = 15.0
"""The longest silence of the other side."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a download may take. `allow_private`: addresses of one's own network and machine are allowed as well."""

    bytes: int = MAX_BYTES
    seconds: float = MAX_SECONDS
    allow_private: bool = False


@contextmanager
def downloaded(url: str, limits: Limits | None = None) -> Iterator[Path]:
    """The file at `url`, kept in a temporary folder for the block. DownloadRefused."""
    wanted = _Download(url, limits or Limits())
    with temporary_folder("download") as folder:
        target = folder / wanted.name()
        with target.open("wb") as file:
            wanted.into(file)
        yield target


class _Download:
    def __init__(self, url: str, limits: Limits) -> None:
        self._url, self._limits = url, limits
        self._deadline = time.monotonic() + limits.seconds

    def name(self) -> str:
        """What to call the file: the last part of the address's path."""
        last = unquote(self._parts(self._url).path).replace("\\", "/").rstrip("/").rpartition("/")[2]
        made = "".join(c if c.isalnum() or c in "._-" else "_" for c in last).strip(".")
        return made[-100:] or "download"

    def into(self, file: IO[bytes]) -> None:
        url = self._url
        for _ in range(MAX_REDIRECTS + 1):
            further = self._fetch(url, file)
            if not further:
                return
            url = urljoin(url, further)
        raise self._refused("слишком много переадресаций", "too many redirects")

    def _fetch(self, url: str, file: IO[bytes]) -> str:
        """Read one address into the file; where it redirects to, "" when it does not."""
        connection, path = self._connection(url)
        with ExitStack() as stack:
            stack.callback(connection.close)
            try:
                connection.request("GET", path, headers={"User-Agent": "infobase", "Accept-Encoding": "identity"})
                answer = stack.enter_context(connection.getresponse())
                if answer.status in (301, 302, 303, 307, 308):
                    return self._redirect(answer)
                if answer.status != 200:
                    raise self._refused(
                        f"ответ {answer.status} {answer.reason}", f"answer {answer.status} {answer.reason}"
                    )
                self._read(answer, file)
            except (OSError, http.client.HTTPException) as error:
                raise self._refused(f"нет связи: {error}", f"no connection: {error}") from error
        return ""

    def _redirect(self, answer: http.client.HTTPResponse) -> str:
        place = answer.getheader("Location", "")
        if not place:
            raise self._refused("переадресация в никуда", "a redirect to nowhere")
        return str(place)

    def _read(self, answer: http.client.HTTPResponse, file: IO[bytes]) -> None:
        declared = answer.length
        self._demand_size(declared or 0)
        done = 0
        while chunk := answer.read1(CHUNK_BYTES):
            done += len(chunk)
            self._demand_size(done)
            self._left()
            file.write(chunk)
        if declared is not None and done < declared:
            raise self._refused(f"оборвалось на {done} из {declared} байт", f"cut off at {done} of {declared} bytes")

    def _demand_size(self, count: int) -> None:
        if count > self._limits.bytes:
            raise self._refused(f"больше {self._limits.bytes} байт", f"larger than {self._limits.bytes} bytes")

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            seconds = self._limits.seconds
            raise self._refused(f"дольше {seconds:g} с", f"it takes longer than {seconds:g} s")
        return min(left, STEP_SECONDS)

    # --- where to connect ---

    def _connection(self, url: str) -> tuple[http.client.HTTPConnection, str]:
        parts = self._parts(url)
        host, port = parts.hostname or "", parts.port
        if parts.scheme not in ("http", "https") or not host:
            raise self._refused("нужен адрес http:// или https://", "an http:// or https:// address is needed")
        if parts.username is not None or parts.password is not None:
            raise self._refused("имя и пароль в адресе недопустимы", "a user name or password is not allowed in it")
        address = self._address(host, port or (443 if parts.scheme == "https" else 80))
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if parts.scheme == "https":
            return _PinnedHttps(host, address, port, self._left()), path
        return _Pinned(host, address, port, self._left()), path

    def _parts(self, url: str) -> SplitResult:
        try:
            parts = urlsplit(url)
            _ = parts.port  # parsed when it is asked for
        except ValueError as error:
            raise self._refused(f"не адрес: {error}", f"no address: {error}") from error
        return parts

    def _address(self, host: str, port: int) -> str:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise self._refused(f"узел {host} не найден: {error}", f"no host {host}: {error}") from error
        addresses = [str(entry[4][0]) for entry in found]
        for address in addresses:
            if not self._limits.allow_private and not _is_public(address):
                raise self._refused(f"{host} ({address}) - внутренний адрес", f"{host} ({address}) is an inner address")
        return addresses[0]

    def _refused(self, ru: str, en: str) -> DownloadRefused:
        return DownloadRefused(place=self._url, detail=Bilingual(ru, en))


def _is_public(address: str) -> bool:
    made = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(made, ipaddress.IPv6Address):
        inner = made.ipv4_mapped or made.sixtofour or (made.teredo[1] if made.teredo else None)
        if inner is not None:
            return made.ipv4_mapped is not None and inner.is_global and not inner.is_multicast
        if made in ipaddress.ip_network("64:ff9b::/96"):
            return False
    return made.is_global and not made.is_multicast


class _Pinned(http.client.HTTPConnection):
    """A connection to one address, whatever the name says by now."""

    def __init__(self, host: str, address: str, port: int | None, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self._address = address

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)


class _PinnedHttps(_Pinned):
    default_port = 443

    def connect(self) -> None:
        super().connect()
        self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)
