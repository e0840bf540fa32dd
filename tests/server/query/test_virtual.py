"""What the query suite demands of balances, turnovers and slices holds over the wire too."""

from tests.query.test_virtual import *  # noqa: F403

# These look at the SQL, or give a restriction as an argument: neither exists from afar.
del test_a_restriction_no_total_knows_is_applied_to_movements  # noqa: F821
del test_balances_come_from_totals_not_movements  # noqa: F821
