"""Choosing regions on a terminal: a list with sizes, asked again after a slip, for a source whose kind is not named too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from classifiers import address_commands
from classifiers.address_commands import ask_regions
from classifiers.source import open_source


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is typed in answer; a terminal is there."""
    answers: list[str] = []
    monkeypatch.setattr(address_commands, "can_ask", lambda: True)
    monkeypatch.setattr(click, "prompt", lambda *_, **__: answers.pop(0))
    yield answers
    assert not answers


@pytest.mark.parametrize("kind", ["kladr", None])
def test_regions_are_asked_with_their_sizes(
    kind: str | None, kladr_folder: Path, typed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    typed += ["Тмутаракань", "77, степная"]
    with open_source(kladr_folder) as source:
        assert ask_regions(kind, source, {"houses": True}) == {"houses": True, "regions": ["77", "01"]}
    shown = capsys.readouterr()
    assert all(size in shown.out for size in ("01", "Степная обл", "191"))
    assert "Тмутаракань" in shown.err


def test_nothing_is_asked_of_other_kinds(typed: list[str], tmp_path: Path) -> None:
    file = tmp_path / "okopf.csv"
    file.write_text("Код;Наименование\n10000;ЮРИДИЧЕСКИЕ ЛИЦА\n12300;Общества\n", "utf-8")
    with open_source(file) as source:
        assert ask_regions(None, source, {}) == {}
