"""The fuzzer itself: it finds what it is for, every reader of foreign bytes is under it, and what was once found stays found."""

from __future__ import annotations

import ast
import ctypes
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import CodeType, FrameType

import pytest

from tests.reliability import fuzz
from tests.reliability.fuzz import CORPUS, READERS, Reader, fuzz_apart, pool_of

ROOT = Path(__file__).parents[2]
PACKAGES = ("infobase", "engine_file", "engine_server", "templates_store", "classifiers", "crm")
PARSERS = re.compile(
    r"(json|tomllib)\.loads?|(etree|html)\.\w*(fromstring|iterparse|Parser)|(zipfile\.|^)ZipFile|py7zr\.\w+|CalamineWorkbook\.\w+"
    r"|ipc\.(read_\w+|open_\w+)|(struct|_[A-Z]+)\.(iter_)?unpack(_from)?|zlib\.decompress\w*|base64\.\w+decode"
    r"|_(JSON|DECODER)\.decode|\w+\.read_(bytes|text)|expat\.\w+"
)
"""Calls that make something of bytes nobody has vouched for."""

EXEMPT = {
    "classifiers/afar.py:_one_file": "writes an archive",
    "classifiers/sample.py:write_ed807": "writes an archive",
    "classifiers/sample_gar.py:write_gar": "writes an archive",
    "infobase/dump.py:_write_container": "writes an archive",
    "infobase/metadata/archive.py:write_cf": "writes an archive",
    "classifiers/workbook_child.py:lines": "in a process of its own with limits; reached by the reader `workbook`",
    "templates_store/build.py:_zip": "writes an archive",
    "engine_file/registry.py:_read_text": "a mark of our own, compared whole",
    "templates_store/golden.py:_digest": "a mark of our own, compared whole",
    "infobase/remote_lists.py:fetch": "the words of our own last failure, shown",
    "engine_server/application/process.py:pid_of": "the server's own number",
    "engine_server/application/process.py:ready": "the answer of the server of this folder",
    "engine_server/application/process.py:start_in_background": "the end of our own log, shown",
    "engine_server/application/vault.py:Vault.open_place": "sealed by our key: nothing foreign opens",
    "engine_server/embedded.py:EmbeddedCluster._launch": "the end of PostgreSQL's log, shown",
    "engine_server/embedded.py:EmbeddedCluster._started_on_demand": "a mark of our own",
    "engine_server/application/once.py:result": "of our own store",
    "engine_server/odata/publication.py:published": "of our own store",
    "infobase/jobs.py:_parameters": "of our own store",
    "infobase/settings.py:Classifiers.all": "of our own store",
    "infobase/users.py:_parsed": "of our own store",
    "infobase/inspection/child.py:supply": "in a process of its own with limits; reached by the reader `inspect`",
    "infobase/inspection/child.py:unpacked": "in a process of its own with limits; reached by the reader `inspect`",
}
"""`file:function` -> why nothing foreign comes there."""


# --- the fuzzer finds what it is for ---


def _reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path], object]) -> Reader:
    monkeypatch.setattr(fuzz, "CORPUS", tmp_path)
    return Reader("broken", ".bin", lambda: [b"seed"], read)


def _dies(_: Path) -> object:
    os.abort()


def _hangs(_: Path) -> object:
    while True:
        pass


def _hangs_below_python(_: Path) -> object:
    return ctypes.PyDLL(None).usleep(60_000_000)  # with the interpreter's lock held: no signal is heeded


def _eats(_: Path) -> object:
    return len(bytes([1]) * (80 << 20))


def _asks_too_much(_: Path) -> object:
    return bytearray(3 << 30)


def _raises(_: Path) -> object:
    raise KeyError("x")


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (_raises, "KeyError"),
        (_eats, "MB of memory"),
        (_asks_too_much, "MemoryError"),
        (_hangs, "Hung"),
        (_hangs_below_python, "ended or hung"),
        (_dies, "ended or hung"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="memory and forks are as Linux has them")
def test_a_broken_reader_is_caught_and_its_input_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path], object], said: str
) -> None:
    monkeypatch.setattr(fuzz, "LIMIT_SECONDS", 0.5)
    monkeypatch.setattr(fuzz, "LIMIT_RESIDENT", 50 << 20)
    monkeypatch.setattr(fuzz, "WATCH_SECONDS", 3.0 if read is _hangs_below_python else 60.0)
    found = fuzz_apart(_reader(tmp_path, monkeypatch, read))
    assert len(found.broken) == 1 and said in found.broken[0]
    [kept] = (tmp_path / "broken").iterdir()
    assert kept.read_bytes() == b"seed"


def test_what_is_kept_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []
    reader = _reader(tmp_path, monkeypatch, lambda path: seen.append(path.read_bytes()))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.bin").write_bytes(b"once bad")
    assert fuzz.fuzz(reader, rounds=5).tried == 7
    assert seen[:2] == [b"seed", b"once bad"]


def test_the_corpus_belongs_to_readers_there_are() -> None:
    assert {p.name for p in CORPUS.iterdir() if p.is_dir()} <= set(READERS)
    assert all(p.stat().st_size < 200_000 for p in CORPUS.rglob("*") if p.is_file())


# --- no reader is forgotten ---


def _parsing_functions() -> Iterator[tuple[str, str, tuple[int, int]]]:
    """(file, qualified name, its lines) of every function that calls a parser."""
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            yield from _inside(ast.parse(file.read_text("utf-8")), file.relative_to(ROOT).as_posix(), "")


def _inside(node: ast.AST, file: str, prefix: str) -> Iterator[tuple[str, str, tuple[int, int]]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _inside(child, file, f"{prefix}{child.name}.")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and any(map(_parses, ast.walk(child))):
            yield file, f"{prefix}{child.name}", (child.lineno, child.end_lineno or child.lineno)


def _parses(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and PARSERS.search(ast.unparse(node.func)) is not None


def _run_by_all_seeds(folder: Path) -> set[tuple[str, int]]:
    """(file, first line) of every function of the product that runs when the readers read their seeds and the corpus."""
    codes: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            codes.add(frame.f_code)

    before = sys.getprofile()
    for reader in READERS.values():
        for data in pool_of(reader):
            path = folder / f"input{reader.suffix}"
            path.write_bytes(data)
            sys.setprofile(note)  # anew for each: an input that is too deep ends the noting with an error of its own
            try:
                with suppress(*reader.refusals):
                    reader.read(path)
            finally:
                sys.setprofile(before)
    found = {(c.co_filename, c.co_firstlineno) for c in codes}
    return {(Path(f).relative_to(ROOT).as_posix(), n) for f, n in found if f.startswith(f"{ROOT}{os.sep}")}


def test_every_function_that_parses_foreign_bytes_is_reached_by_the_fuzzer(tmp_path: Path) -> None:
    """A new reader without a target fails here: give it one in `fuzz.READERS`, or say in EXEMPT why nothing foreign comes to it."""
    ran = _run_by_all_seeds(tmp_path)
    parsing = list(_parsing_functions())
    missed = {f"{file}:{name}" for file, name, (a, b) in parsing if not any((file, n) in ran for n in range(a - 3, b))}
    assert missed - set(EXEMPT) == set()
    assert set(EXEMPT) <= {f"{file}:{name}" for file, name, _ in parsing}, "exempted, but it is gone"


def test_the_limit_of_time_is_by_the_input_not_by_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "LIMIT_SECONDS", 0.5)
    found = fuzz.fuzz(_reader(tmp_path, monkeypatch, lambda _: _busy(0.2)), rounds=4)
    assert not found.broken and found.tried == 5


def _busy(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
