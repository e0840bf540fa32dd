"""Hostile texts and names, and broken references, met over the wire."""

from tests.query.test_refusals import (  # noqa: F401
    filled,
    test_a_broken_reference_is_like_an_empty_one,
    test_presentations,
    test_whatever_is_given_is_answered_or_refused,
)
