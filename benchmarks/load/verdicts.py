"""What a run of the two modes says: where the server overtakes the file, how many users each bears, whether the common advice holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.load.deeds import DEEDS
from benchmarks.load.modes import Cell, Run
from benchmarks.load.network import NETWORKS
from infobase.i18n import language, text

PATIENCE = 1.0
"""Seconds within which 95 of 100 deeds must be done for people to call it quick."""
ADVISED_USERS = 3
ADVISED_BYTES = 2 << 30


@dataclass(frozen=True)
class Crossing:
    """For one deed on one network and size: the least number of users from which on the server is never slower (0: at once every
    number measured; None: nowhere), with the ratio of rates server / file at each number."""

    network: str
    documents: int
    deed: str
    users: int | None
    ratios: tuple[tuple[int, float], ...]


def crossings(run: Run) -> list[Crossing]:
    found = []
    for network in run.plan.networks:
        for documents in run.plan.documents:
            for deed in run.plan.deeds:
                pairs = _pairs(run, network, documents, deed)
                if pairs:
                    found.append(Crossing(network, documents, deed, _from(pairs), tuple(pairs)))
    return found


def _pairs(run: Run, network: str, documents: int, deed: str) -> list[tuple[int, float]]:
    made = []
    for users in run.plan.users:
        file = run.cells.get(("file", network, documents, deed, users))
        server = run.cells.get(("server", network, documents, deed, users))
        if file is None or server is None or file.skipped or server.skipped:
            continue
        # With thinking users both serve whoever comes; then the time people wait decides.
        better = file.p95 / server.p95 if DEEDS[deed].think and server.p95 else None
        made.append((users, better if better is not None else server.rate / file.rate if file.rate else float("inf")))
    return made


def _from(pairs: list[tuple[int, float]]) -> int | None:
    at = None
    for users, ratio in reversed(pairs):
        if ratio < 1:
            break
        at = users
    return at


@dataclass(frozen=True)
class Bears:
    """How many users of the office day one mode bears on one network and size within `PATIENCE`; `next`: the first number that is too many
    (None: none was found), and what 95 of 100 deeds then took."""

    mode: str
    network: str
    documents: int
    users: int
    next: int | None = None
    p95: float = 0.0


def bears(run: Run) -> list[Bears]:
    found = []
    for mode in run.plan.modes:
        for network in run.plan.networks:
            for documents in run.plan.documents:
                cells = [
                    c
                    for users in run.plan.users
                    if (c := run.cells.get((mode, network, documents, "office", users))) is not None and not c.skipped
                ]
                if cells:
                    found.append(_borne(mode, network, documents, cells))
    return found


def _borne(mode: str, network: str, documents: int, cells: list[Cell]) -> Bears:
    good = 0
    for c in cells:
        if c.p95 > PATIENCE or c.errors:
            return Bears(mode, network, documents, good, c.users, c.p95)
        good = c.users
    return Bears(mode, network, documents, good)


def sentences(run: Run) -> list[str]:
    """The answers in words, each with its figures."""
    return [*_crossing_sentences(run), *_advice_on_users(run), *_advice_on_size(run)]


def _network(name: str) -> str:
    n = NETWORKS[name]
    return n.ru if language() == "ru" else n.en


def where_of(network: str, documents: int) -> str:
    amount = f"{documents:,}".replace(",", " ")
    return f"{_network(network)}; " + text(ru=f"документов {amount}", en=f"{amount} documents")


def _deed(name: str) -> str:
    d = DEEDS[name]
    return d.ru if language() == "ru" else d.en


def _crossing_sentences(run: Run) -> Iterable[str]:
    for c in crossings(run):
        last = c.ratios[-1]
        where = where_of(c.network, c.documents)
        told = "; ".join(f"{users}: {ratio:.2f}x" for users, ratio in c.ratios)
        if c.users is None:
            yield text(
                ru=f"{where}, {_deed(c.deed)}: сервер не обогнал файл ни при каком числе пользователей до {last[0]} ({told})",
                en=f"{where}, {_deed(c.deed)}: the server has not overtaken the file with any number of users up to {last[0]} ({told})",
            )
        else:
            yield text(
                ru=f"{where}, {_deed(c.deed)}: сервер обгоняет файл, если пользователей {c.users} и больше ({told})",
                en=f"{where}, {_deed(c.deed)}: the server overtakes the file with {c.users} users and more ({told})",
            )


def _advice_on_users(run: Run) -> Iterable[str]:
    for b in bears(run):
        if b.mode != "file":
            continue
        where = where_of(b.network, b.documents)
        limit = text(ru="не меньше", en="at least") if b.next is None else text(ru="до", en="up to")
        tail = "" if b.next is None else text(
            ru=f"; при {b.next} - {b.p95:.2f} с (95 % операций)", en=f"; with {b.next}, 95 % of deeds take {b.p95:.2f} s"
        )  # fmt: skip
        right = b.users >= ADVISED_USERS
        verdict = _verdict(right, b)
        yield text(
            ru=f"{where}: файловый режим держит {limit} {b.users} пользователей в обычный день{tail}. {verdict}",
            en=f"{where}: file mode bears {limit} {b.users} users of an ordinary day{tail}. {verdict}",
        )


def _verdict(right: bool, b: Bears) -> str:
    if not right:
        return text(ru="Совет «до трёх» здесь слишком смел.", en="The advice of three is too bold here.")
    if b.next is not None and b.users < 2 * ADVISED_USERS:
        return text(ru="Совет «до трёх» здесь верен.", en="The advice of three holds here.")
    return text(ru="Совет «до трёх» здесь слишком осторожен.", en="The advice of three is too careful here.")


def _advice_on_size(run: Run) -> Iterable[str]:
    """Whether reading slows down with size, within what was measured."""
    sizes = sorted(run.plan.documents)
    if len(sizes) < 2:
        return
    for mode in run.plan.modes:
        for deed in ("list", "report", "post"):
            cells = [
                run.cells.get((mode, run.plan.networks[0], n, deed, run.plan.users[0])) for n in (sizes[0], sizes[-1])
            ]
            if any(c is None or c.skipped or not c.median for c in cells):
                continue
            small, big = cells
            assert small is not None and big is not None
            grown = big.median / small.median
            bytes_then = run.sizes.get(f"{mode} {sizes[-1]}", 0)
            yield text(
                ru=f"{mode}: {_deed(deed)} при {sizes[-1]} документах ({bytes_then >> 20} МБ) в {grown:.2f} раза дольше, чем при {sizes[0]}; "
                f"предел 2 ГБ {'не проверялся' if bytes_then < ADVISED_BYTES else 'пройден'}",
                en=f"{mode}: {_deed(deed)} with {sizes[-1]} documents ({bytes_then >> 20} MB) takes {grown:.2f}x of the time with {sizes[0]}; "
                f"the limit of 2 GB was {'not reached' if bytes_then < ADVISED_BYTES else 'passed'}",
            )
