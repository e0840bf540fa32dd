"""Columns of texts of a block of rows, as bulk loaders give them to an engine: most of a national file's values repeat, and an engine that
knows it handles each distinct one once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

TextColumns = Sequence[Sequence[str]]
"""One block of rows: its columns, all of the same length."""


class Repeated(Sequence[str]):
    """A column of few distinct values: `values[key]` for every one of `keys`. Columns with the very same `keys` go together."""

    __slots__ = ("keys", "values")

    def __init__(self, keys: Sequence[Any], values: Mapping[Any, str]) -> None:
        self.keys = keys
        self.values = values

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[str]:
        return map(self.values.__getitem__, self.keys)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self.values[k] for k in self.keys[index]]
        return self.values[self.keys[index]]


class Constant(Sequence[str]):
    """The same value in every row."""

    __slots__ = ("_count", "value")

    def __init__(self, value: str, count: int) -> None:
        self.value = value
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self.value] * len(range(*index.indices(self._count)))
        if not -self._count <= index < self._count:
            raise IndexError(index)
        return self.value


def interlaced(columns: TextColumns) -> list[str]:
    """The values row after row, without a step of Python's for each."""
    width, count = len(columns), len(columns[0])
    values = [""] * (width * count)
    for place, column in enumerate(columns):
        values[place::width] = [column.value] * count if isinstance(column, Constant) else column
    return values
