"""Roots from the starter's settings in every encoding; the tree of templates; choosing one by what people type."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

import pytest

from infobase.errors import TemplateAmbiguous, TemplateNotFound, TemplateUnusable
from infobase.starter_config import STARTER_VARIABLE
from templates_store import roots as places
from templates_store.find import choose, in_folder
from templates_store.install import install
from templates_store.roots import Root, find_roots
from templates_store.tree import Template, build, collect, version_key
from tests.templates.samples import manifest, package


def environment(home: Path, text: str, encoding: str) -> dict[str, str]:
    raw = codecs.BOM_UTF16_LE + text.encode("utf-16-le") if encoding == "utf-16" else text.encode(encoding)
    (home / "1cestart.cfg").write_bytes(raw)
    return {STARTER_VARIABLE: str(home / "1cestart.cfg")}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-8", "cp1251"])
def test_roots_come_from_the_starters_settings(tmp_path: Path, encoding: str) -> None:
    first, second, common = tmp_path / "Шаблоны", tmp_path / "б", tmp_path / "common"
    for folder in (first, second, common):
        folder.mkdir()
    (common / "1cescmn.cfg").write_text(f"ConfigurationTemplatesLocation={tmp_path / 'нет'}\n", encoding="utf-8")
    text = (
        f"CommonInfoBases=x.v8i\r\nConfigurationTemplatesLocation={first}\r\nCONFIGURATIONTEMPLATESLOCATION = {second}\r\n"
        f"ConfigurationTemplatesLocation=http://host/tmplts\r\nConfigurationTemplatesLocation={first}\r\nCommonCfgLocation={common}\r\n"
    )
    found = find_roots(environment=environment(tmp_path, text, encoding))
    assert [r.place for r in found[1:]] == [str(first), str(second), "http://host/tmplts", str(tmp_path / "нет")]
    assert [bool(r.trouble) for r in found[1:]] == [False, False, True, True]
    assert found[0].path == places.user_root()


def test_given_roots_replace_all_others(tmp_path: Path) -> None:
    listed = os.pathsep.join([str(tmp_path), str(tmp_path / "b")])
    assert [r.place for r in find_roots(environment={places.ROOTS_VARIABLE: listed})] == listed.split(os.pathsep)
    assert [r.place for r in find_roots([tmp_path / "c"], {places.ROOTS_VARIABLE: listed})] == [str(tmp_path / "c")]


def test_no_settings_at_all(tmp_path: Path) -> None:
    assert [r.origin for r in find_roots(environment={STARTER_VARIABLE: str(tmp_path / "no.cfg")})] == [""]


def tree_of(root: Path) -> list[Template]:
    return collect([Root(str(root))])


def put(root: Path, where: str, text: str, *files: str, name: str = "1cv8.mft") -> Path:
    folder = root / where
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(manifest(text=text))
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(b"x")
    return folder


ENTRY = "Vendor=V\nName={name}\nVersion={version}\n[Config1]\nCatalog={catalog}\nSource={source}\n"


def entry(name: str, version: str, catalog: str, source: str = "1Cv8.cf") -> str:
    return ENTRY.format(name=name, version=version, catalog=catalog, source=source).replace("{", "{{")


def test_versions_of_one_catalog_are_one_node_newest_first(tmp_path: Path) -> None:
    for version in ("3.0.9.1", "3.0.10.1", "3.0.10.1-b"):
        put(tmp_path, f"v/c/{version.replace('.', '_')}", entry("C", version, "Ф:УНФ/УНФ"), "1Cv8.cf")
    put(
        tmp_path,
        "v/c/demo",
        entry("C", "3.0.10.1", "Ф:УНФ\\УНФ (демо)", "sub/1cv8.DT"),
        "Sub/1CV8.dt",
        name="любое.MFT",
    )
    node = build(tree_of(tmp_path))
    assert list(node.below) == ["Ф:УНФ"] and set(node.below["Ф:УНФ"].below) == {"УНФ", "УНФ (демо)"}
    versions = [t.version for t in node.below["Ф:УНФ"].below["УНФ"].templates]
    assert versions[-1] == "3.0.9.1" and set(versions[:2]) == {"3.0.10.1", "3.0.10.1-b"}
    demo = node.below["Ф:УНФ"].below["УНФ (демо)"].templates[0]
    assert demo.kind == "dump" and demo.source is not None and demo.source.name == "1CV8.dt"


def test_the_search_has_a_bound_and_passes_hidden_folders_and_links_by(tmp_path: Path) -> None:
    put(tmp_path, "a/b/c/d/e", entry("in", "1.0", "in"), "1Cv8.cf")
    put(tmp_path, "a/b/c/d/e/f", entry("deep", "1.0", "deep"), "1Cv8.cf")
    put(tmp_path, "a/.1_0.00000000.infobase-new", entry("hidden", "1.0", "hidden"), "1Cv8.cf")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert [t.manifest.name for t in tree_of(tmp_path)] == ["in"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("нет.cf", "нет файла"),
        ("../../secret.cf", "выходит за папку"),
        ("C:\\secret.cf", "выходит за папку"),
        ("\\\\host\\x.cf", "выходит за папку"),
        ("link.cf", "ссылка за пределы"),
        ("folder.cf", "не файл"),
        ("1cv8.cfu", "обновление"),
        ("1cv8.exe", "ожидается файл"),
        ("", "не указан Source"),
    ],
)
def test_an_unusable_entry_is_shown_with_its_reason(tmp_path: Path, source: str, reason: str) -> None:
    (tmp_path / "secret.cf").write_bytes(b"x")
    folder = put(tmp_path / "root", "v/c", entry("C", "1.0", "A/B", source), "1cv8.cfu", "1cv8.exe")
    (folder / "folder.cf").mkdir()
    (folder / "link.cf").symlink_to(tmp_path / "secret.cf")
    (found,) = tree_of(tmp_path / "root")
    assert found.source is None and reason in found.reason
    with pytest.raises(TemplateUnusable):
        choose([found], "B")


def test_a_template_by_what_people_type(tmp_path: Path) -> None:
    for version in ("1.0.9.1", "1.0.10.1"):
        put(tmp_path, f"v/crm/{version}", entry("CRM", version, "Ф:CRM/CRM"), "1Cv8.cf")
        put(tmp_path, f"v/crm/{version}", entry("CRM", version, "Ф:CRM/CRM (демо)", "1Cv8.dt"), "1Cv8.dt", name="d.mft")
    put(tmp_path, "v/other", entry("Trade", "2.0", "Ф:Торговля/CRM (старая)"), "1Cv8.cf")
    found = tree_of(tmp_path)
    assert str(choose(found, "crm")) == "Ф:CRM/CRM/1.0.10.1"
    assert str(choose(found, "Ф:CRM/crm (ДЕМО)")) == "Ф:CRM/CRM (демо)/1.0.10.1"
    assert str(choose(found, "Ф:CRM\\CRM\\1.0.9.1")) == "Ф:CRM/CRM/1.0.9.1"
    assert str(choose(found, "CRM", "1.0.9.1")) == "Ф:CRM/CRM/1.0.9.1"
    assert str(choose(found, "Trade")) == "Ф:Торговля/CRM (старая)/2.0"
    with pytest.raises(TemplateNotFound, match=r"1\.0\.10\.1"):
        choose(found, "CRM", "7.7")
    with pytest.raises(TemplateNotFound, match="CRM"):
        choose(found, "нет такого")
    put(tmp_path, "v/study", entry("CRM", "1.0", "Ф:CRM/Учебная"), "1Cv8.cf")
    with pytest.raises(TemplateAmbiguous):
        choose([t for t in tree_of(tmp_path) if t.name != "CRM"], "CRM")
    with pytest.raises(TemplateAmbiguous):
        in_folder(tmp_path / "v" / "crm" / "1.0.9.1")


def test_versions_are_ordered_as_numbers() -> None:
    mixed = ["2", "1.0.10.1", "1.0.9", "1.0.10"]
    assert sorted(mixed, key=version_key) == ["1.0.9", "1.0.10", "1.0.10.1", "2"]


def test_the_same_package_in_two_roots_is_one_choice_only_when_it_is_one_file(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    for root in (a, b):
        install(package(tmp_path / f"p{root.name}"), root)
    found = collect([Root(str(a)), Root(str(b))])
    assert len(found) == 2
    with pytest.raises(TemplateAmbiguous):
        choose(found, "Магазин")
