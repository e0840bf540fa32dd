"""The Starlette application: HTTP in, HTTP out. Mount it at `/<ref>/odata/standard.odata`.

app = odata_application(open_session)      # open_session(credentials) -> a context that gives a Session
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from urllib.parse import unquote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from engine_server.odata import atom_format, json_format
from engine_server.odata.errors import BAD_REQUEST, HANDLER, METHOD_FORBIDDEN, NO_RIGHTS, ODataError, of_kernel, refuse
from engine_server.odata.options import ATOM, JSON, Format, parse_format, parse_options, query_pairs
from engine_server.odata.pages import PageMemory
from engine_server.odata.requests import Credentials, Opener, Reply, Request, credentials_of
from engine_server.odata.service import Service
from infobase.errors import InfobaseError
from infobase.i18n import Bilingual, language, set_language

MAX_BODY = 32 * 1024 * 1024
"""Bytes of a request's body."""
MAX_QUERY = 256 * 1024
"""Bytes of a query string."""
BODY_SECONDS = 60.0
"""How long a client may take to send its body."""
METHODS = ("GET", "HEAD", "POST", "PATCH", "MERGE", "PUT", "DELETE")
REALM = 'Basic realm="1C:Enterprise 8", charset="UTF-8"'
_LOG = logging.getLogger("infobase.odata")


def odata_application(open_session: Opener, *, max_body: int = MAX_BODY) -> ASGIApp:
    """The interface over whatever base `open_session` opens for a request's credentials."""
    return _Application(open_session, max_body)


class _Application:
    def __init__(self, open_session: Opener, max_body: int) -> None:
        self._open, self._max_body = open_session, max_body
        self._service = Service(PageMemory())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        http = HttpRequest(scope, receive)
        set_language(_language(http.headers))
        try:
            response = await self._respond(http)
        except ClientDisconnect:
            return
        response.headers["DataServiceVersion"] = "3.0"
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        await response(scope, receive, send)

    async def _respond(self, http: HttpRequest) -> Response:
        try:
            request = await self._request(http)
            credentials = credentials_of(http.headers.get("authorization", ""), http.client.host if http.client else "")
            return await run_in_threadpool(self._handle, request, credentials)
        except ODataError as e:
            return _refusal(e, _format_of(http))

    async def _request(self, http: HttpRequest) -> Request:
        method = http.headers.get("x-http-method", http.method).upper() if http.method == "POST" else http.method
        if method not in METHODS:
            raise refuse(
                405, METHOD_FORBIDDEN, f"HTTP-метод {method} запрещён", f"The HTTP method {method} is not allowed"
            )
        if method not in ("GET", "HEAD"):
            _demand_own_origin(http.headers)
        query = http.scope.get("query_string", b"")
        if len(query) > MAX_QUERY:
            raise refuse(414, BAD_REQUEST, f"Запрос длиннее {MAX_QUERY} байт", f"A query longer than {MAX_QUERY} bytes")
        options = parse_options(query_pairs(query), http.headers.get("accept", ""))
        headers = {name.lower(): value for name, value in http.headers.items()}
        body = await self._body(http) if method not in ("GET", "HEAD") else b""
        return Request(method, _path(http.scope), options, headers, _root(http), body)

    async def _body(self, http: HttpRequest) -> bytes:
        declared = http.headers.get("content-length", "0")
        if not declared.isdigit() or int(declared) > self._max_body:
            raise self._too_big()
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for part in http.stream():
                    size += len(part)
                    if size > self._max_body:
                        raise self._too_big()
                    parts.append(part)
        except TimeoutError:
            raise refuse(
                408, BAD_REQUEST, "Тело запроса не получено вовремя", "The body did not come in time"
            ) from None
        return b"".join(parts)

    def _too_big(self) -> ODataError:
        return refuse(
            413,
            BAD_REQUEST,
            f"Тело запроса больше {self._max_body} байт",
            f"A body of more than {self._max_body} bytes",
        )

    # --- in a thread ---

    def _handle(self, request: Request, credentials: Credentials) -> Response:
        try:
            return self._answer(request, credentials)
        except ODataError as e:
            return _refusal(e, request.options.format)
        except InfobaseError as e:
            return _refusal(of_kernel(e), request.options.format)
        except Exception:
            _LOG.exception("%s failed", request.method)
            fault = ODataError(500, HANDLER, Bilingual("Внутренняя ошибка сервера", "Internal server error"))
            return _refusal(fault, request.options.format)

    def _answer(self, request: Request, credentials: Credentials) -> Response:
        with ExitStack() as stack:
            session = stack.enter_context(self._open(credentials))
            reply = self._service.handle(request, session)
            if isinstance(reply.body, bytes):
                return _response(reply, request.method)
            kept = stack.pop_all()
        return StreamingResponse(_released(reply.body, kept), reply.status, reply.headers, reply.content_type)


def _released(parts: Iterator[bytes], stack: ExitStack) -> Iterator[bytes]:
    """The parts, and in the end what they were read from is given back."""
    with stack:
        yield from parts


def _response(reply: Reply, method: str) -> Response:
    assert isinstance(reply.body, bytes)
    body = b"" if method == "HEAD" else reply.body
    response = Response(body, reply.status, reply.headers)
    if reply.content_type:
        response.headers["Content-Type"] = reply.content_type
    return response


def _refusal(e: ODataError, wanted: Format) -> Response:
    if wanted.kind == JSON:
        response = Response(json_format.error_body(e.code, str(e.message), language()), e.status)
        response.headers["Content-Type"] = "application/json;charset=utf-8"
    else:
        response = Response(atom_format.error_body(e.code, str(e.message), language()), e.status)
        response.headers["Content-Type"] = "application/xml;charset=utf-8"
    if e.status == 401:
        response.headers["WWW-Authenticate"] = REALM
    if e.status == 503:
        response.headers["Retry-After"] = "5"
    return response


def _format_of(http: HttpRequest) -> Format:
    """For the refusal of a request whose options could not be understood."""
    accept = http.headers.get("accept", "")
    if b"json" in http.scope.get("query_string", b""):
        return Format(JSON)
    with suppress(ODataError):
        return parse_format("", accept)
    return Format(ATOM)


def _demand_own_origin(headers: Headers) -> None:
    """A page of somebody else's, open in a browser that remembers the password, must not write here: browsers tell where a page is from."""
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host", ""):
        raise refuse(
            403, NO_RIGHTS, "Запись со страниц других сайтов запрещена", "Pages of other sites may not write here"
        )


def _language(headers: Headers) -> str:
    """Russian, as 1C answers, unless the client asks for English first."""
    wanted = headers.get("accept-language", "").strip().lower()
    return "en" if wanted.startswith("en") else "ru"


def _path(scope: Scope) -> str:
    """What follows the mount point, decoded; cp1251 where it is not UTF-8."""
    raw = scope.get("raw_path")
    path: str = scope["path"]
    if raw and "\ufffd" in path:
        path = unquote(raw.decode("latin-1"), encoding="cp1251")
    mounted: str = scope.get("root_path", "")
    return path.removeprefix(mounted)


def _root(http: HttpRequest) -> str:
    mounted = http.scope.get("root_path", "").rstrip("/")
    return f"{http.url.scheme}://{http.headers.get('host', 'localhost')}{mounted}/"
