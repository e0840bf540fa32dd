"""Case folding of texts that have no search column, and patterns of 1C's ПОДОБНО (LIKE) as SQLite's GLOB and PostgreSQL's regular expressions.

In a pattern `%` is any text, `_` any character, `[abc]`, `[а-я]` one of those, `[^...]` none of those. Case and ё count for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

UPPER = "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЄІЇЎҐё"
LOWER = "абвгдеежзийклмнопрстуфхцчшщъыьэюяєіїўґе"
LATIN_UPPER, LATIN_LOWER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
FOLD = str.maketrans(UPPER + LATIN_UPPER, LOWER + LATIN_LOWER)
_CASES: dict[str, str] = {}
for _upper, _lower in zip(UPPER + LATIN_UPPER, LOWER + LATIN_LOWER, strict=True):
    _CASES[_lower] = _CASES.get(_lower, _lower) + _upper

_SET = re.compile(r"\[(\^?)(\]?[^\]]*)\]")
_RANGE = 100
"""Letters of one range in a set; longer ones are kept as they are written."""


def glob_letter(letter: str) -> str:
    """A GLOB that matches the letter in either case, and nothing else."""
    cases = _CASES.get(letter.translate(FOLD))
    if cases is not None:
        return f"[{cases}]"
    return f"[{letter}]" if letter in "*?[" else letter


def glob_pattern(pattern: str) -> str:
    """The pattern as a GLOB."""
    made = []
    for kind, part in _parts(pattern):
        if kind == "letter":
            made.append({"%": "*", "_": "?"}.get(part) or glob_letter(part))
        elif kind == "literal":
            made.append(glob_letter(part))
        else:
            made.append(f"[{'^' if kind == 'none' else ''}{_glob_set(part)}]")
    return "".join(made)


def regular_expression(pattern: str) -> str:
    """The pattern as a regular expression over folded text."""
    made = []
    for kind, part in _parts(pattern):
        if kind == "letter" and part in "%_":
            made.append(".*" if part == "%" else ".")
        elif kind in ("letter", "literal"):
            made.append(_escaped(part.translate(FOLD)))
        else:
            made.append(f"[{'^' if kind == 'none' else ''}{''.join(_set_letter(c) for c in _letters(part))}]")
    return f"(?s)^{''.join(made)}$"


def _parts(pattern: str) -> Iterator[tuple[str, str]]:
    """(letter, c), (literal, c) for a set of that one character, (some | none, set)."""
    at = 0
    while at < len(pattern):
        found = _SET.match(pattern, at)
        if found is None or not found[2]:
            yield ("literal" if pattern[at] == "[" else "letter"), pattern[at]
            at += 1
            continue
        at = found.end()
        if len(found[2]) == 1 and not found[1]:
            yield "literal", found[2]
        else:
            yield ("none" if found[1] else "some"), found[2]


def _letters(inside: str) -> str:
    """The folded letters of a set, its ranges written out."""
    made: list[str] = []
    at = 0
    while at < len(inside):
        if at + 2 < len(inside) and inside[at + 1] == "-":
            low, high = sorted((ord(inside[at]), ord(inside[at + 2])))
            made += (chr(c) for c in range(low, min(high, low + _RANGE) + 1) if not 0xD800 <= c <= 0xDFFF)
            at += 3
        else:
            made.append(inside[at])
            at += 1
    return "".join(dict.fromkeys("".join(made).translate(FOLD)))


def _glob_set(inside: str) -> str:
    """`]` and `-` must come first in a GLOB's set, `^` must not."""
    letters = dict.fromkeys(c for letter in _letters(inside) for c in _CASES.get(letter, letter))
    middle = "".join(c for c in letters if c not in "]-^")
    return f"{']' if ']' in letters else ''}{'-' if '-' in letters else ''}{middle}{'^' if '^' in letters else ''}"


def _escaped(letter: str) -> str:
    return letter if letter.isalnum() or letter.isspace() or ord(letter) > 127 else "\\" + letter


def _set_letter(letter: str) -> str:
    return "\\" + letter if letter in "\\]^-[" else letter
