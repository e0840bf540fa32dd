"""Ways of packing: zip by bz2 and LZMA, a 7z inside a zip; their faults are told in Russian."""

from __future__ import annotations

import zipfile
from pathlib import Path

import py7zr
import pytest

from classifiers.source import open_source
from tests.classifiers.helpers import kind_of, read, refusal

BODY = "Код;Наименование\n" + "".join(f"{10000 + n};Форма номер {n}\n" for n in range(2000))


def zipped_by(path: Path, method: int, body: str = BODY) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("okopf.csv", body)
    return path


def seven_zip(path: Path) -> Path:
    with py7zr.SevenZipFile(path, "w") as archive:
        archive.writestr(BODY.encode(), "okopf.csv")
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zips_of_other_methods_load(tmp_path: Path, method: int) -> None:
    path = zipped_by(tmp_path / "a.zip", method)
    assert (kind_of(path), len(read("okopf", path)[1])) == ("okopf", 2000)
    bomb = zipped_by(tmp_path / "b.zip", method, BODY + " " * (9 * 1024 * 1024))
    assert "распакованный размер" in refusal("okopf", bomb)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zips_of_other_methods_that_are_damaged_are_refused(tmp_path: Path, method: int) -> None:
    data = bytearray(zipped_by(tmp_path / "a.zip", method).read_bytes())
    data[100:140] = bytes(40)
    (tmp_path / "a.zip").write_bytes(data)
    assert "архив zip повреждён" in refusal("okopf", tmp_path / "a.zip")


def test_a_seven_zip_inside_a_zip_is_looked_into(tmp_path: Path) -> None:
    inner = seven_zip(tmp_path / "inner.7z")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(inner, "set/inner.7z")
    assert len(read("okopf", tmp_path / "outer.zip")[1]) == 2000
    with open_source(tmp_path / "outer.zip") as source:
        assert [m.name for m in source.members] == ["set/inner.7z/okopf.csv"]


def test_faults_of_a_seven_zip_are_told_in_russian(tmp_path: Path) -> None:
    data = seven_zip(tmp_path / "a.7z").read_bytes()
    (tmp_path / "cut.7z").write_bytes(data[: len(data) // 2])
    assert "архив 7z повреждён: " in refusal("okopf", tmp_path / "cut.7z")
    spoiled = data[:40] + bytes(20) + data[60:]
    (tmp_path / "spoiled.7z").write_bytes(spoiled)
    told = refusal("okopf", tmp_path / "spoiled.7z").split(" | ")[0]
    assert "не читаются" in told or "не сходится" in told
