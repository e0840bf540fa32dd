"""Statements that find codes of address objects by name below other objects: probes of the index (search key, code), nothing else is read.

`ranges` are half-open ranges of codes, as `address_codes.below` gives them; `EVERYWHERE` is the whole country.
"""

from __future__ import annotations

from collections.abc import Sequence

from infobase.schema.dialect import Dialect
from infobase.storage import Row, Statement

Range = tuple[str, str]
EVERYWHERE: Sequence[Range] = (("0", ":"),)
"""Codes begin with a digit."""
_PATH = "substr({code}, 3, 1) = '.'"


class Probes:
    """For the objects in `table` with the columns `code` and `key`, all quoted."""

    def __init__(self, dialect: Dialect, table: str, code: str, key: str) -> None:
        self._dialect, self._table, self._code, self._key = dialect, table, code, key

    def below(self, keys: Sequence[str], ranges: Sequence[Range], limit: int) -> Statement:
        """Codes of the objects with one of the keys."""
        sql = f"WITH {self._ranges(ranges)}, {self._keys('k', keys)} {self._select('a.lo', 'a.hi', 'a CROSS JOIN k', limit)}"
        return Statement(sql, [*_flat(ranges), *keys])

    def count(self, keys: Sequence[str], ranges: Sequence[Range], limit: int) -> Statement:
        """How many there are, at most `limit`."""
        inner = self._select("a.lo", "a.hi", "a CROSS JOIN k", limit)
        sql = f"WITH {self._ranges(ranges)}, {self._keys('k', keys)} SELECT count(*) FROM ({inner}) AS n"
        return Statement(sql, [*_flat(ranges), *keys])

    def down(
        self, upper: Sequence[str], lower: Sequence[str], ranges: Sequence[Range], tried: int, limit: int
    ) -> Statement:
        """Codes of objects with a key of `lower` below objects with one of `upper`, of which `tried` are tried: a probe for each and each lower key."""
        begin = f"CASE WHEN {_PATH.format(code='p.c')} THEN p.c || '.' ELSE substr(p.c, 1, 11) END"
        places = self._select("a.lo", "a.hi", "a CROSS JOIN k", tried)
        found = self._select("q.lo", "q.lo || ':'", "q CROSS JOIN s", limit, "s")
        sql = (
            f"WITH {self._ranges(ranges)}, {self._keys('k', upper)}, {self._keys('s', lower)}, p(c) AS ({places}), "
            f"q(lo) AS (SELECT {begin} FROM p) {found}"
        )
        return Statement(sql, [*_flat(ranges), *upper, *lower])

    def joined(
        self, upper: Sequence[str], lower: Sequence[str], ranges: Sequence[Range], read: tuple[int, int], limit: int
    ) -> Statement:
        """The same, reading so many objects of both names and comparing their codes. In GAR one object may lie between them."""
        places = self._select("a.lo", "a.hi", "a CROSS JOIN k", read[0])
        streets = self._select("a.lo", "a.hi", "a CROSS JOIN s", read[1], "s")
        path, parent = _PATH.format(code="p.c"), "rtrim(rtrim({}, '0123456789'), '.')"
        above = f"CASE WHEN {path} THEN {parent.format('p.c')} ELSE substr(p.c, 1, 11) || '00' END"
        # IS TRUE keeps PostgreSQL from comparing all with all: it has a table of hashes made of the subquery
        sql = (
            f"WITH {self._ranges(ranges)}, {self._keys('k', upper)}, {self._keys('s', lower)}, x(c) AS ({places}), "
            f"p(c) AS ({streets}), q(c, up) AS (SELECT p.c, {above} FROM p UNION ALL "
            f"SELECT p.c, {parent.format(parent.format('p.c'))} FROM p WHERE {path}) "
            f"SELECT q.c FROM q WHERE (q.up IN (SELECT x.c FROM x)) IS TRUE LIMIT {limit}"
        )
        return Statement(sql, [*_flat(ranges), *upper, *lower])

    def _select(self, low: str, high: str, outer: str, limit: int, keys: str = "k") -> str:
        lateral = self._dialect.lateral
        probe = (
            f"{self._table} o WHERE o.{self._key} = {keys}.v AND o.{self._code} >= {low} AND o.{self._code} < {high}"
        )
        if lateral:
            probe = f"{lateral}(SELECT o.{self._code} FROM {probe} LIMIT {limit}) AS o"
        return f"SELECT o.{self._code} FROM {outer} CROSS JOIN {probe} LIMIT {limit}"

    def _ranges(self, ranges: Sequence[Range]) -> str:
        return f"a(lo, hi) AS (VALUES {self._dialect.values(2, len(ranges))})"

    def _keys(self, name: str, keys: Sequence[str]) -> str:
        return f"{name}(v) AS (VALUES {self._dialect.values(1, len(keys))})"


def codes_of(rows: Sequence[Row]) -> list[str]:
    """The first column."""
    return [str(row[0]) for row in rows]


def _flat(ranges: Sequence[Range]) -> list[str]:
    return [bound for pair in ranges for bound in pair]
