"""Packages are built by one command, installable, with a demonstration base that says it is one; data providers are installed code."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest

from classifiers.enaof import EnaofFile
from classifiers.okof import OkofFile
from classifiers.source import Member
from infobase import errors
from infobase.restore import verify_dump
from templates_store.lint import lint_path
from tests.bases import SHOP
from tests.templates.conftest import Program

ROOT = Path(__file__).parents[2]


@pytest.fixture
def author(tmp_path: Path) -> Path:
    """Somebody's configuration: nothing but its folder and a ReadMe."""
    folder = tmp_path / "shop"
    shutil.copytree(SHOP, folder / "configuration")
    (folder / "template").mkdir()
    (folder / "template" / "ReadMe.txt").write_text("Магазин {version} из {package}", encoding="utf-8")
    return folder


def build(program: Program, folder: Path, out: Path, *options: object) -> tuple[int, str, str]:
    return program("template", "build", folder, "--version", "2.0.0.1", "--out", out, "--vendor", "Лавка", *options)


def test_anybody_builds_installs_and_creates(program: Program, author: Path, tmp_path: Path) -> None:
    code, out, err = build(program, author, tmp_path / "out", "--json")
    assert code == 0, err
    told = json.loads(out)
    place = Path(told["place"])
    assert told["files"] == ["1Cv8.cf", "1Cv8new.dt", "1cv8.mft", "ReadMe.txt"]
    assert (place / "ReadMe.txt").read_text(encoding="utf-8") == f"Магазин 2.0.0.1 из {place.name}"
    assert not [f for f in lint_path(place) if f.severity != "note"]
    assert verify_dump(place / "1Cv8new.dt").configuration_version == "2.0.0.1"
    assert program("template", "install", place)[0] == 0
    code, out, _ = program("create", tmp_path / "base", "--template", "Shop", "--json")
    assert code == 0 and json.loads(out)["configuration"] == {"name": "Shop", "version": "2.0.0.1"}
    by_path = program("create", tmp_path / "second", "--template", place, "--json")
    assert json.loads(by_path[1])["template"].endswith("2.0.0.1")


def test_a_zip_is_the_same_package(program: Program, author: Path, tmp_path: Path) -> None:
    code, out, _ = build(program, author, tmp_path / "out", "--zip", "--json")
    place = Path(json.loads(out)["place"])
    assert code == 0 and place.suffix == ".zip"
    with zipfile.ZipFile(place) as archive:
        assert sorted(archive.namelist()) == json.loads(out)["files"]
    assert program("template", "install", place)[0] == 0
    assert [p.name for p in (tmp_path / "out").iterdir()] == [place.name]


def test_a_package_is_replaced_only_when_asked(program: Program, author: Path, tmp_path: Path) -> None:
    assert build(program, author, tmp_path / "out")[0] == 0
    assert build(program, author, tmp_path / "out")[0] == errors.TargetExists.exit_code
    assert build(program, author, tmp_path / "out", "--replace")[0] == 0
    assert len(list((tmp_path / "out").iterdir())) == 1


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ('demo = "нет такого"', ()),
        ("demo = 5", ()),
        ("colour = 'x'", ()),
        ("catalog = {fr = 'x'}", ()),
        ('catalog = {ru = "a\\nb"}', ()),
        ("catalog = ", ()),
        ("", ("--version", "один")),
        ("", ("--version", "1")),
        ("", ("--version", "1.0/../..")),
    ],
)
def test_what_cannot_be_built(
    program: Program, author: Path, tmp_path: Path, settings: str, options: tuple[str, ...]
) -> None:
    (author / "template.toml").write_text(settings, encoding="utf-8")
    code, _, err = build(program, author, tmp_path / "out", *options)
    assert code == errors.PackageNotBuilt.exit_code, err
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_an_authors_files_are_vetted_too(program: Program, author: Path, tmp_path: Path) -> None:
    (author / "template" / "link").symlink_to("/etc/passwd")
    assert build(program, author, tmp_path / "out")[0] == errors.PackageRefused.exit_code
    (author / "template" / "link").unlink()
    (author / "template" / "1CV8.dt").write_bytes(b"x")
    assert build(program, author, tmp_path / "out")[0] == errors.PackageNotBuilt.exit_code
    assert not list((tmp_path / "out").iterdir())


def test_no_folder_no_package(program: Program, tmp_path: Path) -> None:
    assert build(program, tmp_path / "none", tmp_path)[0] == errors.PackageNotBuilt.exit_code
    (tmp_path / "empty").mkdir()
    assert build(program, tmp_path / "empty", tmp_path)[0] == errors.ConfigurationUnreadable.exit_code


def test_code_in_the_folder_never_runs(program: Program, author: Path, tmp_path: Path) -> None:
    for name in ("supply.py", "__init__.py", "demo.py", "conftest.py", "sitecustomize.py"):
        (author / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')", encoding="utf-8")
    assert build(program, author, tmp_path / "out")[0] == 0
    assert not (tmp_path / "ran").exists()


def test_the_crms_own_package(program: Program, tmp_path: Path) -> None:
    code, out, err = program(
        "template", "build", ROOT / "crm", "--version", "1.0.0.1", "--out", tmp_path / "out", "--json"
    )
    assert code == 0, err
    told = json.loads(out)
    place = Path(told["place"])
    assert {"1Cv8.cf", "1Cv8new.dt", "1Cv8.dt", "1cv8.mft", "okof.xml", "enaof.xml", "ReadMe.txt"} < set(told["files"])
    assert "ExchangeRules/README.txt" in told["files"]
    assert told["dumps"]["1Cv8.dt"]["demo"] is True and told["dumps"]["1Cv8new.dt"]["demo"] is False
    assert told["dumps"]["1Cv8.dt"]["rows"] > 1000 > told["dumps"]["1Cv8new.dt"]["rows"]
    assert not [f for f in lint_path(place) if f.severity == "error"]
    assert program("template", "install", place)[0] == 0
    code, out, _ = program("create", tmp_path / "study", "--template", "CRM (демо)")
    assert code == 0 and "учебная" in out
    assert program("create", tmp_path / "work", "--template", "CRM")[0] == 0
    info = json.loads(program("info", tmp_path / "study", "--json")[1])
    assert info["demo"] is True and sum(info["rows"].values()) > 1000
    assert json.loads(program("info", tmp_path / "work", "--json")[1])["demo"] is False
    assert program("check", tmp_path / "study")[0] == 0


def member(name: str) -> Member:
    place = ROOT / "crm" / "template" / name
    return Member(name, str(place), place.stat().st_size, lambda: place.open("rb"))


def test_the_classifiers_of_the_package_are_read_by_their_loaders() -> None:
    okof = OkofFile(member("okof.xml"))
    items = {i.code: i for i in okof.items()}
    assert len(items) == okof.declared and not okof.warnings()
    assert items["320.26.2"].values["DepreciationGroups"] == "2" and items["320.26.2"].parent == "320.00.00.00"
    rates = {i.code: i.values for i in EnaofFile(member("enaof.xml")).items()}
    assert rates["48008"]["Rate"] == Decimal("12.5") and rates["50421"]["PercentOfCost"] == Decimal("0.22")


def test_what_is_shipped_holds_the_packages_data(tmp_path: Path) -> None:
    """A wheel made of the sources has the CRM's configuration, settings and files."""
    listed = subprocess.run(
        [
            sys.executable,
            "-c",
            "import setuptools; from setuptools.config.pyprojecttoml import read_configuration as r; import json; print(json.dumps(r('pyproject.toml')['tool']['setuptools']['package-data']))",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    patterns = json.loads(listed.stdout)["crm"]
    shipped = {p.relative_to(ROOT / "crm").as_posix() for pattern in patterns for p in (ROOT / "crm").glob(pattern)}
    wanted = {
        "template.toml",
        "template/okof.xml",
        "template/enaof.xml",
        "template/ReadMe.txt",
        "configuration/Configuration.toml",
    }
    assert wanted | {"template/ExchangeRules/README.txt"} <= shipped
