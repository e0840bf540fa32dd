"""Every fault of a package is explained, with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infobase import errors
from templates_store.lint import lint_manifest
from tests.templates.conftest import Program
from tests.templates.samples import MANIFEST, manifest, package

LINES = MANIFEST.format(version="1.0.0.1").splitlines()


def faults(tmp_path: Path, raw: bytes, folder: str = "p") -> dict[str, tuple[str, int]]:
    source = package(tmp_path / folder)
    (source / "1cv8.mft").write_bytes(raw)
    return {f.code: (f.severity, f.line) for f in lint_manifest(source / "1cv8.mft")}


def test_a_sound_package_has_only_the_remark_on_letter_case(tmp_path: Path) -> None:
    assert faults(tmp_path, manifest()) == {"source.case": ("warning", 9)}


CHANGES = [
    ("Vendor=", "Wendor=", "head.missing", "error", 1),
    ("Vendor=", "Wendor=", "key.unknown", "note", 1),
    ("Version=1.0.0.1", "Version=1.x", "version.form", "error", 3),
    ("Version=1.0.0.1", "Version=", "head.missing", "error", 3),
    ("[Config1]", "[]", "section.unnamed", "warning", 5),
    ("[Config1]", "Config1", "line.stray", "error", 5),
    ("[Config1]", "Config1", "manifest.empty", "error", 0),
    ("Catalog=Лавка:Магазин/Магазин", "Catalog=Лавка\\Магазин", "catalog.backslash", "warning", 6),
    ("Catalog=Лавка:Магазин/Магазин", "Catalog=Лавка//Магазин", "catalog.level", "warning", 6),
    ("Catalog=Лавка:Магазин/Магазин", "Catalog = Магазин", "line.spaces", "warning", 6),
    ("Catalog_en=Shop:Store/Store", "Catalog=Ещё", "key.repeated", "warning", 7),
    ("Destination=Shop\\Store", "Destination=C:\\Shop", "destination.outside", "error", 8),
    ("Destination=Shop\\Store", "Destination=..\\Shop", "destination.outside", "error", 8),
    ("Destination=Shop\\Store", "", "destination.missing", "note", 5),
    ("Source=1cv8.cf", "Source=no.cf", "source.missing", "error", 9),
    ("Source=1cv8.cf", "", "source.missing", "error", 5),
    ("Source=1cv8.cf", "Source=../x.cf", "source.missing", "error", 9),
    ("Source=1cv8.cf", "Source=ReadMe.txt", "source.kind", "error", 9),
    ("Source=1cv8.cf", "Source=1Cv8.cf\n[config1]\nCatalog=a\nSource=1Cv8.cf", "section.repeated", "warning", 10),
]


@pytest.mark.parametrize(
    ("old", "new", "code", "severity", "line"), CHANGES, ids=[f"{c[2]} {c[1]}"[:40] for c in CHANGES]
)
def test_each_fault_has_its_line(tmp_path: Path, old: str, new: str, code: str, severity: str, line: int) -> None:
    text = MANIFEST.format(version="1.0.0.1")
    assert old in text
    found = faults(tmp_path, manifest(text=text.replace(old, new).replace("{", "{{")))
    assert found[code] == (severity, line)


def test_faults_of_the_text(tmp_path: Path) -> None:
    found = faults(tmp_path, MANIFEST.format(version="1.0.0.1").encode("cp1251"))
    assert found["text.encoding"][0] == "warning" and found["text.lines"][0] == "note"
    assert faults(tmp_path, b"\xef\xbb\xbf\xff\xfe", "q")["text.damaged"][0] == "error"


def test_the_file_itself_is_looked_into(tmp_path: Path) -> None:
    source = package(tmp_path / "p")
    (source / "1Cv8.cf").write_bytes(b"PK\x03\x04 broken")
    assert "source.damaged" in {f.code for f in lint_manifest(source / "1cv8.mft")}
    (source / "1Cv8.cf").write_bytes(b"\xff\xff\xff\x7f genuine")
    assert "source.genuine" in {f.code for f in lint_manifest(source / "1cv8.mft")}


def test_the_version_folder_must_agree(tmp_path: Path) -> None:
    source = package(tmp_path / "1_0_0_2")
    assert "version.folder" in {f.code for f in lint_manifest(source / "1cv8.mft")}


def test_the_command(program: Program, tmp_path: Path, root: Path) -> None:
    source = package(tmp_path / "p")
    assert program("template", "lint", source)[0] == 0
    (source / "1Cv8.cf").unlink()
    code, out, err = program("template", "lint", source)
    assert code == errors.TemplateFaulty.exit_code and "1cv8.mft:9" in out and "1" in err
    told = json.loads(program("template", "lint", source, "--json")[1])
    assert {"severity", "code", "file", "line", "message"} == set(told[0])
    assert program("template", "lint")[0] == 0
    (tmp_path / "empty").mkdir()
    assert program("template", "lint", tmp_path / "empty")[0] == errors.TemplateFaulty.exit_code
