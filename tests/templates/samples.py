"""Small template packages for tests, in the real form."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

from infobase.metadata.archive import write_cf
from infobase.metadata.reader import read_folder
from tests.bases import SHOP

MANIFEST = """Vendor=Фирма "Лавка"
Name=Shop
Version={version}
AppVersion=8.3
[Config1]
Catalog=Лавка:Магазин/Магазин
Catalog_en=Shop:Store/Store
Destination=Shop\\Store
Source=1cv8.cf
"""


def manifest(version: str = "1.0.0.1", text: str = MANIFEST) -> bytes:
    """As 1C writes it: UTF-8 with BOM, CRLF."""
    return b"\xef\xbb\xbf" + text.format(version=version).replace("\n", "\r\n").encode()


def package(folder: Path, version: str = "1.0.0.1", **files: bytes) -> Path:
    """A whole package of the little shop: manifest, configuration (in another letter case than the manifest says), ReadMe."""
    folder.mkdir(parents=True)
    (folder / "1cv8.mft").write_bytes(manifest(version))
    write_cf(read_folder(SHOP), folder / "1Cv8.cf")
    (folder / "ReadMe.txt").write_text("Описание поставки магазина\r\n", encoding="utf-8-sig")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def zipped(source: Path, target: Path, top: str = "") -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(source.rglob("*")):
            if file.is_file():
                archive.write(file, top + file.relative_to(source).as_posix())
    return target


def forged(target: Path, members: Mapping[str, bytes] | list[tuple[str, bytes]], *, mode: int = stat.S_IFREG) -> Path:
    """A zip with any names at all."""
    listed = list(members.items()) if isinstance(members, Mapping) else members
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in listed:
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.external_attr = (mode | 0o644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return target


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, locks aside."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and p.name != ".infobase.lock"
    }
