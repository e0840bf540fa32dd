"""Our own files: a base's SQLite file, a `.cf`, a `.dt`."""

from __future__ import annotations

import sqlite3
import zipfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from infobase import restore
from infobase.dump_crypto import MAGIC as ENCRYPTED_MARK
from infobase.errors import ConfigurationUnreadable, FileDamaged, FileUnrecognised
from infobase.i18n import Bilingual, text
from infobase.inspection import texts
from infobase.inspection.model import Inspection
from infobase.metadata import canonical
from infobase.metadata.archive import FORMAT as CF_FORMAT
from infobase.metadata.archive import FORMAT_VERSION as CF_VERSION
from infobase.metadata.archive import read_cf
from infobase.metadata.model import Configuration

__all__ = ["ENCRYPTED_MARK"]
SQLITE_MARK = b"SQLite format 3\0"
ZIP_MARKS = (b"PK\x03\x04", b"PK\x05\x06")
_BASE = Bilingual("информационная база этой программы (файловый режим)", "an infobase of this product (file mode)")
_CF = Bilingual("конфигурация этой программы", "a configuration of this product")
_DT = Bilingual("выгрузка этой программы", "a dump of this product")


# --- SQLite ---


def inspect_sqlite(path: Path) -> Inspection:
    """A base, or an event log. Read only; beside a closed base nothing is made."""
    try:
        with closing(_opened(path)) as conn:
            names = {str(n) for (n,) in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "EventLog" in names:
                return texts.inspect_log(path)
            if not {"sys_infobase", "sys_configuration"} <= names:
                raise FileUnrecognised(place=path)
            return _base(path, conn, sorted(names))
    except (sqlite3.Error, UnicodeDecodeError) as e:  # names in a damaged schema may be no text at all
        raise FileDamaged(place=path, detail=e) from e


def _opened(path: Path) -> sqlite3.Connection:
    """A base nobody has open is read as it lies, without the companions SQLite would make."""
    closed = not path.with_name(path.name + "-wal").exists()
    conn = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro{'&immutable=1' if closed else ''}", uri=True)
    conn.execute("PRAGMA trusted_schema = OFF")
    conn.execute("PRAGMA cell_size_check = ON")
    return conn


def _base(path: Path, conn: sqlite3.Connection, names: list[str]) -> Inspection:
    identity = {str(k): str(v) for k, v in conn.execute("SELECT key, value FROM sys_infobase")}
    row = conn.execute("SELECT content FROM sys_configuration WHERE row_key = 0").fetchone()
    if row is None or not isinstance(row[0], bytes):
        raise FileDamaged(place=path, detail=text(ru="нет конфигурации", en="no configuration inside"))
    try:
        configuration = canonical.from_json(row[0])
    except ConfigurationUnreadable as e:
        raise FileDamaged(place=path, detail=e) from e
    facts = {
        text(ru="Имя", en="Name"): identity.get("name", ""),
        text(ru="Идентификатор", en="Id"): identity.get("id", ""),
        text(ru="Создана", en="Created"): identity.get("created", ""),
        **_about(configuration),
    }
    tables = [(n, int(conn.execute(f'SELECT COUNT(*) FROM "{n}"').fetchone()[0])) for n in names if n.isidentifier()]
    return Inspection(path, "infobase", _BASE, False, identity.get("format", ""), facts, tables)


def _about(configuration: Configuration) -> dict[str, object]:
    return {
        text(ru="Конфигурация", en="Configuration"): configuration.name,
        text(ru="Версия", en="Version"): configuration.version,
        text(ru="Поставщик", en="Vendor"): configuration.vendor,
    }


# --- zip ---


def inspect_zip(path: Path) -> Inspection:
    """A `.cf` or a `.dt`, told apart by what is inside."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as e:
        raise FileDamaged(place=path, detail=e) from e
    if names == {"configuration.json", "manifest.json"} and _is_cf(path):
        return _cf(path)
    if "manifest.json" in names:
        return _dt(path)
    raise FileUnrecognised(place=path)


def _is_cf(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive, archive.open("manifest.json") as member:
            return CF_FORMAT.encode() in member.read(1 << 16)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as e:
        raise FileDamaged(place=path, detail=e) from e


def _cf(path: Path) -> Inspection:
    configuration = read_cf(path)
    kinds = Counter(o.kind for o in configuration.objects.values())
    facts = {**_about(configuration), text(ru="Хеш", en="Digest"): canonical.digest(configuration), **kinds}
    return Inspection(path, "configuration", _CF, False, f"{CF_FORMAT} {CF_VERSION}", facts)


def _dt(path: Path) -> Inspection:
    with restore.open_dump(path) as dump:
        summary, manifest = dump.summary(), dump.manifest
        facts = {
            text(ru="База", en="Infobase"): summary.infobase_name,
            text(ru="Снято", en="Snapshot"): summary.snapshot_time,
            text(ru="Из режима", en="Made in mode"): summary.mode,
            text(ru="Демонстрационная", en="Demo"): summary.demo,
            **_about(dump.configuration),
            text(ru="Хеш содержимого", en="Content digest"): summary.content_digest,
        }
        rows = [(t.name, t.rows) for t in manifest.tables]
    return Inspection(path, "dump", _DT, False, "infobase-dt", facts, rows)


def inspect_encrypted(path: Path) -> Inspection:
    facts = {text(ru="Зашифрована", en="Encrypted"): True}
    return Inspection(path, "dump", _DT, False, ENCRYPTED_MARK.decode(), facts)
