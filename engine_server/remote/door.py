"""Signing in at the server, and its work with whole bases: dumps, restores, creation."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlencode

from engine_server.remote.configurations import configuration_of
from engine_server.remote.transport import Transport
from engine_server.wire import packing, values
from engine_server.wire.protocol import VERSION
from infobase import restore as restoring
from infobase.appointing import Administrator
from infobase.dump_format import DumpSummary
from infobase.errors import ContentDiffers, DumpNotWritten, InfobaseError, InfobaseNotFound, TargetExists
from infobase.files import sync_folder
from infobase.i18n import text
from infobase.infobase import Infobase
from infobase.kernel import Kernel
from infobase.metadata import canonical
from infobase.metadata.model import Configuration
from infobase.rights import Access
from infobase.served import Progress
from infobase.session import Session
from infobase.storage import SessionInfo, StorageEngine

if TYPE_CHECKING:
    from engine_server.remote.engine import RemoteEngine

CLUSTER_USER = "INFOBASE_CLUSTER_USER"
CLUSTER_PASSWORD = "INFOBASE_CLUSTER_PASSWORD"
LONG_SECONDS = 24 * 3600.0
"""For the work with a file: a country of addresses takes hours."""
_PART = 1 << 20
_HERE = ("DBMS", "DBSrvr", "DB", "DBUID", "DBPwd")


class Door:
    """See `infobase.served.RemoteDoor`. The cluster's administrator is taken from SUsr and SPwd of the connection string, else from the
    environment."""

    def __init__(self, engine: RemoteEngine) -> None:
        self._engine = engine
        self.transport = Transport(engine.addresses, engine.where.get("Ref"))
        self._user = ""

    def close(self) -> None:
        if self.transport.token:
            try:
                self.transport.post(self.transport.path("logout"), {}, repeat=False)
            except InfobaseError:
                self.transport.token = ""  # the server ends what it does not hear of
            self.transport.token = ""
        self.transport.close()

    # --- sessions and calls ---

    def sign_in(
        self, user: str, password: str, application: str, permission_code: str = "", *, administering: bool = False
    ) -> tuple[Infobase, Session]:
        from engine_server.remote.session import RemoteSession

        asked = {
            "user": user,
            "password": password,
            "application": application,
            "host": socket.gethostname(),
            "permission_code": permission_code or self._engine.where.permission_code,
            "administering": administering,
            "protocol": VERSION,
        }
        given = self.transport.post(self.transport.path("login"), asked, repeat=False)
        self.transport.token = given["token"]
        configuration = configuration_of(given["configuration"], lambda: str(self.answer("configuration", {})))
        info = cast(SessionInfo, values.decode(given["session"]))
        kernel = Kernel(configuration, cast(StorageEngine, self._engine))
        roles = given["roles"]
        access = Access.full(configuration) if roles is None else Access(configuration, roles, info.user)
        session = RemoteSession(kernel, access, info, values.decode(given["user_id"]), self)
        resources = ExitStack()
        resources.callback(self._engine.close)
        session.keep(resources)
        told = given["infobase"]
        base = Infobase(kernel, uuid.UUID(told["id"]), told["name"], told["created"], bool(told["demo"]))
        return base, session

    def answer(self, name: str, args: Mapping[str, object], *, changes: bool = False) -> Any:
        """One call outside any transaction; a change carries a key, so that it may be repeated."""
        data: dict[str, object] = {"call": name, "args": args}
        if changes:
            data["key"] = str(uuid.uuid4())
        return self.transport.post(self.transport.path("call"), data, repeat=True)["result"]

    def call(self, name: str, arguments: Mapping[str, object]) -> Any:
        sent = {key: values.encode(value) for key, value in arguments.items()}
        asked = {"call": name, "args": sent}
        return values.decode(self.transport.post(self.transport.path("call"), asked, repeat=False)["result"])

    def send(self, name: str, source: Path, arguments: Mapping[str, object], progress: Progress | None = None) -> Any:
        given = {key: values.encode(value) for key, value in arguments.items()}
        asked = packing.header({"function": name, "name": source.name, "arguments": {"map": list(given.items())}})
        headers = self.transport.headers({"X-Infobase-Call": asked, "Content-Length": str(source.stat().st_size)})
        body = _sent(source, progress, text(ru="Отправка файла на сервер", en="Sending the file to the server"))
        answer = self.transport.request(
            "PUT", self.transport.path("sent"), seconds=LONG_SECONDS, headers=headers, body=body
        )
        try:
            found = self.transport.read(answer.status, answer.read(decode_content=False), answer.headers)
        finally:
            answer.release_conn()
        return values.decode(found["result"])

    def whole(self, name: str, arguments: Mapping[str, object]) -> Any:
        sent = {key: values.encode(value) for key, value in arguments.items()}
        asked, headers = {"call": name, "args": sent}, {"X-Cluster-Authorization": self._administrator()}
        path = self.transport.path("whole")
        return values.decode(self.transport.post(path, asked, repeat=False, headers=headers)["result"])

    # --- the cluster's administrator ---

    def _administrator(self) -> str:
        """A Basic header's value; empty without a name."""
        where = self._engine.where
        user = where.get("SUsr") or os.environ.get(CLUSTER_USER, "")
        password = where.get("SPwd") or os.environ.get(CLUSTER_PASSWORD, "")
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def administer(self, name: str, args: Mapping[str, object]) -> Any:
        """One call of the cluster's administrator."""
        headers = {"Authorization": self._administrator()}
        asked = {"call": name, "args": args}
        return self.transport.post("/admin/call", asked, repeat=False, headers=headers)["result"]

    def exists(self) -> bool:
        try:
            self.administer("infobase_info", {"name": self.transport.ref})
        except InfobaseNotFound:
            return False
        return True

    def drop(self) -> None:
        self.administer("infobase_drop", {"name": self.transport.ref, "drop_database": True})

    def _place(self) -> dict[str, str]:
        """Where the DBMS shall keep a new base, as the connection string says; empty: beside the cluster's own."""
        where = self._engine.where
        found = {name: where.get(name) for name in _HERE if where.get(name)}
        return found if found.get("DBSrvr") else {}

    def create(self, configuration: Configuration, *, name: str, admin: str, password: str) -> Infobase:
        args = {
            "name": self.transport.ref,
            "configuration": canonical.to_json(configuration).decode(),
            "title": name,
            "admin": admin,
            "password": password,
            "place": self._place(),
        }
        made = self.administer("infobase_create", args)
        return self._made(configuration, made, name)

    def _made(self, configuration: Configuration, summary: Mapping[str, Any], name: str) -> Infobase:
        kernel = Kernel(configuration, cast(StorageEngine, self._engine))
        return Infobase(kernel, uuid.UUID(summary["infobase"]), name or self.transport.ref, "")

    # --- dumps ---

    def dump(
        self,
        target: Path,
        *,
        password: str | None,
        replace: bool,
        only_configuration: bool,
        progress: Progress | None,
    ) -> DumpSummary:
        if target.exists() and not replace:
            raise TargetExists(place=target)
        headers = self.transport.headers({"X-Cluster-Authorization": self._administrator(), **_secret(password)})
        path = self.transport.path("dump") + f"?only_configuration={int(only_configuration)}"
        answer = self.transport.request("GET", path, headers=headers, decode_content=False)
        try:
            if answer.status != 200:
                self.transport.read(answer.status, answer.read(), answer.headers)
            partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.new")
            try:
                self._receive(answer, partial, target, progress)
                partial.replace(target)
                sync_folder(target.absolute().parent)
            finally:
                partial.unlink(missing_ok=True)
        finally:
            answer.release_conn()
        return restoring.verify_dump(target, password)

    def _receive(self, answer: Any, partial: Path, target: Path, progress: Progress | None) -> None:
        total = int(answer.headers.get("Content-Length", 0))
        digest, done = hashlib.sha256(), 0
        with partial.open("wb") as file:
            for part in answer.stream(_PART):
                file.write(part)
                digest.update(part)
                done += len(part)
                if progress is not None:
                    progress(text(ru="Получение выгрузки", en="Receiving the dump"), done, total)
            file.flush()
            os.fsync(file.fileno())
        if digest.hexdigest() != answer.headers.get("X-Content-SHA256"):
            detail = text(ru="файл пришёл повреждённым или не целиком", en="the file came damaged or incomplete")
            raise DumpNotWritten(place=target, detail=detail)

    def restore(
        self,
        source: Path,
        *,
        name: str,
        password: str | None,
        replace: bool,
        own_id: uuid.UUID | None = None,
        administrator: Administrator | None = None,
        progress: Progress | None,
    ) -> Infobase:
        checked = restoring.verify_dump(source, password, progress)
        headers = {**_secret(password), "Authorization": self._administrator()}
        if self.transport.token:
            headers["X-Infobase-Authorization"] = f"Bearer {self.transport.token}"
        place = self._place()
        if place:
            headers["X-Infobase-Place"] = packing.header(place)
        if administrator is not None:
            headers["X-Infobase-Administrator"] = packing.header(asdict(administrator))
        headers["Content-Length"] = str(source.stat().st_size)
        asked = urlencode({"replace": int(replace), "title": name, "own_id": own_id or ""})
        path = f"/admin/restore/{quote(self.transport.ref, safe='')}?{asked}"
        answer = self.transport.request(
            "PUT",
            path,
            headers=self.transport.headers(headers),
            body=_sent(source, progress, text(ru="Отправка выгрузки", en="Sending the dump")),
        )
        try:
            found = self.transport.read(answer.status, answer.read(decode_content=False), answer.headers)
        finally:
            answer.release_conn()
        made = cast("Mapping[str, Any]", values.decode(found["result"]))
        # With an administrator of its own the base differs from the dump in his record.
        if administrator is None and made["content-digest"] != checked.content_digest:
            raise ContentDiffers(detail=f"{checked.content_digest} / {made['content-digest']}")
        with restoring.open_dump(source, password) as opened:
            return self._made(opened.configuration, made, name)


def _secret(password: str | None) -> dict[str, str]:
    return {} if password is None else {"X-Dump-Password": base64.b64encode(password.encode()).decode()}


def _sent(source: Path, progress: Progress | None, what: str) -> Iterator[bytes]:
    total, done = source.stat().st_size, 0
    with source.open("rb") as file:
        while part := file.read(_PART):
            yield part
            done += len(part)
            if progress is not None:
                progress(what, done, total)
    if progress is not None:
        progress(text(ru="Сервер работает", en="The server is at work"), 0, 0)
