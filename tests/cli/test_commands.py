"""The program as people use it: whole commands on both engines, output, exit codes, and no traceback whatever happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import cli
from infobase import errors
from infobase.commands import runner
from tests import postgres
from tests.bases import SHOP

Program = Callable[..., tuple[int, str, str]]


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Runs the program in this process; (exit code, standard output, standard error)."""
    monkeypatch.setenv("INFOBASE_LIST", str(tmp_path / "ibases.v8i"))
    monkeypatch.delenv("INFOBASE_DEBUG", raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = runner.run(cli.root, [str(a) for a in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return run


@pytest.fixture(params=["file", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A connection string of a base that is not there yet."""
    if request.param == "file":
        yield f'File="{tmp_path / "base"}";'
        return
    url = request.getfixturevalue("pg_url")
    name = request.getfixturevalue("pg_database")
    yield postgres.connection_string(url, name)


def info(program: Program, place: str) -> dict[str, object]:
    code, out, err = program("info", place, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def test_the_life_of_a_base(program: Program, place: str, tmp_path: Path) -> None:
    assert program("create", place, "--template", SHOP, "--name", "Лавка")[0] == 0
    told = info(program, place)
    assert {"mode", "configuration", "size_bytes", "rows", "content_digest"} <= told.keys()
    assert told["configuration"]["name"] == "Shop"  # type: ignore[index]
    assert program("create", place, "--template", SHOP)[0] == errors.InfobaseExists.exit_code
    findings = json.loads(program("check", place, "--json")[1])
    print(findings)
    assert program("dump", place, tmp_path / "b.dt")[0] == 0
    code, out, _ = program("verify", tmp_path / "b.dt")
    assert code == 0 and str(told["content_digest"]) in out
    copy = f'File="{tmp_path / "restored"}";'
    assert program("restore", tmp_path / "b.dt", copy)[0] == 0
    assert info(program, copy)["content_digest"] == told["content_digest"]
    assert program("restore", tmp_path / "b.dt", copy)[0] == errors.TargetExists.exit_code
    assert program("restore", tmp_path / "b.dt", copy, "--replace", "--yes")[0] == 0
    code, out, _ = program("query", place, "--source", "Справочник.Регионы", "--select", "Код,Наименование", "--json")
    assert code == 0 and "Тверь" in out
    assert program("drop", copy, "--yes")[0] == 0
    assert program("info", copy)[0] == errors.InfobaseNotFound.exit_code


def test_replicate_from_a_file_to_the_server_and_back(
    program: Program, tmp_path: Path, pg_url: str, pg_database: str
) -> None:
    source, again = f'File="{tmp_path / "a"}";', f'File="{tmp_path / "b"}";'
    server = postgres.connection_string(pg_url, pg_database)
    assert program("create", source, "--template", SHOP)[0] == 0
    assert program("replicate", source, server)[0] == 0
    assert program("replicate", server, again)[0] == 0
    digests = {str(info(program, p)["content_digest"]) for p in (source, server, again)}
    assert len(digests) == 1


def test_a_copy_has_its_own_id(program: Program, tmp_path: Path) -> None:
    source = tmp_path / "a"
    assert program("create", source, "--template", SHOP)[0] == 0
    assert program("copy", source, tmp_path / "b")[0] == 0
    first, second = info(program, str(source)), info(program, str(tmp_path / "b"))
    assert first["content_digest"] == second["content_digest"] and first["id"] != second["id"]


def test_configurations(program: Program, tmp_path: Path) -> None:
    base = tmp_path / "base"
    assert program("create", base, "--template", SHOP)[0] == 0
    assert program("config", "export", base, tmp_path / "out.cf")[0] == 0
    assert program("config", "export", base, tmp_path / "out")[0] == 0
    assert program("config", "check", tmp_path / "out.cf")[0] == 0
    changed = tmp_path / "out" / "Catalogs" / "Goods.toml"
    changed.write_text(
        changed.read_text(encoding="utf-8") + '\n[attributes.Weight]\nru = "Вес"\ntype = "Number(10,3)"\n',
        encoding="utf-8",
    )
    assert program("config", "import", tmp_path / "out", base)[0] == 0
    assert program("config", "apply", base)[0] == 0
    code, out, _ = program("query", base, "--source", "Catalog.Goods", "--select", "Вес", "--json")
    assert code == 0
    changed.write_text("kind = [", encoding="utf-8")
    code, out, err = program("config", "check", tmp_path / "out")
    assert code == errors.ConfigurationInvalid.exit_code and "Goods.toml:1" in out + err


def test_users(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tmp_path / "base"
    secret = tmp_path / "secret"
    secret.write_text("пароль\n", encoding="utf-8")
    assert program("create", base, "--template", SHOP, "--admin", "Админ", "--password-file", secret)[0] == 0
    assert program("info", base)[0] == errors.LoginFailed.exit_code
    assert program("info", base, "--user", "Админ", "--password-file", secret)[0] == 0
    (tmp_path / "wrong").write_text("x", encoding="utf-8")
    assert (
        program("info", base, "--user", "Админ", "--password-file", tmp_path / "wrong")[0]
        == errors.LoginFailed.exit_code
    )


def test_a_clerk_gets_no_dump(program: Program, tmp_path: Path) -> None:
    base = tmp_path / "base"
    secret = tmp_path / "secret"
    secret.write_text("s3cret!", encoding="utf-8")
    assert program("create", base, "--template", SHOP, "--admin", "Админ")[0] == 0
    login = ("--user", "Админ")
    assert program("user", "add", base, "Клерк", "--role", "Clerk", "--new-password-file", secret, *login)[0] == 0
    clerk = ("--user", "Клерк", "--password-file", secret)
    assert program("dump", base, tmp_path / "x.dt", *clerk)[0] == errors.AccessDenied.exit_code
    assert not (tmp_path / "x.dt").exists()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["info", "{tmp}/nowhere"], errors.InfobaseNotFound),
        (["info", 'File="unclosed;'], errors.ConnectionStringInvalid),
        (["verify", "{tmp}/empty"], errors.DumpInvalid),
        (["verify", "{tmp}/genuine.dt"], errors.GenuineFile),
        (["restore", "{tmp}/empty", "{tmp}/new"], errors.DumpInvalid),
        (["info", "{tmp}/genuine"], errors.GenuineFile),
        (["info", "{tmp}/foreign"], errors.InfobaseDamaged),
        (["create", "{tmp}/new", "--template", "{tmp}/empty"], errors.InfobaseError),
        (["config", "check", "{tmp}"], errors.ConfigurationUnreadable),
        (["nonsense"], errors.UsageError),
        (["dump"], errors.UsageError),
    ],
)
def test_what_a_careless_person_types(
    program: Program, tmp_path: Path, arguments: list[str], error: type[errors.InfobaseError]
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "genuine.dt").write_bytes(b"1CIBDmpF3" + b"\0" * 50)
    for name, content in (("genuine", b"1CDBMSV8\x08\x03\x08\x00" + b"\0" * 5000), ("foreign", b"not a base")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1Cv8.1CD").write_bytes(content)
    code, out, err = program(*(a.replace("{tmp}", str(tmp_path)) for a in arguments))
    assert code == error.exit_code or (error is errors.InfobaseError and code not in (0, 1))
    assert err.strip()
    assert not (tmp_path / "new").exists()


def test_both_languages(program: Program, tmp_path: Path) -> None:
    _, _, russian = program("--lang", "ru", "info", tmp_path / "no")
    _, _, english = program("info", tmp_path / "no", "--lang", "en")
    assert "не найдена" in russian and "not found" in english


def test_the_list(program: Program, tmp_path: Path) -> None:
    base = tmp_path / "base"
    assert program("create", base, "--template", SHOP)[0] == 0
    assert program("list", "add", "Лавка", base)[0] == 0
    assert "Лавка" in program("list", "show")[1]
    assert program("info", "Лавка")[0] == 0
    assert program("list", "remove", "Лавка")[0] == 0
    assert program("info", "Лавка")[0] != 0


def test_as_a_process_under_a_poor_locale(tmp_path: Path) -> None:
    environment = {**os.environ, "LANG": "C", "LC_ALL": "C", "INFOBASE_LANG": "ru", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "cli", "info", str(tmp_path / "нет")]
    done = subprocess.run(command, cwd=SHOP.parents[1], env=environment, capture_output=True, check=False)
    assert done.returncode == errors.InfobaseNotFound.exit_code
    assert "не найдена" in done.stderr.decode("utf-8")
    assert b"Traceback" not in done.stderr


def test_every_command_is_where_the_program_says_and_bears_its_name() -> None:
    for name, load in cli.COMMANDS.items():
        assert load().name == name


def test_a_command_imports_only_its_own_part() -> None:
    script = "import sys, cli; cli.root.commands['list']; print([m for m in sys.modules if m in ('classifiers', 'crm', 'uvicorn')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("line", "error"),
    [("info /nothing-here 2>/dev/full", errors.InfobaseNotFound), ("classifier kinds >/dev/full", errors.DiskFull)],
)
def test_a_full_disk_under_the_output_is_no_crash(line: str, error: type[errors.InfobaseError]) -> None:
    """Nothing can be said to a full disk: the exit code still tells."""
    program = ["sh", "-c", f"{sys.executable} -m cli {line}"]
    done = subprocess.run(program, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == error.exit_code, done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
