"""What the rights suite demands of the kernel holds over the wire too."""

from tests.rights.test_rights import *  # noqa: F403
