"""A template by what a user types: a path, a place in the tree, or a configuration's name, with or without a version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from infobase.errors import TemplateAmbiguous, TemplateNotFound, TemplateUnusable
from infobase.i18n import LANGUAGES, text
from templates_store.manifest import levels
from templates_store.tree import SUFFIX, Template, find_manifests, templates_in, version_key

Levels = tuple[str, ...]


def matching(templates: Sequence[Template], name: str, version: str = "") -> list[Template]:
    """What answers to a name, letter case aside. The closest way of naming wins: the whole path in the tree (with the version as its last
    level or without), the template's own name, the configuration's name in the manifest (its first template then)."""
    wanted = tuple(level.casefold() for level in levels(name))
    if not wanted:
        return []
    ways: tuple[Callable[[Levels, str], bool], ...] = (
        lambda path, _: path == wanted,
        lambda path, version: (*path, version) == wanted,
        lambda path, _: path[-len(wanted) :] == wanted,
        lambda path, version: (*path, version)[-len(wanted) :] == wanted,
    )
    named = [[t for t in templates if any(way(p, t.version.casefold()) for p in _paths(t))] for way in ways]
    named.append([t for t in templates if (t.manifest.name.casefold(),) == wanted and _is_first(t)])
    found = next((way for way in named if way), [])
    return [t for t in found if not version or version_key(t.version) == version_key(version)]


def choose(templates: Sequence[Template], name: str, version: str = "") -> Template:
    """The one template meant; of several versions the newest usable. TemplateNotFound, TemplateAmbiguous, TemplateUnusable."""
    found = matching(templates, name, version)
    if not found:
        raise TemplateNotFound(name=name, detail=_why_nothing(templates, name, version))
    if len({_folded(t.path) for t in found}) > 1:
        raise TemplateAmbiguous(name=name, listing=_listed(found))
    usable = [t for t in found if t.source is not None]
    if not usable:
        raise TemplateUnusable(place=found[0], detail=found[0].reason)
    newest = max(usable, key=lambda t: version_key(t.version))
    same = [t for t in usable if version_key(t.version) == version_key(newest.version)]
    sources = {t.source.resolve() for t in same if t.source is not None}
    if len(sources) > 1:
        raise TemplateAmbiguous(name=name, listing=_listed(same))
    return newest


def in_folder(folder: Path, version: str = "") -> Template:
    """The first usable template of a manifest, or of the only manifest under a folder. TemplateNotFound, TemplateAmbiguous, TemplateUnusable."""
    found = [t for t in in_folder_all(folder) if not version or t.version == version]
    if not found:
        detail = text(ru="здесь нет манифеста с шаблонами", en="there is no manifest with templates here")
        raise TemplateNotFound(name=folder, detail=detail)
    usable = [t for t in found if t.source is not None]
    if not usable:
        raise TemplateUnusable(place=found[0], detail=found[0].reason)
    if len({t.manifest_file for t in usable}) > 1:
        raise TemplateAmbiguous(name=folder, listing=_listed(usable))
    return usable[0]


def in_folder_all(folder: Path) -> list[Template]:
    """Every entry of a manifest, or of all manifests under a folder."""
    files = [folder] if folder.suffix.casefold() == SUFFIX else list(find_manifests(folder))
    return [t for file in files for t in templates_in(file)]


def _is_first(template: Template) -> bool:
    return template.entry == template.manifest.entries[0]


def _paths(template: Template) -> set[Levels]:
    """Its place in the tree in every language: people type what they saw."""
    catalogs = (template.path, *(template.entry.catalog(language) for language in LANGUAGES))
    return {_folded(path) for path in catalogs if path}


def _folded(path: Sequence[str]) -> tuple[str, ...]:
    return tuple(level.casefold() for level in path)


def _listed(found: Sequence[Template]) -> str:
    return "; ".join(dict.fromkeys(f"{t} ({t.source or t.folder})" for t in found))


def _why_nothing(templates: Sequence[Template], name: str, version: str) -> str:
    versions = sorted({t.version for t in matching(templates, name)}, key=version_key) if version else []
    if versions:
        listed = ", ".join(versions)
        return text(ru=f"нет версии {version}; есть: {listed}", en=f"no version {version}; there are: {listed}")
    known = list(dict.fromkeys("/".join(t.path) for t in templates))[:10]
    if not known:
        return text(ru="шаблоны не установлены", en="no templates are installed")
    return text(ru="есть: " + "; ".join(known), en="there are: " + "; ".join(known))
