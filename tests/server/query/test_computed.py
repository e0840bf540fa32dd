"""What the query suite demands of computed conditions holds over the wire too."""

from tests.query.test_computed import *  # noqa: F403
