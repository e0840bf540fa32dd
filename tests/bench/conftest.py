from __future__ import annotations

from tests.kernel.conftest import place

__all__ = ["place"]
