"""The moments of interruption: even over the whole time, and drawn to the switch wherever it is."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reliability.moments import AFTER, Moments


@given(st.integers(0, 1000), st.floats(0.01, 100.0))
def test_no_tenth_of_the_time_is_left_out(seed: int, whole: float) -> None:
    found = list(islice(iter(Moments(whole, Random(seed))), 50))
    tenths = {int(10 * moment / whole) for moment in found}
    assert set(range(10)) <= tenths
    assert any(moment > whole for moment in found), "a little after its end too"
    assert min(found) >= 0


@pytest.mark.parametrize("at", [0.004, 0.3, 0.97, 1.3])
def test_old_and_new_are_met_wherever_the_switch_is(at: float) -> None:
    """Even past the end: what was measured in peace may take longer in the run."""
    moments = Moments(1.0, Random(1))
    states = []
    for moment in islice(moments, 50):
        states.append(moment >= at)
        moments.learn(moment, new=states[-1])
    assert {True, False} == set(states)
    assert abs(moments.switch() - at) < 0.05 + AFTER * (at > 1)
    third = list(range(2, 50, 3))
    assert min(sum(states[n] for n in third), sum(not states[n] for n in third)) >= 3, "the aimed ones meet both"
