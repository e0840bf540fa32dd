"""Errors on the wire: the class's name and its fields, inside the envelope of 1C's own HTTP services.

    {"odata.error": {"code": "48", "message": {"lang": "ru", "value": "Документ не проведён ..."}},
     "class": "BalanceShortage", "fields": {...}}

A field that is no plain value travels as its text in both languages.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from engine_server.wire.values import decode, encode
from infobase import errors
from infobase.errors import ConfigurationInvalid, InfobaseError, InternalError, Problem, RequestInvalid
from infobase.i18n import LANGUAGES, Bilingual, language, set_language, text

CLASSES = {name: c for name, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, InfobaseError)}
STATUS: dict[str, int] = {
    "LoginFailed": 401,
    "SessionEnded": 401,
    "ClusterLoginFailed": 401,
    "AccessDenied": 403,
    "InfobaseNotFound": 404,
    "ObjectNotFound": 404,
    "UnknownObject": 404,
    "VersionConflict": 409,
    "InfobaseExists": 409,
    "NotUnique": 409,
    "RequestTooLarge": 413,
    "SessionsBlocked": 423,
    "InfobaseLockedExclusively": 423,
    "InfobaseBusy": 423,
    "LockTimeout": 423,
    "ObjectLocked": 423,
    "LoginThrottled": 429,
    "InternalError": 500,
    "StorageFailure": 500,
    "ServerBusy": 503,
    "EngineUnavailable": 503,
    "ServerUnavailable": 503,
    "CommitOutcomeUnknown": 503,
    "Deadlock": 503,
    "DiskFull": 507,
}
"""HTTP status by class; everything else is the request's fault: 400."""


def status_of(error: InfobaseError) -> int:
    return STATUS.get(type(error).__name__, 400)


def to_json(error: InfobaseError) -> dict[str, object]:
    message = {"lang": language(), "value": str(error)}
    made: dict[str, object] = {
        "odata.error": {"code": str(error.exit_code), "message": message},
        "class": type(error).__name__,
        "fields": {name: _field(value) for name, value in error.fields.items()},
    }
    if isinstance(error, ConfigurationInvalid):
        made["problems"] = [[p.file, p.line, p.key, _field(p.message), _field(p.expected)] for p in error.problems]
        made["fields"] = {}
    return made


def _field(value: object) -> object:
    try:
        return encode(value)
    except TypeError:
        if isinstance(value, list | tuple):
            return [_field(x) for x in value]
        return encode(_in_both(value))


def _in_both(value: object) -> Bilingual:
    before = language()
    said: dict[str, str] = {}
    try:
        for code in LANGUAGES:
            set_language(code)
            said[code] = str(value)
    finally:
        set_language(before)
    return Bilingual(said["ru"], said["en"])


def from_json(data: object) -> InfobaseError:
    """The error as the same class; InternalError with the server's words when it is unknown here."""
    if not isinstance(data, Mapping) or "odata.error" not in data:
        return _unknown("", str(data)[:200])
    name, message = str(data.get("class", "")), _said(data["odata.error"])
    cls = CLASSES.get(name)
    if cls is None:
        return _unknown(name, message)
    try:
        return _as_it_was(cls, data)
    except (ValueError, TypeError, LookupError, AttributeError, RequestInvalid):
        return _unknown(name, message)


def _said(error: object) -> str:
    message = error.get("message") if isinstance(error, Mapping) else None
    return str(message.get("value", "")) if isinstance(message, Mapping) else ""


def _as_it_was(cls: type[InfobaseError], data: Mapping[str, Any]) -> InfobaseError:
    """Told to the end once, so that one whose fields are missing fails here and not where it is shown."""
    if cls is ConfigurationInvalid:
        made: InfobaseError = ConfigurationInvalid([_problem(p) for p in data.get("problems", [])])
    else:
        made = cls(**{str(k): decode(v) for k, v in dict(data.get("fields", {})).items()})
    str(made)
    return made


def _problem(given: Any) -> Problem:
    file, line, key, message, expected = given
    return Problem(str(file), int(line), str(key), decode(message), decode(expected))


def _unknown(name: str, message: str) -> InternalError:
    debug = text(ru="Ответ сервера не понят.", en="The server's answer was not understood.")
    return InternalError(kind=name or "HTTP", detail=message, debug=debug)
