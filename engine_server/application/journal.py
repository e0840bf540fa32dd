"""The server's own log: one JSON object per line, without users, values or addresses of databases."""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import sys


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        made: dict[str, object] = {
            "at": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "worker": os.getpid(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            made["trace"] = self.formatException(record.exc_info)
        return json.dumps(made, ensure_ascii=False)


def set_up() -> None:
    """To standard error; access lines are left to the proxy."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"
    # Its informational lines tell clients' addresses.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
