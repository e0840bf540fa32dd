"""The list of infobases: real-life files are read, foreign lines survive, writing is atomic and exclusive."""

from __future__ import annotations

import codecs
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infobase import list_file
from infobase.connection_string import parse
from infobase.errors import ConnectionStringInvalid, ListInvalid

REAL = (
    "[FinDB]\r\n"
    'Connect=File="C:\\work\\db\\FinDB";\r\n'
    "ID=5e22411e-9314-4ac7-acb6-84a70063af0a\r\n"
    "OrderInList=20869.5\r\n"
    "Folder=/FinData\r\n"
    "HttpsCA=Windows\r\n"
    "[FinData]\r\n"
    "ID=5e22411e-9314-4ac7-acb6-84a70063af0b\r\n"
    "Folder=/\r\n"
    "[Мои=учебные]\r\n"
    'Connect=Srvr="h:1541";Ref="edu";\r\n'
    "Unknown key without a sign\r\n"
    "\r\n"
    "[! НЕ [Пустая]]\r\n"
    'Connect=File="/srv/crm";\r\n'
)
CANONICAL = codecs.BOM_UTF8 + REAL.encode()


@pytest.mark.parametrize(
    "raw",
    [
        CANONICAL,
        REAL.encode(),
        REAL.replace("\r\n", "\n").encode(),
        REAL.encode("utf-16"),
        codecs.BOM_UTF16_BE + REAL.encode("utf-16-be"),
        REAL.encode("utf-16-le"),
        REAL.encode("cp1251"),
    ],
)
def test_every_encoding_is_read_and_written_canonically(raw: bytes) -> None:
    found = list_file.from_bytes(raw, Path("x.v8i"))
    assert [s.name for s in found.bases] == ["FinDB", "Мои=учебные", "! НЕ [Пустая]"]
    assert found.bases[0].folder == "/FinData"
    assert [s.name for s in found.sections if s.is_group] == ["FinData"]
    assert list_file.to_bytes(found) == CANONICAL


_line = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\x00"), max_size=30)


@given(st.lists(_line, max_size=20))
def test_what_is_not_understood_stays_as_it_is(lines: list[str]) -> None:
    raw = codecs.BOM_UTF8 + "".join(line + "\r\n" for line in lines).encode()
    assert list_file.to_bytes(list_file.from_bytes(raw, Path("x"))) == raw


def test_adding_and_removing_leaves_all_else_byte_for_byte(tmp_path: Path) -> None:
    place = tmp_path / "ibases.v8i"
    place.write_bytes(CANONICAL)
    list_file.edit(place, lambda found: found.add("Новая", parse('File="/srv/new";Pwd=secret;'), "/FinData"))
    written = place.read_bytes()
    assert written.startswith(CANONICAL)
    assert b'Connect=File="/srv/new";\r\n' in written
    assert b"secret" not in written
    list_file.edit(place, lambda found: found.remove("новая"))
    assert place.read_bytes() == CANONICAL
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ibases.v8i", "ibases.v8i.lock"]


@pytest.mark.parametrize("name", ["", " x", "x\n[y]", "x" * 256, "\x07", "findb"])
def test_unfit_and_taken_names_are_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    place = tmp_path / "ibases.v8i"
    place.write_bytes(CANONICAL)
    with pytest.raises(ListInvalid):
        list_file.edit(place, lambda found: found.add(name, parse("/srv/x")))
    assert place.read_bytes() == CANONICAL


def test_removing_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ListInvalid):
        list_file.edit(tmp_path / "none.v8i", lambda found: found.remove("x"))
    assert not (tmp_path / "none.v8i").exists()


def test_a_torn_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ListInvalid):
        list_file.from_bytes(REAL.encode("utf-16")[:-1], tmp_path)


def test_resolving_names(tmp_path: Path) -> None:
    place = tmp_path / "ibases.v8i"
    place.write_bytes(CANONICAL)
    assert list_file.resolve("FinDB", place).get("File") == "C:\\work\\db\\FinDB"
    assert list_file.resolve("findb", place).get("File") == "C:\\work\\db\\FinDB"
    assert list_file.resolve("Мои=учебные", place).kind == "srvr"
    assert list_file.resolve("somewhere", place).get("File") == "somewhere"
    assert list_file.resolve("/a/b", place).get("File") == "/a/b"
    with pytest.raises(ConnectionStringInvalid):
        list_file.resolve("Usr=nobody", place)


def test_a_broken_entry_names_the_list(tmp_path: Path) -> None:
    place = tmp_path / "x.v8i"
    place.write_text('[bad]\nConnect=File="/a;Pwd=s3cr\n', "utf-8")
    with pytest.raises(ListInvalid) as caught:
        list_file.resolve("bad", place)
    assert str(place) in str(caught.value)
    assert "s3cr" not in str(caught.value)


def test_two_editors_lose_nothing(tmp_path: Path) -> None:
    place = tmp_path / "ibases.v8i"

    def add(i: int) -> None:
        list_file.edit(place, lambda found: found.add(f"b{i}", parse(f"/srv/{i}")))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(24)))
    assert sorted(s.name for s in list_file.read(place).bases) == sorted(f"b{i}" for i in range(24))


def test_default_place(tmp_path: Path) -> None:
    assert list_file.default_place({"INFOBASE_LIST": "/x/y.v8i"}) == Path("/x/y.v8i")
    if sys.platform != "win32":
        assert list_file.default_place({}).parts[-3:] == (".1C", "1cestart", "ibases.v8i")


def test_a_link_to_the_list_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.v8i", tmp_path / "link.v8i"
    real.write_bytes(CANONICAL)
    link.symlink_to(real)
    list_file.edit(link, lambda found: found.add("b", parse("/srv/b")))
    assert link.is_symlink()
    assert b"[b]" in real.read_bytes()


def test_a_killed_editor_leaves_the_old_list(tmp_path: Path) -> None:
    place = tmp_path / "ibases.v8i"
    place.write_bytes(CANONICAL)
    code = (
        "import os, sys, pathlib\nfrom infobase import list_file, files\nfrom infobase.connection_string import parse\n"
        "os.fsync = lambda _: os.kill(os.getpid(), 9)\n"
        "list_file.edit(pathlib.Path(sys.argv[1]), lambda found: found.add('x', parse('/x')))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(place)], check=False)
    assert done.returncode == -9
    assert place.read_bytes() == CANONICAL
    list_file.edit(place, lambda found: found.add("y", parse("/y")))
    assert b"[y]" in place.read_bytes()
