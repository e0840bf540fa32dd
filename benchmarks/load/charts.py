"""The charts of a run of the two modes: for each network and size a picture with a panel for each deed. Needs matplotlib (the extra `bench`)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks.load.deeds import DEEDS
from benchmarks.load.modes import Cell, Run
from benchmarks.load.verdicts import PATIENCE, deed_name, where_of
from infobase.errors import UsageError
from infobase.i18n import text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"file": "#b5651d", "server": "#1d5fb5"}
_WIDE = 10
"""Times between the fastest and the slowest of a panel from which its scale is logarithmic: else the slower mode lies on the bottom."""


def demand_charts() -> None:
    """UsageError without matplotlib: it is told before the measuring, not after."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as e:
        ru = "для графиков нужен matplotlib: pip install 'infobase[bench]'"
        raise UsageError(detail=text(ru=ru, en="charts need matplotlib: pip install 'infobase[bench]'")) from e


def charts(run: Run) -> Iterator[tuple[str, bytes, bytes]]:
    """Name, SVG, PNG of each network and size that was measured."""
    from matplotlib.figure import Figure

    for network in run.plan.networks:
        for documents in run.plan.documents:
            figure = Figure(figsize=(11, 3.2 * -(-len(run.plan.deeds) // 3)), layout="constrained")
            figure.suptitle(where_of(network, documents))
            if _draw(run, figure, network, documents):
                svg, png = io.BytesIO(), io.BytesIO()
                figure.savefig(svg, format="svg", metadata={"Date": None})
                figure.savefig(png, format="png", dpi=120)
                yield f"{network}-{documents}", svg.getvalue(), png.getvalue()


def _draw(run: Run, figure: Figure, network: str, documents: int) -> bool:
    """One panel a deed; whether there was anything to draw."""
    drawn = False
    columns = min(3, len(run.plan.deeds))
    rows = -(-len(run.plan.deeds) // columns)
    for n, deed in enumerate(run.plan.deeds):
        axes = figure.add_subplot(rows, columns, n + 1)
        lines = {mode: _line(run, mode, network, documents, deed) for mode in run.plan.modes}
        drawn |= _panel(axes, deed, {mode: cells for mode, cells in lines.items() if cells})
    return drawn


def _panel(axes: Axes, deed: str, lines: dict[str, list[Cell]]) -> bool:
    waits = bool(DEEDS[deed].think)
    values = {mode: [c.p95 if waits else c.rate for c in cells] for mode, cells in lines.items()}
    for mode, cells in lines.items():
        axes.plot([c.users for c in cells], values[mode], marker="o", color=COLOURS[mode], label=mode)
    axes.set_title(deed_name(deed), fontsize=10)
    axes.set_xlabel(text(ru="пользователей", en="users"), fontsize=8)
    within = text(ru="95 % быстрее, с", en="95 % within, s")
    axes.set_ylabel(within if waits else text(ru="операций в секунду", en="deeds a second"), fontsize=8)
    every = [v for line in values.values() for v in line]
    if every and min(every) > 0 and max(every) > _WIDE * min(every):
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    if waits:
        axes.axhline(PATIENCE, color="#999", linestyle=":")
    if lines:
        axes.legend(fontsize=8)
    return bool(lines)


def _line(run: Run, mode: str, network: str, documents: int, deed: str) -> list[Cell]:
    found = (run.cells.get((mode, network, documents, deed, users)) for users in sorted(run.plan.users))
    return [c for c in found if c is not None and not c.skipped]
