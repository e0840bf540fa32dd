"""`wizard`, and `create` without a place: the wizard on the terminal, and what its plan does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from infobase import list_file
from infobase.commands.access import ask_password, can_ask, store
from infobase.commands.interface import command
from infobase.commands.listing import add_to_list
from infobase.commands.output import remark, say
from infobase.connection import engine_of
from infobase.connection_string import ConnectionString
from infobase.errors import Cancelled, InfobaseError, UsageError
from infobase.i18n import text
from infobase.list_model import ROOT, demand_name, join
from templates_store.commands.making import make, tell
from templates_store.commands.template import settled_roots
from templates_store.creating import NewBase
from templates_store.source import of_template
from templates_store.tree import Template, collect
from templates_store.wizard import BACK, Back, Plan, run


class Terminal:
    """Questions on standard error, answers from the keyboard. `<` goes back."""

    def choose(self, question: str, options: Sequence[str], default: int) -> int:
        remark(f"\n{question}:")
        for number, option in enumerate(options, 1):
            remark(f"  {number}. {option}")
        shown = text(ru=f"Номер ({BACK} - назад)", en=f"Number ({BACK} to go back)")
        while True:
            given = self._line(shown, str(default + 1))
            if given.isascii() and given.isdigit() and 1 <= int(given) <= len(options):
                return int(given) - 1
            remark(text(ru=f"Нужно число от 1 до {len(options)}.", en=f"A number from 1 to {len(options)} is needed."))

    def ask(self, question: str, default: str, complaint: Callable[[str], str]) -> str:
        while True:
            given = self._line(question, default)
            said = complaint(given)
            if not said:
                return given
            remark(said)

    def secret(self, question: str) -> str:
        given = ask_password(question, twice=True)
        if given == BACK:
            raise Back()
        return given

    def explain(self, message: str) -> None:
        remark(message)

    def _line(self, question: str, default: str) -> str:
        given = str(click.prompt(question, default=default, show_default=bool(default), err=True)).strip()
        if given == BACK:
            raise Back()
        return given


class ThisComputer:
    """The templates, the list and the places as they are."""

    def __init__(self, roots: Sequence[Path] = ()) -> None:
        self._roots = roots
        self._found: list[Template] | None = None

    def templates(self) -> list[Template]:
        if self._found is None:
            self._found = collect(settled_roots(self._roots))
        return self._found

    def groups(self) -> list[str]:
        return [ROOT, *(g.path for g in list_file.read(list_file.default_place()).groups)]

    def free_name(self, name: str) -> str:
        return list_file.read(list_file.default_place()).free_name(name)

    def name_complaint(self, name: str) -> str:
        bases = list_file.read(list_file.default_place())
        try:
            demand_name(bases, name)
            bases.demand_free(name)
        except InfobaseError as e:
            return str(e)
        return ""

    def place_complaint(self, where: ConnectionString, *, exists: bool) -> str:
        try:
            with store(where) as engine:
                found = engine.exists()
        except InfobaseError as e:
            return str(e)
        if found and not exists:
            return text(ru="здесь уже есть база", en="there is a base already")
        if exists and not found:
            return text(ru="здесь нет базы", en="there is no base here")
        return ""

    def demands_password(self, where: ConnectionString) -> bool:
        return engine_of(where).traits.demands_password

    def bases_folder(self) -> Path:
        return Path.home() / "Documents" / "InfoBases"


@command(
    "wizard",
    ru="Помощник: создать базу, добавить существующую в список или создать группу",
    en="The wizard: make a base, add one to the list, or make a group",
)
def wizard() -> None:
    run_wizard()


def run_wizard(roots: Sequence[Path] = ()) -> None:
    """Ask, then do. UsageError without a terminal, Cancelled when the user backs out."""
    if not can_ask():
        ru = "не указано, где создать базу (CONN); помощник работает только в терминале"
        raise UsageError(detail=text(ru=ru, en="no place for the base (CONN); the wizard needs a terminal"))
    try:
        plan = run(Terminal(), ThisComputer(roots))
    except Back as e:
        raise Cancelled() from e
    do(plan)


def do(plan: Plan) -> None:
    """Carry a plan out."""
    if plan.kind == "group":
        path = join(plan.group, plan.name)
        made = list_file.edit(list_file.default_place(), lambda bases: bases.add_group(path))
        say(text(ru=f"Создана группа: {made}", en=f"Made the group: {made}"))
        return
    assert plan.place is not None
    if plan.kind == "existing":
        shown = add_to_list(None, plan.name, plan.place, plan.group)
        say(text(ru=f"Добавлена в список: {shown}", en=f"Added to the list: {shown}"))
        return
    source = of_template(plan.template) if plan.template else None
    with store(plan.place) as engine:
        title = source.title if source else ""
        base = make(engine, source, NewBase(plan.name, plan.admin, plan.password, template=title))
        tell(base, add_to_list(None, plan.name, plan.place, plan.group))
