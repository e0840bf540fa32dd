"""Failed logins over the wire are told of and logged like local ones; for the rest see tests/server/test_sessions.py."""

from tests.rights.test_users import test_failed_attempts_are_in_the_log_without_the_password  # noqa: F401
