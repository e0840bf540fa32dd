"""References of predefined items: a function of their names alone, so the same in every base."""

from __future__ import annotations

import uuid

from infobase.metadata.types import Ref

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "infobase:predefined")


def predefined_ref(full_name: str, item: str) -> Ref:
    """The reference of a predefined item (UUID version 5, RFC 9562)."""
    return Ref(full_name, uuid.uuid5(_NAMESPACE, f"{full_name}.{item}"))
