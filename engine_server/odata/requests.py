"""A request and a reply as data, apart from any web framework."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from engine_server.odata.options import Options
from infobase.session import Session


@dataclass(frozen=True, slots=True)
class Credentials:
    """From HTTP Basic; `address`: where the client calls from. Never shown."""

    user: str
    password: str = field(repr=False)
    address: str = ""


Opener = Callable[[Credentials], AbstractContextManager[Session]]
"""Opens a session for a request, or raises: LoginFailed, SessionsBlocked ... The context may keep the session for the next request."""


@dataclass(frozen=True)
class Request:
    """`path`: decoded, after `standard.odata/`. `root`: the service's address with a slash at its end. Header names in lower case."""

    method: str
    path: str
    options: Options
    headers: Mapping[str, str]
    root: str
    body: bytes = b""

    def header(self, name: str) -> str:
        return self.headers.get(name, "")


@dataclass
class Reply:
    """`body`: the whole of it, or parts as they come."""

    status: int = 200
    body: bytes | Iterator[bytes] = b""
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def credentials_of(authorization: str, address: str) -> Credentials:
    """User and password of a Basic header in UTF-8, or in cp1251 as older clients send them; nobody when there is none or it is broken."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return Credentials("", "", address)
    try:
        raw = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return Credentials("", "", address)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("cp1251", errors="replace")
    user, _, password = text.partition(":")
    return Credentials(user, password, address)
