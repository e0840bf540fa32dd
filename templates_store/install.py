"""Installing a package into a root and removing it, as 1C's setup.exe would: `<root>/<vendor>/<configuration>/<3_0_30_10>/`.

A package is copied beside its place and renamed into it; a version being replaced is renamed aside first. One program works on a root at a time;
what a killed one left is put right by the next, so that a version is always wholly there, old or new, or wholly absent.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import portalocker

from infobase.errors import DiskFull, TemplateInstalled, TemplateRootUnusable
from infobase.files import settle_name, sync_folder
from infobase.i18n import text
from templates_store import efd
from templates_store.manifest import MAX_BYTES, Manifest, parse
from templates_store.package import MAX_PATH, Package, PackedFile, Unfit, open_package, refusing
from templates_store.tree import MAX_DEPTH, SUFFIX, find_manifests

Progress = Callable[[str, int, int], None]
LOCK_TIMEOUT = 20.0
"""Seconds to wait for another program that works on the same root."""
LOCK_NAME = ".infobase.lock"
_NEW, _OLD, _GONE = ".infobase-new", ".infobase-old", ".infobase-gone"
"""Tails of hidden folders that are being filled, replaced, removed; nobody else's are touched."""
_UNFIT = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_MODE = 0o644


@dataclass(frozen=True)
class Installed:
    """What `install` did. `files`, `bytes`: how many were copied."""

    folder: Path
    manifest: Manifest
    files: int
    bytes: int
    replaced: bool


def install(source: Path, root: Path, *, replace: bool = False, progress: Progress | None = None) -> Installed:
    """Install a folder, a zip, or 1C's own distribution: one with a `1cv8.efd`, or that file itself. PackageRefused, TemplateInstalled, TemplateRootUnusable, DiskFull: nothing has changed."""
    with _opened(source) as package:
        files, manifest = _package_files(package)
        target = root / version_folder(manifest)
        _demand_apart(source, root, target)
        with _prepared(root), working(root):
            replaced = target.exists()
            if replaced and not replace:
                raise TemplateInstalled(place=target)
            _demand_room(root, files)
            staged = _aside(target, f"{secrets.token_hex(4)}{_NEW}")
            try:
                _copy(package, files, staged, progress)
                _switch(staged, target)
            except BaseException:
                shutil.rmtree(staged, ignore_errors=True)
                _prune(target.parent, root)
                raise
    return Installed(target, manifest, len(files), sum(f.size for _, f in files), replaced)


def remove(folder: Path, root: Path) -> None:
    """Take a version's folder out of its root, and the folders that become empty. TemplateRootUnusable."""
    if folder.resolve() == root.resolve() or not folder.resolve().is_relative_to(root.resolve()):
        ru, en = f"манифест лежит прямо в нём ({folder})", f"the manifest lies right in it ({folder})"
        raise TemplateRootUnusable(place=root, detail=text(ru=ru, en=en))
    if any(file.parent != folder for file in find_manifests(folder)):
        ru = f"в папке {folder} лежат и другие шаблоны; удалите сначала их"
        raise TemplateRootUnusable(
            place=root, detail=text(ru=ru, en=f"{folder} holds other templates as well; remove them first")
        )
    with working(root):
        gone = _aside(folder, f"{secrets.token_hex(4)}{_GONE}")
        folder.rename(gone)
        sync_folder(folder.parent)
        shutil.rmtree(gone)
        _prune(folder.parent, root)


def version_folder(manifest: Manifest) -> PurePosixPath:
    """`Фирма "1С"`, `УНФ`, `3.0.10.1` -> `Фирма 1С/УНФ/3_0_10_1`. Unfit when the manifest does not say."""
    named = {"Vendor": manifest.vendor, "Name": manifest.name, "Version": manifest.version}
    parts = {key: _folder_name(value) for key, value in named.items()}
    missing = ", ".join(key for key, part in parts.items() if not part)
    if missing:
        raise Unfit(f"в манифесте не указано: {missing}", f"the manifest does not give: {missing}")
    return PurePosixPath(parts["Vendor"], parts["Name"], parts["Version"].replace(".", "_"))


def _folder_name(value: str) -> str:
    return _UNFIT.sub("", value).strip(" .")[:80].strip(" .")


# --- what is in a package ---


@contextmanager
def _opened(source: Path) -> Iterator[Package]:
    """The package; of a distribution without a manifest of its own, what its supply archive holds: `setup.exe` is not asked."""
    if source.is_file() and source.suffix.casefold() == efd.SUFFIX:
        with refusing(source), efd.open_file(source) as package:
            yield package
        return
    with open_package(source) as package:
        archive = None if _manifests(package) else efd.archive_in(package.files)
        if archive is None:
            yield package
            return
        with efd.open_supply(source, package.read(archive), archive.size) as inside:
            yield inside


def _manifests(package: Package) -> list[PackedFile]:
    return [f for f in package.files if f.path.suffix.casefold() == SUFFIX]


def _package_files(package: Package) -> tuple[list[tuple[PurePosixPath, PackedFile]], Manifest]:
    """The files to copy, relative to the manifest's folder, and the manifest."""
    manifests = _manifests(package)
    if not manifests:
        raise Unfit("в комплекте нет манифеста *.mft", "the package has no manifest *.mft")
    home = min((f.path.parent for f in manifests), key=lambda p: (len(p.parts), str(p)))
    beside = [f for f in manifests if home not in (f.path.parent, *f.path.parent.parents)]
    if beside:
        listed = ", ".join(str(f.path) for f in manifests[:5])
        raise Unfit(
            f"в комплекте несколько шаблонов, установите их по одному: {listed}",
            f"the package has several templates, install them one by one: {listed}",
        )
    if len(home.parts) > MAX_DEPTH:
        raise Unfit("манифест лежит слишком глубоко", "the manifest lies too deep")
    first = min((f for f in manifests if f.path.parent == home), key=lambda f: str(f.path).casefold())
    if first.size > MAX_BYTES:
        raise Unfit("манифест слишком велик", "the manifest is too large")
    manifest = parse(b"".join(package.read(first)))
    if not manifest.entries:
        raise Unfit("в манифесте нет ни одного шаблона", "the manifest has no template")
    files = [(f.path.relative_to(home), f) for f in package.files if f.path.is_relative_to(home)]
    return files, manifest


def _demand_apart(source: Path, root: Path, target: Path) -> None:
    """A package is not installed from the place it is installed to, and no root lies inside a package."""
    if not source.is_dir():
        return
    here = source.resolve()
    if root.resolve().is_relative_to(here) or here.is_relative_to(target.resolve()):
        raise Unfit("комплект и каталог шаблонов лежат друг в друге", "the package and the root lie in one another")


def _demand_room(root: Path, files: list[tuple[PurePosixPath, PackedFile]]) -> None:
    needed, free = sum(f.size for _, f in files), shutil.disk_usage(root).free
    if needed > free:
        detail = text(
            ru=f"нужно {needed >> 20} МБ, свободно {free >> 20} МБ",
            en=f"{needed >> 20} MB needed, {free >> 20} MB free",
        )
        raise DiskFull(place=root, detail=detail)


# --- copying ---


def _copy(
    package: Package, files: list[tuple[PurePosixPath, PackedFile]], staged: Path, progress: Progress | None
) -> None:
    total, done = sum(f.size for _, f in files), 0
    label = text(ru="Установка", en="Installing")
    staged.mkdir(parents=True)
    with _no_room(staged):
        for path, file in files:
            place = staged / path
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as out:
                for chunk in package.read(file):
                    out.write(chunk)
                    done += len(chunk)
                    if progress is not None:
                        progress(label, done, total)
                out.flush()
                os.fsync(out.fileno())
            place.chmod(_MODE)
        for folder, _, _ in os.walk(staged, topdown=False):
            sync_folder(Path(folder))


@contextmanager
def _no_room(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull(place=place.parent, detail=e.strerror) from e
        raise


def _switch(staged: Path, target: Path) -> None:
    """The staged folder takes its name. A replaced one stands aside for that moment under a name from which `recover` knows where it belongs."""
    old = _aside(target, _OLD)
    if target.exists():
        target.rename(old)
    staged.rename(target)
    settle_name(target)
    shutil.rmtree(old, ignore_errors=True)


def _aside(target: Path, tail: str) -> Path:
    """A hidden neighbour: the search for manifests passes it by."""
    return target.with_name(f".{target.name}{tail}" if tail.startswith(".") else f".{target.name}.{tail}")


def _prune(folder: Path, root: Path) -> None:
    """Remove folders that became empty, up to the root."""
    while folder != root and folder.is_relative_to(root):
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


# --- one at a time ---


@contextmanager
def _prepared(root: Path) -> Iterator[None]:
    """The root is there and can be written; one made for nothing is taken away again."""
    if len(str(root)) > MAX_PATH:
        raise TemplateRootUnusable(place=root, detail=text(ru="слишком длинный путь", en="the path is too long"))
    made = not root.exists()
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise TemplateRootUnusable(place=root, detail=e.strerror or str(e)) from e
    try:
        yield
    except BaseException:
        if made:
            (root / LOCK_NAME).unlink(missing_ok=True)
            _remove_empty(root)
        raise


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # something of somebody's came to lie there meanwhile: it stays


@contextmanager
def working(root: Path) -> Iterator[None]:
    """This root for us alone, with what dead programs left put right. TemplateRootUnusable."""
    try:
        with portalocker.Lock(str(root / LOCK_NAME), "a", timeout=LOCK_TIMEOUT):
            _recover(root)
            yield
    except portalocker.LockException as e:
        busy = text(ru="с ним работает другая программа", en="another program works on it")
        raise TemplateRootUnusable(place=root, detail=busy) from e
    except PermissionError as e:
        raise TemplateRootUnusable(place=root, detail=e.strerror or str(e)) from e


def settle(root: Path) -> None:
    """Put right what a killed program left, when there is anything and nobody works on the root now; called before the tree is read."""
    if not root.is_dir() or next(_leftovers(root), None) is None:
        return
    try:
        with portalocker.Lock(str(root / LOCK_NAME), "a", timeout=0, fail_when_locked=True):
            _recover(root)
    except (portalocker.LockException, OSError):
        return  # somebody is at work, or we may only read: what is whole is shown all the same


def _recover(root: Path) -> None:
    for leftover in list(_leftovers(root)):
        target = leftover.with_name(leftover.name[1:].removesuffix(_OLD))
        if leftover.name.endswith(_OLD) and not target.exists():
            leftover.rename(target)
        else:
            shutil.rmtree(leftover)
        sync_folder(leftover.parent)
        _prune(leftover.parent, root)


_LEFTOVER = re.compile(rf"\..+(\.[0-9a-f]{{8}}({re.escape(_NEW)}|{re.escape(_GONE)})|{re.escape(_OLD)})")


def _leftovers(folder: Path, depth: int = 3) -> Iterator[Path]:
    """Folders that an installation or a removal made and did not finish."""
    with os.scandir(folder) as listing:
        entries = [e for e in listing if e.is_dir(follow_symlinks=False)]
    for entry in entries:
        if _LEFTOVER.fullmatch(entry.name):
            yield Path(entry.path)
        elif depth > 1 and not entry.name.startswith("."):
            yield from _leftovers(Path(entry.path), depth - 1)
