"""`infobase classifier pick | refresh | check-account`: the banks people work with, chosen from the classifier."""

from __future__ import annotations

from collections.abc import Sequence

import click

from classifiers.banks_chosen import BankChange, pick_banks, refresh_banks
from classifiers.banks_chosen import check_account as check
from infobase.commands.access import Login, connection_argument, login_options, opened
from infobase.commands.interface import command, json_option
from infobase.commands.output import print_json, say
from infobase.errors import UsageError
from infobase.i18n import text

BANKS = "banks"


@command(
    "pick",
    ru="Подобрать банки из классификатора в справочник: pick banks БИК... CONN",
    en="Choose banks from the classifier into the catalog: pick banks BIC... CONN",
)
@click.argument("words", metavar="banks BIC... CONN", nargs=-1, required=True)
@login_options
@json_option
def pick(words: tuple[str, ...], login: Login, as_json: bool) -> None:
    if len(words) < 3 or words[0] != BANKS:
        raise UsageError(detail=text(ru="нужны banks БИК... CONN", en="banks BIC... CONN are needed"))
    with opened(words[-1], login) as (_, session):
        changes = pick_banks(session, words[1:-1])
    _show(changes, changes, as_json=as_json)


@command(
    "refresh",
    ru="Обновить подобранные банки по классификатору и показать, что изменилось",
    en="Bring the chosen banks up to the classifier and show what changed",
)
@click.argument("kind", metavar="banks", type=click.Choice([BANKS]))
@connection_argument()
@login_options
@json_option
def refresh(kind: str, connection: str, login: Login, as_json: bool) -> None:
    with opened(connection, login) as (_, session):
        changes = refresh_banks(session)
    changed = [c for c in changes if c.changes]
    _show(changed, changes, as_json=as_json)


@command(
    "check-account",
    ru="Проверить номер расчётного счёта по банку (ключ, правило Банка России)",
    en="Check a settlement account against its bank (the key, the Bank of Russia's rule)",
)
@click.argument("account", metavar="ACCOUNT")
@click.argument("bic", metavar="BIC")
@connection_argument()
@login_options
def check_account(account: str, bic: str, connection: str, login: Login) -> None:
    with opened(connection, login) as (_, session):
        check(session, bic, account)
    say(text(ru=f"Счёт {account} подходит к банку {bic}", en=f"The account {account} fits the bank {bic}"))


def _show(shown: Sequence[BankChange], of: Sequence[BankChange], *, as_json: bool) -> None:
    if as_json:
        print_json(shown)
        return
    for change in shown:
        say(change)
    if not shown:
        ru, en = f"Подобранных банков: {len(of)}, изменений нет", f"Chosen banks: {len(of)}, nothing changed"
        say(text(ru=ru, en=en))
