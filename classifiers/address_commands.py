"""`infobase classifier address`, and what `classifier load` asks of address classifiers: which regions, with houses or without."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any

import click

from classifiers import gar_load, kladr_load
from classifiers.address_picker import DEFAULT_LIMIT, AddressHit, AddressPicker, address_targets
from classifiers.address_regions import Available, find_region
from classifiers.address_status import AddressState, address_state
from classifiers.address_store import outdated_regions
from classifiers.gar_load import GAR
from classifiers.kind import ClassifierKind, Options
from classifiers.kinds import KINDS
from classifiers.kladr_load import KLADR
from classifiers.recognise import find_kind_of
from classifiers.source import Member, Source
from infobase.commands.access import Login, can_ask, connection_argument, login_options, opened
from infobase.commands.interface import command, json_option, option
from infobase.commands.output import print_json, print_table, remark, say
from infobase.errors import RegionUnknown, UsageError
from infobase.i18n import text
from infobase.session import Session


def address_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--region`, `--no-houses`; the command receives one `options`."""

    @option(
        "--region",
        "regions",
        multiple=True,
        ru="Адреса: регион по коду или названию; несколько через запятую (01,77 или Адыгея)",
        en="Addresses: a region by code or name; several with commas (01,77)",
    )
    @option(
        "--accept-gap",
        is_flag=True,
        ru="ГАР: применить изменения, хотя до них прошло больше времени, чем между двумя выпусками",
        en="GAR: apply a delta though more time has passed than between two issues",
    )
    @option("--no-houses", is_flag=True, ru="Адреса: не загружать дома", en="Addresses: leave the houses out")
    @wraps(function)
    def command(*args: Any, regions: tuple[str, ...], no_houses: bool, accept_gap: bool, **rest: Any) -> Any:
        wanted = tuple(r.strip() for given in regions for r in given.split(",") if r.strip())
        chosen = {"regions": wanted, "houses": not no_houses, "accept_gap": accept_gap}
        return function(*args, options=chosen, **rest)

    return command


def ask_regions(kind: str | None, source: Source, options: Options) -> Options:
    """On a terminal: show the regions a set of KLADR has, with their sizes, and ask which to load. Nothing is asked elsewhere."""
    if options.get("regions") or kind not in (None, *_OFFERS) or not can_ask():
        return options
    kind = kind or find_kind_of(list(KINDS.values()), source).name
    if kind not in _OFFERS:
        return options
    kind_, offered = _OFFERS[kind]
    members = kind_.formats[0].select(source)
    available = offered(members) if members else {}
    if len(available) <= 1:
        return options
    size = text(ru="Записей", en="Records") if kind == KLADR.name else text(ru="Байт", en="Bytes")
    headers = [text(ru="Регион", en="Region"), text(ru="Название", en="Name"), size]
    print_table(headers, [(region, name, count) for region, (name, count) in available.items()])
    return {**options, "regions": _ask(available)}


_OFFERS: Mapping[str, tuple[ClassifierKind, Callable[[Sequence[Member]], Available]]] = {
    KLADR.name: (KLADR, kladr_load.offered_regions),
    GAR.name: (GAR, gar_load.offered_regions),
}
"""What tells the regions of a source, by kind: with records in KLADR, with bytes in GAR."""


def _ask(available: Available) -> list[str]:
    """The regions answered; asked again after a slip of the pen."""
    question = text(
        ru="Какие регионы загрузить (через запятую; пусто - все)", en="Regions to load (commas; empty: all)"
    )
    while True:
        answer = click.prompt(question, default="", show_default=False, err=True)
        try:
            return [find_region(name, available) for name in answer.split(",") if name.strip()]
        except RegionUnknown as error:
            remark(str(error))


@command(
    "address",
    ru="Подобрать адрес по началу слов: регион, город, улица, дом в любом порядке; по коду КЛАДР - что с ним стало",
    en="Find an address by beginnings of words: region, city, street, house in any order; by a KLADR code: what became of it",
)
@connection_argument()
@click.argument("typed", metavar="TEXT", nargs=-1, required=True)
@option("--limit", type=click.IntRange(1, 50), default=DEFAULT_LIMIT, ru="Сколько показать", en="How many to show")
@login_options
@json_option
def address(connection: str, typed: tuple[str, ...], limit: int, login: Login, as_json: bool) -> None:
    wanted = " ".join(typed).strip()
    if not wanted:
        raise UsageError(detail=text(ru="введите адрес или код", en="type an address or a code"))
    with opened(connection, login) as (_, session):
        if wanted.isascii() and wanted.isdigit() and len(wanted) in (13, 17):
            _print_state(address_state(session, wanted), as_json)
        else:
            _print_hits(AddressPicker(session).find(wanted, limit), as_json)
            _remark_outdated(session)


def _print_hits(hits: Iterable[AddressHit], as_json: bool) -> None:
    found = list(hits)
    if as_json:
        print_json(found)
    elif not found:
        say(text(ru="Ничего не найдено", en="Nothing found"))
    else:
        headers = [
            text(ru="Адрес", en="Address"),
            text(ru="Код", en="Code"),
            "ОКАТО",
            "ОКТМО",
            text(ru="Дом", en="House"),
        ]
        print_table(headers, [(h.presentation, h.code, h.okato, h.oktmo, _house(h)) for h in found])


def _remark_outdated(session: Session) -> None:
    outdated = ", ".join(outdated_regions(session, address_targets(session).regions))
    if outdated:
        remark(
            text(
                ru=f"Загружены прежней версией программы и ищутся не полностью, загрузите их заново: регионы {outdated}",
                en=f"Loaded by an earlier version of the program and not searched in full, load them again: regions {outdated}",
            )
        )


def _house(hit: AddressHit) -> str:
    if not hit.house:
        return ""
    return text(ru="есть", en="listed") if hit.house_known else text(ru="не в списке", en="not listed")


def _print_state(found: AddressState, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    words = {
        "live": text(ru="действует", en="live"),
        "renamed": text(ru="адрес устарел: объект переименован", en="obsolete: renamed"),
        "resubordinated": text(ru="адрес устарел: объект переподчинён", en="obsolete: re-subordinated"),
        "gone": text(ru="адрес устарел: объект больше не существует", en="obsolete: gone"),
        "unknown": text(ru="код не найден", en="unknown code"),
    }
    say(f"{found.code}: {words[found.state]}")
    if found.address:
        say(f"  {found.address.presentation}")
    if found.successor_code:
        shown = found.successor.presentation if found.successor else ""
        say(text(ru=f"  теперь: {found.successor_code} {shown}", en=f"  now: {found.successor_code} {shown}"))
