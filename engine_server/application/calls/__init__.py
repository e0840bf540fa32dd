"""The business calls a remote session may make: a name, its arguments as JSON, an answer as JSON. Never SQL.

Rights are the kernel's own: every call ends in the same `Session` methods as a local one.

registry.py        the table of calls and their performing; a call is a function with `@call`
objects.py reading.py values.py locks.py users.py administration.py base.py    the calls
"""

from engine_server.application.calls import administration, base, locks, objects, reading, users, values
from engine_server.application.calls.base import SERVING, perform_served
from engine_server.application.calls.objects import finish_loads
from engine_server.application.calls.registry import CALLS, Context, note_position, perform

_MADE_KNOWN = (administration, base, locks, objects, reading, users, values)

__all__ = ["CALLS", "SERVING", "Context", "finish_loads", "note_position", "perform", "perform_served"]
