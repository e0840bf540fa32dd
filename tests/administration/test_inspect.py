"""`inspect` tells what a file is, ours or genuine, and meets damage with a clear error, in bounded time."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from pathlib import Path

import pytest

from infobase import errors
from infobase.inspection.recognise import inspect_file
from tests.administration import genuine
from tests.administration.conftest import Program
from tests.administration.test_log import text_log
from tests.bases import SHOP, Place, shop


def told(program: Program, path: Path) -> dict[str, object]:
    code, out, err = program("inspect", path, "--json")
    assert code == 0, err
    assert program("inspect", path)[0] == 0
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


# --- ours ---


def test_our_base_open_and_closed(program: Program, tmp_path: Path) -> None:
    place = Place(f'File="{tmp_path / "base"}";')
    place.create()
    with place.session() as session:
        for n in range(3):
            session.catalogs.Goods.new(Description=str(n)).write()
        busy = told(program, tmp_path / "base" / "1Cv8.1CD")
    before = sorted(p.name for p in (tmp_path / "base").rglob("*"))
    found = told(program, tmp_path / "base" / "1Cv8.1CD")
    assert sorted(p.name for p in (tmp_path / "base").rglob("*")) == before, "nothing is made beside it"
    for one in (busy, found, told(program, tmp_path / "base")):
        assert (one["kind"], one["genuine"]) == ("infobase", False)
        assert one["facts"]["Configuration"] == "Shop"  # type: ignore[index]
        assert one["tables"]["cat_goods"] == 3  # type: ignore[index]


def test_our_configuration_dump_and_list(program: Program, tmp_path: Path) -> None:
    base = tmp_path / "base"
    assert program("create", base, "--template", SHOP, "--name", "Лавка")[0] == 0
    assert program("config", "export", base, tmp_path / "a.cf")[0] == 0
    assert program("dump", base, tmp_path / "a.dt")[0] == 0
    cf, dt = told(program, tmp_path / "a.cf"), told(program, tmp_path / "a.dt")
    assert cf["kind"] == "configuration" and cf["facts"]["Version"] == shop().version  # type: ignore[index]
    assert dt["kind"] == "dump" and dt["facts"]["Infobase"] == "Лавка" and dt["tables"]  # type: ignore[index]
    (tmp_path / "l.v8i").write_text('\ufeff[A]\r\nConnect=File="C:\\a";\r\n[G]\r\nFolder=/\r\n', "utf-8")
    found = told(program, tmp_path / "l.v8i")
    assert (found["facts"]["Bases"], found["facts"]["Groups"]) == (1, 1)  # type: ignore[index]


def test_texts(program: Program, tmp_path: Path) -> None:
    log = text_log(tmp_path / "1Cv8Log")
    for path in (log, log / "1Cv8.lgf", log / "20240506000000.lgp"):
        found = told(program, path)
        assert found["kind"] == "event_log" and found["facts"]["Entries"] == 2  # type: ignore[index]
    (tmp_path / "1Cv8.cdn").write_text('{1,20260101000000,20260102000000,"Стоп","1",""}', "utf-8")
    assert told(program, tmp_path / "1Cv8.cdn")["facts"]["Message"] == "Стоп"  # type: ignore[index]
    (tmp_path / "1cv8.mft").write_bytes(
        "Vendor=Фирма\r\nName=УНФ\r\nVersion=3.0.1\r\n[Config1]\r\nCatalog=А/Б\r\nSource=1Cv8.cf".encode("utf-8-sig")
    )
    found = told(program, tmp_path / "1cv8.mft")
    assert found["facts"]["Templates"] == {"А/Б": "1Cv8.cf"}  # type: ignore[index]


# --- genuine ---


def genuine_files(folder: Path) -> dict[str, Path]:
    made = {name: folder / name for name in ("1Cv8.1CD", "1Cv8.efd", "1Cv8.dt")}
    made["1Cv8.1CD"].write_bytes(genuine.base_1cd())
    made["1Cv8.efd"].write_bytes(genuine.supply())
    made["1Cv8.dt"].write_bytes(genuine.dump())
    return made | {"1Cv8.cf": genuine.container(folder / "1Cv8.cf")}


def test_genuine_files(program: Program, tmp_path: Path) -> None:
    found = {name: told(program, path) for name, path in genuine_files(tmp_path).items()}
    assert all(f["genuine"] is True for f in found.values())
    base = found["1Cv8.1CD"]
    assert base["format"] == "1CD 8.3.8.0" and base["tables"] == {"CONFIG": 2, "_REFERENCE47": 2}
    for name in ("1Cv8.1CD", "1Cv8.cf"):
        facts = found[name]["facts"]
        assert (facts["Configuration"], facts["Version"]) == ('Управление "Х"', "3.0.10.5")  # type: ignore[index]
    assert found["1Cv8.efd"]["facts"]["Files"] == {"1c\\unf\\1Cv8.cf": 5}  # type: ignore[index]
    assert found["1Cv8.efd"]["facts"]["Vendor"] == "Фирма 1С"  # type: ignore[index]
    assert found["1Cv8.dt"]["format"] == "1CIBDmpF3"


def test_without_the_library_the_way_to_it_is_told(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "onec_dtools.py").write_text("raise ImportError('hidden')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hidden"))
    code, _, err = program("inspect", genuine_files(tmp_path)["1Cv8.1CD"])
    assert code == errors.ReaderMissing.exit_code and "infobase[onec]" in err


# --- damage ---

REFUSALS = (errors.FileDamaged, errors.FileUnrecognised)


@pytest.mark.parametrize("name", ["1Cv8.1CD", "1Cv8.cf", "1Cv8.efd", "1Cv8.dt"])
def test_damaged_genuine_files(tmp_path: Path, name: str) -> None:
    """Cut off or with bytes changed: told or refused, never a crash. In one process, as the child works; its limits are tested apart."""
    path = genuine_files(tmp_path)[name]
    whole = path.read_bytes()
    random_bytes = random.Random(5)
    damaged = [whole[: len(whole) * n // 10] for n in range(1, 10)]
    for _ in range(3):
        spoilt = bytearray(whole)
        for _ in range(20):
            spoilt[random_bytes.randrange(len(spoilt))] = random_bytes.randrange(256)
        damaged.append(bytes(spoilt))
    for content in damaged[:: 2 if name == "1Cv8.dt" else 4]:
        path.write_bytes(content)
        try:
            inspect_file(path)
        except errors.InfobaseError as e:
            assert isinstance(e, REFUSALS), e


@pytest.mark.skipif(sys.platform == "win32", reason="limits are POSIX")
def test_a_file_that_makes_the_parser_grow_forever_is_stopped(tmp_path: Path) -> None:
    """A chunk of a blob that follows itself."""
    raw = bytearray(genuine.base_1cd())
    at = raw.index(b"ru_RU") - 6
    raw[at : at + 4] = (1).to_bytes(4, "little")
    path = tmp_path / "1Cv8.1CD"
    path.write_bytes(raw)
    with pytest.raises(errors.FileDamaged):
        inspect_file(path)


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("x.bin", b"\x00\x01\x02", errors.FileUnrecognised),
        ("empty.1CD", b"", errors.FileUnrecognised),
        ("x.cf", b"PK\x03\x04broken", errors.FileDamaged),
        ("x.dt", b"PK\x05\x06" + b"\0" * 18, errors.FileUnrecognised),
        ("x.1CD", b"SQLite format 3\0" + b"x" * 200, errors.FileDamaged),
        ("x.cdn", b"hello", errors.FileDamaged),
        ("x.mft", b"hello", errors.FileUnrecognised),
        ("x.lgd", b"hello", errors.LogUnreadable),
        ("1Cv8.dt", b"1CIBDmpF3hello", errors.FileDamaged),
        ("x.efd", b"hello", errors.FileDamaged),
        ("x.v8i", bytes(range(1, 256)), errors.FileDamaged),
        ("y.cdn", b"\x01\x02,20260101,20270101,\xff", errors.FileDamaged),
    ],
)
def test_damage_is_a_clear_error(
    program: Program, tmp_path: Path, name: str, content: bytes, error: type[errors.InfobaseError]
) -> None:
    (tmp_path / name).write_bytes(content)
    code, _, err = program("inspect", tmp_path / name)
    assert code == error.exit_code, err
    assert name in err


def test_what_never_ends_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.dt")
    for place in (tmp_path / "pipe.dt", Path(os.devnull)):
        with pytest.raises(errors.FileUnrecognised):
            inspect_file(place)


def test_a_log_under_another_name_is_a_log(program: Program, tmp_path: Path) -> None:
    place = Place(f'File="{tmp_path / "base"}";')
    place.create()
    place.session().close()
    shutil.copy(tmp_path / "base" / "1Cv8Log" / "1Cv8.lgd", tmp_path / "1Cv8.1CD")
    assert told(program, tmp_path / "1Cv8.1CD")["kind"] == "event_log"


def test_a_period_without_a_record_does_not_hide_the_others(tmp_path: Path) -> None:
    folder = text_log(tmp_path)
    before = inspect_file(folder).tables
    (folder / "20991231000000.lgp").write_bytes(b"")
    assert inspect_file(folder).tables == before and before
