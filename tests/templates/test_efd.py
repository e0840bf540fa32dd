"""1C's own distributions: `setup.exe` beside a supply archive `1cv8.efd`. The archive is data, vetted as any package."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import onec_dtools
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infobase.errors import PackageRefused, TemplateInstalled
from templates_store.install import install
from tests.templates.conftest import Program
from tests.templates.samples import forged, package, zipped

HOME = "1c\\Shop\\1_0_0_1\\"


def text(value: str) -> bytes:
    raw = value.encode("utf-16-le", "surrogatepass")
    return struct.pack("<I", len(raw) // 2) + raw


def plain(members: Mapping[str, bytes] | list[tuple[str, bytes]], *, form: int = 1, longer: int = 0) -> bytes:
    """The inflated form. `longer`: how many bytes more each file announces than it has."""
    listed = list(members.items()) if isinstance(members, Mapping) else members
    out = [struct.pack("<III", form, 1, 0), *map(text, ("ru", "Магазин", 'Фирма "Лавка"', HOME + "ReadMe.txt"))]
    out.append(struct.pack("<I", len(listed)))
    for name, content in listed:
        out += [struct.pack("<I", 0), text(name), struct.pack("<QII", 132000000000000000, 0, len(content) + longer)]
    return b"".join([*out, *(content for _, content in listed)])


def squeezed(raw: bytes) -> bytes:
    squeezer = zlib.compressobj(wbits=-15)
    return squeezer.compress(raw) + squeezer.flush()


def supply(members: Mapping[str, bytes] | list[tuple[str, bytes]]) -> bytes:
    return squeezed(plain(members))


def shop(folder: Path) -> dict[str, bytes]:
    """The files of the little shop as 1C's archives name them."""
    source = package(folder)
    return {HOME + p.name: p.read_bytes() for p in sorted(source.iterdir())}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "tmplts"


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("form", ["folder", "zip", "zip with a folder", "the archive itself", "another name"])
def test_a_distribution_is_installed_as_setup_would(tmp_path: Path, root: Path, form: str) -> None:
    members = shop(tmp_path / "shop")
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "setup.exe").write_bytes(b"MZ never run")
    (disk / "setup").write_bytes(b"\x7fELF")
    (disk / "ReadMe.txt").write_bytes(b"of the disk")
    archive = disk / ("Supply.EFD" if form == "another name" else "1cv8.efd")
    archive.write_bytes(supply({**members, "1c\\other\\notes.txt": b"beside the template"}))
    source = {
        "zip": lambda: zipped(disk, tmp_path / "d.zip"),
        "zip with a folder": lambda: zipped(disk, tmp_path / "d.zip", "Дистрибутив/Disk 1/"),
        "the archive itself": lambda: archive,
    }.get(form, lambda: disk)()
    done = install(source, root)
    assert done.folder == root / "Фирма Лавка" / "Shop" / "1_0_0_1"
    assert content(done.folder) == {name.removeprefix(HOME): data for name, data in members.items()}
    with pytest.raises(TemplateInstalled):
        install(source, root)
    assert install(source, root, replace=True).replaced


def test_a_base_comes_from_a_distribution(program: Program, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "1cv8.efd").write_bytes(supply(shop(tmp_path / "shop")))
    code, out, err = program("template", "install", disk)
    assert code == 0 and "Описание поставки магазина" in out, err
    assert program("create", tmp_path / "base", "--template", "Магазин")[0] == 0


def test_the_same_bytes_as_the_library_reads(tmp_path: Path, root: Path) -> None:
    archive = tmp_path / "1cv8.efd"
    archive.write_bytes(supply({**shop(tmp_path / "shop"), HOME + "Formats\\a.bin": bytes(range(256)) * 5000}))
    with archive.open("rb") as file:
        onec_dtools.SupplyReader(file).unpack(str(tmp_path / "library"))
    assert content(install(archive, root).folder) == content(tmp_path / "library" / "1c" / "Shop" / "1_0_0_1")


BAD_NAMES = [
    "..\\..\\evil.txt",
    "C:\\evil.txt",
    "\\\\host\\share\\x",
    "/etc/evil",
    "1c\\con",
    "a\0b",
    "x\ud800y",
    "",
    "a" * 300,
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_path_tricks(tmp_path: Path, root: Path, name: str) -> None:
    refused(tmp_path, root, supply({**shop(tmp_path / "shop"), name: b"x"}))


def refused(tmp_path: Path, root: Path, raw: bytes) -> str:
    """Refused as a file and inside a zip alike, and nothing is left of it."""
    archive = tmp_path / "1cv8.efd"
    archive.write_bytes(raw)
    told = []
    for source in (archive, forged(tmp_path / "d.zip", {"setup.exe": b"MZ", "1cv8.efd": raw})):
        with pytest.raises(PackageRefused) as caught:
            install(source, root)
        told.append(str(caught.value).replace(str(source), ""))
    assert not root.exists() and told[0] == told[1]
    return told[0]


def test_damage_of_every_kind(tmp_path: Path, root: Path) -> None:
    members = shop(tmp_path / "shop")
    raw = plain(members)
    whole = squeezed(raw)
    for cut in (0, 1, len(whole) // 3, len(whole) - 1):
        refused(tmp_path, root, whole[:cut])
    for cut in (0, 7, 40, len(raw) - 1):
        refused(tmp_path, root, squeezed(raw[:cut]))
    refused(tmp_path, root, squeezed(plain(members, form=2)))
    refused(tmp_path, root, squeezed(plain(members, longer=1)))
    refused(tmp_path, root, squeezed(struct.pack("<II", 1, 0xFFFFFFFF)))
    refused(tmp_path, root, squeezed(struct.pack("<IIII", 1, 1, 0, 0xFFFFFFFF)))
    refused(tmp_path, root, squeezed(struct.pack("<III", 1, 0, 0xFFFFFFFF)))
    refused(tmp_path, root, supply([*members.items(), next(iter(members.items()))]))
    refused(tmp_path, root, supply({HOME + "1Cv8.cf": b"no manifest"}))
    refused(tmp_path, root, b"MZ not deflate at all" * 100)


def test_a_bomb_is_stopped_before_it_expands(tmp_path: Path, root: Path) -> None:
    raw = supply({**shop(tmp_path / "shop"), HOME + "zeros": b"\0" * (200 << 20)})
    assert len(raw) < 1 << 20
    refused(tmp_path, root, raw)


def test_two_archives_are_not_guessed_between(tmp_path: Path, root: Path) -> None:
    raw = supply(shop(tmp_path / "shop"))
    with pytest.raises(PackageRefused, match=r"b\.efd"):
        install(forged(tmp_path / "d.zip", {"a.efd": raw, "b.efd": raw}), root)
    assert not root.exists()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(raw=st.binary(max_size=400))
def test_any_bytes_are_refused(tmp_path: Path, raw: bytes) -> None:
    root = tmp_path / "fuzz"
    archive = tmp_path / "fuzz.efd"
    for made in (raw, squeezed(raw), squeezed(struct.pack("<II", 1, 0) + raw)):
        archive.write_bytes(made)
        with pytest.raises(PackageRefused):
            install(archive, root)
    assert not root.exists()
