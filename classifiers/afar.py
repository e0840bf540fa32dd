"""Loading an address classifier into a base behind an application server: the file travels there and is loaded beside the data.

The same loader works there in the same single transaction. A file or an archive is sent as it is; of a folder the files that belong to
the classifier are sent in a zip and laid out again as a folder, so that the registry knows the same source either way.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from classifiers import loader
from classifiers.kind import ClassifierKind, Options, Progress
from classifiers.source import MAX_MEMBERS, Member, _demand_harmless, opened_member, opened_zip, reading_errors, refused
from classifiers.text import shown
from infobase.i18n import text
from infobase.scratch import temporary_folder
from infobase.served import served
from infobase.session import Session

CONTENT = "content"
"""The folder into which a sent folder is laid out."""


def load_afar(
    session: Session,
    kind: ClassifierKind,
    source: Path,
    members: Sequence[Member],
    progress: Progress | None,
    options: Options,
    name: str,
) -> loader.LoadReport:
    """`members`: those of `source` that will be read. AccessDenied without the right of administration."""
    session.access.demand_configuration("Administration")
    with _one_file(source, members, progress) as file:
        given = load_beside(session, file, kind.name, dict(options), name, source.is_dir(), progress)
    given["remarks"] = tuple(given["remarks"])
    return loader.LoadReport(**given, warnings=())


@served("Administration", file="source")
def load_beside(
    session: Session,
    source: Path,
    kind: str,
    options: dict[str, object],
    name: str,
    folder: bool,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The loader where the data lie. `folder`: the file is a zip of a folder. The report without its warnings, of which addresses have none."""
    place = _laid_out(source) if folder else source
    made = asdict(loader.load(session, kind, place, progress, options, name))
    made.pop("warnings")
    return made


@contextmanager
def _one_file(source: Path, members: Sequence[Member], progress: Progress | None) -> Iterator[Path]:
    if not source.is_dir():
        yield source
        return
    files = sorted({Path(m.place.split("!")[0]) for m in members if not m.unread})
    with temporary_folder("classifiers") as scratch:
        packed = scratch / f"{source.resolve().name}.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for number, file in enumerate(files):
                if progress is not None:
                    progress(text(ru="Упаковка папки", en="Packing the folder"), number, len(files))
                archive.write(file, file.relative_to(source).as_posix())
        yield packed


def _laid_out(packed: Path) -> Path:
    """The folder as it was, beside the zip. Names that lead elsewhere are refused."""
    folder = packed.parent / CONTENT / packed.stem
    with reading_errors(packed.name), opened_zip(packed) as archive:
        infos = archive.infolist()
        if len(infos) > MAX_MEMBERS:
            raise refused(packed.name, f"файлов слишком много: {len(infos)}", f"too many files: {len(infos)}")
        for info in infos:
            parts = info.filename.split("/")
            if any(p in ("", ".", "..") or "\\" in p or ":" in p for p in parts):
                raise refused(packed.name, "недопустимое имя файла", "a file name that is not allowed")
            _demand_harmless(f"{packed.name}!{shown(info.filename)}", info)
            target = folder.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with opened_member(archive, info) as content, target.open("xb") as file:
                shutil.copyfileobj(content, file, 1 << 20)
    packed.unlink()
    return folder
