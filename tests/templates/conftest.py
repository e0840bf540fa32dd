from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import cli
from infobase.commands import runner
from infobase.i18n import set_language

Program = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def russian() -> None:
    """Commands choose the language for the whole process."""
    set_language("ru")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "tmplts"


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str], tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Runs the program in this process with its own template root, list and cache; (exit code, standard output, standard error)."""
    monkeypatch.setenv("INFOBASE_LIST", str(tmp_path / "ibases.v8i"))
    monkeypatch.setenv("INFOBASE_TEMPLATES", str(root))
    monkeypatch.setenv("INFOBASE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("INFOBASE_LANG", "ru")
    monkeypatch.delenv("INFOBASE_DEBUG", raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = runner.run(cli.root, [str(a) for a in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return run
