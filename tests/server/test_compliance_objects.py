"""What the kernel's tests of objects demand holds over the wire too."""

from tests.kernel.test_objects import *  # noqa: F403
