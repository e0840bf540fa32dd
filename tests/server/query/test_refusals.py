"""Hostile texts and names, and broken references, met over the wire."""

from __future__ import annotations

from hypothesis import given, settings

from tests.query.stores import Store
from tests.query.test_refusals import (  # noqa: F401
    ANYTHING,
    filled,
    outcomes,
    test_a_broken_reference_is_like_an_empty_one,
    test_presentations,
)


@settings(max_examples=60, deadline=None)
@given(**ANYTHING)
def test_whatever_is_given_is_answered_or_refused(
    filled: tuple[Store, Store],  # noqa: F811
    field: str,
    op: str,
    value: object,
) -> None:
    """Numbers that are none are refused by whoever reads them first: over the wire that is the message's reader, in words of its own."""
    for one, other in outcomes(filled, field, op, value):
        assert one == other or (isinstance(one, str) and isinstance(other, str))
