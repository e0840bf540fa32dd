"""The supply description of a package: ReadMe, UpdInfo and the HTML beside them, as plain text. Nothing in them is ever run or fetched."""

from __future__ import annotations

import re
from pathlib import Path

from lxml import etree, html

from infobase.text_files import decode

MAX_BYTES = 256 << 10
"""Of each file; a description is read by people."""
_NAMES = ("readme", "1cv8upd", "updinfo")
_SUFFIXES = (".txt", ".md", ".htm", ".html", "")
_BLOCKS = {"p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "pre", "hr", "title"}
_HIDDEN = {"script", "style", "head", "object", "embed", "iframe", "template", "noscript"}


def description_files(folder: Path) -> list[Path]:
    """The files that describe a package, ReadMe first."""
    try:
        files = [p for p in folder.iterdir() if p.is_file()]
    except OSError:
        return []
    found = [(rank, p.name.casefold(), p) for p in files if (rank := _rank(p)) is not None]
    return [p for _, _, p in sorted(found)]


def _rank(file: Path) -> int | None:
    stem, suffix = file.stem.casefold(), file.suffix.casefold()
    if suffix not in _SUFFIXES:
        return None
    return next((i for i, name in enumerate(_NAMES) if stem.startswith(name)), None)


def description(folder: Path) -> str:
    """Every description of the package, one after another; "" when there is none. OSError."""
    parts = [as_text(file.name, _head(file)) for file in description_files(folder)]
    return "\n\n".join(part for part in parts if part)


def _head(file: Path) -> bytes:
    with file.open("rb") as handle:
        return handle.read(MAX_BYTES)


def as_text(name: str, raw: bytes) -> str:
    """What people read in a text or an HTML file."""
    if name.casefold().endswith((".htm", ".html")):
        return _tidy(re.sub(r"[ \t\xa0]+", " ", _html_text(raw)))
    return _tidy(decode(raw).text, start="")


def _html_text(raw: bytes) -> str:
    """The visible text; scripts, styles and everything that would be loaded are dropped."""
    try:
        root = html.document_fromstring(raw, parser=_parser(raw))
    except (etree.ParserError, etree.XMLSyntaxError, ValueError, LookupError):
        return ""
    pieces: list[str] = []
    # Walked without recursion: depth is the file's choice.
    for event, node in etree.iterwalk(root, events=("start", "end")):
        if not isinstance(node.tag, str):
            continue
        hidden = node.tag in _HIDDEN or any(a.tag in _HIDDEN for a in node.iterancestors())
        if event == "start":
            pieces.append("\n" if node.tag in _BLOCKS else "")
            pieces.append("" if hidden else _one_line(node.text))
        else:
            pieces.append("\n" if node.tag in _BLOCKS else "")
            inside = any(a.tag in _HIDDEN for a in node.iterancestors())
            pieces.append("" if inside else _one_line(node.tail))
    return "".join(pieces)


def _parser(raw: bytes) -> html.HTMLParser:
    """For the page's own code page, or where nobody knows that name, for the one its bytes look like."""
    try:
        return _parser_for(_charset(raw))
    except LookupError:
        return _parser_for(_guessed(raw))


def _parser_for(encoding: str) -> html.HTMLParser:
    return html.HTMLParser(no_network=True, remove_comments=True, remove_pis=True, encoding=encoding)


def _charset(raw: bytes) -> str:
    """What the page says of itself, else what its bytes are."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    stated = re.search(rb"charset\s*=\s*[\"']?([A-Za-z0-9_-]{2,20})", raw[:4096], re.IGNORECASE)
    if stated and not raw.startswith(b"\xef\xbb\xbf"):
        return stated[1].decode("ascii")
    return _guessed(raw)


def _guessed(raw: bytes) -> str:
    found = decode(raw).encoding
    return "utf-8" if found.startswith("utf-8") else found


def _one_line(piece: str | None) -> str:
    return re.sub(r"\s+", " ", piece or "")


def _tidy(found: str, start: str = " ") -> str:
    """Without blanks at line ends (and, in HTML, at their beginnings) and without heaps of empty lines."""
    lines = [line.rstrip().lstrip(start) if start else line.rstrip() for line in re.split(r"\r\n|\r|\n", found)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
