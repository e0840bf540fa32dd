"""`.cf`: a configuration as one file, a zip of `configuration.json` and `manifest.json`. Data only; nothing in it ever runs."""

from __future__ import annotations

import json
import os
import secrets
import stat
import zipfile
import zlib
from pathlib import Path

from infobase.errors import ConfigurationUnreadable, GenuineFile, InfobaseVersionUnsupported
from infobase.i18n import text
from infobase.metadata import canonical
from infobase.metadata.model import Configuration
from infobase.metadata.reader import read_folder

FORMAT = "infobase-cf"
FORMAT_VERSION = 1
_MEMBERS = ("configuration.json", "manifest.json")
_GENUINE = b"\xff\xff\xff\x7f"
"""How the container of a real 1C configuration begins."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_cf(configuration: Configuration, path: Path) -> None:
    """Write or replace a `.cf`; equal configurations give equal files."""
    manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": configuration.name,
        "version": configuration.version,
        "vendor": configuration.vendor,
        "digest": canonical.digest(configuration),
    }
    contents = (canonical.to_json(configuration), json.dumps(manifest, ensure_ascii=False, sort_keys=True).encode())
    staged = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with staged.open("wb") as out:
            with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, content in zip(_MEMBERS, contents, strict=True):
                    archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
            out.flush()
            os.fsync(out.fileno())
        staged.replace(path)
        sync_folder(path.parent)
    finally:
        staged.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename in the folder durable."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_cf(path: Path) -> Configuration:
    """Read and verify a `.cf`. ConfigurationUnreadable, ConfigurationInvalid, GenuineFile, InfobaseVersionUnsupported."""
    try:
        with path.open("rb") as file:
            if file.read(4) == _GENUINE:
                raise GenuineFile(place=path, what=text(ru="конфигурация .cf", en="a configuration .cf"))
            file.seek(0)
            with zipfile.ZipFile(file) as archive:
                content, manifest = (_member(archive, name, path) for name in _MEMBERS)
        head = json.loads(manifest)
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        NotImplementedError,
        RecursionError,
        zipfile.BadZipFile,
        zlib.error,
    ) as e:
        raise ConfigurationUnreadable(place=path, detail=e) from e
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise _unreadable(path, "это не .cf этой программы", "not a .cf of this product")
    version = head.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise InfobaseVersionUnsupported(place=path, found=version, supported=FORMAT_VERSION)
    configuration = canonical.from_json(content)
    if canonical.digest(configuration) != head.get("digest"):
        raise _unreadable(path, "контрольная сумма не совпала", "the digest does not match")
    return configuration


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    infos = archive.infolist()
    if sorted(i.filename for i in infos) != sorted(_MEMBERS):
        raise _unreadable(path, "лишние или недостающие части", "extra or missing members")
    info = archive.getinfo(name)
    if info.flag_bits & 1 or stat.S_ISLNK(info.external_attr >> 16) or info.file_size > canonical.MAX_BYTES:
        raise _unreadable(path, f"недопустимая часть {name}", f"the member {name} is not acceptable")
    with archive.open(info) as member:
        content = member.read(info.file_size + 1)
    if len(content) != info.file_size:
        raise _unreadable(path, f"размер части {name} не совпал", f"the size of {name} does not match")
    return content


def _unreadable(path: Path, ru: str, en: str) -> ConfigurationUnreadable:
    return ConfigurationUnreadable(place=path, detail=text(ru=ru, en=en))


def load_configuration(path: Path) -> Configuration:
    """A folder, or a `.cf` file."""
    if path.is_dir():
        return read_folder(path)
    if not path.exists():
        raise _unreadable(path, "такого файла нет", "there is no such file")
    return read_cf(path)
