"""$filter: text -> syntax tree. Chains of `and` and `or` are flat, nesting is bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

from engine_server.odata.errors import ODataError, bad_option
from engine_server.odata.literals import Constant, Token, tokens

MAX_DEPTH = 50
"""Nesting of an expression."""


@dataclass(frozen=True, slots=True)
class Literal:
    value: Constant


@dataclass(frozen=True, slots=True)
class Path:
    """`head`: what the path begins at when that is an expression (`cast(X, 'T')/Y`)."""

    names: tuple[str, ...]
    head: Function | None = None


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """`operator`: and, or (any number of parts), not, - (one), comparisons and arithmetic (two)."""

    operator: str
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Lambda:
    """`Товары/any(d: ...)`; `body` None: any row at all."""

    path: tuple[str, ...]
    quantifier: str
    variable: str
    body: Node | None


Node = Union[Literal, Path, Function, Operation, Lambda]  # noqa: UP007

_LEVELS: tuple[tuple[str, ...], ...] = (
    ("or",),
    ("and",),
    ("eq", "ne"),
    ("lt", "le", "gt", "ge"),
    ("add", "sub"),
    ("mul", "div", "mod"),
)
"""Binary operators, those that bind least first."""


def parse_filter(text: str) -> Node:
    """ODataError 400 tells what and where."""
    return _Parser(tokens(text)).whole()


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self._tokens, self._at, self._depth = found, 0, 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        found = self._tokens[self._at]
        self._at += 1
        return found

    def _mark(self, text: str) -> bool:
        if self._next.kind == "mark" and self._next.text == text:
            self._at += 1
            return True
        return False

    def _demand(self, text: str) -> None:
        if not self._mark(text):
            raise self._unexpected(text)

    def _unexpected(self, wanted: str) -> ODataError:
        found = self._next
        shown, at = found.text[:40] or "конец", found.at + 1
        return bad_option(
            f"ожидается {wanted}, а стоит «{shown}» (позиция {at})", f"{wanted} expected, not {shown!r} (position {at})"
        )

    def whole(self) -> Node:
        made = self._binary(0)
        if self._next.kind != "end":
            raise self._unexpected("конец выражения / the end")
        return made

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise bad_option(f"вложенность больше {MAX_DEPTH}", f"nested deeper than {MAX_DEPTH}")

    def _binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        links = 0
        while (operator := self._operator(_LEVELS[level])) is not None:
            right = self._binary(level + 1)
            if operator in ("and", "or") and isinstance(left, Operation) and left.operator == operator:
                left = self._joined(left, operator, right)
            else:
                links += 1
                if links > MAX_DEPTH:
                    raise bad_option(f"цепочка длиннее {MAX_DEPTH}", f"a chain of more than {MAX_DEPTH}")
                left = Operation(operator, (left, right))
        return left

    def _joined(self, left: Operation, operator: str, right: Node) -> Node:
        """One more part of a chain, collected at once so that long chains cost what they are long."""
        parts = [*left.parts, right]
        level = 0 if operator == "or" else 1
        while self._operator(_LEVELS[level]) is not None:
            parts.append(self._binary(level + 1))
        return Operation(operator, tuple(parts))

    def _operator(self, known: tuple[str, ...]) -> str | None:
        found = self._next
        if found.kind == "name" and found.text.lower() in known:
            self._at += 1
            return found.text.lower()
        return None

    def _unary(self) -> Node:
        found = self._next
        if found.kind == "name" and found.text.lower() == "not":
            self._at += 1
            return self._nested("not")
        if self._mark("-"):
            return self._nested("-")
        return self._primary()

    def _nested(self, operator: str) -> Node:
        self._deeper()
        made = Operation(operator, (self._unary(),))
        self._depth -= 1
        return made

    def _primary(self) -> Node:
        if self._mark("("):
            self._deeper()
            made = self._binary(0)
            self._demand(")")
            self._depth -= 1
            return made
        found = self._next
        if found.kind == "constant":
            self._at += 1
            return Literal(found.value)
        if found.kind != "name":
            raise self._unexpected("значение / a value")
        self._at += 1
        if self._mark("("):
            call = self._function(found.text)
            return self._path((), call) if self._mark("/") else call
        return self._path((found.text,), None) if self._mark("/") else Path((found.text,))

    def _function(self, name: str) -> Function:
        self._deeper()
        arguments: list[Node] = []
        if not self._mark(")"):
            arguments.append(self._binary(0))
            while self._mark(","):
                arguments.append(self._binary(0))
            self._demand(")")
        self._depth -= 1
        return Function(name.lower(), tuple(arguments))

    def _path(self, names: tuple[str, ...], head: Function | None) -> Node:
        """After a slash."""
        while True:
            found = self._take()
            if found.kind != "name":
                self._at -= 1
                raise self._unexpected("имя / a name")
            if self._mark("("):
                return self._lambda(names, found.text)
            names = (*names, found.text)
            if not self._mark("/"):
                return Path(names, head)

    def _lambda(self, path: tuple[str, ...], quantifier: str) -> Node:
        if self._mark(")"):
            return Lambda(path, quantifier.lower(), "", None)
        variable = self._take()
        if variable.kind != "name":
            self._at -= 1
            raise self._unexpected("имя переменной / a variable")
        self._demand(":")
        self._deeper()
        body = self._binary(0)
        self._demand(")")
        self._depth -= 1
        return Lambda(path, quantifier.lower(), variable.text, body)
