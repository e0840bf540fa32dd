"""What the kernel's tests of the event log demand holds over the wire too."""

from tests.kernel.test_event_log import (  # noqa: F401
    test_a_refused_posting_leaves_no_entry,
    test_entries_name_who_what_and_which,
    test_every_public_write_is_one_entry,
    test_filters_and_trimming,
)
