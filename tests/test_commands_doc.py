"""docs/commands.md and docs/commands.ru.md: the help text of every verb, generated from the code.

python -m tests.test_commands_doc      writes both
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import cli
from infobase.commands.interface import Command, Group
from infobase.i18n import LANGUAGES, language, set_language, text

DOCS = Path(__file__).parents[1] / "docs"
DOCUMENTS = {"en": DOCS / "commands.md", "ru": DOCS / "commands.ru.md"}
REGENERATE = "python -m tests.test_commands_doc"
WIDTH = 118


def walk(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """The command and everything under it, in the order the help shows."""
    yield command, context
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            made = click.Context(child, info_name=name, parent=context, terminal_width=WIDTH, max_content_width=WIDTH)
            yield from walk(child, made)


def verbs() -> list[tuple[click.Command, click.Context]]:
    return list(walk(cli.root, click.Context(cli.root, info_name="infobase", terminal_width=WIDTH)))


def document(code: str) -> str:
    """The whole page in one language."""
    before = language()
    set_language(code)
    try:
        title = text(ru="Команды", en="Commands")
        ru = f"Эта страница получена из программы: `{REGENERATE}`. Коды завершения: [errors.md](errors.md)."
        en = f"This page is generated from the program: `{REGENERATE}`. Exit codes: [errors.md](errors.md)."
        return "\n".join([f"# {title}\n", text(ru=ru, en=en) + "\n", *map(_section, verbs())])
    finally:
        set_language(before)


def _section(verb: tuple[click.Command, click.Context]) -> str:
    command, context = verb
    level = "#" * min(len(context.command_path.split()) + 1, 4)
    shown = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    return f"{level} {context.command_path}\n\n```\n{shown}\n```\n"


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_page_is_what_the_program_says(code: str) -> None:
    kept = DOCUMENTS[code].read_text(encoding="utf-8").splitlines()
    difference = list(difflib.unified_diff(kept, document(code).splitlines(), lineterm="", n=0))
    assert not difference, "\n".join([f"regenerate: {REGENERATE}", *difference[:20]])


@pytest.mark.parametrize("verb", verbs(), ids=lambda v: v[1].command_path)
def test_every_verb_explains_itself_in_both_languages(verb: tuple[click.Command, click.Context]) -> None:
    command, _ = verb
    assert isinstance(command, Command | Group)
    says = [command.says, *(p.says for p in command.params if isinstance(p, click.Option))]  # type: ignore[attr-defined]
    for told in says:
        assert told is not None and re.search("[А-Яа-яё]", told.ru), told
        assert told.en and not re.search("[А-Яа-яё]", told.en.split("\n")[0]), told


if __name__ == "__main__":
    for code, path in DOCUMENTS.items():
        path.write_text(document(code), encoding="utf-8")
