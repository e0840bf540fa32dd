"""The stores of the dump tests serve here too."""

from __future__ import annotations

from tests.dump.conftest import stores_of

__all__ = ["stores_of"]
