"""What `--template` means: a configuration's folder, a file, a package's folder or manifest, or a name in the tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infobase.errors import TemplateNotFound, TemplateUnusable
from infobase.i18n import text
from infobase.metadata.reader import HEAD
from templates_store.find import choose, in_folder
from templates_store.tree import SUFFIX, Template, find_manifests


@dataclass(frozen=True)
class Source:
    """`kind`: "folder" of a configuration in source form, or "file", a .cf or .dt. `template`: the entry it came from, if from a manifest."""

    kind: Literal["folder", "file"]
    path: Path
    template: Template | None = None

    @property
    def title(self) -> str:
        return str(self.template or self.path)


def of_template(template: Template) -> Source:
    """TemplateUnusable when the entry makes nothing."""
    if template.source is None:
        raise TemplateUnusable(place=template, detail=template.reason)
    return Source("file", template.source, template)


def find_source(given: str, version: str, templates: Callable[[], list[Template]]) -> Source:
    """A path that is there wins over a name in the tree. TemplateNotFound, TemplateAmbiguous, TemplateUnusable."""
    path = Path(given).expanduser()
    if path.is_file():
        return _of_file(path)
    if path.is_dir() and (path / HEAD).is_file():
        return Source("folder", path)
    if path.is_dir() and next(find_manifests(path), None) is not None:
        return of_template(in_folder(path, version))
    try:
        return of_template(choose(templates(), given, version))
    except TemplateNotFound as e:
        if not path.is_dir():
            raise
        ru = "в папке нет ни конфигурации, ни манифеста шаблона"
        detail = text(ru=ru, en="the folder holds neither a configuration nor a manifest of templates")
        raise TemplateNotFound(name=path, detail=detail) from e


def _of_file(path: Path) -> Source:
    suffix = path.suffix.casefold()
    if suffix == SUFFIX:
        return of_template(in_folder(path))
    if suffix == ".zip":
        ru = "это архив; сначала установите его: infobase template install"
        raise TemplateUnusable(
            place=path, detail=text(ru=ru, en="an archive; install it first: infobase template install")
        )
    if suffix == ".cfu":
        raise TemplateUnusable(place=path, detail=text(ru="это обновление", en="an update"))
    return Source("file", path)
