"""The bases and keys of the tests of backups."""

from __future__ import annotations

from tests.backups.conftest import file_base, keys, place

__all__ = ["file_base", "keys", "place"]
