"""The cache of golden bases: a template is unfolded once for each place of bases, and cloned from then on.

The key is a digest of the template's file and of what unfolds it, so a changed file or a newer product makes a golden base of its own. An engine
publishes a golden base whole or not at all; one that is damaged is made anew.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import portalocker

from infobase import infobase as bases
from infobase import restore, users
from infobase.cache_folder import cache_folder
from infobase.dump_format import product_version
from infobase.errors import EngineUnavailable, InfobaseDamaged, InfobaseNotFound
from infobase.files import write_atomically
from infobase.i18n import text
from infobase.kernel import Kernel
from infobase.metadata.archive import read_cf
from infobase.rights import administrator_roles
from infobase.storage import StorageEngine

Progress = Callable[[str, int, int], None]
MAX_CACHE_BYTES = 8 << 30
"""Golden files above this are removed, those used longest ago first; the newest always stays."""
PREPARE_TIMEOUT = 3600.0
"""Seconds to wait while another program unfolds the same template."""
PLACEHOLDER = "Administrator"
"""The administrator a golden base is made with, where its template brings no users; the clone's own takes his place."""
PLACEHOLDER_KEY, CONTENT = "placeholder", "content"
"""What a golden base keeps of itself beside a base's identity: that administrator's name; the configuration's name and version."""
_KEY_DIGITS = 24
_log = logging.getLogger("infobase.templates")


def template_key(source: Path, folder: Path | None = None) -> str:
    """Hex digits that change with the file and with the product that unfolds it. `folder`: where digests of files are remembered; one is
    taken again when size or times of its file differ."""
    made_by = f"{product_version()} {bases.STORE_FORMAT}"
    named = f"{_digest(source, folder)} {source.suffix.casefold()} {made_by}"
    return hashlib.sha256(named.encode()).hexdigest()[:_KEY_DIGITS]


def _digest(source: Path, folder: Path | None) -> str:
    found = source.stat()
    state = f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"
    note = (
        None if folder is None else folder / f"{hashlib.sha256(os.fsencode(source.resolve())).hexdigest()[:32]}.digest"
    )
    try:
        known, _, digest = note.read_text(encoding="ascii").rpartition(" ") if note else ("", "", "")
    except (OSError, ValueError):
        known = digest = ""
    if note is not None and known == state and re.fullmatch("[0-9a-f]{64}", digest):
        return digest
    with source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if note is not None:
        write_atomically(note, f"{state} {digest}".encode("ascii"))
    return digest


def unfold(store: StorageEngine, source: Path, key: str, progress: Progress | None = None) -> Kernel:
    """Fill a staged store from a `.cf` or `.dt`. Where it has no users, `PLACEHOLDER` is made its administrator, without a password."""
    name = source.stem
    if source.suffix.casefold() == ".dt":
        kernel, manifest = restore.load_with_manifest(source, store, progress=progress)
        demo = manifest.demo
    else:
        kernel, demo = bases.lay_out(store, read_cf(source)), False
    with store.transaction(write=True) as tx:
        bases.write_identity(kernel, tx, name, demo=demo, template=key)
        shown = f"{kernel.configuration.name} {kernel.configuration.version}"
        bases.write_identity_value(kernel, tx, CONTENT, shown)
        if not users.list_users(kernel, tx):
            roles = administrator_roles(kernel.configuration)
            users.add_user(kernel, tx, PLACEHOLDER, "", roles, allow_empty=True)
            bases.write_identity_value(kernel, tx, PLACEHOLDER_KEY, PLACEHOLDER)
    return kernel


def clone(engine: StorageEngine, source: Path, folder: Path, progress: Progress | None = None) -> StorageEngine:
    """A staged copy of the template's golden base, which is made first where there is none or where it is damaged."""
    key = template_key(source, folder)
    golden = engine.golden(key, folder)
    try:
        _ensure(golden, source, key, folder, progress, anew=False)
        try:
            return _verified(engine, golden, key)
        except (InfobaseDamaged, InfobaseNotFound, EngineUnavailable):
            # Damaged, or cleared by somebody between the look and the copy.
            _ensure(golden, source, key, folder, progress, anew=True)
            return _verified(engine, golden, key)
    finally:
        golden.close()


def usable_folder() -> Path | None:
    """The folder of golden bases, this user's alone, for they hold data. None where it cannot be: a cache must not stand in anybody's way."""
    folder = cache_folder() / "golden"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / ".writable").touch()
    except OSError as e:
        _log.warning("%s: %s", folder, e)
        return None
    return folder


def _ensure(
    golden: StorageEngine, source: Path, key: str, folder: Path, progress: Progress | None, *, anew: bool
) -> None:
    if golden.exists() and not anew:
        _touch(folder / key)
        return
    with portalocker.Lock(str(folder / f"{key}.lock"), "a", timeout=PREPARE_TIMEOUT, check_interval=0.05):
        if golden.exists() and not anew:
            return
        _trim(folder, keep=key)
        with bases.staged(golden, replace=True) as store:
            unfold(store, source, key, progress)


def _verified(engine: StorageEngine, golden: StorageEngine, key: str) -> StorageEngine:
    """The clone, once it has told that it is one of this golden base."""
    staged = engine.clone_from(golden)
    try:
        with staged.transaction(write=True) as tx:  # the connection that writes next
            found = bases.identity_of(tx).get("template")
        if found != key:
            detail = text(ru="это не эталон нужного шаблона", en="not the golden base of this template")
            raise InfobaseDamaged(place=golden.place, detail=detail)
    except BaseException:
        staged.drop()
        staged.close()
        raise
    return staged


# --- upkeep of the folder ---


def _touch(place: Path) -> None:
    """Used now. A golden base on a server has no folder here."""
    if place.is_dir():
        os.utime(place)


def kept(folder: Path | None = None) -> list[Path]:
    """Folders of golden files, the one used last first."""
    folder = folder or cache_folder() / "golden"
    if not folder.is_dir():
        return []
    return sorted((p for p in folder.iterdir() if p.is_dir()), key=lambda p: p.stat().st_mtime, reverse=True)


def size_of(place: Path) -> int:
    return sum(f.stat().st_size for f in place.iterdir() if f.is_file())


def _trim(folder: Path, keep: str) -> None:
    total = 0
    for place in kept(folder):
        total += size_of(place)
        if total > MAX_CACHE_BYTES and place.name != keep:
            shutil.rmtree(place, ignore_errors=True)


def clear_at(engine: StorageEngine, folder: Path | None = None) -> int:
    """Remove the golden bases that were made from this computer beside the bases of an engine; how many."""
    folder = folder or cache_folder() / "golden"
    keys = sorted(p.stem for p in folder.glob("*.lock"))
    removed = 0
    for key in keys:
        golden = engine.golden(key, folder)
        if golden.exists():
            golden.drop()
            removed += 1
        golden.close()
    return removed


def clear(folder: Path | None = None) -> tuple[int, int]:
    """Remove every golden file of this computer; how many, and how many bytes."""
    found = kept(folder)
    freed = sum(map(size_of, found))
    for place in found:
        shutil.rmtree(place)
    return len(found), freed
