"""What a session over `Srvr=` has done by its server: whole functions by name, never SQL.

    @served("Administration")
    def describe(base: Infobase, progress: Progress | None = None) -> InfobaseInfo: ...

A function may take one file, `@served("Administration", file="source")`: the server keeps it in a folder of its own until the work is done.
Packages above the kernel name their modules of served functions in the entry point group `infobase.served`.

Called with a local base it is the plain function. Called with a remote one its arguments travel, the server demands the right, runs the same
function beside the data and sends the result back. The first parameter is the base or the session; `progress` stays at home. Arguments and
result are kernel values, plain containers, or dataclasses that the wire knows (`engine_server.wire.values.carries`).
"""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from infobase.appointing import Administrator
    from infobase.dump_format import DumpSummary
    from infobase.infobase import Infobase
    from infobase.metadata.model import Configuration
    from infobase.session import Session

P = ParamSpec("P")
R = TypeVar("R")
Progress = Callable[[str, int, int], None]
_AT_HOME = "progress"


class RemoteDoor(Protocol):
    """The way to the application server that a remote base's engine has (`engine.door`)."""

    def sign_in(
        self, user: str, password: str, application: str, permission_code: str = "", *, administering: bool = False
    ) -> tuple[Infobase, Session]:
        """A session at the server, and the base as far as it is known here. `administering`: an administrator whom no block keeps out."""

    def call(self, name: str, arguments: Mapping[str, object]) -> Any:
        """One business call."""

    def send(self, name: str, source: Path, arguments: Mapping[str, object], progress: Progress | None = None) -> Any:
        """Bring a file to the server and have it do a served function with it."""

    def whole(self, name: str, arguments: Mapping[str, object]) -> Any:
        """One work with the base as a whole, beside the data: for the base's administrator and the cluster's together."""

    def dump(
        self,
        target: Path,
        *,
        password: str | None,
        replace: bool,
        only_configuration: bool,
        progress: Progress | None,
    ) -> DumpSummary:
        """Have the server dump the base, and bring the file here."""

    def restore(
        self,
        source: Path,
        *,
        name: str,
        password: str | None,
        replace: bool,
        own_id: uuid.UUID | None,
        administrator: Administrator | None,
        progress: Progress | None,
    ) -> Infobase:
        """Bring a dump to the server and have the base made of it. Needs the cluster's administrator."""

    def create(self, configuration: Configuration, *, name: str, admin: str, password: str) -> Infobase:
        """Have the server make and register a base. Needs the cluster's administrator."""


def door_of(engine: object) -> RemoteDoor | None:
    """The door of a remote base's engine; None where the store itself is at hand."""
    return cast("RemoteDoor | None", getattr(engine, "door", None))


@dataclass(frozen=True)
class ServedFunction:
    """`right`: what the user must have on the configuration; "" when the function demands it itself. `takes`: "base" or "session".
    `file`: its parameter that is a file, which travels as it is; "" when there is none."""

    function: Callable[..., Any]
    right: str
    takes: str
    file: str = ""


SERVED: dict[str, ServedFunction] = {}


def served(right: str, *, file: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
    def make(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        first = next(iter(signature.parameters))
        name = f"{function.__module__}.{function.__name__}"
        SERVED[name] = ServedFunction(function, right, first, file)

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            bound = signature.bind(*args, **kwargs)
            subject: Any = bound.arguments[first]
            door = door_of(subject.kernel.engine)
            if door is None:
                return function(*args, **kwargs)
            sent = {key: value for key, value in bound.arguments.items() if key not in (first, file, _AT_HOME)}
            if file:
                return cast(R, door.send(name, bound.arguments[file], sent, bound.arguments.get(_AT_HOME)))
            return cast(R, door.call("served", {"function": name, "arguments": sent}))

        return call

    return make
