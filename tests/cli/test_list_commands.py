"""`infobase list` as people type it."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

import cli
from infobase import errors
from infobase.commands import runner
from tests.bases import SHOP

Program = Callable[..., tuple[int, str, str]]


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.setenv("INFOBASE_LIST", str(tmp_path / "list" / "ibases.v8i"))

    def run(*arguments: object) -> tuple[int, str, str]:
        code = runner.run(cli.root, ["--lang", "en", *(str(a) for a in arguments)])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return run


def shown(program: Program, *arguments: object) -> list[tuple[str, str]]:
    return [(e["name"], e["folder"]) for e in json.loads(program("list", "show", "--json", *arguments)[1])]


def test_a_day_with_the_list(program: Program, tmp_path: Path) -> None:
    for name in ("A", "B"):
        assert program("list", "add", name, tmp_path / name, "--group", "/Clients/North")[0] == 0
    assert program("list", "group", "/Archive")[0] == 0
    assert shown(program) == [
        ("Clients", "/"),
        ("North", "/Clients"),
        ("A", "/Clients/North"),
        ("B", "/Clients/North"),
        ("Archive", "/"),
    ]
    assert program("list", "move", "B", "/Clients/North", "--before", "A")[0] == 0
    assert program("list", "move", "/Clients", "/Archive", "--first")[0] == 0
    assert program("list", "rename", "/Archive", "Old")[0] == 0
    assert shown(program, "--group", "/Old/Clients/North") == [
        ("North", "/Old/Clients"), ("B", "/Old/Clients/North"), ("A", "/Old/Clients/North")
    ]  # fmt: skip
    assert "    B" in program("list", "show")[1]
    assert shown(program, "--flat") == [("A", "/Old/Clients/North"), ("B", "/Old/Clients/North")]
    assert program("list", "remove", "/Old")[0] == errors.ListInvalid.exit_code
    assert program("list", "remove", "/Old", "--recursive")[0] == 0
    assert shown(program) == []


def test_handing_a_list_on(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program("list", "add", "A", tmp_path / "a", "--group", "/X")
    program("list", "add", "B", tmp_path / "b")
    out = tmp_path / "out.v8i"
    assert program("list", "export", out, "--group", "/X")[0] == 0
    assert program("list", "export", out)[0] == errors.TargetExists.exit_code
    monkeypatch.setenv("INFOBASE_LIST", str(tmp_path / "other.v8i"))
    program("list", "add", "a", tmp_path / "theirs")
    assert program("list", "merge", out, "--dry-run")[0] == 0
    assert shown(program) == [("a", "/")]
    code, told, _ = program("list", "merge", out, "--into", "/Got", "--json")
    assert code == 0 and json.loads(told)["renamed"] == {"A": "A (2)"}
    assert ("A (2)", "/Got/X") in shown(program)
    assert json.loads(program("list", "merge", out, "--into", "/Got", "--json")[1])["kept"] == ["A (2)"]


def test_lint(program: Program, tmp_path: Path) -> None:
    place = tmp_path / "list" / "ibases.v8i"
    place.parent.mkdir()
    place.write_text('[A]\nConnect = File="/srv/a"\n[A]\nConnect=File="/srv/b";\nFolder=Gone\n', "utf-8")
    code, out, _ = program("list", "lint", "--json")
    assert code == errors.ListFaulty.exit_code
    assert {"spaces", "semicolon", "name_taken", "orphan", "folder"} <= {f["code"] for f in json.loads(out)}
    assert program("list", "lint", "--fix")[0] == 0
    assert ("A (2)", "/Gone") in shown(program)
    assert place.read_bytes().startswith(b"\xef\xbb\xbf[A]\r\nConnect=File")


def test_a_hand_copied_base_is_added_by_its_head_alone(program: Program, tmp_path: Path) -> None:
    """A terabyte would take as long: nothing but the head of the file is read, and the base's folder stays as it is."""
    assert program("create", tmp_path / "a", "--template", SHOP)[0] == 0
    copied = tmp_path / "copied"
    copied.mkdir()
    (copied / "1Cv8.1CD").write_bytes((tmp_path / "a" / "1Cv8.1CD").read_bytes())
    os.truncate(copied / "1Cv8.1CD", 1 << 40)
    assert program("list", "add", "Copied", copied)[0] == 0
    assert [p.name for p in copied.iterdir()] == ["1Cv8.1CD"]
    assert "Copied" in program("list", "show")[1]


def test_a_journal_of_another_base_is_told_of(program: Program, tmp_path: Path) -> None:
    assert program("create", tmp_path / "a", "--template", SHOP)[0] == 0
    wal = tmp_path / "a" / "1Cv8.1CD-wal"
    wal.write_bytes(b"left behind")
    code, _, err = program("list", "add", "Copied", tmp_path / "a")
    assert code == 0 and "1Cv8.1CD-wal" in err
    wal.unlink()
    assert program("list", "add", "Clean", tmp_path / "a")[2] == ""


def test_what_is_wrong_with_a_base_is_said_when_it_is_added(program: Program, tmp_path: Path) -> None:
    (tmp_path / "genuine").mkdir()
    (tmp_path / "genuine" / "1Cv8.1CD").write_bytes(b"1CDBMSV8\x08\x03\x08\x00" + b"\0" * 5000)
    code, _, err = program("list", "add", "Genuine", tmp_path / "genuine")
    assert code == 0 and "genuine 1C" in err
    code, _, err = program("list", "add", "Nothing", tmp_path / "nothing")
    assert code == 0 and "no base" in err


def test_common_lists_are_shown(program: Program, tmp_path: Path) -> None:
    own, shared = tmp_path / "list" / "ibases.v8i", tmp_path / "shared.v8i"
    own.parent.mkdir()
    shared.write_text(f'[Common]\nConnect=File="/c";\nID={uuid.UUID(int=9)}\n', "utf-8")
    own.with_name("1cestart.cfg").write_bytes(f"CommonInfoBases={shared}\r\n".encode("utf-16"))
    found = json.loads(program("list", "show", "--json")[1])
    assert [(e["name"], e["read_only"]) for e in found] == [("Common", True)]
    assert shown(program, "--no-common") == []
    assert program("list", "remove", "Common")[0] == errors.ListInvalid.exit_code


def test_a_second_bom_hides_no_entry(program: Program, tmp_path: Path) -> None:
    """Left by programs that put one before a file that has one."""
    place = tmp_path / "list" / "ibases.v8i"
    place.parent.mkdir()
    place.write_bytes(b"\xef\xbb\xbf" * 3 + b'[A]\r\nConnect=File="/a";\r\n')
    assert shown(program) == [("A", "/")]
    assert program("list", "add", "B", tmp_path / "b")[0] == 0
    assert sorted(shown(program)) == [("A", "/"), ("B", "/")]
    assert place.read_bytes().startswith(b"\xef\xbb\xbf[A]\r\n")
