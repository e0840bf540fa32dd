"""An open infobase as the kernel's functions see it: configuration, layout, dialect and engine, with what is computed once from them."""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import dataclass, field

from infobase.metadata.model import Configuration
from infobase.schema.codec import RowCodec
from infobase.schema.dialect import DIALECTS, Dialect
from infobase.schema.layout import Layout, ObjectLayout, RegisterLayout, SectionLayout, build_layout
from infobase.storage import StorageEngine


@dataclass(eq=False)
class Kernel:
    """Lives as long as one version of the configuration in one opened base. `cache` keeps SQL text and other derived things by key,
    so that hot paths compile once per configuration version."""

    configuration: Configuration
    engine: StorageEngine
    layout: Layout = field(init=False)
    dialect: Dialect = field(init=False)
    cache: dict[object, object] = field(default_factory=dict)
    _row_codecs: dict[str, RowCodec] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.layout = build_layout(self.configuration)
        self.dialect = DIALECTS[self.engine.traits.dialect]

    def codec(self, part: ObjectLayout | RegisterLayout | SectionLayout) -> RowCodec:
        """The row codec of a table's fields; for sections without the leading `ref` column."""
        found = self._row_codecs.get(part.table.name)
        if found is None:
            found = self._row_codecs[part.table.name] = RowCodec(part.fields, self.dialect)
        return found


def new_uuid() -> uuid.UUID:
    """A time-ordered UUID, version 7 (RFC 9562): rows of one time lie together in the store."""
    stamp = time.time_ns() // 1_000_000
    bits = (stamp << 80) | (0x7 << 76) | (secrets.randbits(12) << 64) | (0b10 << 62) | secrets.randbits(62)
    return uuid.UUID(int=bits)
