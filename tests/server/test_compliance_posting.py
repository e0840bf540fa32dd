"""What the kernel's tests of posting demand holds over the wire too."""

from tests.kernel.test_posting import *  # noqa: F403
