"""A run of the two modes as a page: HTML with the charts inside as SVG, and each chart beside it as SVG and PNG."""

from __future__ import annotations

import html
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.load.deeds import DEEDS
from benchmarks.load.modes import Cell, Run
from benchmarks.load.verdicts import PATIENCE, sentences, where_of
from infobase.errors import UsageError
from infobase.files import write_atomically
from infobase.i18n import language, text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"file": "#b5651d", "server": "#1d5fb5"}
_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.25em .6em;text-align:right}
td:nth-child(-n+4),th{text-align:left}.charts svg{max-width:100%;height:auto}.skipped{color:#999}h2{margin-top:2em}"""


def write(run: Run, folder: Path) -> Path:
    """`report.html` and the charts in `folder`; the page's path. UsageError without matplotlib."""
    charts = []
    for name, figure in _charts(run):
        svg, png = io.BytesIO(), io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None})
        figure.savefig(png, format="png", dpi=120)
        write_atomically(folder / f"{name}.svg", svg.getvalue())
        write_atomically(folder / f"{name}.png", png.getvalue())
        charts.append(svg.getvalue().decode("utf-8").partition("<svg")[2])
    page = folder / "report.html"
    write_atomically(page, _page(run, [f"<svg{c}" for c in charts]).encode("utf-8"))
    return page


# --- charts ---


def _charts(run: Run) -> Iterator[tuple[str, Figure]]:
    try:
        from matplotlib.figure import Figure
    except ImportError as e:
        ru = "для графиков нужен matplotlib: pip install 'infobase[bench]'"
        raise UsageError(detail=text(ru=ru, en="charts need matplotlib: pip install 'infobase[bench]'")) from e
    for network in run.plan.networks:
        for documents in run.plan.documents:
            figure = Figure(figsize=(11, 3.2 * -(-len(run.plan.deeds) // 3)), layout="constrained")
            figure.suptitle(where_of(network, documents))
            if _draw(run, figure, network, documents):
                yield f"{network}-{documents}", figure


def _draw(run: Run, figure: Figure, network: str, documents: int) -> bool:
    """One panel a deed; whether there was anything to draw."""
    drawn = False
    columns = min(3, len(run.plan.deeds))
    rows = -(-len(run.plan.deeds) // columns)
    for n, deed in enumerate(run.plan.deeds):
        axes = figure.add_subplot(rows, columns, n + 1)
        waits = bool(DEEDS[deed].think)
        for mode in run.plan.modes:
            cells = [c for c in _line(run, mode, network, documents, deed) if not c.skipped]
            values = [c.p95 if waits else c.rate for c in cells]
            if cells:
                drawn = True
                axes.plot([c.users for c in cells], values, marker="o", color=COLOURS[mode], label=mode)
        axes.set_title(_name(DEEDS[deed]), fontsize=10)
        axes.set_xlabel(text(ru="пользователей", en="users"), fontsize=8)
        label = (
            text(ru="95 % быстрее, с", en="95 % within, s")
            if waits
            else text(ru="операций в секунду", en="deeds a second")
        )
        axes.set_ylabel(label, fontsize=8)
        axes.set_ylim(bottom=0)
        if waits:
            axes.axhline(PATIENCE, color="#999", linestyle=":")
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8)
    return drawn


def _line(run: Run, mode: str, network: str, documents: int, deed: str) -> list[Cell]:
    found = (run.cells.get((mode, network, documents, deed, users)) for users in run.plan.users)
    return [c for c in found if c is not None]


def _name(named: object) -> str:
    return str(getattr(named, "ru" if language() == "ru" else "en"))


# --- the page ---


def _page(run: Run, charts: list[str]) -> str:
    title = text(ru="Файловый режим и сервер: замер", en="File mode and server: a measurement")
    machine = "".join(
        f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in run.machine.items() if v
    )
    answers = "".join(f"<li>{html.escape(s)}</li>" for s in sentences(run))
    state = "" if run.complete else text(ru="<p>Замер не закончен.</p>", en="<p>The run is not complete.</p>")
    method = text(
        ru="Пользователи - отдельные процессы; каждый прогон одной длины, режимы по очереди. Сеть имитируется: для файла задерживается каждое чтение, "
        "запись, блокировка и синхронизация (без кешей клиента), для сервера - путь от пользователя до сервера приложений. В режиме «день в офисе» "
        "пользователь думает в среднем секунду между операциями.",
        en="Users are processes of their own; every cell takes the same time, the modes take turns. Networks are simulated: for the file every read, "
        "write, lock and sync is delayed (no client caches), for the server the way from the user to the application server. In the office day a "
        "user thinks for a second between deeds on average.",
    )
    return (
        f"<!doctype html><html lang='{language()}'><meta charset='utf-8'><title>{title}</title><style>{_STYLE}</style>"
        f"<h1>{title}</h1>{state}<p>{method}</p><h2>{text(ru='Ответы', en='Answers')}</h2><ul>{answers}</ul>"
        f"<div class='charts'>{''.join(charts)}</div>"
        f"<h2>{text(ru='Все прогоны', en='Every cell')}</h2>{_table(run)}"
        f"<h2>{text(ru='Машина', en='The machine')}</h2><table>{machine}</table></html>\n"
    )


def headers() -> list[str]:
    return [
        text(ru="Сеть", en="Network"),
        text(ru="Документов", en="Documents"),
        text(ru="Операция", en="Deed"),
        text(ru="Режим", en="Mode"),
        text(ru="Пользователей", en="Users"),
        text(ru="В секунду", en="Per second"),
        text(ru="Половина, мс", en="Median, ms"),
        text(ru="95 %, мс", en="95 %, ms"),
        text(ru="Дольше всех, с", en="Longest, s"),
        text(ru="Справедливость", en="Fairness"),
        text(ru="Обменов", en="Round trips"),
        text(ru="КБ", en="KB"),
        text(ru="Ошибки", en="Errors"),
    ]


def rows(run: Run) -> Iterator[list[str]]:
    for key in run.plan.combinations():
        c = run.cells.get(key)
        if c is None:
            continue
        head = [c.network, str(c.documents), c.deed, c.mode, str(c.users)]
        if c.skipped:
            yield [*head, *[""] * 7, c.skipped]
            continue
        errors = ", ".join(f"{k} {v}" for k, v in c.errors.items())
        yield [
            *head,
            f"{c.rate:.1f}",
            f"{c.median * 1000:.1f}",
            f"{c.p95 * 1000:.1f}",
            f"{c.longest:.2f}",
            f"{c.fairness:.3f}",
            f"{c.turns:.1f}",
            f"{c.bytes / 1024:.1f}",
            errors,
        ]


def _table(run: Run) -> str:
    head = "".join(f"<th>{html.escape(h)}</th>" for h in headers())
    body = "".join("<tr>" + "".join(f"<td>{html.escape(v)}</td>" for v in row) + "</tr>" for row in rows(run))
    return f"<table><tr>{head}</tr>{body}</table>"


def markdown(run: Run) -> str:
    """For a page of the documentation: the machine, the answers, every cell."""
    lines = ["| machine | |", "|---|---|", *(f"| {k} | {v} |" for k, v in run.machine.items() if v)]
    if not run.complete:
        lines += ["", text(ru="Замер не закончен.", en="The run is not complete.")]
    lines += ["", *(f"- {s}" for s in sentences(run)), ""]
    names = headers()
    lines += [_line_of(names), "|---" * len(names) + "|", *map(_line_of, rows(run))]
    return "\n".join(lines) + "\n"


def _line_of(cells: list[str]) -> str:
    return "| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in cells) + " |"
