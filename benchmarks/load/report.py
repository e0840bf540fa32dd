"""A run of the two modes as a page: HTML with the charts inside as SVG, and each chart beside it as SVG and PNG."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.load.charts import charts, demand_charts
from benchmarks.load.modes import Cell, Run
from benchmarks.load.verdicts import Crossing, crossings, deed_name, network_name, sentences
from infobase.files import write_atomically
from infobase.i18n import language, text

_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.25em .6em;text-align:right}
th,td.name{text-align:left}.cells td:nth-child(-n+4),.machine td{text-align:left}.charts svg{max-width:100%;height:auto}h2{margin-top:2em}
.file{background:#f6e3d0}.server{background:#d5e3f5}.mixed{background:#eef3e2}.none{color:#999}li{margin:.3em 0}details{margin:1em 0}"""


def write(run: Run, folder: Path) -> Path:
    """`report.html` and the charts in `folder`; the page's path. UsageError without matplotlib."""
    demand_charts()
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    for name, svg, png in charts(run):
        write_atomically(folder / f"{name}.svg", svg)
        write_atomically(folder / f"{name}.png", png)
        pictures.append("<svg" + svg.decode("utf-8").partition("<svg")[2])
    page = folder / "report.html"
    write_atomically(page, _page(run, pictures).encode("utf-8"))
    return page


# --- the page ---


def _page(run: Run, pictures: list[str]) -> str:
    title = text(ru="Файловый режим и сервер: замер", en="File mode and server: a measurement")
    answers = "".join(f"<li>{html.escape(s)}</li>" for s in sentences(run))
    machine = [(k, v) for k, v in run.machine.items() if v]
    method = text(
        ru="Пользователи - отдельные процессы; каждая клетка одной длины, режимы по очереди. Сеть имитируется: для файла задерживается каждое чтение, "
        "запись, блокировка и синхронизация (без кешей клиента), для сервера - путь от пользователя до сервера приложений. В режиме «день в офисе» "
        "пользователь думает в среднем секунду между операциями.",
        en="Users are processes of their own; every cell takes the same time, the modes take turns. Networks are simulated: for the file every read, "
        "write, lock and sync is delayed (no client caches), for the server the way from the user to the application server. In the office day a "
        "user thinks for a second between deeds on average.",
    )
    parts = [
        f"<!doctype html><html lang='{language()}'><meta charset='utf-8'><title>{title}</title><style>{_STYLE}</style><h1>{title}</h1>",
        f"<p>{html.escape(state(run))}</p>",
        _heading(
            text(ru="С какого числа пользователей сервер лучше", en="From how many users on the server is better")
        ),
        *(
            f"<h3>{html.escape(network_name(n))}</h3>{_table(*crossing_table(run, n), shade=True)}"
            for n in _measured_networks(run)
        ),
        _heading(text(ru="Ответы", en="Answers")),
        f"<ul>{answers}</ul>",
        f"<div class='charts'>{''.join(pictures)}</div>",
        _heading(text(ru="Сколько передаёт одна операция", en="What one deed sends")),
        _table(*traffic_table(run)),
        _heading(text(ru="Как измерено", en="How it was measured")),
        f"<p>{html.escape(method)}</p>",
        _table(["", ""], machine, kind="machine"),
        f"<details><summary>{text(ru='Все клетки', en='Every cell')}</summary>{_table(headers(), rows(run), kind='cells')}</details></html>\n",
    ]
    return "".join(parts)


def _heading(words: str) -> str:
    return f"<h2>{html.escape(words)}</h2>"


def state(run: Run) -> str:
    """How much of the plan is measured."""
    cells = sum(1 for _ in run.plan.combinations())
    done = len(run.cells)
    if run.complete:
        return text(ru=f"Замер закончен: клеток {done}.", en=f"The run is complete: {done} cells.")
    return text(
        ru=f"Замер не закончен: клеток {done} из {cells}.", en=f"The run is not complete: {done} of {cells} cells."
    )


def _measured_networks(run: Run) -> list[str]:
    return [n for n in run.plan.networks if any(c.network == n for c in run.cells.values())]


# --- tables ---


def crossing_table(run: Run, network: str) -> tuple[list[str], list[list[str]]]:
    """A line for each deed, a column for each size: from how many users on the server is better."""
    found = {(c.deed, c.documents): c for c in crossings(run) if c.network == network}
    sizes = [d for d in run.plan.documents if any(size == d for _, size in found)]
    head = [
        text(ru="Операция", en="Deed"),
        *(f"{d:,}".replace(",", " ") + text(ru=" документов", en=" documents") for d in sizes),
    ]
    return head, [[deed_name(deed), *(_crossing(found.get((deed, size))) for size in sizes)] for deed in run.plan.deeds]


def _crossing(found: Crossing | None) -> str:
    if found is None:
        return text(ru="не измерено", en="not measured")
    least, most = found.ratios[0][0], found.ratios[-1][0]
    if found.users is None:
        return text(ru=f"файл лучше до {most}", en=f"the file up to {most}")
    if found.users == least:
        return text(ru="сервер всегда", en="the server always")
    return text(ru=f"с {found.users}", en=f"from {found.users}")


def traffic_table(run: Run) -> tuple[list[str], list[list[str]]]:
    """Operations or round trips, and kilobytes, of a deed: a file of a lone user, a file that others use too, the server; on the biggest base that has all."""
    head = [
        text(ru="Операция", en="Deed"),
        text(ru="Документов", en="Documents"),
        text(ru="файл, один пользователь", en="file, one user"),
        text(ru="файл, вместе с другими", en="file, among others"),
        text(ru="сервер", en="server"),
    ]
    return head, list(_traffic_rows(run))


def _traffic_rows(run: Run) -> Iterator[list[str]]:
    for deed in run.plan.deeds:
        for documents in run.plan.documents:
            cells = [
                c for c in run.cells.values() if (c.deed, c.documents) == (deed, documents) and c.turns and not c.note
            ]
            alone = next((c for c in cells if c.mode == "file" and c.users == 1), None)
            shared = next((c for c in cells if c.mode == "file" and c.users > 1), None)
            server = next((c for c in cells if c.mode == "server"), None)
            if alone or shared or server:
                yield [deed_name(deed), f"{documents:,}".replace(",", " "), *map(_traffic, (alone, shared, server))]


def _traffic(cell: Cell | None) -> str:
    if cell is None:
        return ""
    return text(
        ru=f"{cell.turns:.1f} обменов, {cell.bytes / 1024:.1f} КБ",
        en=f"{cell.turns:.1f} round trips, {cell.bytes / 1024:.1f} KB",
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
        text(ru="Примечание", en="Remark"),
    ]


def rows(run: Run) -> Iterator[list[str]]:
    for key in run.plan.combinations():
        c = run.cells.get(key)
        if c is not None:
            yield _row(c)


def _row(c: Cell) -> list[str]:
    head = [c.network, str(c.documents), c.deed, c.mode, str(c.users)]
    if c.skipped:
        return [*head, *[""] * 7, c.skipped]
    over = "> " if c.note == "unfinished" else ""
    notes = {
        "calculated": text(ru="вычислено по числу обменов", en="calculated from its round trips"),
        "unfinished": text(ru="ни одной операции за это время", en="not one deed in that time"),
    }
    remarks = [notes.get(c.note, c.note), *(f"{k} {v}" for k, v in c.errors.items())]
    return [
        *head,
        f"{c.rate:.3g}" if c.rate < 10 else f"{c.rate:.1f}",
        f"{over}{c.median * 1000:.1f}",
        f"{over}{c.p95 * 1000:.1f}",
        f"{over}{c.longest:.2f}",
        f"{c.fairness:.3f}" if c.count else "",
        f"{c.turns:.1f}" if c.turns else "",
        f"{c.bytes / 1024:.1f}" if c.turns else "",
        ", ".join(filter(None, remarks)),
    ]


def _table(head: list[str], lines: Iterable[Iterable[str]], *, kind: str = "", shade: bool = False) -> str:
    top = "".join(f"<th>{html.escape(h)}</th>" for h in head)
    body = "".join(f"<tr>{''.join(_cell(v, n, shade=shade) for n, v in enumerate(line))}</tr>" for line in lines)
    return f"<table class='{kind}'><tr>{top}</tr>{body}</table>"


def _cell(value: str, column: int, *, shade: bool) -> str:
    kind = "name" if column == 0 else _shade(value) if shade else ""
    return f"<td class='{kind}'>{html.escape(value)}</td>"


def _shade(value: str) -> str:
    for kind, beginnings in (
        ("file", ("файл", "the file")),
        ("server", ("сервер", "the server")),
        ("none", ("не измерено", "not measured")),
    ):
        if value.startswith(beginnings):
            return kind
    return "mixed"


# --- for the documentation ---


def markdown(run: Run) -> str:
    """For a page of the documentation: the machine, from how many users on the server is better, the answers, every cell."""
    parts = [_markdown(["machine", ""], [[k, v] for k, v in run.machine.items() if v]), state(run)]
    for network in _measured_networks(run):
        parts += [f"**{network_name(network)}**", _markdown(*crossing_table(run, network))]
    parts += [
        "\n".join(f"- {s}" for s in sentences(run)),
        _markdown(*traffic_table(run)),
        _markdown(headers(), rows(run)),
    ]
    return "\n\n".join(parts) + "\n"


def _markdown(head: list[str], lines: Iterable[list[str]]) -> str:
    return "\n".join([_line_of(head), "|---" * len(head) + "|", *map(_line_of, lines)])


def _line_of(cells: list[str]) -> str:
    return "| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in cells) + " |"
