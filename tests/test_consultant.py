"""The consultant's day, by the documentation alone: the commands of docs/consultant.ru.md as they stand there; its English
twin has the same."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

import cli
from classifiers.sample import write_small_ed807
from infobase.commands import runner
from infobase.connection import connect
from infobase.errors import SessionsBlocked

DOCS = Path(__file__).parents[1] / "docs"
CLIENT = "Альфа"
NAMES = {
    "Alpha": CLIENT,
    "Beta": "Бета",
    "Gamma": "Гамма",
    "Delta": "Дельта",
    "Epsilon": "Эпсилон",
    "/Clients": "/Клиенты",
    "CRM for clients": "CRM для клиентов",
    "Back at six": "Вернёмся в шесть",
}
COMMAND = re.compile(r"^(?:infobase .*|.*<<'(\w+)'\n(?:.*\n)*?\1)$", re.MULTILINE)
BLOCK = re.compile(r"^```sh( refused)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Day:
    """The page lived through, and what each block printed."""

    blocks: list[tuple[bool, str]]
    printed: list[str]

    def told(self, command: str) -> str:
        """What the block with this command printed."""
        (found,) = (out for (_, block), out in zip(self.blocks, self.printed, strict=True) if command in block)
        return found

    def run(self, *arguments: str) -> object:
        """One more command, in JSON."""
        code, out, err = perform(" ".join(["infobase", *arguments, "--json"]))
        assert code == 0, err
        return json.loads(out)


def perform(block: str) -> tuple[int, str, str]:
    """The commands of a block one after another, to the first that fails: the program's in this process, others in a shell."""
    code, out, err = 0, io.StringIO(), io.StringIO()
    for command in (m[0] for m in COMMAND.finditer(block)):
        if not command.startswith("infobase "):
            subprocess.run(["bash", "-euc", command], check=True, timeout=60)
            continue
        with redirect_stdout(out), redirect_stderr(err):
            code = runner.run(cli.root, shlex.split(command)[1:])
        if code:
            break
    return code, out.getvalue(), err.getvalue()


def blocks_of(page: str) -> list[tuple[bool, str]]:
    """(whether a refusal is expected, the commands) of each block."""
    return [(bool(refused), block) for refused, block in BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """A new user with an empty home, in an empty folder."""
    folder = tmp_path_factory.mktemp("day")
    for name in ("home", "work"):
        (folder / name).mkdir()
    write_small_ed807(folder / "work" / "ED807.zip")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder / "work")
        patch.setenv("HOME", str(folder / "home"))
        patch.setenv("COLUMNS", "200")
        for name in [n for n in os.environ if n.startswith(("INFOBASE_", "XDG_"))]:
            patch.delenv(name)
        patch.setenv("INFOBASE_LANG", "ru")
        blocks, printed = blocks_of("consultant.ru.md"), list[str]()
        for refused, block in blocks:
            code, out, err = perform(block)
            assert "Traceback" not in err
            assert code == (SessionsBlocked.exit_code if refused else 0), f"{block}\n{err}"
            printed.append(out + err)
        yield Day(blocks, printed)


def test_five_clients_of_one_prepared_base(day: Day) -> None:
    listed = day.run("list", "show")
    assert isinstance(listed, list)
    clients = [e for e in listed if e["connect"]]
    assert len(clients) == 5 and len({e["folder"] for e in clients}) == 1 and clients[0]["folder"] != "/"
    bases = [day.run("info", e["name"]) for e in clients]
    ids = {b["id"] for b in bases}  # type: ignore[index]
    assert len(ids) == 5
    for client in clients:
        with connect(client["connect"]) as session:
            assert len(list(session.catalogs.BankClassifier.select())) >= 40


def test_one_of_them_is_changed_and_the_others_are_not(day: Day) -> None:
    told = day.told("config apply")
    assert "LoyaltyCard" in told and "Catalog.Counterparties" in told
    changed = list[str]()
    for entry in day.run("list", "show"):  # type: ignore[attr-defined]
        if not entry["connect"]:
            continue
        with connect(entry["connect"]) as session:
            fields = session.kernel.configuration.objects["Catalog.Counterparties"].attributes  # type: ignore[union-attr]
            if any(a.name == "LoyaltyCard" for a in fields):
                changed.append(entry["name"])
    assert changed == [CLIENT]


def test_the_block_told_why_and_is_lifted(day: Day) -> None:
    (refused,) = (out for (is_refused, _), out in zip(day.blocks, day.printed, strict=True) if is_refused)
    assert "Вернёмся в шесть" in refused
    assert day.run("info", CLIENT)


def test_a_scheduled_backup_was_made_and_proved(day: Day) -> None:
    backups = day.run("backup", "list", f"backups/{CLIENT}")
    assert isinstance(backups, list) and len(backups) == 1
    drill = day.run("backup", "drill", f"backups/{CLIENT}")
    assert isinstance(drill, dict) and drill["rto_seconds"] > 0
    told = day.told("backup drill")
    assert "RPO" in told and "RTO" in told


def test_the_english_page_is_the_same_but_for_names() -> None:
    russian = blocks_of("consultant.ru.md")
    for name, said in NAMES.items():
        russian = [(refused, block.replace(said, name)) for refused, block in russian]
    assert blocks_of("consultant.md") == russian
