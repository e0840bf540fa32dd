"""Installing and removing packages: whole or not at all, whatever the package and whenever the program dies."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from infobase import errors
from infobase.errors import PackageRefused, TemplateInstalled, TemplateRootUnusable
from templates_store.install import install, remove, settle
from templates_store.package import safe_path
from templates_store.tree import find_manifests
from tests.templates.conftest import Program
from tests.templates.samples import MANIFEST, forged, manifest, package, snapshot, zipped


def version_at(root: Path) -> Path:
    return root / 'Фирма "Лавка"'.replace('"', "") / "Shop" / "1_0_0_1"


@pytest.mark.parametrize("form", ["folder", "zip", "zip in a folder"])
def test_a_package_lands_where_1c_puts_it(tmp_path: Path, root: Path, form: str) -> None:
    source = package(tmp_path / "p")
    (source / "ExchangeRules").mkdir()
    (source / "ExchangeRules" / "README.txt").write_text("пусто", encoding="utf-8")
    given = source if form == "folder" else zipped(source, tmp_path / "p.zip", "" if form == "zip" else "shop-1/")
    done = install(given, root)
    assert done.folder == version_at(root)
    assert snapshot(done.folder) == snapshot(source)
    assert done.files == 4 and not done.replaced
    assert stat.S_IMODE((done.folder / "1cv8.mft").stat().st_mode) == 0o644


def test_versions_lie_side_by_side(tmp_path: Path, root: Path) -> None:
    for version in ("1.0.0.1", "1.0.0.2"):
        install(package(tmp_path / version, version), root)
    assert sorted(p.name for p in version_at(root).parent.iterdir()) == ["1_0_0_1", "1_0_0_2"]


def test_a_version_is_replaced_only_when_asked(tmp_path: Path, root: Path) -> None:
    install(package(tmp_path / "a", old=b"1"), root)
    before = snapshot(root)
    changed = package(tmp_path / "b", new=b"2")
    with pytest.raises(TemplateInstalled):
        install(changed, root)
    assert snapshot(root) == before
    assert install(changed, root, replace=True).replaced
    assert snapshot(version_at(root)) == snapshot(changed)
    assert [p.name for p in version_at(root).parent.iterdir()] == ["1_0_0_1"]


# --- what is refused ---

GOOD = {"1cv8.mft": manifest(), "1Cv8.cf": b"x"}


def refused(source: Path, root: Path) -> str:
    with pytest.raises(PackageRefused) as caught:
        install(source, root)
    assert not root.exists(), "a refused package leaves no trace"
    return str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "../out.txt",
        "a/../../out.txt",
        "..\\out.txt",
        "/etc/out",
        "\\out",
        "\\\\host\\share\\x",
        "C:\\out",
        "c:out",
        "a/con.txt",
        "a/NUL",
        "a/b. ",
        "a/b.",
        "file:stream",
        "a\tb",
        "/".join("d" * 20),
        "x" * 250,
        "a/<b>",
    ],
)
def test_names_that_lead_out_or_that_no_system_holds(tmp_path: Path, root: Path, name: str) -> None:
    refused(forged(tmp_path / "p.zip", {**GOOD, name: b"x"}), root)
    assert not (tmp_path / "out.txt").exists()


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_in_a_zip(tmp_path: Path, root: Path, mode: int) -> None:
    place = forged(tmp_path / "p.zip", GOOD)
    with zipfile.ZipFile(place, "a") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (mode | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    assert "ссылка" in refused(place, root) or "link" in refused(place, root)


def symbolic(folder: Path) -> None:
    (folder / "x").symlink_to("/etc/passwd")


def symbolic_folder(folder: Path) -> None:
    (folder / "x").symlink_to("/etc", target_is_directory=True)


def hard(folder: Path) -> None:
    (folder.parent / "secret").write_bytes(b"s")
    os.link(folder.parent / "secret", folder / "x")


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "x")


def twins(folder: Path) -> None:
    (folder / "README.TXT").write_bytes(b"")


@pytest.mark.parametrize("spoil", [symbolic, symbolic_folder, hard, pipe, twins])
def test_what_no_folder_may_hold(tmp_path: Path, root: Path, spoil: Callable[[Path], None]) -> None:
    source = package(tmp_path / "p")
    spoil(source)
    refused(source, root)


def test_bombs(tmp_path: Path, root: Path) -> None:
    refused(forged(tmp_path / "a.zip", {**GOOD, "big": b"\0" * (80 << 20)}), root)
    refused(forged(tmp_path / "b.zip", [*GOOD.items(), *((f"f{i}", b"") for i in range(20_001))]), root)


def test_a_size_that_lies(tmp_path: Path, root: Path) -> None:
    place = forged(tmp_path / "p.zip", {**GOOD, "big": b"\0" * 100_000})
    raw = place.read_bytes()
    place.write_bytes(raw.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    refused(place, root)


def test_members_that_share_bytes(tmp_path: Path, root: Path) -> None:
    place = forged(tmp_path / "p.zip", {**GOOD, "a": b"x" * 100, "b": b"x" * 100})
    raw = bytearray(place.read_bytes())
    last = raw.rindex(b"PK\x01\x02")
    before = raw.rindex(b"PK\x01\x02", 0, last)
    raw[last + 42 : last + 46] = raw[before + 42 : before + 46]
    place.write_bytes(raw)
    refused(place, root)


def test_repeated_and_encrypted_members(tmp_path: Path, root: Path) -> None:
    refused(forged(tmp_path / "a.zip", [*GOOD.items(), ("1CV8.CF", b"y")]), root)
    refused(forged(tmp_path / "b.zip", [*GOOD.items(), ("1Cv8.cf/x", b"y")]), root)
    place = forged(tmp_path / "c.zip", GOOD)
    raw = bytearray(place.read_bytes())
    raw[raw.rindex(b"PK\x01\x02") + 8] |= 1
    place.write_bytes(raw)
    refused(place, root)


@pytest.mark.parametrize(
    "files",
    [
        {"1Cv8.cf": b"x"},
        {"1cv8.mft": b""},
        {"1cv8.mft": manifest(text=MANIFEST.replace("Vendor", "Wendor"))},
        {"1cv8.mft": manifest(text=MANIFEST.replace("Version={version}\n", ""))},
        {"1cv8.mft": manifest(text=MANIFEST.replace("Shop\nV", "..\nV"))},
        {"a/1cv8.mft": manifest(), "b/1cv8.mft": manifest("2.0")},
    ],
    ids=["no manifest", "empty manifest", "no vendor", "no version", "dots for a name", "two packages"],
)
def test_packages_without_a_sound_manifest(tmp_path: Path, root: Path, files: dict[str, bytes]) -> None:
    refused(forged(tmp_path / "p.zip", files), root)


def test_a_package_cut_short(tmp_path: Path, root: Path) -> None:
    whole = zipped(package(tmp_path / "p"), tmp_path / "p.zip").read_bytes()
    for cut in range(0, len(whole), max(len(whole) // 25, 1)):
        (tmp_path / "cut.zip").write_bytes(whole[:cut])
        refused(tmp_path / "cut.zip", root)


def test_a_flipped_byte_never_installs_half(tmp_path: Path, root: Path) -> None:
    whole = zipped(package(tmp_path / "p"), tmp_path / "p.zip").read_bytes()
    for at in range(0, len(whole), max(len(whole) // 60, 1)):
        (tmp_path / "bad.zip").write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            install(tmp_path / "bad.zip", root)
        except PackageRefused:
            assert not root.exists()
        else:
            remove(next(find_manifests(root)).parent, root)
            (root / ".infobase.lock").unlink()
            root.rmdir()


def test_a_folder_does_not_go_into_itself(tmp_path: Path) -> None:
    source = package(tmp_path / "p")
    with pytest.raises(PackageRefused):
        install(source, source / "tmplts")
    assert not (source / "tmplts").exists()


def test_a_root_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TemplateRootUnusable):
        install(package(tmp_path / "p"), tmp_path / "file")


def test_paths_are_normal() -> None:
    assert str(safe_path(".\\a//b/./c.txt")) == "a/b/c.txt"


# --- removal ---


def test_removing_takes_the_empty_folders_along(tmp_path: Path, root: Path) -> None:
    for version in ("1.0.0.1", "1.0.0.2"):
        install(package(tmp_path / version, version), root)
    remove(version_at(root), root)
    assert [f.parent.name for f in find_manifests(root)] == ["1_0_0_2"]
    remove(version_at(root).with_name("1_0_0_2"), root)
    assert [p.name for p in root.iterdir()] == [".infobase.lock"]


def test_a_root_or_a_folder_of_folders_is_not_removed(tmp_path: Path, root: Path) -> None:
    install(package(tmp_path / "a"), root)
    (root / "1cv8.mft").write_bytes(manifest())
    with pytest.raises(TemplateRootUnusable):
        remove(root, root)
    with pytest.raises(TemplateRootUnusable):
        remove(version_at(root).parent, root)


def test_hidden_folders_of_others_are_left_alone(tmp_path: Path, root: Path) -> None:
    install(package(tmp_path / "a"), root)
    for name in (".notes.old", ".x.0123abcd.new", ".git"):
        (version_at(root).parent / name).mkdir()
        (version_at(root).parent / name / "1cv8.mft").write_bytes(b"mine")
    settle(root)
    install(package(tmp_path / "b"), root, replace=True)
    assert len(list(version_at(root).parent.iterdir())) == 4


# --- killed ---

KILLED = """
import os, signal, sys
from pathlib import Path
from templates_store import install as m
left = int(sys.argv[4])
def step(event, _):
    global left
    if event in ("os.rename", "open", "os.mkdir", "os.chmod", "os.rmdir", "os.remove", "shutil.rmtree") and any(sys.argv[2] in str(a) for a in _):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(step)
m.install(Path(sys.argv[1]), Path(sys.argv[2]), replace=True)
print("done")
"""


def test_killed_at_any_moment_the_old_or_the_new_is_there(tmp_path: Path, root: Path) -> None:
    old, new = package(tmp_path / "a", old=b"1"), package(tmp_path / "b", new=b"2")
    states = (snapshot(old), snapshot(new))
    for moment in range(0, 200, 2):
        install(old, root, replace=True)
        command = [sys.executable, "-c", KILLED, str(new), str(root), "-", str(moment)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        settle(root)
        assert snapshot(version_at(root)) in states, moment
        assert [p.name for p in version_at(root).parent.iterdir()] == ["1_0_0_1"], moment
        if "done" in done.stdout:
            assert moment > 20
            return
    raise AssertionError("the installation never came to its end")


def test_killed_at_its_first_installation_nothing_or_all_is_there(tmp_path: Path, root: Path) -> None:
    new = package(tmp_path / "b")
    for moment in range(0, 100, 3):
        command = [sys.executable, "-c", KILLED, str(new), str(root), "-", str(moment)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        settle(root)
        found = list(find_manifests(root))
        assert not found or snapshot(found[0].parent) == snapshot(new)
        if "done" in done.stdout:
            return
        if found:
            remove(found[0].parent, root)
    raise AssertionError("the installation never came to its end")


def test_two_at_once_both_succeed_or_one_is_told(tmp_path: Path, root: Path) -> None:
    source = package(tmp_path / "p")
    code = "import sys; from pathlib import Path; from templates_store.install import install; install(Path(sys.argv[1]), Path(sys.argv[2]))"
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(source), str(root)], stderr=subprocess.PIPE) for _ in range(3)
    ]
    failures = [p.communicate(timeout=60)[1] for p in running]
    assert sum(p.returncode == 0 for p in running) == 1
    assert sum(b"TemplateInstalled" in f for f in failures) == 2
    assert snapshot(version_at(root)) == snapshot(source)


# --- commands ---


def test_the_description_is_shown_unless_declined(program: Program, tmp_path: Path, root: Path) -> None:
    source = package(tmp_path / "p")
    (source / "1cv8upd.htm").write_bytes(
        '<html><head><meta charset="windows-1251"><script>alert(1)</script></head><body><p>Новое <b>в версии</b></p><img src="http://x/y"></body></html>'.encode(
            "cp1251"
        )
    )
    (source / "UpdInfo.txt").write_bytes("Version=1.0.0.1\r\nОбновление".encode("cp1251"))
    code, out, _ = program("template", "install", source)
    assert code == 0 and "Описание поставки магазина" in out and "Новое в версии" in out and "Обновление" in out
    assert "alert" not in out and "<" not in out
    code, out, _ = program("template", "install", source, "--replace", "--no-description")
    assert code == 0 and "Описание" not in out
    code, out, _ = program("template", "install", source, "--replace", "--json")
    assert "Новое в версии" in json.loads(out)["description"]
    assert program("template", "install", source)[0] == errors.TemplateInstalled.exit_code


def test_the_tree_and_removal(program: Program, tmp_path: Path, root: Path) -> None:
    assert "Шаблонов нет" in program("template", "list")[2]
    for version in ("1.0.0.1", "1.0.0.2"):
        assert program("template", "install", package(tmp_path / version, version))[0] == 0
    (version_at(root) / "1Cv8.cf").unlink()
    code, out, _ = program("template", "list")
    assert code == 0
    lines = [line.strip() for line in out.splitlines()]
    assert lines[:2] == ["Лавка:Магазин", "Магазин"]
    assert lines[2].startswith("1.0.0.2") and "не создать: нет файла 1cv8.cf" in lines[3]
    told = json.loads(program("template", "list", "--json", "--lang", "en")[1])
    assert [t["usable"] for t in told["templates"]] == [True, False]
    assert told["templates"][1]["path"] == ["Shop:Store", "Store"]
    assert program("template", "remove", "Магазин", "--yes")[0] == errors.TemplateAmbiguous.exit_code
    assert program("template", "remove", "Магазин")[0] == errors.TemplateAmbiguous.exit_code
    assert program("template", "remove", "Магазин", "--template-version", "1.0.0.1")[0] == errors.UsageError.exit_code
    assert program("template", "remove", "Магазин", "--template-version", "1.0.0.1", "--yes")[0] == 0
    assert program("template", "remove", root, "--yes")[0] == 0
    assert program("template", "remove", "Магазин", "--yes")[0] == errors.TemplateNotFound.exit_code
    assert program("template", "remove", tmp_path / "1.0.0.1", "--yes")[0] == errors.TemplateNotFound.exit_code
    assert (tmp_path / "1.0.0.1" / "1cv8.mft").exists()
