"""Names and numbers of the protocol between a remote session and its server."""

from __future__ import annotations

VERSION = 1
"""Sent by both sides; they must agree."""
VERSION_HEADER = "X-Infobase-Protocol"
DEFAULT_PORT = 1541
"""1C's own default of the cluster manager."""

MAX_BODY = 64 * 1024 * 1024
"""Bytes of one call, before and after expansion; dumps travel as streams and have no such bound."""
COMPRESS_ABOVE = 4096
"""Bytes from which a body is compressed."""
PAGE_ROWS = 5000
"""Rows of one page of a query's result."""
BATCH = 1000
"""Objects of one message of a bulk write."""

TRANSACTION_IDLE_SECONDS = 20.0
"""An interactive transaction that hears nothing for so long is rolled back: it holds locks."""
TRANSACTION_SECONDS = 600.0
"""The longest life of an interactive transaction."""
LOG_PAGE = 5000
"""Entries of the event log in one answer."""
