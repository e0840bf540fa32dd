"""Every error class: its own exit code, a text in each language with the same fields, a line in docs/errors.md."""

from __future__ import annotations

import copy
import inspect
import re
import string
from pathlib import Path

import pytest

from infobase import errors
from infobase.errors import InfobaseError
from infobase.i18n import language, set_language

DOCUMENT = Path(__file__).parents[1] / "docs" / "errors.md"
CLASSES = sorted(
    (
        c
        for _, c in inspect.getmembers(errors, inspect.isclass)
        if issubclass(c, InfobaseError) and c is not InfobaseError
    ),
    key=lambda c: c.exit_code,
)


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def table() -> str:
    """The table of docs/errors.md, as the classes have it."""
    rows = [f"| {c.exit_code} | {c.__name__} | {c.ru.split(chr(10))[0]} | {c.en.split(chr(10))[0]} |" for c in CLASSES]
    return "\n".join(["| exit code | class | ru | en |", "|---|---|---|---|", *rows])


def test_codes_are_unique_and_fit_a_process() -> None:
    codes = [c.exit_code for c in CLASSES]
    assert len(codes) == len(set(codes))
    assert all(1 < code < 256 for code in codes)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_both_languages_say_the_same(cls: type[InfobaseError]) -> None:
    assert "ru" in vars(cls) and "en" in vars(cls)
    assert fields(cls.ru) == fields(cls.en)
    words = re.sub(r"\{\w+\}", "", cls.ru)
    assert re.search("[а-яё]", words) or not re.search("[A-Za-z]", words)
    assert not re.search("[а-яё]", cls.en)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_an_error_shows_and_travels(cls: type[InfobaseError]) -> None:
    if cls is errors.ConfigurationInvalid:
        e: InfobaseError = errors.ConfigurationInvalid([])
    else:
        e = cls(**dict.fromkeys(fields(cls.ru), "значение"))
    before = language()
    try:
        for code in ("ru", "en"):
            set_language(code)
            assert "{" not in str(e)
    finally:
        set_language(before)
    assert str(copy.copy(e)) == str(e)


def test_the_document_lists_every_class() -> None:
    assert table() in DOCUMENT.read_text(encoding="utf-8"), "regenerate: python -m tests.test_errors > docs/errors.md"


if __name__ == "__main__":
    print("# Errors and exit codes\n")
    print(
        "Every error has its own exit code and a message that says what happened, where, and what to do next. 0 is success.\n"
    )
    print(table())
