"""The demonstration data of the CRM's template package: the provider `crm` of the entry-point group `infobase.demo_data`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from classifiers import loader
from classifiers.sample import write_small_ed807
from crm import demo
from infobase.session import Session

BANKS = 40
SCALE = "S"


def demo_data(session: Session, progress: Callable[[str, int, int], None] | None = None) -> None:
    """Fill an empty CRM base with made-up banks and a month of an invented firm's business."""
    with tempfile.TemporaryDirectory(prefix="infobase-demo-") as folder:
        source = Path(folder) / "20260112ED01OSBR.zip"
        write_small_ed807(source, banks=BANKS)
        loader.load(session, "banks", source)
    demo.fill(session, SCALE, progress)
