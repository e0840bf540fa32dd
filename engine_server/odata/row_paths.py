"""Paths through a tabular section without a lambda, `Товары/Цена gt 10`: as clients of 1C write conditions on rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

from engine_server.odata.filter_syntax import Function, Node, Operation, Path

ROW = "@"
"""Stands for the row where no variable was named; no name of a client's can be it."""


def paths_in(node: Node) -> Iterator[Path]:
    """The paths of a comparison, those inside lambdas aside."""
    match node:
        case Path(_, head):
            yield node
            if head is not None:
                yield from paths_in(head)
        case Function(_, parts) | Operation(_, parts):
            for part in parts:
                yield from paths_in(part)


def as_row(node: Node, section: Callable[[tuple[str, ...]], object]) -> Node:
    """The comparison with paths through the section turned into paths of its row."""
    match node:
        case Path(names, None):
            return Path((ROW, *names[1:])) if section(names) is not None else node
        case Path(names, Function() as head):
            return Path(names, cast(Function, as_row(head, section)))
        case Function(name, parts):
            return Function(name, tuple(as_row(p, section) for p in parts))
        case Operation(operator, parts):
            return Operation(operator, tuple(as_row(p, section) for p in parts))
        case _:
            return node
