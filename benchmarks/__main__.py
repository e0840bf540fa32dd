"""The command: `python -m benchmarks [SCENARIO ...]`."""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console

from benchmarks.contention import contention
from benchmarks.harness import Bench, Figure, as_json, cluster, show
from benchmarks.volume import balance, dump
from benchmarks.writing import posting, save

SCENARIOS: dict[str, tuple[Callable[[Bench, str], list[Figure]], tuple[str, ...]]] = {
    "save": (save, ("file", "server")),
    "posting": (posting, ("file", "server")),
    "balance": (balance, ("file", "server")),
    "contention": (contention, ("file",)),
    "dump": (dump, ("file", "server")),
}


@click.command()
@click.argument("scenarios", nargs=-1, type=click.Choice(list(SCENARIOS)))
@click.option("--engine", type=click.Choice(["file", "server", "both"]), default="both")
@click.option("--rows", default=1_000_000, show_default=True, help="Rows of the big bases.")
@click.option("--seconds", default=5.0, show_default=True, help="Length of the contention run.")
@click.option("--quick", is_flag=True, help="100,000 rows and 2 seconds.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where the bases are put: the disk that is measured.")
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write the figures here.")
def main(
    scenarios: tuple[str, ...],
    engine: str,
    rows: int,
    seconds: float,
    quick: bool,
    folder: Path | None,
    target: Path | None,
) -> None:
    """Measure the hot paths beside the raw driver, in ratios."""
    engines = ("file", "server") if engine == "both" else (engine,)
    figures: list[Figure] = []
    console = Console()
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="infobase-bench-", dir=folder)))
        pg = stack.enter_context(cluster()) if "server" in engines else None
        bench = Bench(place, pg, 100_000 if quick else rows, 2.0 if quick else seconds)
        for name in scenarios or SCENARIOS:
            run, kinds = SCENARIOS[name]
            for kind in kinds:
                if kind in engines:
                    found = run(bench, kind)
                    figures += found
                    for f in found:
                        console.print(f"{name} ({kind}): {f.name} {f.value:.3g} {f.unit} {f.target} {f.note}")
    show(console, figures)
    if target is not None:
        machine = {"python": platform.python_version(), "system": platform.platform(), "rows": bench.rows}
        target.write_text(json.dumps({"machine": machine, "figures": as_json(figures)}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
