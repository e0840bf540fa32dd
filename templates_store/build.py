"""Building a package: the empty configuration, a clean base, a demonstration base, the manifest and the files around them.

Everything is made in a folder aside and renamed into place whole; the finished package has passed `lint`.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infobase import infobase as bases
from infobase.connection import engine_of, open_session
from infobase.connection_string import folder
from infobase.dump_format import DumpSummary
from infobase.errors import PackageNotBuilt, TargetExists
from infobase.files import aside, settle, settle_name, sync_folder
from infobase.i18n import text
from infobase.infobase import Infobase
from infobase.metadata.archive import write_cf
from infobase.scratch import ScratchFolder, temporary_folder
from templates_store import lint, manifest
from templates_store.install import version_folder
from templates_store.manifest import Manifest
from templates_store.package import Unfit, open_package
from templates_store.recipe import Recipe, load_provider

Progress = Callable[[str, int, int], None]
MANIFEST, EMPTY, CLEAN, DEMO = "1cv8.mft", "1Cv8.cf", "1Cv8new.dt", "1Cv8.dt"
PLATFORM = "8.3"
_README = "readme"
_MODE = 0o644
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Built:
    """`place`: the folder or the zip. `dumps`: file name -> what was dumped into it."""

    place: Path
    manifest: Manifest
    files: tuple[str, ...]
    bytes: int
    dumps: Mapping[str, DumpSummary]


def build(
    recipe: Recipe, out: Path, *, zipped: bool = False, replace: bool = False, progress: Progress | None = None
) -> Built:
    """Build a package into the folder `out`. TargetExists, PackageNotBuilt: nothing has changed there."""
    made = make_manifest(recipe)
    try:
        stem = "-".join(version_folder(made).parts).replace(" ", "_")
    except Unfit as e:
        raise PackageNotBuilt(place=recipe.place, detail=e.reason) from e
    target = out / (f"{stem}.zip" if zipped else stem)
    _recover(target)
    if target.exists() and not replace:
        raise TargetExists(place=target)
    out.mkdir(parents=True, exist_ok=True)
    with _scratch(out, target.name) as staged:
        dumps = _fill(recipe, made, staged, target, progress)
        _demand_sound(staged)
        files = tuple(sorted(p.relative_to(staged).as_posix() for p in staged.rglob("*") if p.is_file()))
        size = sum((staged / name).stat().st_size for name in files)
        if zipped:
            _zip(staged, files, target)
        else:
            _take_name(staged, target)
    return Built(target, made, files, size, dumps)


def make_manifest(recipe: Recipe) -> Manifest:
    """The clean base under the configuration's own name in the tree; the demonstration and the empty one beside it."""
    demo = [_keys(recipe, DEMO, " (демо)", " (demo)")] if recipe.demo else []
    kinds = [_keys(recipe, CLEAN, "", ""), *demo, _keys(recipe, EMPTY, " (пустая)", " (empty)")]
    entries = [(f"Config{n}", keys) for n, keys in enumerate(kinds, 1)]
    head = [("Vendor", recipe.vendor), ("Name", recipe.name), ("Version", recipe.version), ("AppVersion", PLATFORM)]
    try:
        return manifest.make(head, entries)
    except ValueError as e:
        raise PackageNotBuilt(place=recipe.place, detail=e) from e


def _keys(recipe: Recipe, source: str, ru: str, en: str) -> list[tuple[str, str]]:
    tails = {"ru": ru, "en": en}
    bare = "ru" if "ru" in recipe.catalog else next(iter(recipe.catalog))
    keys = [("Catalog", recipe.catalog[bare] + tails[bare])]
    keys += [(f"Catalog_{code}", value + tails[code]) for code, value in recipe.catalog.items() if code != bare]
    tail = {CLEAN: "", DEMO: "Demo", EMPTY: "Empty"}[source]
    keys += [
        ("Destination" if n == 0 else f"Destination_{code}", value.replace("/", "\\") + tail)
        for n, (code, value) in enumerate(recipe.destination.items())
    ]
    return [*keys, ("Source", source)]


# --- the files ---


def _fill(
    recipe: Recipe, made: Manifest, staged: Path, target: Path, progress: Progress | None
) -> dict[str, DumpSummary]:
    _copy_files(recipe, staged, target)
    (staged / MANIFEST).write_bytes(manifest.to_bytes(made))
    write_cf(recipe.configuration, staged / EMPTY)
    with temporary_folder("template") as scratch:
        dumps = {CLEAN: _dump(recipe, scratch / "clean", staged / CLEAN, progress, demo=False)}
        if recipe.demo:
            dumps[DEMO] = _dump(recipe, scratch / "demo", staged / DEMO, progress, demo=True)
    for file in staged.rglob("*"):
        file.chmod(0o755 if file.is_dir() else _MODE)
    return dumps


def _dump(recipe: Recipe, place: Path, target: Path, progress: Progress | None, *, demo: bool) -> DumpSummary:
    """A base of the configuration, without users: the administrator comes with the base that is made of it."""
    title = recipe.configuration.naming.label("ru")
    engine = engine_of(folder(place))
    try:
        base = bases.create(engine, recipe.configuration, name=title)
        if demo:
            _fill_demo(recipe, base, progress)
            base = bases.open_base(engine)
        return bases.dump_base(base, target, progress=progress)
    finally:
        engine.close()


def _fill_demo(recipe: Recipe, base: Infobase, progress: Progress | None) -> None:
    provider = load_provider(recipe)
    session = open_session(base)
    try:
        provider(session, progress)
        with base.kernel.engine.transaction(write=True) as tx:
            bases.write_identity(base.kernel, tx, base.name, demo=True)
    finally:
        session.close()


def _copy_files(recipe: Recipe, staged: Path, target: Path) -> None:
    """The author's own files, vetted as any package is: what is built must be installable."""
    if recipe.files is None:
        return
    with open_package(recipe.files) as given:
        for file in given.files:
            if file.path.name.casefold() in (n.casefold() for n in (MANIFEST, EMPTY, CLEAN, DEMO)):
                detail = text(ru=f"{file.path} делает сама сборка", en=f"{file.path} is made by the build itself")
                raise PackageNotBuilt(place=recipe.files, detail=detail)
            place = staged / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            content = b"".join(given.read(file))
            if len(file.path.parts) == 1 and place.stem.casefold() == _README:
                words = {b"{version}": recipe.version, b"{package}": target.name}
                for word, value in words.items():
                    content = content.replace(word, value.encode())
            place.write_bytes(content)


def _demand_sound(staged: Path) -> None:
    faults = [f for f in lint.lint_path(staged) if f.severity == "error"]
    if faults:
        detail = "; ".join(f"{f.place}: {f.message}" for f in faults)
        raise PackageNotBuilt(place=staged, detail=detail)


# --- taking the name ---


@contextmanager
def _scratch(out: Path, name: str) -> Iterator[Path]:
    with ScratchFolder(out / name) as scratch:
        yield scratch.path


def _take_name(staged: Path, target: Path) -> None:
    for place in [*staged.rglob("*"), staged]:
        _sync(place)
    old = _replaced(target)
    if target.exists():
        target.rename(old)
    staged.rename(target)
    settle_name(target)
    shutil.rmtree(old, ignore_errors=True)


def _replaced(target: Path) -> Path:
    """Where the package being replaced stands for a moment."""
    return target.with_name(f".{target.name}.infobase-old")


def _recover(target: Path) -> None:
    """Put right what a killed build left of the package that was being replaced."""
    old = _replaced(target)
    if old.exists() and not target.exists():
        old.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _sync(place: Path) -> None:
    if place.is_dir():
        sync_folder(place)
        return
    with place.open("rb+") as file:
        os.fsync(file.fileno())


def _zip(staged: Path, files: tuple[str, ...], target: Path) -> None:
    with aside(target) as (out, scratch):
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in files:
                info = zipfile.ZipInfo(name, _EPOCH)
                info.external_attr = (0o100000 | _MODE) << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                with (staged / name).open("rb") as source, archive.open(info, "w", force_zip64=True) as member:
                    shutil.copyfileobj(source, member, 1 << 20)
        settle(out)
        scratch.chmod(_MODE)
        scratch.replace(target)
    settle_name(target)
