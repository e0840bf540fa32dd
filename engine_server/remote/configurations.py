"""Configurations by digest: asked of a server once, kept in this process and in the user's cache folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from infobase.errors import InfobaseError
from infobase.files import write_atomically
from infobase.metadata import canonical
from infobase.metadata.model import Configuration

KEPT = 8
_known: dict[str, Configuration] = {}


def cache_folder() -> Path:
    given = os.environ.get("INFOBASE_CACHE") or os.environ.get("XDG_CACHE_HOME")
    return (Path(given) if given else Path.home() / ".cache") / "infobase" / "configurations"


def configuration_of(digest: str, ask: Callable[[], str]) -> Configuration:
    """The configuration with this digest; a damaged or foreign file in the cache is not believed."""
    found = _known.get(digest) or _from_disk(digest)
    if found is None:
        content = ask().encode()
        found = canonical.from_json(content)
        if canonical.digest(found) == digest:
            _to_disk(digest, content)
    if len(_known) >= KEPT:
        _known.clear()
    _known[digest] = found
    return found


def _file(digest: str) -> Path:
    return cache_folder() / f"{digest.replace(':', '-')}.json"


def _from_disk(digest: str) -> Configuration | None:
    try:
        found = canonical.from_json(_file(digest).read_bytes())
    except (OSError, InfobaseError):
        return None
    return found if canonical.digest(found) == digest else None


def _to_disk(digest: str, content: bytes) -> None:
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        write_atomically(_file(digest), content)
    except OSError:
        return  # a cache that cannot be written is no trouble: the server is asked again
