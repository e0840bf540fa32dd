"""Refusals in 1C's shape: an HTTP status, 1C's own code and a message.

Codes and statuses are those of 1C's documentation of the standard OData interface (section "Ошибочные ситуации"): 4XX with a code tells the
client what it did wrong; a rule of the business that refused an operation is 500 with the code -1 and the rule's own words.
"""

from __future__ import annotations

from infobase.errors import (
    AccessDenied,
    CommitOutcomeUnknown,
    Deadlock,
    EngineUnavailable,
    InfobaseBusy,
    InfobaseError,
    InfobaseLockedExclusively,
    LockTimeout,
    LoginFailed,
    NumberOverflow,
    ObjectNotFound,
    QueryInvalid,
    ReferenceBroken,
    RequiredFieldsEmpty,
    ServiceBusy,
    SessionLimit,
    SessionsBlocked,
    UnknownObject,
    ValueInvalid,
    VersionConflict,
)
from infobase.i18n import Bilingual

UNSUPPORTED, UNPARSED, BAD_REQUEST, REPRESENTATION, BAD_VALUE, MISSING_VALUE = 0, 1, 2, 3, 4, 5
BAD_URL, MISSING_KEY, NO_TYPE, NO_ENTITY, NO_PROPERTY, NO_METHOD, MISSING_ARGUMENT, ROWS_DIRECTLY = range(6, 14)
BAD_OPTION, KEY_EXISTS, NOT_ASSIGNED, NO_LOAD_MODE, SAME_NAMES, METHOD_FORBIDDEN, NO_RIGHTS, BAD_FUNCTION = range(
    14, 22
)
HANDLER = -1


class ODataError(Exception):
    """`status`: of HTTP; `code`: 1C's; `message`: shown in the language of the request."""

    def __init__(self, status: int, code: int, message: object) -> None:
        self.status, self.code, self.message = status, code, message
        super().__init__(str(message))


def refuse(status: int, code: int, ru: str, en: str) -> ODataError:
    """A refusal in both languages."""
    return ODataError(status, code, Bilingual(ru, en))


def bad_option(ru: str, en: str) -> ODataError:
    """A query option that cannot be understood."""
    return refuse(400, BAD_OPTION, f"Ошибка разбора опций запроса: {ru}", f"Query option: {en}")


def not_supported(ru: str, en: str) -> ODataError:
    """Something OData knows and this interface does not."""
    return refuse(501, UNSUPPORTED, f"Возможность не поддерживается: {ru}", f"Not supported: {en}")


def no_property(entity: str, name: str) -> ODataError:
    return refuse(
        404, NO_PROPERTY, f"Свойство «{name[:100]}» не найдено ({entity})", f"No property {name[:100]!r} in {entity}"
    )


_STATUSES: tuple[tuple[type[InfobaseError], int, int], ...] = (
    (LoginFailed, 401, NO_RIGHTS),
    (AccessDenied, 401, NO_RIGHTS),
    (ObjectNotFound, 404, NO_ENTITY),
    (UnknownObject, 404, NO_PROPERTY),
    (VersionConflict, 412, UNSUPPORTED),
    (QueryInvalid, 400, BAD_OPTION),
    (ValueInvalid, 400, BAD_VALUE),
    (NumberOverflow, 400, BAD_VALUE),
    (RequiredFieldsEmpty, 400, MISSING_VALUE),
    (ReferenceBroken, 400, NOT_ASSIGNED),
    (SessionsBlocked, 503, HANDLER),
    (SessionLimit, 503, HANDLER),
    (ServiceBusy, 503, HANDLER),
    (InfobaseLockedExclusively, 503, HANDLER),
    (InfobaseBusy, 503, HANDLER),
    (EngineUnavailable, 503, HANDLER),
    (LockTimeout, 503, HANDLER),
    (Deadlock, 503, HANDLER),
    (CommitOutcomeUnknown, 500, HANDLER),
)


def of_kernel(e: InfobaseError) -> ODataError:
    """What a client is told of an error of the kernel."""
    for cls, status, code in _STATUSES:
        if isinstance(e, cls):
            return ODataError(status, code, e)
    return ODataError(500, HANDLER, e)
