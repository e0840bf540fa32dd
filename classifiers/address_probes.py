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
        given, params = self._given(ranges, k=keys)
        return Statement(f"{given} {self._select('a.lo', 'a.hi', 'a CROSS JOIN k', limit)}", params)

    def count(self, keys: Sequence[str], ranges: Sequence[Range], limit: int) -> Statement:
        """How many there are, at most `limit`."""
        given, params = self._given(ranges, k=keys)
        inner = self._select("a.lo", "a.hi", "a CROSS JOIN k", limit)
        return Statement(f"{given} SELECT count(*) FROM ({inner}) AS n", params)

    def down(
        self, upper: Sequence[str], lower: Sequence[str], ranges: Sequence[Range], tried: int, limit: int
    ) -> Statement:
        """Codes of objects with a key of `lower` below objects with one of `upper`, of which `tried` are tried: a probe for each and each lower key."""
        begin = f"CASE WHEN {_PATH.format(code='p.c')} THEN p.c || '.' ELSE substr(p.c, 1, 11) END"
        places = self._select("a.lo", "a.hi", "a CROSS JOIN k", tried)
        found = self._select("q.lo", "q.lo || ':'", "q CROSS JOIN s", limit, "s")
        given, params = self._given(ranges, k=upper, s=lower)
        return Statement(f"{given}, p(c) AS ({places}), q(lo) AS (SELECT {begin} FROM p) {found}", params)

    def joined(
        self, upper: Sequence[str], lower: Sequence[str], ranges: Sequence[Range], read: tuple[int, int], limit: int
    ) -> Statement:
        """The same, reading so many objects of both names and comparing their codes. In GAR one object may lie between them."""
        places = self._select("a.lo", "a.hi", "a CROSS JOIN k", read[0])
        streets = self._select("a.lo", "a.hi", "a CROSS JOIN s", read[1], "s")
        path, parent = _PATH.format(code="p.c"), "rtrim(rtrim({}, '0123456789'), '.')"
        above = f"CASE WHEN {path} THEN {parent.format('p.c')} ELSE substr(p.c, 1, 11) || '00' END"
        # IS TRUE keeps PostgreSQL from comparing all with all: it has a table of hashes made of the subquery
        given, params = self._given(ranges, k=upper, s=lower)
        sql = (
            f"{given}, x(c) AS ({places}), p(c) AS ({streets}), q(c, up) AS (SELECT p.c, {above} FROM p UNION ALL "
            f"SELECT p.c, {parent.format(parent.format('p.c'))} FROM p WHERE {path}) "
            f"SELECT q.c FROM q WHERE (q.up IN (SELECT x.c FROM x)) IS TRUE LIMIT {limit}"
        )
        return Statement(sql, params)

    def _select(self, low: str, high: str, outer: str, limit: int, keys: str = "k") -> str:
        lateral = self._dialect.lateral
        probe = (
            f"{self._table} o WHERE o.{self._key} = {keys}.v AND o.{self._code} >= {low} AND o.{self._code} < {high}"
        )
        if lateral:
            probe = f"{lateral}(SELECT o.{self._code} FROM {probe} LIMIT {limit}) AS o"
        return f"SELECT o.{self._code} FROM {outer} CROSS JOIN {probe} LIMIT {limit}"

    def _given(self, ranges: Sequence[Range], **keys: Sequence[str]) -> tuple[str, list[object]]:
        """The beginning of a statement: the ranges as `a`, lists of keys by their names."""
        sql, params = self._dialect.given(list(zip(*ranges, strict=True)))
        parts = [f"WITH a(lo, hi) AS ({sql})"]
        for name, listed in keys.items():
            sql, more = self._dialect.given([listed])
            parts.append(f"{name}(v) AS ({sql})")
            params += more
        return ", ".join(parts), params


def codes_of(rows: Sequence[Row]) -> list[str]:
    """The first column."""
    return [str(row[0]) for row in rows]
