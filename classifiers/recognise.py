"""Which classifier a source holds, and in which format: judged by what its files contain, never by their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from classifiers.kind import ClassifierKind, Format
from classifiers.source import Member, Source, refused
from classifiers.text import shown
from infobase.errors import ClassifierAmbiguous, ClassifierUnknown
from infobase.i18n import Bilingual

_SHOWN_MEMBERS = 5
_SKIPPED = re.compile(r"<\?.*?(?:\?>|>|$)|<!--.*?(?:-->|$)|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>", re.DOTALL)
_ROOT = re.compile(r"<((?:[\w.-]+:)?[\w.-]+)((?:\s+[^<>]*)?)(/?>|$|<)")
_ATTRIBUTE = re.compile(r"""([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
XML_STARTS = (b"<", b"\xef\xbb\xbf<", b"\xff\xfe<", b"\xfe\xff\0<")


@dataclass(frozen=True, slots=True)
class XmlRoot:
    """The first element of an XML document, as far as a look shows: its local name, attributes, and the text after it.

    `whole`: its tag ends where the look does not."""

    name: str
    attributes: Mapping[str, str]
    rest: str
    whole: bool = True


def xml_root(head: bytes) -> XmlRoot | None:
    """A look at the beginning of a file that may be damaged; None when it is no XML. Only for telling formats apart."""
    if not looks_like_xml(head):
        return None
    written = head_text(head)
    body = _SKIPPED.sub(" ", written)
    found = _ROOT.search(body)
    if found is None:
        return None
    attributes = {name: first or second for name, first, second in _ATTRIBUTE.findall(found[2])}
    return XmlRoot(found[1].rpartition(":")[2], attributes, body[found.end() :], found[3].endswith(">"))


def looks_like_xml(head: bytes) -> bool:
    """Whether the bytes begin as XML does in any of its encodings."""
    return head.lstrip(b" \t\r\n").startswith(XML_STARTS) or head.startswith((b"<\0", b"\0<"))


def head_text(head: bytes) -> str:
    """The beginning of a file as text, in whichever of the usual encodings it is; never fails."""
    if head.startswith((b"\xff\xfe", b"<\0")):
        return head.decode("utf-16-le", "replace").lstrip("\ufeff")
    if head.startswith((b"\xfe\xff", b"\0<")):
        return head.decode("utf-16-be", "replace").lstrip("\ufeff")
    body = head.removeprefix(b"\xef\xbb\xbf")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as e:
        if e.start >= len(body) - 4 and e.reason.startswith("unexpected end"):
            return body[: e.start].decode("utf-8")
        return body.decode(russian_code_page(body), "replace")


def russian_code_page(body: bytes) -> str:
    """Which of the two one-byte code pages a Russian text is in, by where its letters lie: cp866 has the capitals and half of the small ones at
    80..AF, where windows-1251 has a few marks; windows-1251 has letters at C0..DF and F0..FF, where cp866 has frames."""
    dos = sum(map(body.count, (bytes([b]) for b in range(0x80, 0xB0))))
    windows = sum(map(body.count, (bytes([b]) for b in (*range(0xC0, 0xE0), *range(0xF0, 0x100)))))
    return "cp866" if dos > windows else "cp1251"


def members_where(matches: Callable[[Member], bool]) -> Callable[[Source], Sequence[Member]]:
    """A `Format.select`: the members that match, in the order of their names."""

    def select(source: Source) -> Sequence[Member]:
        return sorted((m for m in source.members if m.size and matches(m)), key=lambda m: m.name)

    return select


def find_format(
    kind: ClassifierKind, source: Source, others: Sequence[ClassifierKind] = ()
) -> tuple[Format, Sequence[Member]]:
    """The format of `kind` the source is in, with its members. ClassifierUnknown; ClassifierAmbiguous when it holds several.

    A lone file that is not recognised but begins as one of the formats does is given to that format, whose reader says what is wrong;
    unless it is recognised as one of `others`: a list of currencies reads well as one of countries."""
    found = [(form, members) for form in kind.formats if (members := form.select(source))]
    if len(found) > 1 and not kind.first_format_wins:
        names = "; ".join(f"{form.name}: {_names(members)}" for form, members in found)
        raise ClassifierAmbiguous(
            place=source.path, detail=Bilingual(f"форматов несколько ({names})", f"several formats ({names})")
        )
    if found:
        return found[0]
    _demand_bytes(source)
    lone = source.lone
    if lone is not None:
        _demand_no_other(kind, source, others)
        for form in kind.formats:
            if _begins(lone.head, form.fallback):
                return form, [lone]
    raise ClassifierUnknown(
        place=source.path,
        detail=Bilingual(
            f"это не «{kind.title.ru}» (есть: {_names(source.members)}). Нужен: {kind.bring.ru}",
            f"this is not {kind.title.en!r} (found: {_names(source.members)}). Needed: {kind.bring.en}",
        ),
    )


def _demand_no_other(kind: ClassifierKind, source: Source, others: Sequence[ClassifierKind]) -> None:
    """ClassifierUnknown when the source is another kind's."""
    root = xml_root(source.members[0].head)
    if root is not None and not root.whole:
        return  # what it is stands in the part that is missing
    found = next((o for o in others if o is not kind and any(form.select(source) for form in o.formats)), None)
    if found is None:
        return
    ru = f"это не «{kind.title.ru}», а «{found.title.ru}»: classifier load {found.name}"
    en = f"this is not {kind.title.en!r} but {found.title.en!r}: classifier load {found.name}"
    raise ClassifierUnknown(place=source.path, detail=Bilingual(ru, en))


def _begins(head: bytes, starts: Sequence[bytes]) -> bool:
    """Whether a file begins in one of these ways; an empty one stands for any text that is no XML."""
    start = head.lstrip(b" \t\r\n")
    return any(start.startswith(s) if s else not looks_like_xml(head) for s in starts)


def _demand_bytes(source: Source) -> None:
    """ClassifierInvalid when nothing at all is in the files: a download that failed."""
    if not any(m.size for m in source.members):
        one = source.lone
        ru, en = ("файл пуст", "the file is empty") if one else ("все файлы пусты", "all files are empty")
        raise refused(one.place if one else source.path, f"{ru}; возьмите его заново" if one else ru, en)


def find_kind_of(kinds: Sequence[ClassifierKind], source: Source) -> ClassifierKind:
    """The only kind the source holds. ClassifierUnknown, ClassifierAmbiguous; ClassifierInvalid when it is empty."""
    found = [kind for kind in kinds if any(form.select(source) for form in kind.formats)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(kind.name for kind in found)
        ru, en = f"классификаторов несколько: {names}; укажите вид", f"several classifiers: {names}; name the kind"
        raise ClassifierAmbiguous(place=source.path, detail=Bilingual(ru, en))
    _demand_bytes(source)
    names = _names(source.members)
    raise ClassifierUnknown(
        place=source.path,
        detail=Bilingual(
            f"по содержимому не узнан ни один классификатор (есть: {names})",
            f"its content is no known classifier (found: {names})",
        ),
    )


def _names(members: Sequence[Member]) -> str:
    listed = ", ".join(shown(m.name) for m in members[:_SHOWN_MEMBERS])
    return listed + (", ..." if len(members) > _SHOWN_MEMBERS else "")
