"""An infobase from a template, on both engines: at once whole, with its own id and administrator; the golden base is made once."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine_server.engine import GOLDEN
from infobase import errors
from infobase import infobase as bases
from infobase.connection import engine_of
from infobase.errors import InfobaseNotFound, PasswordRequired, TemplateNotFound, TemplateUnusable
from templates_store import golden
from templates_store.creating import NewBase, create
from templates_store.source import find_source
from tests import postgres
from tests.bases import SHOP
from tests.templates.conftest import Program
from tests.templates.samples import package, zipped


@pytest.fixture(params=["file", "server"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    """Connection strings of bases that are not there yet, of one engine."""
    if request.param == "file":
        yield [f'File="{tmp_path / name}";' for name in ("a", "b", "c", "d")]
        return
    url, name = request.getfixturevalue("pg_url"), request.getfixturevalue("pg_database")
    yield [postgres.connection_string(url, f"{name}_{n}") for n in range(4)]
    for prefix in (name, GOLDEN):
        postgres.drop_databases(url, prefix)


@pytest.fixture
def installed(program: Program, tmp_path: Path) -> Path:
    source = package(tmp_path / "package")
    assert program("template", "install", source, "--no-description")[0] == 0
    return source


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text("тайна-2026", encoding="utf-8")
    return file


def told(program: Program, place: str, *login: object) -> dict[str, object]:
    code, out, err = program("info", place, "--json", *login)
    assert code == 0, err
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def golden_files(tmp_path: Path) -> list[tuple[int, int]]:
    """Inode and time of change of each golden file: a golden base made again has others."""
    stats = [p.stat() for p in (tmp_path / "cache" / "golden").glob("*/1Cv8.1CD")]
    return [(s.st_ino, s.st_mtime_ns) for s in stats]


def test_a_base_by_name_and_by_path(
    program: Program, installed: Path, places: list[str], secret: Path, tmp_path: Path
) -> None:
    ways = ["Магазин", installed, installed / "1cv8.mft", installed / "1Cv8.cf"]
    login = ("--user", "Хозяин", "--password-file", secret)
    found = []
    for place, way in zip(places, ways, strict=True):
        code, out, err = program(
            "create",
            place,
            "--template",
            way,
            "--name",
            "Лавка",
            "--admin",
            "Хозяин",
            "--password-file",
            secret,
            "--json",
        )
        assert code == 0, err
        assert json.loads(out)["configuration"]["name"] == "Shop"
        assert program("info", place)[0] == errors.LoginFailed.exit_code
        found.append(told(program, place, *login))
        code, out, _ = program("log", "show", place, "--json", *login)
        assert code == 0 and "База создана из шаблона" in out and "_$InfoBase$_.DBConfigUpdate" in out
    assert len({f["id"] for f in found}) == 4
    assert {f["name"] for f in found} == {"Лавка"} and not any(f["demo"] for f in found)
    assert len({json.dumps(f["rows"]) for f in found}) == 1


def test_a_golden_base_is_made_once(program: Program, installed: Path, tmp_path: Path) -> None:
    assert program("create", tmp_path / "a", "--template", "Магазин")[0] == 0
    first = golden_files(tmp_path)
    assert len(first) == 1
    for name in ("b", "c"):
        assert program("create", tmp_path / name, "--template", "Магазин")[0] == 0
    assert golden_files(tmp_path) == first
    assert program("create", tmp_path / "d", "--template", "Магазин", "--no-cache")[0] == 0
    assert golden_files(tmp_path) == first
    digests = {told(program, str(tmp_path / n))["configuration"]["digest"] for n in "abcd"}  # type: ignore[index]
    assert len(digests) == 1


@pytest.mark.parametrize("damage", ["cut", "emptied", "garbage", "unsealed", "another template"])
def test_a_damaged_golden_base_is_made_anew(program: Program, installed: Path, tmp_path: Path, damage: str) -> None:
    assert program("create", tmp_path / "a", "--template", "Магазин")[0] == 0
    (file,) = (tmp_path / "cache" / "golden").glob("*/1Cv8.1CD")
    whole = file.read_bytes()
    match damage:
        case "cut":
            file.write_bytes(whole[: len(whole) // 2])
        case "emptied":
            file.write_bytes(b"")
        case "garbage":
            file.write_bytes(b"\x55" * len(whole))
        case "unsealed":
            file.with_name("1Cv8.1CD.sealed").unlink()
        case "another template":
            file.write_bytes(whole.replace(file.parent.name.encode(), b"0" * 24))
            stat = file.stat()
            file.with_name("1Cv8.1CD.sealed").write_text(f"{stat.st_size} {stat.st_mtime_ns}", encoding="ascii")
    assert program("create", tmp_path / "b", "--template", "Магазин")[0] == 0
    assert program("check", tmp_path / "b")[0] == 0
    (again,) = (tmp_path / "cache" / "golden").glob("*/1Cv8.1CD")
    assert len(again.read_bytes()) >= len(whole) // 2 and told(program, str(tmp_path / "b"))["name"] == "b"


def test_a_golden_database_that_is_gone_is_made_anew(
    tmp_path: Path, pg_url: str, pg_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFOBASE_CACHE", str(tmp_path / "cache"))
    source = package(tmp_path / "p") / "1Cv8.cf"
    for n in range(2):
        engine = engine_of(postgres.connection_string(pg_url, f"{pg_database}_{n}"))
        base = create(engine, source, NewBase("x", allow_empty=True))
        assert base.configuration[0] == "Shop"
        engine.close()
        postgres.drop_databases(pg_url, GOLDEN)
    postgres.drop_databases(pg_url, pg_database)


def test_a_server_demands_a_password(
    program: Program, installed: Path, pg_url: str, pg_database: str, secret: Path
) -> None:
    place = postgres.connection_string(pg_url, pg_database)
    code, _, err = program("create", place, "--template", "Магазин")
    assert code == PasswordRequired.exit_code and "--allow-empty-password" in err
    assert program("info", place)[0] == InfobaseNotFound.exit_code
    assert program("create", place, "--template", "Магазин", "--allow-empty-password")[0] == 0
    assert program("drop", place, "--yes")[0] == 0
    assert program("create", place, "--template", "Магазин", "--password-file", secret)[0] == 0
    assert program("info", place, "--password-file", secret)[0] == 0
    postgres.drop_databases(pg_url, GOLDEN)


def demo_dump(program: Program, folder: Path) -> Path:
    """As `template build` makes it for a package."""
    engine = engine_of(f'File="{folder / "demo"}";')
    base = bases.create(engine, find_configuration(), name="Демо", admin="Учитель")
    with engine.transaction(write=True) as tx:
        bases.write_identity(base.kernel, tx, "Демо", demo=True)
    engine.close()
    dump = folder / "1Cv8.dt"
    assert program("dump", folder / "demo", dump)[0] == 0
    return dump


def test_a_demo_base_is_known_as_one_wherever_it_goes(
    program: Program, places: list[str], tmp_path: Path, secret: Path
) -> None:
    dump = demo_dump(program, tmp_path)
    assert "учебная" in program("verify", dump)[1] and json.loads(program("verify", dump, "--json")[1])["demo"] is True
    login = ("--password-file", secret)
    code, out, err = program("create", places[0], "--template", dump, "--password-file", secret)
    assert code == 0 and "учебная" in out, err
    assert told(program, places[0], *login)["demo"] is True
    assert "учебная" in program("info", places[0], *login)[1]
    assert program("restore", dump, places[1])[0] == 0 and told(program, places[1])["demo"] is True
    again = tmp_path / "again.dt"
    assert program("dump", places[0], again, *login)[0] == 0
    assert program("restore", again, places[2])[0] == 0 and told(program, places[2], *login)["demo"] is True


def test_a_demo_base_stays_one_through_copies_backups_and_moves(
    program: Program, places: list[str], tmp_path: Path, secret: Path
) -> None:
    """Preparing it for a client keeps the mark too, until it is taken off knowingly."""
    dump = demo_dump(program, tmp_path)
    demo, login = places[0], ("--user", "Учитель", "--password-file", secret)
    assert program("create", demo, "--template", dump, "--password-file", secret)[0] == 0
    marked = {"created": demo}
    for what, arguments in {
        "copied": ("copy", demo, tmp_path / "copied"),
        "backed up": ("backup", demo, tmp_path / "backups", "--plain"),
        "moved": ("replicate", demo, tmp_path / "moved"),
    }.items():
        code, _, err = program(*arguments, *login)
        assert code == 0, err
        marked[what] = str(tmp_path / what)
    del marked["backed up"]
    (backup,) = (p for p in (tmp_path / "backups").iterdir() if not p.name.startswith("."))
    assert program("backup", "restore", backup, tmp_path / "restored")[0] == 0
    marked["restored"] = str(tmp_path / "restored")
    assert {what: told(program, place, *login)["demo"] for what, place in marked.items()} == dict.fromkeys(marked, True)
    assert program("prepare", tmp_path / "copied", "--yes", *login)[0] == 0
    assert told(program, str(tmp_path / "copied"), *login)["demo"] is True
    assert program("prepare", tmp_path / "copied", "--yes", "--for-work", *login)[0] == 0
    assert told(program, str(tmp_path / "copied"), *login)["demo"] is False


def test_golden_bases_are_counted_and_cleared(program: Program, installed: Path, tmp_path: Path) -> None:
    def cache(*arguments: object) -> dict[str, Any]:
        code, out, err = program("template", "cache", "--json", *arguments)
        assert code == 0, err
        found = json.loads(out)
        assert isinstance(found, dict)
        return found

    assert cache()["count"] == 0
    assert program("create", tmp_path / "a", "--template", "Магазин")[0] == 0
    found = cache()
    (file,) = (tmp_path / "cache" / "golden").glob("*/1Cv8.1CD")
    assert found["count"] == 1 and found["bytes"] >= file.stat().st_size and not found["cleared"]
    assert program("template", "cache", tmp_path / "a")[0] == errors.UsageError.exit_code
    assert file.exists()
    assert cache("--clear") == {**found, "cleared": True}
    assert not file.exists() and cache()["count"] == 0
    assert program("create", tmp_path / "b", "--template", "Магазин")[0] == 0
    assert program("check", tmp_path / "a")[0] == 0 and cache()["count"] == 1


def test_golden_databases_are_cleared_beside_a_base(
    program: Program, installed: Path, pg_url: str, pg_database: str
) -> None:
    place = postgres.connection_string(pg_url, pg_database)
    assert program("create", place, "--template", "Магазин", "--allow-empty-password")[0] == 0
    code, out, err = program("template", "cache", place, "--clear", "--json")
    assert code == 0 and json.loads(out)["count"] == 1, err
    assert json.loads(program("template", "cache", place, "--clear", "--json")[1])["count"] == 0
    assert program("info", place)[0] == 0
    postgres.drop_databases(pg_url, pg_database)


def find_configuration() -> bases.Configuration:
    from infobase.metadata.reader import read_folder

    return read_folder(SHOP)


def test_users_of_a_dump_stay_and_its_administrator_gets_the_password(
    program: Program, tmp_path: Path, secret: Path
) -> None:
    assert program("create", tmp_path / "a", "--template", SHOP, "--admin", "Админ")[0] == 0
    assert program("dump", tmp_path / "a", tmp_path / "a.dt")[0] == 0
    assert program("create", tmp_path / "b", "--template", tmp_path / "a.dt")[0] == 0
    assert told(program, str(tmp_path / "b"), "--user", "Админ")["name"] == "b"
    assert program("create", tmp_path / "c", "--template", tmp_path / "a.dt", "--admin", "Чужой")[0] == 2
    assert not (tmp_path / "c").exists()
    done = program(
        "create", tmp_path / "c", "--template", tmp_path / "a.dt", "--admin", "админ", "--password-file", secret
    )
    assert done[0] == 0
    assert program("info", tmp_path / "c")[0] == errors.LoginFailed.exit_code
    assert program("info", tmp_path / "c", "--user", "Админ", "--password-file", secret)[0] == 0


def test_a_base_without_anybody(program: Program, installed: Path, tmp_path: Path) -> None:
    assert program("create", tmp_path / "a", "--template", "Магазин", "--admin", "")[0] == 0
    assert "Administrator" not in program("user", "list", tmp_path / "a")[1]


def test_what_cannot_be_a_template(program: Program, installed: Path, tmp_path: Path) -> None:
    archive = zipped(installed, tmp_path / "p.zip")
    (tmp_path / "genuine.cf").write_bytes(b"\xff\xff\xff\x7f" + b"\0" * 100)
    (tmp_path / "genuine.dt").write_bytes(b"1CIBDmpF3" + b"\0" * 100)
    (tmp_path / "broken.dt").write_bytes(b"PK\x03\x04")
    (tmp_path / "folder").mkdir()
    expected = {
        archive: TemplateUnusable,
        tmp_path / "genuine.cf": errors.GenuineFile,
        tmp_path / "genuine.dt": errors.GenuineFile,
        tmp_path / "broken.dt": errors.DumpInvalid,
        tmp_path / "folder": TemplateNotFound,
        tmp_path / "none": TemplateNotFound,
    }
    for given, error in expected.items():
        code, _, err = program("create", tmp_path / "new", "--template", given)
        assert code == error.exit_code, err
        assert not (tmp_path / "new").exists()
    assert program("create", "--template", "Магазин")[0] == errors.UsageError.exit_code
    assert not golden_files(tmp_path)


def test_a_path_wins_over_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = package(tmp_path / "Магазин")
    assert find_source("Магазин", "", list).path.samefile(source / "1Cv8.cf")


def test_a_cache_that_cannot_be_written(program: Program, installed: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"in the way")
    assert program("create", tmp_path / "a", "--template", "Магазин")[0] == 0
    assert program("check", tmp_path / "a")[0] == 0


def test_a_file_that_changed_is_another_template(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    source = tmp_path / "x.cf"
    source.write_bytes(b"one")
    first = golden.template_key(source, folder)
    assert golden.template_key(source, folder) == golden.template_key(source) == first
    source.write_bytes(b"two")
    assert golden.template_key(source, folder) == golden.template_key(source) != first
    for note in folder.iterdir():
        note.write_bytes(b"\xff garbage")
    assert golden.template_key(source, folder) == golden.template_key(source)


KILLED = """
import os, signal, sys
from pathlib import Path
from typing import Any
from infobase.connection import engine_of
from templates_store.creating import NewBase, create
left, watched = int(sys.argv[3]), sys.argv[4]
def step(event, arguments):
    global left
    if event in ("os.rename", "open", "os.mkdir", "sqlite3.connect", "os.remove", "os.utime", "os.chmod") and watched in str(arguments):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(step)
engine = engine_of(f'File="{sys.argv[2]}";')
create(engine, Path(sys.argv[1]), NewBase("x"))
engine.close()
print("done")
"""


def whole_or_absent(place: Path) -> bool:
    engine = engine_of(f'File="{place}";')
    try:
        if not engine.exists():
            return False
        assert bases.open_base(engine).name == "x"
        assert not engine.check() or all(f.severity != "error" for f in engine.check())
        return True
    finally:
        engine.close()


def test_killed_at_any_moment_there_is_a_whole_base_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFOBASE_CACHE", str(tmp_path / "cache"))
    source = package(tmp_path / "p") / "1Cv8.cf"
    ended = 0
    for moment in range(0, 400, 7):
        place = tmp_path / f"base{moment}"
        command = [sys.executable, "-c", KILLED, str(source), str(place), str(moment), str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        found = whole_or_absent(place)
        if "done" in done.stdout:
            assert found
            ended += 1
            if ended == 2:
                break
    assert ended == 2
    assert len(list((tmp_path / "cache" / "golden").glob("*/1Cv8.1CD"))) == 1
    assert not list((tmp_path / "cache" / "golden").glob("*/*.new"))


def test_killed_on_the_server_there_is_a_whole_base_or_none(
    tmp_path: Path, pg_url: str, pg_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFOBASE_CACHE", str(tmp_path / "cache"))
    source = package(tmp_path / "p") / "1Cv8.cf"
    code = (
        "import sys; from pathlib import Path; from infobase.connection import engine_of;"
        "from templates_store.creating import NewBase, create; print('ready', flush=True);"
        "create(engine_of(sys.argv[2]), Path(sys.argv[1]), NewBase('x', allow_empty=True)); print('done')"
    )
    for number in range(7):
        place = postgres.connection_string(pg_url, f"{pg_database}_{number}")
        command = [sys.executable, "-c", code, str(source), place]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert running.stdout is not None and running.stdout.readline() == "ready\n"
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(0.12 * number * number if number < 6 else 60)
        running.kill()
        running.communicate()
        engine = engine_of(place)
        if engine.exists():
            assert bases.open_base(engine).name == "x"
        else:
            assert number < 6
            assert create(engine, source, NewBase("again", allow_empty=True)).name == "again"
        engine.close()
    for prefix in (pg_database, GOLDEN):
        postgres.drop_databases(pg_url, prefix)


def test_first_uses_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFOBASE_CACHE", str(tmp_path / "cache"))
    source = package(tmp_path / "p") / "1Cv8.cf"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", KILLED, str(source), str(tmp_path / f"b{n}"), "100000", "-"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(3)
    ]
    answers = [p.communicate(timeout=120) for p in running]
    assert ["done" in out for out, _ in answers] == [True] * 3, answers
    assert all(whole_or_absent(tmp_path / f"b{n}") for n in range(3))
    assert len(golden_files(tmp_path)) == 1


def test_golden_files_used_long_ago_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFOBASE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(golden, "MAX_CACHE_BYTES", 1)
    sources = [package(tmp_path / f"p{n}", f"1.0.0.{n}") / "1Cv8.cf" for n in range(2)]
    (tmp_path / "p1" / "1Cv8.cf").write_bytes((tmp_path / "p1" / "1Cv8.cf").read_bytes())
    for n, source in enumerate(sources):
        other = source if n == 0 else source.rename(source.with_suffix(".CF"))
        engine = engine_of(f'File="{tmp_path / f"b{n}"}";')
        create(engine, other, NewBase("x", password="п" if n else ""))
        engine.close()
    assert len(golden_files(tmp_path)) == 1


class Acts:
    """What a piece of work does to the disk: statements given to SQLite, files and folders made, durable writes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.statements: list[str] = []
        self.syncs = self.databases = 0
        connect, fsync = sqlite3.connect, os.fsync

        def traced(*args: Any, **settings: Any) -> sqlite3.Connection:
            conn = connect(*args, **settings)
            self.databases += args[0] != ":memory:"
            if args[0] != ":memory:":
                conn.set_trace_callback(self.statements.append)
            return conn

        def counted(handle: Any) -> None:
            self.syncs += 1
            fsync(handle)

        monkeypatch.setattr(sqlite3, "connect", traced)
        monkeypatch.setattr(os, "fsync", counted)


def test_a_clone_costs_two_durable_writes_and_one_opening(
    program: Program, installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file's and its folder's: one more, or one more reading of the schema, and a small base takes half as long again."""
    assert program("create", tmp_path / "a", "--template", installed / "1Cv8.cf")[0] == 0
    engine = engine_of(f'File="{tmp_path / "b"}";')
    with monkeypatch.context() as patch:
        acts = Acts(patch)
        create(engine, installed / "1Cv8.cf", NewBase("b", allow_empty=True))
    engine.close()
    assert (acts.syncs, acts.databases) == (2, 1)
    assert len(acts.statements) <= 20
    made = sorted(str(p.relative_to(tmp_path / "b")) for p in (tmp_path / "b").rglob("*"))
    assert made == ["1Cv8.1CD", "1Cv8Log", "1Cv8Log/1Cv8.lgd", "1Cv8Log/1Cv8.lgd.cfl"]
    assert program("check", tmp_path / "b")[0] == 0


def test_two_creators_of_one_place_never_mix(installed: Path, tmp_path: Path) -> None:
    """The second to finish finds the first one's base, and leaves it as it is."""
    places = [engine_of(f'File="{tmp_path / "b"}";') for _ in range(2)]
    staged = [e.create() for e in places]
    for number, store in enumerate(staged):
        bases.lay_out(store, bases.EMPTY)
        with store.transaction(write=True) as tx:
            bases.write_identity(bases.Kernel(bases.EMPTY, store), tx, str(number))
    places[0].publish(staged[0], replace=False)
    with pytest.raises(errors.InfobaseExists):
        places[1].publish(staged[1], replace=False)
    staged[1].drop()
    assert bases.open_base(places[0]).name == "0"
    assert not list((tmp_path / "b").glob("*.new*"))
    for engine in (*places, *staged):
        engine.close()
