"""What the kernel's tests of registers demand holds over the wire too."""

from tests.kernel.test_registers import *  # noqa: F403
