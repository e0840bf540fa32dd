"""What `inspect` tells of a manifest."""

from __future__ import annotations

from pathlib import Path

from infobase.errors import FileUnrecognised
from infobase.i18n import Bilingual, language, text
from infobase.inspection.model import Inspection
from templates_store.manifest import MAX_BYTES, read

_MANIFEST = Bilingual("манифест шаблонов конфигурации", "a manifest of configuration templates")


def inspect_manifest(path: Path) -> Inspection:
    """FileUnrecognised where the file names neither a package nor a template."""
    with path.open("rb") as file:
        reading = read(file.read(MAX_BYTES))
    manifest = reading.manifest
    if not manifest.entries and not manifest.name:
        raise FileUnrecognised(place=path)
    templates = {"/".join(e.catalog(language())) or e.section: e.source for e in manifest.entries}
    facts = {
        text(ru="Конфигурация", en="Configuration"): manifest.name,
        text(ru="Версия", en="Version"): manifest.version,
        text(ru="Поставщик", en="Vendor"): manifest.vendor,
        text(ru="Кодировка", en="Encoding"): reading.text.encoding,
        text(ru="Шаблоны", en="Templates"): templates,
    }
    return Inspection(path, "manifest", _MANIFEST, None, "mft", facts)
