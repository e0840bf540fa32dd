"""Infobase: an emulator of the 1C:Enterprise 8 infobase platform.

import infobase
with infobase.connect('File="/srv/crm"') as session: ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infobase.session import Session

__version__ = "0.1.0"


def connect(connection: str, user: str = "", password: str | None = None) -> Session:
    """Open a session on an infobase; see `infobase.connection.connect`."""
    from infobase import connection as door

    return door.connect(connection, user, password)
