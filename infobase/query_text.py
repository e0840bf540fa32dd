"""Conditions in one line, for the command line: a small parser of its own, from which no SQL comes.

    parse_where("Customer.Region = 'Москва' and (Amount >= 100 or Posted = true)")
    parse_where("Контрагент в иерархии {Справочник.Контрагенты:0190...} и не Дата < '2026-01-01'")

Words (either language): and/и, or/или, not/не, in/в, between/между (a and b), contains/содержит, starts_with/начинается, is_empty/пусто,
in_hierarchy/в_иерархии. Values: 'text' or "text" (the quote doubled inside), numbers, true/истина, false/ложь, null/неопределено,
{Catalog.X:uuid}. A date is a text in ISO form, an enumeration value a text with its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from infobase.metadata.types import Ref
from infobase.query_json import value_from_json
from infobase.query_model import MAX_DEPTH, MAX_LIST, And, Compare, Condition, Not, Or
from infobase.query_names import invalid, shown

MAX_LENGTH = 100_000
"""Characters of one condition."""

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<number>[-+]?\d+(?:\.\d+)?)(?![\w.])
      | (?P<ref>\{[^{}]*\})
      | (?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)
      | (?P<symbol><=|>=|!=|<>|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE,
)
_WORDS = {
    "and": "and",
    "и": "and",
    "or": "or",
    "или": "or",
    "not": "not",
    "не": "not",
    "in": "in",
    "в": "in",
    "between": "between",
    "между": "between",
    "contains": "contains",
    "содержит": "contains",
    "starts_with": "starts_with",
    "начинается": "starts_with",
    "is_empty": "is_empty",
    "пусто": "is_empty",
    "in_hierarchy": "in_hierarchy",
    "в_иерархии": "in_hierarchy",
}
_CONSTANTS: dict[str, object] = {
    "true": True,
    "истина": True,
    "false": False,
    "ложь": False,
    "null": None,
    "none": None,
    "неопределено": None,
}
_COMPARISONS = ("=", "!=", "<>", "<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int

    @property
    def word(self) -> str:
        """The canonical keyword, "" for anything else."""
        return _WORDS.get(self.text.casefold(), "") if self.kind == "name" else ""


def parse_where(written: str) -> Condition:
    """The condition. QueryInvalid says at which character it stopped making sense."""
    if len(written) > MAX_LENGTH:
        raise invalid(f"условие длиннее {MAX_LENGTH}", f"the condition is longer than {MAX_LENGTH}")
    parser = _Parser(_tokens(written))
    found = parser.alternatives(1)
    parser.expect_end()
    return found


def _tokens(written: str) -> list[_Token]:
    made, at = [], 0
    end = len(written.rstrip())
    while at < end:
        match = _TOKEN.match(written, at)
        if match is None:
            raise _error(at, written[at : at + 20].strip())
        kind = str(match.lastgroup)
        made.append(_Token(kind, match[kind], match.start(kind)))
        at = match.end()
    return [*made, _Token("end", "", end)]


def _error(at: int, near: str) -> Exception:
    ru, en = f"условие не разобрано, символ {at + 1}", f"cannot parse the condition at character {at + 1}"
    return invalid(f"{ru}: «{shown(near)}»" if near else ru, f"{en}: {shown(near)!r}" if near else en)


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens, self._at = tokens, 0

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._next
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _fail(self) -> Exception:
        return _error(self._next.at, self._next.text)

    def _symbol(self, text: str) -> bool:
        if self._next.kind == "symbol" and self._next.text == text:
            self._take()
            return True
        return False

    def _keyword(self, word: str) -> bool:
        if self._next.word == word:
            self._take()
            return True
        return False

    def expect_end(self) -> None:
        if self._next.kind != "end":
            raise self._fail()

    def alternatives(self, depth: int) -> Condition:
        parts = [self._together(depth)]
        while self._keyword("or"):
            parts.append(self._together(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _together(self, depth: int) -> Condition:
        parts = [self._one(depth)]
        while self._keyword("and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise invalid(f"вложенность больше {MAX_DEPTH}", f"nested deeper than {MAX_DEPTH}")
        if self._keyword("not"):
            return Not(self._one(depth + 1))
        if self._symbol("("):
            found = self.alternatives(depth + 1)
            if not self._symbol(")"):
                raise self._fail()
            return found
        return self._comparison()

    def _comparison(self) -> Condition:
        field = self._expression()
        token = self._take()
        if token.kind == "symbol" and token.text in _COMPARISONS:
            return Compare(field, "!=" if token.text == "<>" else token.text, self._value())
        negated = token.word == "not"
        word = self._take().word if negated else token.word
        if word == "in":
            return Compare(field, "not in" if negated else "in", self._list())
        if negated or word not in ("between", "contains", "starts_with", "is_empty", "in_hierarchy"):
            self._at -= 1
            raise self._fail()
        return self._worded(field, word)

    def _worded(self, field: str, word: str) -> Condition:
        if word == "is_empty":
            return Compare(field, word, True)
        if word == "between":
            low = self._value()
            if not self._keyword("and"):
                raise self._fail()
            return Compare(field, word, (low, self._value()))
        if word == "in_hierarchy" and self._next.text == "(":
            return Compare(field, word, self._list())
        return Compare(field, word, self._value())

    def _expression(self) -> str:
        """A field, or for having an aggregate: Sum(Amount), Count(distinct Customer)."""
        token = self._take()
        if token.kind != "name" or token.word:
            self._at -= 1
            raise self._fail()
        if not self._symbol("("):
            return token.text
        inside = []
        while self._next.kind == "name":
            inside.append(self._take().text)
        if not inside or not self._symbol(")"):
            raise self._fail()
        return f"{token.text}({' '.join(inside)})"

    def _list(self) -> tuple[object, ...]:
        if not self._symbol("("):
            raise self._fail()
        if self._symbol(")"):
            return ()
        made = [self._value()]
        while self._symbol(","):
            made.append(self._value())
            if len(made) > MAX_LIST:
                raise invalid(f"в списке больше {MAX_LIST} значений", f"more than {MAX_LIST} values in a list")
        if not self._symbol(")"):
            raise self._fail()
        return tuple(made)

    def _value(self) -> object:
        token = self._next
        match token.kind:
            case "text":
                quote = token.text[0]
                made: object = token.text[1:-1].replace(quote * 2, quote)
            case "number":
                made = Decimal(token.text)
            case "ref":
                made = value_from_json({"ref": token.text[1:-1].strip()})
                assert isinstance(made, Ref)
            case "name" if token.text.casefold() in _CONSTANTS:
                made = _CONSTANTS[token.text.casefold()]
            case _:
                raise self._fail()
        self._take()
        return made
