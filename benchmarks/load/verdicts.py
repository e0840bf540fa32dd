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
        if file is None or server is None or file.skipped or server.skipped or not (file.count or server.count):
            continue
        made.append((users, _better(file, server)))
    return made


def _better(file: Cell, server: Cell) -> float:
    """How many times the server is better. With thinking users both serve whoever comes; then the time people wait decides."""
    if not (file.count and server.count):
        return float("inf") if server.count else 0.0
    return file.p95 / server.p95 if DEEDS[file.deed].think else server.rate / file.rate


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
        if c.p95 > PATIENCE or c.errors or not c.count:
            return Bears(mode, network, documents, good, c.users, c.p95)
        good = c.users
    return Bears(mode, network, documents, good)


def sentences(run: Run) -> list[str]:
    """The answers in words, each with its figures: the ordinary day first, then the advice, then every deed."""
    found = sorted(crossings(run), key=lambda c: not DEEDS[c.deed].think)
    office = [c for c in found if DEEDS[c.deed].think]
    return [
        *map(_crossing_sentence, office),
        *_advice_on_users(run),
        *_advice_on_size(run),
        *_waits(run),
        *(_crossing_sentence(c) for c in found if c not in office),
    ]


def network_name(name: str) -> str:
    n = NETWORKS[name]
    return n.ru if language() == "ru" else n.en


def where_of(network: str, documents: int) -> str:
    amount = f"{documents:,}".replace(",", " ")
    return f"{network_name(network)}; " + text(ru=f"документов {amount}", en=f"{amount} documents")


def deed_name(name: str) -> str:
    d = DEEDS[name]
    return d.ru if language() == "ru" else d.en


def _times(ratio: float) -> str:
    return "∞" if ratio == float("inf") else f"{ratio:.2f}x"


def _crossing_sentence(c: Crossing) -> str:
    last = c.ratios[-1]
    where = where_of(c.network, c.documents)
    told = "; ".join(f"{users}: {_times(ratio)}" for users, ratio in c.ratios)
    if c.users is None:
        return text(
            ru=f"{where}, {deed_name(c.deed)}: сервер не обогнал файл ни при каком числе пользователей до {last[0]} ({told})",
            en=f"{where}, {deed_name(c.deed)}: the server has not overtaken the file with any number of users up to {last[0]} ({told})",
        )
    return text(
        ru=f"{where}, {deed_name(c.deed)}: сервер обгоняет файл, если пользователей {c.users} и больше ({told})",
        en=f"{where}, {deed_name(c.deed)}: the server overtakes the file with {c.users} users and more ({told})",
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
    if not right and b.next is None:
        return text(ru="Трёх пользователей не измеряли.", en="Three users were not measured.")
    if not right:
        return text(ru="Совет «до трёх» здесь слишком смел.", en="The advice of three is too bold here.")
    if b.next is not None and b.users < 2 * ADVISED_USERS:
        return text(ru="Совет «до трёх» здесь верен.", en="The advice of three holds here.")
    return text(ru="Совет «до трёх» здесь слишком осторожен.", en="The advice of three is too careful here.")


SLOWER = 1.5
"""So many times more slowing down of the file than of the server speaks for moving because of size."""


def _advice_on_size(run: Run) -> Iterable[str]:
    """For each network: how much slower a user of either mode is on the biggest base than on the smallest, and what that says of the 2 GB."""
    sizes = sorted({c.documents for c in run.cells.values() if not c.skipped})
    if len(sizes) < 2:
        return
    for network in run.plan.networks:
        grown = {mode: _grown(run, mode, network, sizes[0], sizes[-1]) for mode in run.plan.modes}
        deeds = [d for d in run.plan.deeds if all(d in g for g in grown.values())]
        if "file" not in grown or not deeds:
            continue
        size = run.sizes.get(f"file {sizes[-1]}", 0)
        told = "; ".join(f"{deed_name(d)} " + ", ".join(f"{m} {g[d]:.1f}x" for m, g in grown.items()) for d in deeds)
        worse = [d for d in deeds if "server" in grown and grown["file"][d] > SLOWER * max(grown["server"][d], 1.0)]
        where = f"{network_name(network)}; {sizes[0]:,} → {sizes[-1]:,}".replace(",", " ")
        yield text(
            ru=f"{where} документов (файл {size / 2**30:.2f} ГБ), во сколько раз дольше операция одного пользователя: {told}. {_size_verdict(size, worse)}",
            en=f"{where} documents (the file {size / 2**30:.2f} GB), how many times longer a deed of one user takes: {told}. {_size_verdict(size, worse)}",
        )


def _grown(run: Run, mode: str, network: str, small: int, big: int) -> dict[str, float]:
    """Deed -> time on the big base / time on the small one, of one user (the fewest measured)."""
    made = {}
    for deed in run.plan.deeds:
        pair = [run.cells.get((mode, network, n, deed, run.plan.users[0])) for n in (small, big)]
        if all(c is not None and c.median for c in pair) and not DEEDS[deed].think:
            made[deed] = pair[1].median / pair[0].median  # type: ignore[union-attr]
    return made


def _size_verdict(size: int, worse: list[str]) -> str:
    reached = size >= ADVISED_BYTES
    names = ", ".join(map(deed_name, worse))
    if worse:
        ru, en = f"Файл сдаёт заметно раньше сервера: {names}", f"The file gives in well before the server: {names}"
    else:
        ru, en = "Файл замедляется не больше сервера", "The file slows down no more than the server"
    if not reached:
        return text(
            ru=f"{ru}; 2 ГБ не достигнуты, о них замер не говорит.",
            en=f"{en}; 2 GB were not reached, of them this run says nothing.",
        )
    if worse:
        return text(
            ru=f"{ru}. Совет «до 2 ГБ» здесь верен для этих операций.",
            en=f"{en}. The advice of 2 GB holds here for these deeds.",
        )
    return text(
        ru=f"{ru}. Совет «до 2 ГБ» здесь не подтверждается.", en=f"{en}. The advice of 2 GB is not borne out here."
    )


def _waits(run: Run) -> Iterable[str]:
    """For each mode and network: the longest wait of an ordinary day, and the least fair cell."""
    for network in run.plan.networks:
        for mode in run.plan.modes:
            cells = [
                c for c in run.cells.values() if (c.mode, c.network) == (mode, network) and not c.skipped and not c.note
            ]
            day = [c for c in cells if DEEDS[c.deed].think]
            busy = [c for c in cells if c.users > 1 and not DEEDS[c.deed].think]
            if not day or not busy:
                continue
            longest, unfair = max(day, key=lambda c: c.longest), min(busy, key=lambda c: c.fairness)
            ru = f"{network_name(network)}, {mode}: дольше всего в обычный день ждали {longest.longest:.2f} с ({longest.users} пользователей, {longest.documents} документов); "
            en = f"{network_name(network)}, {mode}: the longest wait of an ordinary day was {longest.longest:.2f} s ({longest.users} users, {longest.documents} documents); "
            ru += f"наименее справедливо: {deed_name(unfair.deed)}, {unfair.users} пользователей, индекс Джейна {unfair.fairness:.2f}"
            en += f"least fair: {deed_name(unfair.deed)}, {unfair.users} users, Jain's index {unfair.fairness:.2f}"
            yield text(ru=ru, en=en)
