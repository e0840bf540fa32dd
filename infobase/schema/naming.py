"""Legible physical names: lower-case English words, at most 63 bytes (PostgreSQL's limit), unique where they must be."""

from __future__ import annotations

import hashlib
import re

MAX_BYTES = 63


def snake(identifier: str) -> str:
    """SalesOrder -> sales_order, CustomerINN -> customer_inn."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", identifier)
    return spaced.lower()


def fit(name: str) -> str:
    """The name itself, or its beginning and eight digits of its hash when it is too long."""
    if len(name.encode()) <= MAX_BYTES:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: MAX_BYTES - 9]}_{mark}"


class Names:
    """Gives each identifier a name not given before: FooBar and Foo_Bar cannot both be foo_bar."""

    def __init__(self, taken: set[str] | None = None) -> None:
        self._taken = taken if taken is not None else set()

    def give(self, name: str, origin: str) -> str:
        """`name` fitted; when another has it, marked with the hash of `origin`, so the result depends only on the set of names."""
        given = fit(name)
        if given in self._taken:
            mark = hashlib.sha256(origin.encode()).hexdigest()[:8]
            given = fit(f"{given[: MAX_BYTES - 9]}_{mark}")
        self._taken.add(given)
        return given
